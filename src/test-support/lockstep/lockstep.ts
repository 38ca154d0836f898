/** Programs on two accelerators, slice by slice, compared after each. */
import type { Accelerator, VcpuExit } from "../../vcpu/accelerator.js";
import { fillWithValues } from "../differential/values.js";
import { Random } from "../random.js";
import { compare } from "./compare.js";
import * as L from "./layout.js";
import { baseImage, LockstepMachine } from "./machine.js";
import { type CodeBits, type Program, place } from "./program.js";
import { NOISE_BYTES } from "./surroundings.js";

/** Where the two sides first differed. */
export interface Mismatch {
  program: Program;
  /** The slice after which they did, and instructions retired then by the first side. */
  slice: number;
  instructions: number;
  differences: string[];
}

let noise: Buffer | undefined;

// Values for data and vector registers, the same in every run.
function valuePool(): Buffer {
  if (!noise) {
    noise = Buffer.alloc(NOISE_BYTES);
    fillWithValues(new Random(1), noise);
  }
  return noise;
}

export interface LockstepOptions {
  /** The second side's slices are cut into random pieces, to see that budgets change nothing. Default false. */
  pieces?: boolean;
}

export class Lockstep {
  /** Instructions that the programs retired. */
  instructions = 0;
  /** How programs ended. */
  readonly ends: Record<string, number> = {};
  private readonly sides: readonly [LockstepMachine, LockstepMachine];
  private readonly images = new Map<CodeBits, Buffer>();
  private readonly image = Buffer.alloc(L.RAM_BYTES);

  constructor(
    readonly accelerators: readonly [Accelerator, Accelerator],
    private readonly options: LockstepOptions = {},
  ) {
    this.sides = [new LockstepMachine(accelerators[0]), new LockstepMachine(accelerators[1])];
  }

  /** The first difference, or null. `thorough` compares RAM after every slice, not only at the end. */
  run(program: Program, thorough = false): Mismatch | null {
    const { sides } = this;
    this.buildImage(program);
    for (const side of sides) side.load(program, this.image, valuePool());
    const pieces = this.options.pieces ? new Random(program.seed) : null;
    let end = "slices";
    let differences: string[] = [];
    let slice = 0;
    for (; slice < program.slices.length; slice++) {
      const { events, instructions } = program.slices[slice]!;
      for (const event of events) for (const side of sides) side.happen(event);
      const exits: [VcpuExit, VcpuExit] = [
        sides[0].run(instructions),
        pieces ? runInPieces(sides[1], instructions, pieces) : sides[1].run(instructions),
      ];
      const [{ reason }] = exits;
      const finished = reason === "shutdown" || reason === "internal-error" || (reason === "halt" && sides[0].ended);
      const last = finished || slice === program.slices.length - 1;
      differences = compare(sides[0], sides[1], exits, thorough || last);
      if (differences.length > 0) break;
      if (finished) {
        end = reason;
        break;
      }
    }
    this.instructions += sides[0].vcpu.instructions;
    if (differences.length > 0) {
      return { program, slice, instructions: sides[0].vcpu.instructions, differences };
    }
    this.ends[end] = (this.ends[end] ?? 0) + 1;
    return null;
  }

  /** How the accelerators' counters stand, for what a run covered. */
  counters(side: 0 | 1): Record<string, number> {
    return this.sides[side].vcpu.counters().details;
  }

  close(): void {
    for (const side of this.sides) side.close();
  }

  private setEntry(bits: 32 | 64, page: number, code: number): void {
    const entry = Number(L.windowEntry(page, false, code));
    for (const at of entriesOf(bits, page)) this.image.writeUInt32LE(entry, at);
  }

  private buildImage(program: Program): void {
    const { image } = this;
    let base = this.images.get(program.kernel);
    if (!base) {
      base = baseImage(program.kernel);
      this.images.set(program.kernel, base);
    }
    base.copy(image);
    const pool = valuePool();
    pool.copy(image, L.DATA_AT, program.noise, program.noise + L.DATA_BYTES);
    pool.copy(image, L.DATA_AT + L.DATA_BYTES, 0, L.SPECIAL_BYTES);
    const code = L.codeAt(program.seed);
    const { instructions, labels } = place(program);
    for (const { offset, bytes } of instructions) {
      const at = offset - L.CODE;
      image.set(bytes, code + at);
      image.writeUInt16LE(at + bytes.length, L.SKIP_AT + at * 2);
    }
    for (const { offset, label, addend } of program.pointers) {
      const at = (labels.get(label) ?? L.CODE) + addend;
      const address = program.bits === 16 ? BigInt(at & 0xffff) : program.base + BigInt(at);
      image.writeBigUInt64LE(BigInt.asUintN(64, address), offset - L.DATA + L.DATA_AT);
    }
    image.writeUInt32LE(program.eventLimit, L.KERNEL.limit);
    image.writeUInt32LE(program.stepLimit, L.KERNEL.steps);
    image.writeUInt32LE(code, L.KERNEL.code);
    image.writeUInt32LE(code / 16, L.KERNEL.codeSegment);
    if (program.kernel === 16) return;
    for (let page = 0; page < (2 * L.CODE_BYTES) / L.PAGE; page++)
      this.setEntry(program.kernel, L.CODE / L.PAGE + page, code);
    for (const page of program.repaired) image[L.KERNEL.repair + page] = 1;
    for (const { page, bits } of program.cleared) {
      for (const at of entriesOf(program.kernel, page)) image[at]! &= ~bits;
    }
  }
}

/** Where the page-table entries of a page of the window lie. */
function entriesOf(bits: 32 | 64, page: number): number[] {
  const tables = [L.TABLES, L.TABLES + L.TABLES_BYTES];
  if (bits === 64) return tables.map((table) => table + 3 * L.PAGE + page * 8);
  return tables.flatMap((table) => [page, page + 512].map((index) => table + L.PAGE + index * 4));
}

function runInPieces(side: LockstepMachine, instructions: number, random: Random): VcpuExit {
  const end = side.vcpu.instructions + instructions;
  for (;;) {
    const left = end - side.vcpu.instructions;
    const exit = side.run(Math.min(left, random.chance(0.3) ? 1 : 1 + random.int(100)));
    if (exit.reason !== "budget" || side.vcpu.instructions >= end) return exit;
  }
}
