// What the core's operations are called: from the number in a record to mnemonics, as iced-x86 spells them. Most names
// are those of the constants in ops-*.ts and sse-ops.ts; the rules here are for the others.
import { readFileSync } from "node:fs";

const CORE = new URL("../../../src/accel/translate/core/", import.meta.url);
const FILES = ["ops.ts", "ops-integer.ts", "ops-system.ts", "ops-fpu-state.ts", "sse-ops.ts", "avx-ops.ts"];

// Offsets in a record, and flags: record.ts.
const REC_OP = 0;
const REC_FLAGS = 3;
const REC_REG = 4;
const REC_ASIZE = 10;
const REC_OSIZE = 11;
const REC_IMM = 16;
const REC_MODRM = 27;
const REC_AUX = 28;
const F_REXW = 32;
const F_LONG = 128;

export const CONDITIONS = "o no b ae e ne be a s ns p np l ge le g".split(" ");
const ALU = "add or adc sbb and sub xor cmp".split(" ");
const SEGMENTS = "es cs ss ds fs gs".split(" ");

/** The constants of the operations' files by name. */
function readConstants() {
  const constants = new Map();
  for (const file of FILES) {
    const text = readFileSync(new URL(file, CORE), "utf8");
    for (const [, name, expression] of text.matchAll(/^(?:export )?const (\w+): u32 = ([^;]+);/gm)) {
      const value = expression.replace(/[A-Z_]\w*/g, (other) => {
        if (!constants.has(other))
          throw new Error(`${file}: ${name} is made of ${other}, which no operations' file has`);
        return constants.get(other);
      });
      if (!/^[\s\dxa-fA-F()+\-*<>|]+$/.test(value)) throw new Error(`${file}: ${name} is ${value}`);
      constants.set(name, new Function(`return ${value}`)());
    }
  }
  return constants;
}

export const CONSTANTS = readConstants();
const at = (name) => {
  const value = CONSTANTS.get(name);
  if (value === undefined) throw new Error(`there is no operation ${name}`);
  return value;
};

/** A decoded record's fields. */
export class RecordFields {
  constructor(view, offset) {
    this.op = view.getUint16(offset + REC_OP, true);
    this.flags = view.getUint8(offset + REC_FLAGS);
    this.reg = view.getUint8(offset + REC_REG);
    this.asize = view.getUint8(offset + REC_ASIZE);
    this.osize = view.getUint8(offset + REC_OSIZE);
    this.imm = view.getUint32(offset + REC_IMM, true);
    this.modrm = view.getUint8(offset + REC_MODRM);
    this.aux = view.getUint32(offset + REC_AUX, true);
  }
  get long() {
    return (this.flags & F_LONG) !== 0;
  }
  get rexW() {
    return (this.flags & F_REXW) !== 0;
  }
  get field() {
    return (this.modrm >> 3) & 7;
  }
}

const table = new Map();
function set(number, names) {
  table.set(
    number,
    typeof names === "function" ? names : new Set(typeof names === "string" ? names.split(" ") : names),
  );
}
/** `names` for the operation and `count - 1` behind it. */
function named(name, names, count = 1) {
  for (let index = 0; index < count; index++) set(at(name) + index, names);
}
const bySize =
  (base, letters = { 1: "b", 2: "w", 4: "d", 8: "q" }) =>
  (record) =>
    base + letters[record.osize];

// ---- By the constants' names.

for (const [name, number] of CONSTANTS) {
  const short = name.match(/^OP_(?:MMX_)?([A-Z0-9]+)(?:_.*)?$/);
  if (short) set(number, short[1].toLowerCase());
}

// ---- Integer.

for (const form of ["RR", "RM", "MR", "RI", "MI"]) {
  ALU.forEach((name, kind) => {
    for (let size = 0; size < 4; size++) set(at(`OP_ALU_${form}`) + kind * 4 + size, name);
  });
}
for (const form of ["RR", "MR", "RI", "MI"]) named(`OP_TEST_${form}`, "test", 4);
// MOV from and to 16 bits is what MOVZX and MOVSX do there; MOVSXD without REX.W.
for (const form of ["RR", "RM"]) {
  named(`OP_MOV_${form}`, "mov", 4);
  set(at(`OP_MOV_${form}`) + 1, "mov movzx movsx movsxd");
  set(at(`OP_MOV_${form}`) + 2, "mov movsxd");
}
for (const form of ["MR", "RI", "MI"]) named(`OP_MOV_${form}`, "mov", 4);
for (const name of ["INC", "DEC"]) {
  for (const form of ["R", "M"]) named(`OP_${name}_${form}`, name.toLowerCase(), 4);
}
named("OP_LEA", "lea", 3);
for (const name of ["MOVZX8", "MOVZX16"]) named(`OP_${name}`, "movzx", 2);
for (const name of ["MOVSX8_32", "MOVSX8_64", "MOVSX16_32", "MOVSX16_64"]) named(`OP_${name}`, "movsx", 2);
named("OP_MOVSX32_64", "movsxd", 2);
named("OP_MOVZX16_8", "movzx");
named("OP_MOVSX16_8", "movsx");
for (const name of ["PUSH64_R", "PUSH64_I", "PUSH64_M"]) named(`OP_${name}`, "push");
named("OP_POP64_R", "pop");
named("OP_LEAVE64", "leave");
// Group 2's /6 is /4.
for (const name of ["SHR", "SAR", "ROL", "ROR"]) {
  if (CONSTANTS.has(`OP_${name}_I`)) named(`OP_${name}_I`, name.toLowerCase(), 2);
  if (CONSTANTS.has(`OP_${name}_CL`)) named(`OP_${name}_CL`, name.toLowerCase(), 2);
}
const shiftLeft = (record) => (record.field === 6 ? "sal" : "shl");
named("OP_SHL_I", shiftLeft, 2);
named("OP_SHL_CL", shiftLeft, 2);
"rol ror rcl rcr shl shr sal sar".split(" ").forEach((name, kind) => {
  set(at("OP_SHIFT") + kind, kind === 4 ? shiftLeft : name);
});
named("OP_IMUL", "imul", 4);
named("OP_IMUL_I", "imul", 4);
for (const name of ["IMUL1", "IMUL2", "IMUL3"]) named(`OP_${name}`, "imul");
named("OP_CMOV", (record) => `cmov${CONDITIONS[record.imm]}`, 4);
named("OP_CMOV16", (record) => `cmov${CONDITIONS[record.imm]}`);
for (const name of ["OP_SETCC_R", "OP_SETCC_M"]) named(name, (record) => `set${CONDITIONS[record.imm]}`);
named("OP_NEG_R", "neg", 4);
named("OP_NOT_R", "not", 4);
// Hints, fences and what is reserved for them do nothing here.
named(
  "OP_NOP",
  "nop reservednop prefetch prefetchw prefetchwt1 prefetchnta prefetcht0 prefetcht1 prefetcht2 prefetchreserved_exclusive " +
    "prefetchit0 prefetchit1 prefetchreservedd cldemote lfence mfence sfence endbr32 endbr64 rdsspd rdsspq",
);
CONDITIONS.forEach((condition, code) => {
  set(at("OP_JCC") + code, `j${condition}`);
});
named("OP_JCC_NEAR", (record) => `j${CONDITIONS[record.reg]}`);
for (const name of ["CALL64", "CALL64_R", "CALL64_M", "CALL_NEAR", "CALL_NEAR_RM", "CALL_FAR", "CALL_FAR_M"])
  named(`OP_${name}`, "call");
for (const name of ["JMP64_R", "JMP64_M", "JMP_NEAR", "JMP_NEAR_RM", "JMP_FAR", "JMP_FAR_M"])
  named(`OP_${name}`, "jmp");
for (const name of ["RET64", "RET_NEAR"]) named(`OP_${name}`, "ret");
named("OP_RET_FAR", "retf");
named("OP_JCXZ", (record) => ({ 2: "jcxz", 4: "jecxz", 8: "jrcxz" })[record.asize]);
named("OP_PUSHA", (record) => (record.osize === 2 ? "pusha" : "pushad"));
named("OP_POPA", (record) => (record.osize === 2 ? "popa" : "popad"));
named("OP_XLAT", "xlatb");
named("OP_MOV_LOAD_OFFSET", "mov");
named("OP_MOV_STORE_OFFSET", "mov");
for (const name of ["MOVS", "CMPS", "STOS", "LODS", "SCAS"]) named(`OP_${name}`, bySize(name.toLowerCase()));
["bt", "bts", "btr", "btc"].forEach((name, kind) => {
  set(at("OP_BT_I") + kind, name);
});
named("OP_CMPXCHG8B", "cmpxchg8b");
named("OP_CMPXCHG16B", "cmpxchg16b");
named("OP_XCHG", "xchg");
named("OP_MOVBE_LOAD", "movbe");
named("OP_MOVBE_STORE", "movbe");

// ---- System.

for (const name of ["MOV_FROM_SEG", "MOV_TO_SEG", "MOV_FROM_CR", "MOV_TO_CR", "MOV_FROM_DR", "MOV_TO_DR"]) {
  named(`OP_${name}`, "mov");
}
named("OP_PUSH_SEG", "push");
named("OP_POP_SEG", "pop");
named("OP_LOAD_FAR", (record) => `l${SEGMENTS[record.imm]}`);
named("OP_INS", bySize("ins"));
named("OP_OUTS", bySize("outs"));
named("OP_IRET", (record) => ({ 2: "iret", 4: "iretd", 8: "iretq" })[record.osize]);
named("OP_PUSHF", (record) => ({ 2: "pushf", 4: "pushfd", 8: "pushfq" })[record.osize]);
named("OP_POPF", (record) => ({ 2: "popf", 4: "popfd", 8: "popfq" })[record.osize]);
named("OP_SYSRET", (record) => (record.rexW ? "sysretq" : "sysret"));
named("OP_SYSEXIT", (record) => (record.rexW ? "sysexitq" : "sysexit"));
named("OP_VMCALL", "vmcall vmmcall");
named("OP_CLFLUSH", "clflush clflushopt clwb");

// ---- State of x87 and SSE. REX.W makes another mnemonic.

for (const name of ["FXSAVE", "FXRSTOR", "XSAVE", "XRSTOR", "XSAVEOPT", "XSAVEC", "XSAVES", "XRSTORS"]) {
  const short = name.toLowerCase();
  named(`OP_${name}`, (record) => (record.rexW ? `${short}64` : short));
}
named("OP_FWAIT", "wait");

// ---- x87: the opcode itself.

const X87_MEMORY = [
  "fadd fmul fcom fcomp fsub fsubr fdiv fdivr",
  "fld - fst fstp fldenv fldcw fnstenv fnstcw",
  "fiadd fimul ficom ficomp fisub fisubr fidiv fidivr",
  "fild fisttp fist fistp - fld - fstp",
  "fadd fmul fcom fcomp fsub fsubr fdiv fdivr",
  "fld fisttp fst fstp frstor - fnsave fnstsw",
  "fiadd fimul ficom ficomp fisub fisubr fidiv fidivr",
  "fild fisttp fist fistp fbld fild fbstp fistp",
];
/** Per opcode eight groups of eight; a group of one name has it eight times. */
const X87_REGISTER = [
  ["fadd", "fmul", "fcom", "fcomp", "fsub", "fsubr", "fdiv", "fdivr"],
  [
    "fld",
    "fxch",
    "fnop - - - - - - -",
    "fstpnce",
    "fchs fabs - - ftst fxam - -",
    "fld1 fldl2t fldl2e fldpi fldlg2 fldln2 fldz -",
    "f2xm1 fyl2x fptan fpatan fxtract fprem1 fdecstp fincstp",
    "fprem fyl2xp1 fsqrt fsincos frndint fscale fsin fcos",
  ],
  ["fcmovb", "fcmove", "fcmovbe", "fcmovu", "-", "- fucompp - - - - - -", "-", "-"],
  ["fcmovnb", "fcmovne", "fcmovnbe", "fcmovnu", "fneni fndisi fnclex fninit fnsetpm - - -", "fucomi", "fcomi", "-"],
  ["fadd", "fmul", "fcom", "fcomp", "fsubr", "fsub", "fdivr", "fdiv"],
  ["ffree", "fxch", "fst", "fstp", "fucom", "fucomp", "-", "-"],
  ["faddp", "fmulp", "fcomp", "- fcompp - - - - - -", "fsubrp", "fsubp", "fdivrp", "fdivp"],
  ["ffreep", "fxch", "fstp", "fstp", "fnstsw - - - - - - -", "fucomip", "fcomip", "-"],
];
X87_MEMORY.forEach((row, column) => {
  row.split(" ").forEach((name, reg) => {
    set(at("OPS_X87") + 0x200 + column * 8 + reg, name === "-" ? [] : name);
  });
});
X87_REGISTER.forEach((groups, column) => {
  groups.forEach((group, reg) => {
    const names = group.split(" ");
    for (let i = 0; i < 8; i++) {
      const name = names.length === 1 ? group : names[i];
      set(at("OPS_X87") + column * 64 + reg * 8 + i, name === "-" ? [] : name);
    }
  });
});

// ---- MMX and SSE.

for (const [name, number] of CONSTANTS) {
  // A kind of packed operation: the opcode byte, named like the instruction.
  if (!/^(P[A-Z]+)$/.test(name) || number < 0x60 || number > 0x141) continue;
  const mnemonic = name.toLowerCase();
  set(at("OPS_PACKED") + number, mnemonic);
  set(at("OPS_MMX_PACKED") + number, mnemonic);
}
for (const [name, number] of CONSTANTS) {
  const shift = name.match(/^SHIFT_(PS\w+)$/);
  if (!shift) continue;
  set(at("OP_SHIFT_IMM") + number, shift[1].toLowerCase());
  if (number < 8) set(at("OP_MMX_SHIFT_IMM") + number, shift[1].toLowerCase());
}
"bw bd bq wd wq dq".split(" ").forEach((widths, index) => {
  set(at("OPS_PMOVX") + index, `pmovsx${widths}`);
  set(at("OPS_PMOVX") + 0x10 + index, `pmovzx${widths}`);
});
named("OP_PAND", "pand andps andpd");
named("OP_PANDN", "pandn andnps andnpd");
named("OP_POR", "por orps orpd");
named("OP_PXOR", "pxor xorps xorpd");
named("OP_PUNPCKLDQ", "punpckldq unpcklps");
named("OP_PUNPCKLQDQ", "punpcklqdq unpcklpd");
named("OP_PUNPCKHQDQ", "punpckhqdq unpckhpd");
set(at("OPS_PACKED") + at("PUNPCKHDQ"), "punpckhdq unpckhps");
const MOV128 = "movups movupd movaps movapd movdqa movdqu";
named("OP_MOV128_REG", MOV128);
named("OP_MOV128_BACK", MOV128);
named("OP_LOAD128", "movups movupd movdqu lddqu");
named("OP_STORE128", "movups movupd movdqu");
named("OP_LOAD128_ALIGNED", "movaps movapd movdqa movntdqa");
named("OP_STORE128_ALIGNED", "movaps movapd movdqa movntps movntpd movntdq");
named("OP_LOAD32", "movss movd");
named("OP_STORE32", "movss movd movntss");
named("OP_LOAD64", "movsd movq");
named("OP_STORE64", "movsd movq movlps movlpd movntsd");
named("OP_LOAD64_LOW", "movlps movlpd");
named("OP_LOAD64_HIGH", "movhps movhpd");
named("OP_STORE64_HIGH", "movhps movhpd");
named("OP_MMX_LOAD64", "movq");
named("OP_MMX_STORE64", "movq movntq");
named("OP_MMX_LOAD32", "movd");
named("OP_MMX_STORE32", "movd");
named("OP_PEXTRD", "pextrd extractps");
for (const name of ["PCMPESTRM", "PCMPESTRI"]) {
  named(`OP_${name}`, (record) => (record.rexW ? `${name.toLowerCase()}64` : name.toLowerCase()));
}

// Of these kinds two numbers may stand in a record: the one in order, and one of its own.
for (const kind of ["PAND", "PANDN", "POR", "PXOR", "PUNPCKLDQ", "PUNPCKLQDQ", "PUNPCKHQDQ"]) {
  set(at("OPS_PACKED") + at(kind), table.get(at(`OP_${kind}`)));
}

// ---- AVX: SSE's operations with a V before, and its own.

for (let number = at("OPS_SSE"); number < at("OPS_SSE") + 0x200; number++) {
  const names = table.get(number);
  const vex = at("OPS_AVX") + number - at("OPS_SSE");
  if (typeof names === "function") set(vex, (record) => `v${names(record)}`);
  else if (names)
    set(
      vex,
      [...names].map((name) => `v${name}`),
    );
}
set(at("OPS_AVX") + at("OP_PSHUFD") - at("OPS_SSE"), "vpshufd vpermilps");
named("OP_VMOV", "vmovups vmovupd vmovaps vmovapd vmovdqa vmovdqu");
named("OP_VLOAD", "vmovups vmovupd vmovdqu vlddqu");
named("OP_VLOAD_ALIGNED", "vmovaps vmovapd vmovdqa vmovntdqa");
named("OP_VSTORE", "vmovups vmovupd vmovdqu");
named("OP_VSTORE_ALIGNED", "vmovaps vmovapd vmovdqa vmovntps vmovntpd vmovntdq");
named("OP_VPCMPESTRM", (record) => (record.rexW ? "vpcmpestrm64" : "vpcmpestrm"));
named("OP_VBROADCAST8", "vpbroadcastb");
named("OP_VBROADCAST16", "vpbroadcastw");
named("OP_VBROADCAST32", "vbroadcastss vpbroadcastd");
named("OP_VBROADCAST64", "vbroadcastsd vpbroadcastq");
for (const name of ["BROADCAST", "INSERT", "EXTRACT"]) {
  const short = name.toLowerCase();
  named(`OP_V${name}128`, `v${short}f128 v${short}i128`);
}
named("OP_VPERM2X128", "vperm2f128 vperm2i128");
named("OP_VPERMQ", "vpermq vpermpd");
named("OP_VPERMD", "vpermd vpermps");
for (const form of ["LOAD", "STORE"]) {
  named(`OP_VMASK${form}32`, "vmaskmovps vpmaskmovd");
  named(`OP_VMASK${form}64`, "vmaskmovpd vpmaskmovq");
}
["vgatherdps vpgatherdd", "vgatherdpd vpgatherdq", "vgatherqps vpgatherqd", "vgatherqpd vpgatherqq"].forEach(
  (names, index) => {
    set(at("OPS_GATHER") + index, names);
  },
);
// The opcode's columns 6 to F, in three orders of the operands.
const FMA = "fmaddsubp fmsubaddp fmaddp fmadds fmsubp fmsubs fnmaddp fnmadds fnmsubp fnmsubs".split(" ");
[132, 213, 231].forEach((order, row) => {
  FMA.forEach((name, column) => {
    for (const [w, width] of ["s", "d"].entries()) {
      const number = at("OPS_FMA") + (row * 16 + column) * 2 + w;
      set(number, `v${name.slice(0, -1)}${order}${name.at(-1)}${width}`);
    }
  });
});

const OP_UD = at("OP_UD");

/** Whether the operation of a record goes by the mnemonic. */
export function isCalled(record, mnemonic) {
  const names = table.get(record.op);
  if (names === undefined) return false;
  return typeof names === "function" ? names(record) === mnemonic : names.has(mnemonic);
}

/** For messages: the names of a record's operation. */
export function namesOf(record) {
  const names = table.get(record.op);
  if (record.op === OP_UD) return "#UD";
  if (names === undefined) return `operation ${record.op.toString(16)}`;
  return typeof names === "function" ? names(record) : [...names].join(" or ") || "#UD";
}

const CONTROL_REGISTERS = new Set([0, 2, 3, 4, 8]);
const OP_CR = new Set([at("OP_MOV_FROM_CR"), at("OP_MOV_TO_CR")]);
const OPS_GATHER = at("OPS_GATHER");
const OP_DR = new Set([at("OP_MOV_FROM_DR"), at("OP_MOV_TO_DR")]);

/**
 * Whether the record stands for #UD. x87, moves of registers that are not there, and gathers whose
 * registers are not three different ones raise it when they execute.
 */
export function isUndefined(record) {
  if (record.op === OP_UD) return true;
  if (OP_CR.has(record.op)) return !CONTROL_REGISTERS.has(record.imm);
  if (OP_DR.has(record.op)) return record.imm > 7;
  if (record.op >= OPS_GATHER && record.op < OPS_GATHER + 4) {
    const mask = record.aux & 15;
    const index = (record.aux >> 16) & 15;
    return mask === index || mask === record.reg || index === record.reg;
  }
  const names = table.get(record.op);
  return names instanceof Set && names.size === 0;
}
