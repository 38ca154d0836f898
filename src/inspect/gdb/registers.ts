/**
 * The registers that gdb asks for, in its order, with the target description that says so.
 * "Debugging with GDB", appendix G.5.25: features of the i386 and amd64 architectures.
 */
import type { SegmentState, VcpuState } from "../../vcpu/state.js";
import { fromHex } from "./packets.js";

export interface GdbRegister {
  readonly name: string;
  readonly bits: number;
  readonly type: string;
  /** gdb's register group, where its name does not say it. */
  readonly group?: "float";
  get(state: VcpuState): bigint;
  /** Returns false for what cannot be written by a debugger. */
  set(state: VcpuState, value: bigint): boolean;
}

interface Feature {
  readonly name: string;
  readonly registers: readonly GdbRegister[];
  /** Types that the registers use, as the target description defines them. */
  readonly types?: string;
}

export interface GdbArchitecture {
  readonly registers: readonly GdbRegister[];
  /** The target description, XML. */
  readonly description: string;
}

const FS_BASE = 0xc0000100;
const KERNEL_GS_BASE = 0xc0000102;
const EFER = 0xc0000080;
/** gdb's order of the general registers as indices of `VcpuState.gpr`. */
const AMD64_GPRS = ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp"] as const;
const I386_GPRS = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"] as const;
const GPR_INDEX: Record<string, number> = { ax: 0, cx: 1, dx: 2, bx: 3, sp: 4, bp: 5, si: 6, di: 7 };

function gpr(name: string, index: number, bits: 32 | 64): GdbRegister {
  const isPointer = index === 4 || index === 5;
  return {
    name,
    bits,
    type: isPointer ? "data_ptr" : `int${bits}`,
    get: (state) => state.gpr[index],
    set: (state, value) => {
      state.gpr[index] = value;
      return true;
    },
  };
}

type SegmentName = "cs" | "ss" | "ds" | "es" | "fs" | "gs";

/** Shown, not written: a selector without its descriptor would be a state that no CPU has. */
function selector(name: SegmentName): GdbRegister {
  return {
    name,
    bits: 32,
    type: "int32",
    get: (state) => BigInt(state.segments[name].selector),
    set: (state, value) => Number(value) === state.segments[name].selector,
  };
}

function base(name: "fs" | "gs"): GdbRegister {
  const of = (state: VcpuState): SegmentState => state.segments[name];
  return {
    name: `${name}_base`,
    bits: 64,
    type: "int",
    get: (state) => of(state).base,
    set: (state, value) => {
      of(state).base = value;
      const msr = FS_BASE + (name === "gs" ? 1 : 0);
      if (msr in state.msrs) state.msrs[msr] = value;
      return true;
    },
  };
}

/** Physical register that ST(index) stands for. */
function stackRegister(state: VcpuState, index: number) {
  return state.fpu.registers[(((state.fpu.fsw >> 11) & 7) + index) & 7];
}

function st(index: number): GdbRegister {
  return {
    name: `st${index}`,
    bits: 80,
    type: "i387_ext",
    get: (state) => {
      const { significand, signExponent } = stackRegister(state, index);
      return (BigInt(signExponent) << 64n) | significand;
    },
    set: (state, value) => {
      const register = stackRegister(state, index);
      register.significand = BigInt.asUintN(64, value);
      register.signExponent = Number(value >> 64n);
      return true;
    },
  };
}

/** An x87 control register; gdb shows 32 bits of each. */
function control(
  name: string,
  get: (state: VcpuState) => bigint,
  set?: (state: VcpuState, value: number) => void,
): GdbRegister {
  return {
    name,
    bits: 32,
    type: "int",
    group: "float",
    get: (state) => BigInt.asUintN(32, get(state)),
    set: (state, value) => {
      if (set === undefined) return value === BigInt.asUintN(32, get(state));
      set(state, Number(value));
      return true;
    },
  };
}

function xmm(index: number): GdbRegister {
  return {
    name: `xmm${index}`,
    bits: 128,
    type: "vec128",
    get: (state) => littleEndian(fromHex(state.fpu.vectors[index].slice(0, 32)) ?? new Uint8Array(16)),
    set: (state, value) => {
      let low = "";
      for (let byte = 0n; byte < 16n; byte++) low += ((value >> (byte * 8n)) & 0xffn).toString(16).padStart(2, "0");
      state.fpu.vectors[index] = low + state.fpu.vectors[index].slice(32);
      return true;
    },
  };
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

/** A register that gdb has no use of its own for but people do. Shown, not written. */
function system(name: string, get: (state: VcpuState) => bigint): GdbRegister {
  return { name, bits: 64, type: "int64", get, set: (state, value) => value === get(state) };
}

function core(is64: boolean): GdbRegister[] {
  const bits = is64 ? 64 : 32;
  const names = is64 ? AMD64_GPRS : I386_GPRS;
  const registers = names.map((name) => gpr(name, GPR_INDEX[name.slice(1)], bits));
  if (is64) for (let index = 8; index < 16; index++) registers.push(gpr(`r${index}`, index, 64));
  registers.push(
    {
      name: is64 ? "rip" : "eip",
      bits,
      type: "code_ptr",
      get: (state) => state.rip,
      set: (state, value) => {
        state.rip = value;
        return true;
      },
    },
    {
      name: "eflags",
      bits: 32,
      type: "i386_eflags",
      get: (state) => BigInt.asUintN(32, state.rflags),
      set: (state, value) => {
        // Bit 1 reads as one, whatever is written. Intel SDM 1, 3.4.3.
        state.rflags = (value & 0x3f7fd5n) | 2n;
        return true;
      },
    },
    ...(["cs", "ss", "ds", "es", "fs", "gs"] as const).map(selector),
  );
  for (let index = 0; index < 8; index++) registers.push(st(index));
  registers.push(
    control(
      "fctrl",
      (s) => BigInt(s.fpu.fcw),
      (s, value) => {
        s.fpu.fcw = value & 0xffff;
      },
    ),
    control(
      "fstat",
      (s) => BigInt(s.fpu.fsw),
      (s, value) => {
        s.fpu.fsw = value & 0xffff;
      },
    ),
    control(
      "ftag",
      (s) => BigInt(s.fpu.ftw),
      (s, value) => {
        s.fpu.ftw = value & 0xffff;
      },
    ),
    control("fiseg", (s) => BigInt(s.fpu.fcs)),
    control("fioff", (s) => s.fpu.fip),
    control("foseg", (s) => BigInt(s.fpu.fds)),
    control("fooff", (s) => s.fpu.fdp),
    control("fop", (s) => BigInt(s.fpu.fop)),
  );
  return registers;
}

const EFLAGS_TYPE = `<flags id="i386_eflags" size="4">${[
  ["CF", 0],
  ["", 1],
  ["PF", 2],
  ["AF", 4],
  ["ZF", 6],
  ["SF", 7],
  ["TF", 8],
  ["IF", 9],
  ["DF", 10],
  ["OF", 11],
  ["NT", 14],
  ["RF", 16],
  ["VM", 17],
  ["AC", 18],
  ["VIF", 19],
  ["VIP", 20],
  ["ID", 21],
]
  .map(([name, bit]) => `<field name="${name}" start="${bit}" end="${bit}"/>`)
  .join("")}</flags>`;

const VECTOR_TYPES = [
  '<vector id="v4f" type="ieee_single" count="4"/>',
  '<vector id="v2d" type="ieee_double" count="2"/>',
  '<vector id="v16i8" type="int8" count="16"/>',
  '<vector id="v8i16" type="int16" count="8"/>',
  '<vector id="v4i32" type="int32" count="4"/>',
  '<vector id="v2i64" type="int64" count="2"/>',
  '<union id="vec128"><field name="v4_float" type="v4f"/><field name="v2_double" type="v2d"/>',
  '<field name="v16_int8" type="v16i8"/><field name="v8_int16" type="v8i16"/><field name="v4_int32" type="v4i32"/>',
  '<field name="v2_int64" type="v2i64"/><field name="uint128" type="uint128"/></union>',
].join("");

function architecture(is64: boolean): GdbArchitecture {
  const mxcsr: GdbRegister = {
    name: "mxcsr",
    bits: 32,
    type: "int",
    get: (state) => BigInt(state.fpu.mxcsr),
    set: (state, value) => {
      state.fpu.mxcsr = Number(value) & 0xffff;
      return true;
    },
  };
  const vectors = Array.from({ length: is64 ? 16 : 8 }, (_, index) => xmm(index));
  const features: Feature[] = [
    { name: "org.gnu.gdb.i386.core", registers: core(is64), types: EFLAGS_TYPE },
    { name: "org.gnu.gdb.i386.sse", registers: [...vectors, mxcsr], types: VECTOR_TYPES },
  ];
  if (is64) features.push({ name: "org.gnu.gdb.i386.segments", registers: [base("fs"), base("gs")] });
  features.push({
    name: "org.ringvisor.system",
    registers: [
      system("k_gs_base", (state) => state.msrs[KERNEL_GS_BASE] ?? 0n),
      system("cr0", (state) => state.cr0),
      system("cr2", (state) => state.cr2),
      system("cr3", (state) => state.cr3),
      system("cr4", (state) => state.cr4),
      system("cr8", (state) => state.cr8),
      system("efer", (state) => state.msrs[EFER] ?? 0n),
    ],
  });
  return { registers: features.flatMap((feature) => feature.registers), description: describe(is64, features) };
}

function describe(is64: boolean, features: readonly Feature[]): string {
  const parts = features.map(({ name, registers, types = "" }) => {
    const rows = registers.map(({ name, bits, type, group }) => {
      return `<reg name="${name}" bitsize="${bits}" type="${type}"${group ? ` group="${group}"` : ""}/>`;
    });
    return `<feature name="${name}">${types}${rows.join("")}</feature>`;
  });
  const head = '<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd">';
  return `${head}<target><architecture>${is64 ? "i386:x86-64" : "i386"}</architecture>${parts.join("")}</target>`;
}

export const AMD64 = architecture(true);
export const I386 = architecture(false);

/** A register's bytes as hexadecimal digits, in memory order. */
export function encodeRegister(register: GdbRegister, state: VcpuState): string {
  let value = BigInt.asUintN(register.bits, register.get(state));
  let text = "";
  for (let byte = 0; byte < register.bits / 8; byte++) {
    text += Number(value & 0xffn)
      .toString(16)
      .padStart(2, "0");
    value >>= 8n;
  }
  return text;
}

/** The reverse; null where the text is not a value of this register. */
export function decodeRegister(register: GdbRegister, text: string): bigint | null {
  const bytes = fromHex(text);
  return bytes === null || bytes.length !== register.bits / 8 ? null : littleEndian(bytes);
}
