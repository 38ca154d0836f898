/** Registers and memory operands of generated instructions. */
import type { MemoryOperand } from "../differential/encode.js";
import type { Random } from "../random.js";
import type { Operand, SectionBuilder } from "./builder.js";
import type { ProgramFeature } from "./features.js";
import * as L from "./layout.js";
import type { CodeBits } from "./program.js";

export const RAX = 0;
export const RCX = 1;
export const RDX = 2;
export const RBX = 3;
export const RSP = 4;
export const RBP = 5;
export const RSI = 6;
export const RDI = 7;

export const ABSOLUTE: MemoryOperand = {
  mod: 0,
  rm: 5,
  displacement: 0,
  displacementBytes: 4,
  rexX: 0,
  rexB: 0,
  narrow: false,
  ripRelative: false,
};

export abstract class OperandSource {
  /** Registers that hold addresses of data, as offsets in the window. */
  protected readonly bases = new Map<number, number>();
  /** Registers that only the construct that holds them writes. */
  protected readonly reserved = new Set<number>([RSP]);
  protected readonly on = new Set<ProgramFeature>();
  protected readonly wide: boolean;
  protected readonly registersCount: number;
  protected section!: SectionBuilder;
  /** Functions of the program: each has two pages of code. */
  protected functionCount = 1;

  constructor(
    protected readonly random: Random,
    protected readonly bits: CodeBits,
  ) {
    this.wide = bits === 64;
    this.registersCount = this.wide ? 16 : 8;
  }

  protected register(kind: "r" | "x" | "q", written = false, byte = false): number {
    const { random } = this;
    if (kind === "q") return random.int(8);
    if (kind === "x") return !this.wide || random.chance(0.8) ? random.int(6) : random.int(16);
    for (let attempt = 0; attempt < 20; attempt++) {
      // A few registers more often, so that values flow from one instruction to the next.
      const register = random.chance(0.5) ? random.pick([RAX, RCX, RDX, RSI]) : random.int(this.registersCount);
      if (!written) return register;
      // A byte register 4 to 7 is AH to BH, mostly.
      const holder = byte && register >= 4 && register < 8 ? register - 4 : register;
      if (!this.reserved.has(register) && !this.reserved.has(holder)) return register;
    }
    return RAX;
  }

  protected scratch(): number {
    return this.register("r", true);
  }

  // ---- Memory operands.

  protected memory(bytes: number, aligned: boolean, frame: number): Operand {
    const { random } = this;
    const isFar = this.on.has("wild") && random.chance(0.03);
    if (isFar) return this.at(random.int(L.WINDOW), false);
    if (frame > 0 && this.bits !== 16 && random.chance(0.15)) return this.onStack(bytes, frame);
    return this.at(this.place(bytes, aligned), random.chance(0.25));
  }

  // Where a memory operand lies: mostly aligned in data pages, else where something special happens.
  protected place(bytes: number, aligned: boolean): number {
    const { random } = this;
    const unit = aligned ? Math.max(16, bytes) : Math.min(16, Math.max(1, bytes));
    const kind = random.int(100);
    if (kind < (aligned ? 90 : 72)) return L.DATA + random.int(0x4000 / unit) * unit;
    if (kind < 84) return L.DATA + random.int(0x4000);
    // Across a line, across a page.
    if (kind < 89) return L.DATA + (1 + random.int(200)) * 64 - random.int(Math.max(2, bytes));
    if (kind < 94) return L.DATA + (1 + random.int(7)) * L.PAGE - random.int(Math.max(2, bytes));
    if (kind < 96 && this.on.has("faults")) return L.SPECIAL + random.int(L.SPECIAL_BYTES - 16);
    if (kind < 97 && this.on.has("faults")) return L.SPECIAL + random.int(5) * L.PAGE - random.int(Math.max(2, bytes));
    if (kind < 99 && this.on.has("modify")) return this.besideCode(bytes);
    if (this.on.has("devices")) return L.DEVICE + random.int(16) * 8;
    return L.DATA + random.int(0x4000 / unit) * unit;
  }

  // Data at the end of a code page.
  protected besideCode(bytes: number): number {
    const { random } = this;
    const page = random.int(this.functionCount) * 2 + 1;
    const offset =
      page * L.PAGE + (random.chance(0.7) ? 0xf00 : 0xe00) + random.int(0x100 / Math.max(1, bytes)) * bytes;
    return (random.chance(0.3) ? L.ALIAS : L.CODE) + offset;
  }

  protected onStack(bytes: number, frame: number): Operand {
    const room = Math.max(0, frame - bytes);
    const displacement = this.section.pushed + this.random.int(room / 8 + 1) * 8;
    return {
      operand: {
        ...ABSOLUTE,
        mod: displacement < 128 ? 1 : 2,
        rm: 4,
        sib: { scale: 0, index: 4, base: RSP },
        displacement,
        displacementBytes: displacement < 128 ? 1 : 4,
      },
    };
  }

  /** An operand that reaches an offset in the window; with an index register that is loaded before, where asked for. */
  protected at(offset: number, indexed: boolean): Operand {
    const { random } = this;
    if (this.bits === 16) return this.narrowAt(offset);
    const direct = random.int(20);
    if (direct === 0) {
      // By FS or GS, whose bases are in the data.
      const fs = random.chance(0.5);
      const displacement = offset - (fs ? L.FS_BASE : L.GS_BASE);
      return {
        operand: {
          ...ABSOLUTE,
          ...(this.wide ? { rm: 4, sib: { scale: 0, index: 4, base: 5 } } : {}),
          displacement,
          segment: fs ? 0x64 : 0x65,
        },
      };
    }
    const target = { target: { offset }, addend: 0 };
    if (direct < 3) {
      if (this.wide) return { operand: { ...ABSOLUTE }, target: { kind: "relative", ...target } };
      return { operand: { ...ABSOLUTE }, target: { kind: "absolute", ...target } };
    }
    const [base, value] = random.pick([...this.bases]);
    let displacement = offset - value;
    const narrow = this.wide && random.chance(0.03);
    let sib: MemoryOperand["sib"];
    let rexX = 0;
    if (indexed) {
      const index = this.scratch();
      const scale = random.int(4);
      // A number of one byte, or a constant; either leaves the flags as they are.
      if (random.chance(0.6)) {
        this.section.op({ opcode: [0x0f, 0xb6], reg: index, rexForced: this.wide }, random.pick([RAX, RCX, RDX, RBX]));
      } else {
        const known = random.int(64) - 16;
        this.section.constant(index, BigInt(known), this.wide && known < 0);
        displacement -= known << scale;
      }
      sib = { scale, index: index & 7, base: base & 7 };
      rexX = index >> 3;
    } else if ((base & 7) === 4 || random.chance(0.05)) {
      sib = { scale: random.int(4), index: 4, base: base & 7 };
    }
    const none = displacement === 0 && (base & 7) !== 5;
    const short = displacement >= -128 && displacement < 128;
    return {
      operand: {
        ...ABSOLUTE,
        mod: none ? 0 : short ? 1 : 2,
        rm: sib ? 4 : base & 7,
        ...(sib ? { sib } : {}),
        displacement,
        displacementBytes: none ? 0 : short ? 1 : 4,
        rexX,
        rexB: base >> 3,
        narrow,
        ...(random.chance(0.03) ? { segment: random.pick([0x2e, 0x36, 0x3e, 0x26]) } : {}),
      },
    };
  }

  // [BX + d], [BP + d] or [d]; BP means SS, which a prefix turns into DS.
  protected narrowAt(offset: number): Operand {
    const [base, value] = this.random.pick([...this.bases]);
    const displacement = ((offset - value) << 16) >> 16;
    if (this.random.chance(0.2)) {
      return { operand: { ...ABSOLUTE, rm: 6, displacement: offset & 0xffff, displacementBytes: 2 } };
    }
    const short = displacement >= -128 && displacement < 128;
    return {
      operand: {
        ...ABSOLUTE,
        mod: short ? 1 : 2,
        rm: base === RBX ? 7 : 6,
        displacement,
        displacementBytes: short ? 1 : 2,
        ...(base === RBP && this.random.chance(0.9) ? { segment: 0x3e } : {}),
      },
    };
  }

  /** An operand at a label of the code, there or through the alias. */
  protected code(label: number, addend: number): Operand {
    const alias = this.bits !== 16 && this.random.chance(0.3) ? L.CODE_BYTES : 0;
    if (this.bits === 16) {
      const operand: MemoryOperand = { ...ABSOLUTE, rm: 6, displacementBytes: 2, segment: 0x2e };
      return { operand, target: { kind: "offset", target: { label }, addend } };
    }
    return {
      operand: { ...ABSOLUTE },
      target: { kind: this.wide ? "relative" : "absolute", target: { label }, addend: addend + alias },
    };
  }
}
