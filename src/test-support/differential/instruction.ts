/** How the tables describe instructions to the generator. */
import type { FeatureName } from "../../vcpu/features.js";
import type { Random } from "../random.js";
import type { CodeBits } from "./wire.js";

export const CF = 0x001;
export const PF = 0x004;
export const AF = 0x010;
export const ZF = 0x040;
export const SF = 0x080;
export const DF = 0x400;
export const OF = 0x800;
/** The six arithmetic flags. */
export const ARITH = CF | PF | AF | ZF | SF | OF;

/** `r` general register, `x` XMM, `q` MMX register. */
export type RegisterKind = "r" | "x" | "q";

/** Flags set as the manuals say, and flags left with no value that software may rely on. */
export interface FlagEffect {
  defines?: number;
  undefines?: number;
}

export interface Spec {
  name: string;
  /** What both processors have to offer; without it the instruction stays out. */
  feature?: FeatureName;
  /**
   * A VEX prefix instead of REX, 0F and what follows it: `opcode` is one byte. Operand size 8 is VEX.W; `w` fixes VEX.W
   * otherwise. `vvvv`: the kind of register that it names, or null.
   */
  vex?: { map: 1 | 2 | 3; prefix: 0 | 1 | 2 | 3; l: 0 | 1; w?: 0 | 1; vvvv: "r" | "x" | null };
  /** Mandatory prefix; it comes last before REX. */
  prefix?: 0x66 | 0xf3 | 0xf2;
  opcode: readonly number[];
  /** Only in code of this size. */
  bits?: CodeBits;
  /** Operand sizes in bytes to choose from: 2 gives a 66 prefix, 8 gives REX.W. Default: one of no consequence. */
  sizes?: readonly number[];
  /** Stack operations and the like are 64 bits wide without REX.W. */
  default64?: boolean;
  /** A byte instruction whose opcode has the size in bit 0: opcode as given for bytes, plus 1 for wider ones. */
  byteForm?: boolean;
  /** The ModRM byte: a register operand or an opcode extension, and what rm can be. */
  modrm?: {
    reg: RegisterKind | number;
    rm: RegisterKind | null;
    /** Bytes of the memory operand; 0 is the operand size; null: no memory form. */
    memory: number | null;
    /** The memory operand has to be aligned on its size, 16 or 32 bytes. */
    aligned?: boolean;
    /** Sizes of the general registers where not the operand size. */
    regSize?: number;
    rmSize?: number;
  };
  /** The register in the opcode's low three bits. */
  opcodeRegister?: boolean;
  /** Immediate bytes; "z" is 2 or 4 by operand size, "v" 2, 4 or 8. */
  immediate?: 1 | 2 | 3 | 4 | 8 | "z" | "v";
  /** Narrows the immediate. */
  immediateMax?: number;
  /** Flags that it reads, and what it does to the flags. */
  reads?: number;
  flags?: FlagEffect | ((choice: { size: number; immediate: number }) => FlagEffect);
  /** Which register operands are written. Default: none. */
  writes?: readonly ("reg" | "rm" | "opcode" | "vvvv")[];
  /** General registers written besides. */
  clobbers?: readonly number[];
  /** LOCK is allowed with a memory destination. */
  lock?: boolean;
  /** REP prefixes to choose from. */
  repeat?: readonly number[];
  /** Never with prefixes that would make it another instruction. */
  plain?: boolean;
  /** How often it is chosen, relative to others. Default 1. */
  weight?: number;
  /** Registers that get a value by a MOV before, so that the instruction means something. */
  needs?: Readonly<Record<number, (random: Random) => bigint>>;
  /** The result is known only to a relative error, as 4-byte floats in the destination's lanes: compared by that. */
  approximate?: boolean;
  /** Changes the flow. The generator makes the target the next instruction or the one after it. */
  branch?: "relative8" | "relative32";
}
