/**
 * A hostile guest by chance: random bytes as code, random page and descriptor tables, random interrupts. What
 * it does is of no interest; that the host survives it is: no host exception, every `run` returns, and no
 * byte outside of the guest's memory changes but the accelerator's own structures.
 */
import { MAX_VCPUS, TLB_BASE, TLB_STRIDE, VCPU_BASE, VCPU_STRIDE } from "../accel/translate/layout.js";
import { GuestMemory, RAM_OFFSET, ROM_OFFSET } from "../guest-memory/guest-memory.js";
import {
  type Accelerator,
  AcceleratorError,
  type AcceleratorVm,
  type InterruptMessage,
  type Vcpu,
} from "../vcpu/accelerator.js";
import { parseCpuModel } from "../vcpu/cpu-model.js";
import type { SegmentState, VcpuState } from "../vcpu/state.js";
import { Random } from "./random.js";

/** `tasks` is protected mode with many TSSs and task gates. */
export type FuzzMode = "real" | "virtual86" | "protected16" | "protected" | "tasks" | "compatibility" | "long";
export const FUZZ_MODES: readonly FuzzMode[] = [
  "real",
  "virtual86",
  "protected16",
  "protected",
  "tasks",
  "compatibility",
  "long",
];

export interface FuzzOptions {
  accelerator: Accelerator;
  mode: FuzzMode;
  seed: number;
  /** It ends after so many instructions, or rounds. An accelerator that counts no instructions needs the second. */
  instructions?: number;
  rounds?: number;
  /** Called before each round, with its number: the last one seen is where a hang lies. */
  progress?: (round: number, instructions: number) => void;
}

export interface FuzzResult {
  instructions: number;
  rounds: number;
  exits: Record<string, number>;
  /** Instructions that the accelerator said it does not implement, by message. */
  unimplemented: Record<string, number>;
}

/** A guest did what no guest may be able to do. */
export class FuzzFinding extends Error {
  override readonly name = "FuzzFinding";
}

const RAM_BYTES = 0x100000;
/** Bytes on both sides of the guest's RAM that nobody may touch. */
const MOAT = 0x10000;
const GUARD = 0xa5;
const SLICES = 6;
/** What an instruction may take where the accelerator counts none. */
const NANOSECONDS = 3000;
const SLICE_INSTRUCTIONS = 1500;
const TABLES = 0x10000;
const GDT = 0x20000;
const IDT = 0x21000;
const TSS = 0x22000;
const HANDLER_CODE = 0x08;
/** In mode `tasks`, GDT entries of TSSs, and behind them of task gates. */
const FIRST_TASK = 12;
const TASKS = 16;

export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  return new Fuzzer(options).run();
}

class Fuzzer {
  private readonly random: Random;
  private readonly memory = new GuestMemory(RAM_BYTES + 2 * MOAT);
  private readonly vm: AcceleratorVm;
  private readonly vcpu: Vcpu;
  private readonly noise: Uint8Array;
  private readonly result: FuzzResult = { instructions: 0, rounds: 0, exits: {}, unimplemented: {} };

  constructor(private readonly options: FuzzOptions) {
    this.random = new Random(options.seed);
    const offset = RAM_OFFSET + MOAT;
    this.memory.setSlots([{ gpa: 0, size: RAM_BYTES, offset, readonly: false }]);
    const random = this.random;
    const value = () => random.u32();
    this.vm = options.accelerator.createVm(this.memory);
    this.vcpu = this.vm.createVcpu({
      id: 0,
      count: 1,
      model: options.accelerator.offer(
        parseCpuModel(random.pick(["default", "max", "x86-64-v1", "default,vendor=intel"])),
      ),
      bus: {
        portRead: (_port, size) => value() & (2 ** (8 * size) - 1),
        portWrite: () => {},
        mmioRead: (_gpa, size) => (value() & (2 ** (8 * size) - 1)) >>> 0,
        mmioWrite: () => {},
        acknowledgePic: () => value() & 0xff,
        endOfInterrupt: () => {},
        sendIpi: (message: InterruptMessage) => {
          this.vcpu.interrupt(message);
        },
      },
      clock: { mode: "icount", now: () => this.vcpu.instructions },
      random: value,
    });
    for (const { start, end, value: byte } of this.guarded()) this.memory.bytes.fill(byte, start, end);
    this.noise = random.fill(new Uint8Array(RAM_BYTES));
  }

  async run(): Promise<FuzzResult> {
    const { instructions = Number.POSITIVE_INFINITY, rounds = Number.POSITIVE_INFINITY, progress } = this.options;
    try {
      while (this.result.instructions < instructions && this.result.rounds < rounds) {
        progress?.(this.result.rounds, this.result.instructions);
        await this.round();
        this.result.rounds++;
        if (this.result.rounds % 64 === 0) this.checkGuards();
      }
      this.checkGuards();
    } finally {
      this.vm.close();
    }
    return this.result;
  }

  private async round(): Promise<void> {
    const random = this.random;
    this.fillMemory();
    this.vcpu.reset();
    const state = this.vcpu.getState();
    this.randomize(state);
    try {
      this.vcpu.setState(state);
    } catch (error) {
      // KVM checks what no guest could bring about.
      if (!(error instanceof AcceleratorError && error.code === "STATE_MISMATCH")) throw error;
      this.result.exits.refused = (this.result.exits.refused ?? 0) + 1;
      return;
    }
    let before = this.vcpu.instructions;
    for (let slice = 0; slice < SLICES; slice++) {
      const budget = 1 + random.int(SLICE_INSTRUCTIONS);
      const exit = await this.vcpu.run({ instructions: budget, deadline: budget * NANOSECONDS });
      this.result.exits[exit.reason] = (this.result.exits[exit.reason] ?? 0) + 1;
      const now = this.vcpu.instructions;
      this.result.instructions += now - before;
      before = now;
      if (exit.reason === "internal-error") {
        const { code, message } = exit.error;
        if (code !== "UNIMPLEMENTED_INSTRUCTION" && code !== "UNIMPLEMENTED_FEATURE") {
          throw new FuzzFinding(`${this.where()}: ${code} ${message}`, { cause: exit.error });
        }
        const kind = message.replace(/0x[0-9a-f]+/g, "N");
        this.result.unimplemented[kind] = (this.result.unimplemented[kind] ?? 0) + 1;
        return;
      }
      if (exit.reason === "shutdown") return;
      this.disturb();
      // What was saved can be restored.
      if (random.chance(0.05)) this.vcpu.setState(this.vcpu.getState());
    }
  }

  // What the rest of a machine does between runs: interrupts and DMA.
  private disturb(): void {
    const random = this.random;
    const vector = random.int(256);
    if (random.chance(0.2)) this.vcpu.nmi();
    if (random.chance(0.3)) this.vcpu.setExtInt(random.chance(0.5));
    if (random.chance(0.3)) {
      this.vcpu.interrupt({
        destination: random.pick([0, 0xff]),
        destinationMode: random.pick(["physical", "logical"] as const),
        deliveryMode: random.pick(["fixed", "lowest", "nmi", "init", "startup", "extint"] as const),
        vector,
        triggerMode: random.pick(["edge", "level"] as const),
        level: random.chance(0.9),
        shorthand: "none",
      });
    }
    if (random.chance(0.3)) this.memory.write(random.int(RAM_BYTES - 64), random.fill(new Uint8Array(64)));
  }

  private fillMemory(): void {
    const random = this.random;
    // New noise for a part, the whole shifted: fresh bytes everywhere, at little cost.
    random.fill(this.noise.subarray(random.int(RAM_BYTES - 0x4000)).subarray(0, 0x4000));
    const cut = random.int(RAM_BYTES);
    this.memory.write(0, this.noise.subarray(cut));
    this.memory.write(RAM_BYTES - cut, this.noise.subarray(0, cut));
    this.plantOpcodes();
    if (this.options.mode !== "real") {
      this.makeGdt();
      this.makeIdt();
      this.makePageTables();
      for (let at = 4; at < 0x68; at += 4) {
        if (random.chance(0.8))
          this.memory.write32(TSS + at, random.chance(0.5) ? random.int(RAM_BYTES) : random.int(16) * 8);
      }
      for (let ring = 0; ring < 3; ring++)
        this.memory.write32(TSS + 8 + ring * 8, this.long ? 0 : (3 + ring * 2) * 8 + ring);
      if (this.options.mode === "tasks") this.makeTasks();
    }
  }

  // TSSs of tasks that could run, task gates to them in the GDT and the IDT, and far jumps and calls to both.
  private makeTasks(): void {
    const { memory, random } = this;
    const task = () => (FIRST_TASK + random.int(TASKS)) * 8;
    const gate = () => (BigInt(random.chance(0.9) ? 0xe500 : random.u32() & 0xff00) << 32n) | BigInt(task() << 16);
    for (let index = 0; index < TASKS; index++) {
      const base = random.int(RAM_BYTES - 0x100);
      const type = random.chance(0.8) ? 0xe9 : random.pick([0xe1, 0xeb, 0xe3, 0x69]);
      const limit = random.chance(0.9) ? 0x67 : random.int(0x200);
      memory.write32(GDT + (FIRST_TASK + index) * 8, (((base & 0xffff) << 16) | limit) >>> 0);
      memory.write32(GDT + (FIRST_TASK + index) * 8 + 4, (base >>> 16) | (type << 8));
      memory.write64(GDT + (FIRST_TASK + TASKS + index) * 8, gate());
      const ring = random.int(4);
      const data = (3 + ring * 2) * 8 + ring;
      memory.write16(base, task());
      if (random.chance(0.9)) memory.write32(base + 0x1c, TABLES);
      memory.write32(base + 0x20, random.int(RAM_BYTES));
      memory.write32(base + 0x24, random.u32() & (random.chance(0.2) ? 0x3f7fd7 : 0x7ed7));
      memory.write32(base + 0x38, random.int(RAM_BYTES));
      [data, (2 + ring * 2) * 8 + ring, data, data, data, random.chance(0.5) ? 0 : task()].forEach((selector, at) => {
        if (random.chance(0.95)) memory.write32(base + 0x48 + at * 4, selector);
      });
      memory.write32(base + 0x60, random.chance(0.8) ? 0 : task());
      memory.write16(base + 0x64, random.chance(0.1) ? 1 : 0);
    }
    for (let vector = 0; vector < 256; vector++) {
      if (random.chance(0.5)) memory.write64(IDT + vector * 8, gate());
    }
    for (let count = 0; count < 2000; count++) {
      const selector = task() + (random.chance(0.5) ? TASKS * 8 : 0);
      const transfer = [random.pick([0xea, 0x9a]), 0, 0, 0, 0, selector & 0xff, selector >> 8];
      memory.write(random.int(RAM_BYTES - 16), Uint8Array.from(random.chance(0.8) ? transfer : [0xcf]));
    }
    memory.write16(TSS, task());
  }

  // Random bytes are mostly arithmetic: these come more often than by chance.
  private plantOpcodes(): void {
    const random = this.random;
    const plants: readonly (readonly number[])[] = [
      [0x0f, 0x01],
      [0x0f, 0x00],
      [0x0f, 0x22],
      [0x0f, 0x20],
      [0x0f, 0x23],
      [0x0f, 0xae],
      [0x0f, 0xc7],
      [0x0f, 0x30],
      [0x0f, 0x32],
      [0x0f, 0x05],
      [0x0f, 0x34],
      [0x0f, 0x35],
      [0x0f, 0x07],
      [0x0f, 0x38],
      [0x0f, 0x3a],
      [0xcf],
      [0xcb],
      [0x9a],
      [0xea],
      [0xff],
      [0x8e],
      [0xcd],
      [0x9d],
      [0xf3, 0xa5],
      [0xf3, 0xaa],
      [0xf2, 0xae],
      [0x6c],
      [0x6e],
      [0xd9],
      [0xdb],
      [0xdd],
      [0xdf],
      [0xfb],
      [0xf4],
      [0x66, 0x0f],
      [0xf3, 0x0f],
      [0xf2, 0x0f],
      [0x67],
      [0x65],
      [0xc8],
      [0x0f, 0xa2],
    ];
    for (let count = 0; count < 400; count++) {
      this.memory.write(random.int(RAM_BYTES - 16), Uint8Array.from(random.pick(plants)));
    }
  }

  private get long(): boolean {
    return this.options.mode === "long" || this.options.mode === "compatibility";
  }

  private get codeFlags(): bigint {
    const { mode } = this.options;
    return mode === "long" ? 0xan : mode === "protected16" ? 0n : 0xcn;
  }

  // Null, then code and data for each ring, a TSS, an LDT, and noise of descriptors that look valid.
  private makeGdt(): void {
    const { memory, random } = this;
    // For handlers, which are 64-bit code in compatibility mode too.
    memory.write64(GDT + HANDLER_CODE, this.long ? 0x00af_9b00_0000_ffffn : 0x00cf_9b00_0000_ffffn);
    for (let ring = 0n; ring < 4n; ring++) {
      memory.write64(GDT + Number(ring) * 16 + 16, (this.codeFlags << 52n) | (ring << 45n) | 0x000f_9b00_0000_ffffn);
      memory.write64(GDT + Number(ring) * 16 + 24, (ring << 45n) | 0x00cf_9300_0000_ffffn);
    }
    for (let entry = 10; entry < 64; entry++) {
      const high = (random.u32() & 0xff00ff) | 0x8000 | (random.u32() & 0xf0ff00);
      memory.write32(GDT + entry * 8, random.chance(0.5) ? random.u32() : (random.int(9) << 19) | random.int(0x10000));
      memory.write32(GDT + entry * 8 + 4, random.chance(0.8) ? high >>> 0 : random.u32());
    }
  }

  private makeIdt(): void {
    const { memory, random } = this;
    for (let vector = 0; vector < 256; vector++) {
      const at = IDT + vector * (this.long ? 16 : 8);
      if (random.chance(0.1)) continue;
      const offset = random.int(RAM_BYTES);
      const selector = random.chance(0.7) ? HANDLER_CODE : (2 + random.int(4) * 2) * 8;
      const type = random.chance(0.02) ? random.pick([0x8600, 0x8500]) : random.pick([0x8e00, 0xee00, 0x8f00, 0xef00]);
      memory.write32(at, (selector << 16) | (offset & 0xffff));
      memory.write32(at + 4, (offset & 0xffff0000) | type | (random.chance(0.1) ? random.int(8) : 0));
      if (this.long) memory.write64(at + 8, random.chance(0.95) ? 0n : random.u64());
    }
  }

  // Identity by 4 KiB pages over RAM, with wrong entries; what level a table is used at follows from the mode.
  private makePageTables(): void {
    const { memory, random } = this;
    const wide = this.long || this.pae;
    const entry = (address: number): bigint => {
      const kind = random.int(40);
      if (kind === 0) return random.u64();
      if (kind === 1) return BigInt(address) | BigInt(random.u32() & 0xfff);
      if (kind === 2) return BigInt(random.int(0x2000) * 4096) | 7n;
      if (kind === 3)
        return BigInt(address) | (random.pick([0n, 1n, 3n, 5n, 0x87n, 0x107n]) | (random.chance(0.3) ? 1n << 63n : 0n));
      return BigInt(address) | 7n;
    };
    const write = (table: number, index: number, value: bigint) =>
      wide ? memory.write64(table + index * 8, value) : memory.write32(table + index * 4, Number(value & 0xffffffffn));
    const count = wide ? 512 : 1024;
    const [top, second, third, pages] = [TABLES, TABLES + 0x1000, TABLES + 0x2000, TABLES + 0x3000];
    for (let index = 0; index < count; index++) write(pages!, index, entry((index * 4096) % RAM_BYTES));
    const sparse = (table: number, next: number, certain: bigint) => {
      for (let index = 0; index < count; index++) write(table, index, random.chance(0.5) ? 0n : entry(next));
      if (random.chance(0.95)) write(table, 0, certain);
    };
    if (this.long) {
      sparse(top!, second!, BigInt(second!) | 7n);
      sparse(second!, third!, BigInt(third!) | 7n);
      sparse(third!, pages!, BigInt(pages!) | 7n);
    } else if (this.pae) {
      sparse(top!, third!, BigInt(third!) | 1n);
      sparse(third!, pages!, BigInt(pages!) | 7n);
    } else {
      sparse(top!, pages!, BigInt(pages!) | 7n);
    }
  }

  private pae = false;

  private randomize(state: VcpuState): void {
    const random = this.random;
    const { mode } = this.options;
    const small = () => BigInt(random.int(RAM_BYTES));
    state.gpr = state.gpr.map(() =>
      random.chance(0.6) ? small() : random.chance(0.5) ? BigInt(random.u32()) : random.u64(),
    );
    if (!this.long) state.gpr = state.gpr.map((value) => value & 0xffffffffn);
    state.rflags = 2n | (BigInt(random.u32()) & (random.chance(0.1) ? 0x257fd5n : 0x203ed5n));
    const ring = mode === "real" ? 0 : random.int(4);
    state.rip = mode === "real" || mode === "protected16" || mode === "virtual86" ? small() & 0xffffn : small();
    if (mode === "real") {
      const segment = (): SegmentState => {
        const selector = random.int(0x10000);
        return { selector, base: BigInt(selector * 16), limit: 0xffff, attributes: 0x93 };
      };
      for (const name of ["es", "ss", "ds", "fs", "gs"] as const) state.segments[name] = segment();
      state.segments.cs = { ...segment(), attributes: 0x9b };
      state.idtr = { base: 0n, limit: 0x3ff };
      state.cr0 = 0x10n | BigInt(random.int(2) << 5);
    } else {
      state.segments.cs = this.flat((2 + ring * 2) * 8 + ring, 0x9b | (ring << 5) | (Number(this.codeFlags) << 12));
      for (const name of ["es", "ss", "ds", "fs", "gs"] as const) {
        state.segments[name] = this.flat((3 + ring * 2) * 8 + ring, 0xc093 | (ring << 5));
        if (name !== "ss" && random.chance(0.2)) {
          state.segments[name].base = small();
          state.segments[name].limit = random.u32();
        }
      }
      state.segments.tr = { selector: 0x50, base: BigInt(TSS), limit: 0x67 + random.int(2) * 0x2000, attributes: 0x8b };
      state.segments.ldtr = { selector: 0x58, base: BigInt(GDT), limit: 0x1ff, attributes: 0x82 };
      state.gdtr = { base: BigInt(GDT), limit: random.chance(0.9) ? 0x1ff : random.int(0x10000) };
      state.idtr = { base: BigInt(IDT), limit: random.chance(0.9) ? 0xfff : random.int(0x10000) };
      const paging = this.long || random.chance(0.7);
      // PE ET NE; WP, AM, MP, seldom EM and TS.
      const cr0 =
        0x31 | (random.u32() & 0x50002) | (random.chance(0.1) ? random.u32() & 0xc : 0) | (paging ? 0x80000000 : 0);
      state.cr0 = BigInt(cr0 >>> 0);
      state.cr3 = BigInt(TABLES);
      this.pae = random.chance(0.5);
      // VME PVI TSD DE PSE PGE OSFXSR OSXMMEXCPT UMIP FSGSBASE OSXSAVE SMEP SMAP.
      const cr4 = random.u32() & (random.chance(0.7) ? 0x10698 : 0x350e9f);
      state.cr4 = BigInt(cr4 | 0x600 | (this.long || this.pae ? 0x20 : 0));
      if (this.long) state.msrs[0xc0000080] = 0x501n | BigInt(random.int(2) << 11);
      this.makePageTables();
      for (let index = 0; index < 4; index++) {
        state.pdptrs[index] = this.memory.read64(TABLES + index * 8) & ~0x1e6n & 0xf_ffff_ffffn;
      }
    }
    if (mode === "virtual86") {
      state.rflags |= 0x20000n | (random.chance(0.5) ? 0x3000n : 0n);
      for (const name of ["es", "cs", "ss", "ds", "fs", "gs"] as const) {
        const selector = random.int(0x10000);
        state.segments[name] = { selector, base: BigInt(selector * 16), limit: 0xffff, attributes: 0xf3 };
      }
    }
    if (mode === "tasks" && random.chance(0.5)) state.rflags |= 0x4000n;
    state.fpu.vectors = state.fpu.vectors.map(() => Buffer.from(random.fill(new Uint8Array(32))).toString("hex"));
    state.fpu.registers = state.fpu.registers.map(() => ({
      significand: random.u64(),
      signExponent: random.int(0x10000),
    }));
    state.fpu.fcw = 0x40 | (random.u32() & 0xf3f);
    state.fpu.ftw = random.int(0x10000);
    state.fpu.mxcsr = random.int(0x10000);
    if (random.chance(0.2)) {
      for (const name of ["dr0", "dr1", "dr2", "dr3"] as const) state.dr[name] = small();
      state.dr.dr7 = 0x400n | (BigInt(random.u32()) & 0xffff00ffn);
    }
  }

  private flat(selector: number, attributes: number): SegmentState {
    return { selector, base: 0n, limit: 0xffffffff, attributes };
  }

  // Ranges of the wasm memory that no guest may change: other vCPUs' blocks and TLBs, which are empty, ROM, the moat.
  private guarded(): { start: number; end: number; value: number }[] {
    return [
      { start: VCPU_BASE + VCPU_STRIDE, end: VCPU_BASE + MAX_VCPUS * VCPU_STRIDE, value: 0 },
      { start: TLB_BASE + TLB_STRIDE, end: TLB_BASE + MAX_VCPUS * TLB_STRIDE, value: 0 },
      { start: ROM_OFFSET, end: RAM_OFFSET + MOAT, value: GUARD },
      { start: RAM_OFFSET + MOAT + RAM_BYTES, end: this.memory.bytes.length, value: GUARD },
    ];
  }

  private checkGuards(): void {
    for (const { start, end, value } of this.guarded()) {
      const bytes = this.memory.bytes.subarray(start, end);
      // All bytes have the value when the first has it and each equals the one after it.
      const same = Buffer.compare(bytes.subarray(0, -1), bytes.subarray(1)) === 0;
      if (same && bytes[0] === value) continue;
      const touched = bytes.findIndex((byte) => byte !== value);
      throw new FuzzFinding(`${this.where()}: wasm offset 0x${(start + touched).toString(16)} changed`);
    }
  }

  private where(): string {
    return `mode ${this.options.mode}, seed ${this.options.seed}, round ${this.result.rounds}`;
  }
}
