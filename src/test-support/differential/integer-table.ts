/** Integer instructions of 64-bit user mode. Intel SDM volume 2; the flags as appendix A of volume 1 has them. */
import type { FeatureName } from "../../vcpu/features.js";
import type { Random } from "../random.js";
import { AF, ARITH, CF, DF, type FlagEffect, OF, PF, SF, type Spec, ZF } from "./instruction.js";

const ALL = [1, 2, 4, 8] as const;
const WIDE = [2, 4, 8] as const;
const RAX = 0;
const RCX = 1;
const RDX = 2;
const RBX = 3;
const RSP = 4;
const RBP = 5;
const RSI = 6;
const RDI = 7;

const arithmetic: FlagEffect = { defines: ARITH };
const logic: FlagEffect = { defines: ARITH & ~AF, undefines: AF };
const onlyZero: FlagEffect = { defines: ZF, undefines: ARITH & ~ZF };
const onlyCarry: FlagEffect = { defines: CF, undefines: OF | SF | AF | PF };

/** What each of the sixteen conditions reads, in pairs. */
const CONDITIONS = [OF, CF, ZF, CF | ZF, SF, PF, SF | OF, SF | OF | ZF];

const rmReg = { reg: "r", rm: "r", memory: 0 } as const;
const group = (digit: number) => ({ reg: digit, rm: "r", memory: 0 }) as const;

function alu(): Spec[] {
  const specs: Spec[] = [];
  ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"].forEach((name, digit) => {
    const compare = name === "cmp";
    const writes = { rm: compare ? [] : (["rm"] as const), reg: compare ? [] : (["reg"] as const) };
    const common = {
      name,
      flags: ["or", "and", "xor"].includes(name) ? logic : arithmetic,
      reads: name === "adc" || name === "sbb" ? CF : 0,
    };
    const lock = !compare;
    const opcode = digit * 8;
    specs.push(
      { ...common, opcode: [opcode], byteForm: true, sizes: ALL, modrm: rmReg, writes: writes.rm, lock, weight: 1.5 },
      { ...common, opcode: [opcode + 2], byteForm: true, sizes: ALL, modrm: rmReg, writes: writes.reg, weight: 1.5 },
      {
        ...common,
        opcode: [opcode + 4],
        byteForm: true,
        sizes: ALL,
        immediate: "z",
        clobbers: compare ? [] : [RAX],
        weight: 0.5,
      },
      {
        ...common,
        opcode: [0x80],
        byteForm: true,
        sizes: ALL,
        modrm: group(digit),
        immediate: "z",
        writes: writes.rm,
        lock,
        weight: 0.7,
      },
      {
        ...common,
        opcode: [0x83],
        sizes: WIDE,
        modrm: group(digit),
        immediate: 1,
        writes: writes.rm,
        lock,
        weight: 0.7,
      },
    );
  });
  specs.push(
    { name: "test", opcode: [0x84], byteForm: true, sizes: ALL, modrm: rmReg, flags: logic },
    { name: "test", opcode: [0xa8], byteForm: true, sizes: ALL, immediate: "z", flags: logic, weight: 0.5 },
    { name: "test", opcode: [0xf6], byteForm: true, sizes: ALL, modrm: group(0), immediate: "z", flags: logic },
    {
      name: "test",
      opcode: [0xf6],
      byteForm: true,
      sizes: ALL,
      modrm: group(1),
      immediate: "z",
      flags: logic,
      weight: 0.2,
    },
    { name: "not", opcode: [0xf6], byteForm: true, sizes: ALL, modrm: group(2), writes: ["rm"], lock: true },
    {
      name: "neg",
      opcode: [0xf6],
      byteForm: true,
      sizes: ALL,
      modrm: group(3),
      writes: ["rm"],
      lock: true,
      flags: arithmetic,
    },
    {
      name: "inc",
      opcode: [0xfe],
      byteForm: true,
      sizes: ALL,
      modrm: group(0),
      writes: ["rm"],
      lock: true,
      flags: { defines: ARITH & ~CF },
    },
    {
      name: "dec",
      opcode: [0xfe],
      byteForm: true,
      sizes: ALL,
      modrm: group(1),
      writes: ["rm"],
      lock: true,
      flags: { defines: ARITH & ~CF },
    },
  );
  return specs;
}

function multiplication(): Spec[] {
  const product: FlagEffect = { defines: CF | OF, undefines: SF | ZF | AF | PF };
  const clobbers = [RAX, RDX];
  const common = { opcode: [0xf6], byteForm: true, sizes: ALL, clobbers };
  // A dividend that often fits: RDX small.
  const needs = { [RDX]: (random: Random) => BigInt([0, 0, 0, -1, 1, random.int(200)][random.int(6)]!) };
  const unsignedNeeds = { [RDX]: (random: Random) => BigInt(random.int(4)) };
  return [
    { name: "mul", ...common, modrm: group(4), flags: product },
    { name: "imul", ...common, modrm: group(5), flags: product },
    { name: "div", ...common, modrm: group(6), flags: { undefines: ARITH }, weight: 0.5 },
    { name: "idiv", ...common, modrm: group(7), flags: { undefines: ARITH }, weight: 0.5 },
    { name: "div", ...common, modrm: group(6), flags: { undefines: ARITH }, needs: unsignedNeeds },
    { name: "idiv", ...common, modrm: group(7), flags: { undefines: ARITH }, needs },
    { name: "imul", opcode: [0x0f, 0xaf], sizes: WIDE, modrm: rmReg, writes: ["reg"], flags: product },
    { name: "imul", opcode: [0x69], sizes: WIDE, modrm: rmReg, immediate: "z", writes: ["reg"], flags: product },
    { name: "imul", opcode: [0x6b], sizes: WIDE, modrm: rmReg, immediate: 1, writes: ["reg"], flags: product },
  ];
}

// Rotates by CL or an immediate. OF is defined for a count of 1 only; a count of 0 changes no flag.
function shifts(): Spec[] {
  const specs: Spec[] = [];
  ["rol", "ror", "rcl", "rcr", "shl", "shr", "sal", "sar"].forEach((name, digit) => {
    const rotate = digit < 4;
    const effect = (count: number, size: number): FlagEffect => {
      const masked = count & (size === 8 ? 63 : 31);
      if (masked === 0) return {};
      const overflow = masked === 1 ? 0 : OF;
      if (rotate) return { defines: CF | (OF & ~overflow), undefines: overflow };
      // A count beyond the operand leaves CF undefined, but for SAR.
      const carry = masked >= size * 8 && name !== "sar" ? CF : 0;
      return { defines: ARITH & ~(AF | overflow | carry), undefines: AF | overflow | carry };
    };
    const reads = name.startsWith("rc") ? CF : 0;
    const common = { name, byteForm: true, sizes: ALL, modrm: group(digit), writes: ["rm"] as const, reads };
    const byCl = rotate ? OF : OF | AF;
    specs.push(
      { ...common, opcode: [0xd0], flags: ({ size }) => effect(1, size), weight: 0.7 },
      { ...common, opcode: [0xc0], immediate: 1, flags: ({ size, immediate }) => effect(immediate, size) },
      { ...common, opcode: [0xd2], flags: ({ size }) => ({ undefines: byCl | (size < 4 && !rotate ? CF : 0) }) },
    );
  });
  const double = (immediate: number, size: number): FlagEffect => {
    const masked = immediate & (size === 8 ? 63 : 31);
    if (masked === 0) return {};
    return { defines: CF | SF | ZF | PF, undefines: AF | (masked === 1 ? 0 : OF) };
  };
  for (const [name, opcode] of [
    ["shld", 0xa4],
    ["shrd", 0xac],
  ] as const) {
    const common = { name, modrm: rmReg, writes: ["rm"] as const };
    specs.push(
      {
        ...common,
        opcode: [0x0f, opcode],
        sizes: [4, 8],
        immediate: 1,
        flags: ({ size, immediate }) => double(immediate, size),
      },
      // A count above 16 has no defined result.
      {
        ...common,
        opcode: [0x0f, opcode],
        sizes: [2],
        immediate: 1,
        immediateMax: 16,
        flags: ({ size, immediate }) => double(immediate, size),
      },
      { ...common, opcode: [0x0f, opcode + 1], sizes: [4, 8], flags: { undefines: AF | OF } },
      {
        ...common,
        opcode: [0x0f, opcode + 1],
        sizes: [2],
        flags: { undefines: AF | OF },
        needs: { [RCX]: (random) => BigInt(random.int(17)) },
      },
    );
  }
  return specs;
}

function moves(): Spec[] {
  return [
    { name: "mov", opcode: [0x88], byteForm: true, sizes: ALL, modrm: rmReg, writes: ["rm"], weight: 2 },
    { name: "mov", opcode: [0x8a], byteForm: true, sizes: ALL, modrm: rmReg, writes: ["reg"], weight: 2 },
    { name: "mov", opcode: [0xc6], byteForm: true, sizes: ALL, modrm: group(0), immediate: "z", writes: ["rm"] },
    { name: "mov", opcode: [0xb0], sizes: [1], opcodeRegister: true, immediate: 1, writes: ["opcode"], weight: 0.5 },
    { name: "mov", opcode: [0xb8], sizes: WIDE, opcodeRegister: true, immediate: "v", writes: ["opcode"], weight: 0.5 },
    { name: "movzx", opcode: [0x0f, 0xb6], sizes: WIDE, modrm: { ...rmReg, memory: 1, rmSize: 1 }, writes: ["reg"] },
    { name: "movzx", opcode: [0x0f, 0xb7], sizes: WIDE, modrm: { ...rmReg, memory: 2 }, writes: ["reg"] },
    { name: "movsx", opcode: [0x0f, 0xbe], sizes: WIDE, modrm: { ...rmReg, memory: 1, rmSize: 1 }, writes: ["reg"] },
    { name: "movsx", opcode: [0x0f, 0xbf], sizes: WIDE, modrm: { ...rmReg, memory: 2 }, writes: ["reg"] },
    // With 66, Intel reads 2 bytes and AMD 4.
    { name: "movsxd", bits: 64, opcode: [0x63], sizes: [4, 8], modrm: { ...rmReg, memory: 4 }, writes: ["reg"] },
    { name: "lea", opcode: [0x8d], sizes: WIDE, modrm: { reg: "r", rm: null, memory: 8 }, writes: ["reg"] },
    { name: "xchg", opcode: [0x86], byteForm: true, sizes: ALL, modrm: rmReg, writes: ["reg", "rm"], lock: true },
    {
      name: "xchg",
      opcode: [0x90],
      sizes: WIDE,
      opcodeRegister: true,
      writes: ["opcode"],
      clobbers: [RAX],
      plain: true,
    },
    { name: "bswap", opcode: [0x0f, 0xc8], sizes: [4, 8], opcodeRegister: true, writes: ["opcode"] },
    { name: "movnti", opcode: [0x0f, 0xc3], sizes: [4, 8], modrm: { reg: "r", rm: null, memory: 0 } },
    { name: "cbw", opcode: [0x98], sizes: WIDE, clobbers: [RAX] },
    { name: "cwd", opcode: [0x99], sizes: WIDE, clobbers: [RDX] },
    {
      name: "xlat",
      opcode: [0xd7],
      clobbers: [RAX],
      needs: { [RBX]: (random) => 0x2000_0000n + BigInt(random.int(8192)) },
    },
    {
      name: "cmpxchg",
      opcode: [0x0f, 0xb0],
      byteForm: true,
      sizes: ALL,
      modrm: rmReg,
      writes: ["rm"],
      clobbers: [RAX],
      lock: true,
      flags: arithmetic,
    },
    {
      name: "cmpxchg8b",
      opcode: [0x0f, 0xc7],
      sizes: [4],
      modrm: { reg: 1, rm: null, memory: 8 },
      clobbers: [RAX, RDX],
      lock: true,
      flags: { defines: ZF },
    },
    {
      name: "cmpxchg16b",
      opcode: [0x0f, 0xc7],
      sizes: [8],
      modrm: { reg: 1, rm: null, memory: 16, aligned: true },
      clobbers: [RAX, RDX],
      lock: true,
      flags: { defines: ZF },
    },
    {
      name: "xadd",
      opcode: [0x0f, 0xc0],
      byteForm: true,
      sizes: ALL,
      modrm: rmReg,
      writes: ["reg", "rm"],
      lock: true,
      flags: arithmetic,
    },
  ];
}

function conditional(): Spec[] {
  const specs: Spec[] = [];
  for (let condition = 0; condition < 16; condition++) {
    const reads = CONDITIONS[condition >> 1]!;
    specs.push(
      {
        name: "setcc",
        opcode: [0x0f, 0x90 + condition],
        sizes: [1],
        modrm: { reg: 0, rm: "r", memory: 1 },
        writes: ["rm"],
        reads,
        weight: 0.3,
      },
      {
        name: "cmovcc",
        opcode: [0x0f, 0x40 + condition],
        sizes: WIDE,
        modrm: rmReg,
        writes: ["reg"],
        reads,
        weight: 0.3,
      },
      { name: "jcc", opcode: [0x70 + condition], branch: "relative8", reads, weight: 0.25, plain: true },
      { name: "jcc", opcode: [0x0f, 0x80 + condition], branch: "relative32", reads, weight: 0.15, plain: true },
    );
  }
  const few = (random: Random) => BigInt(random.int(3));
  for (const opcode of [0xe0, 0xe1, 0xe2, 0xe3]) {
    specs.push({
      name: "loop",
      opcode: [opcode],
      branch: "relative8",
      reads: opcode < 0xe2 ? ZF : 0,
      clobbers: [RCX],
      needs: { [RCX]: few },
      plain: true,
      weight: 0.5,
    });
  }
  specs.push({ name: "jmp", opcode: [0xeb], branch: "relative8", weight: 0.5, plain: true });
  specs.push({ name: "jmp", opcode: [0xe9], branch: "relative32", weight: 0.5, plain: true });
  specs.push({ name: "call", opcode: [0xe8], branch: "relative32", clobbers: [RSP], weight: 0.5, plain: true });
  return specs;
}

function bits(): Spec[] {
  const specs: Spec[] = [];
  ["bt", "bts", "btr", "btc"].forEach((name, index) => {
    const changes = index > 0;
    const common = { name, sizes: WIDE, writes: changes ? (["rm"] as const) : [], lock: changes, flags: onlyCarry };
    specs.push(
      { ...common, opcode: [0x0f, 0xa3 + index * 8], modrm: rmReg, weight: 0.7 },
      { ...common, opcode: [0x0f, 0xba], modrm: group(4 + index), immediate: 1 },
    );
  });
  specs.push(
    { name: "bsf", opcode: [0x0f, 0xbc], sizes: WIDE, modrm: rmReg, writes: ["reg"], flags: onlyZero, plain: true },
    { name: "bsr", opcode: [0x0f, 0xbd], sizes: WIDE, modrm: rmReg, writes: ["reg"], flags: onlyZero, plain: true },
    {
      name: "popcnt",
      prefix: 0xf3,
      opcode: [0x0f, 0xb8],
      sizes: WIDE,
      modrm: rmReg,
      writes: ["reg"],
      flags: arithmetic,
      plain: true,
    },
    {
      name: "crc32",
      prefix: 0xf2,
      opcode: [0x0f, 0x38, 0xf0],
      sizes: [4, 8],
      modrm: { reg: "r", rm: "r", memory: 1, rmSize: 1 },
      writes: ["reg"],
      plain: true,
    },
    {
      name: "crc32",
      prefix: 0xf2,
      opcode: [0x0f, 0x38, 0xf1],
      sizes: WIDE,
      modrm: rmReg,
      writes: ["reg"],
      plain: true,
    },
  );
  return specs;
}

function stack(): Spec[] {
  // What POPF takes: arithmetic flags and DF; the others belong to the system or stop the comparison.
  return [
    { name: "push", opcode: [0x50], sizes: [2, 8], default64: true, opcodeRegister: true, clobbers: [RSP] },
    {
      name: "pop",
      opcode: [0x58],
      sizes: [2, 8],
      default64: true,
      opcodeRegister: true,
      writes: ["opcode"],
      clobbers: [RSP],
    },
    { name: "push", opcode: [0x68], sizes: [2, 8], default64: true, immediate: "z", clobbers: [RSP], weight: 0.5 },
    { name: "push", opcode: [0x6a], sizes: [2, 8], default64: true, immediate: 1, clobbers: [RSP], weight: 0.5 },
    { name: "push", opcode: [0xff], sizes: [2, 8], default64: true, modrm: group(6), clobbers: [RSP], weight: 0.7 },
    {
      name: "pop",
      opcode: [0x8f],
      sizes: [2, 8],
      default64: true,
      modrm: group(0),
      writes: ["rm"],
      clobbers: [RSP],
      weight: 0.7,
    },
    { name: "pushf", opcode: [0x9c], sizes: [2, 8], default64: true, reads: ARITH, clobbers: [RSP], weight: 0.5 },
    {
      name: "leave",
      opcode: [0xc9],
      sizes: [2, 8],
      default64: true,
      clobbers: [RSP, RBP],
      needs: { [RBP]: (random) => 0x2000_0000n + BigInt(random.int(8192)) },
      weight: 0.5,
    },
    {
      name: "enter",
      opcode: [0xc8],
      sizes: [2, 8],
      default64: true,
      immediate: 3,
      immediateMax: 0x3ff,
      clobbers: [RSP, RBP],
      weight: 0.3,
    },
    {
      name: "enter",
      opcode: [0xc8],
      sizes: [8],
      default64: true,
      immediate: 3,
      immediateMax: 0x1f00ff,
      clobbers: [RSP, RBP],
      needs: { [RBP]: (random) => 0x2000_0400n + BigInt(random.int(1024) * 8) },
      weight: 0.3,
    },
    { name: "ret", opcode: [0xc3], clobbers: [RSP], plain: true, weight: 0.2 },
    { name: "ret", opcode: [0xc2], immediate: 2, clobbers: [RSP], plain: true, weight: 0.1 },
    { name: "jmp", opcode: [0xff], default64: true, sizes: [8], modrm: group(4), weight: 0.2 },
    { name: "call", opcode: [0xff], default64: true, sizes: [8], modrm: group(2), clobbers: [RSP], weight: 0.2 },
  ];
}

function flagInstructions(): Spec[] {
  return [
    { name: "lahf", opcode: [0x9f], reads: ARITH & ~OF, clobbers: [RAX] },
    { name: "sahf", opcode: [0x9e], flags: { defines: ARITH & ~OF } },
    { name: "cmc", opcode: [0xf5], reads: CF, flags: { defines: CF }, weight: 0.5 },
    { name: "clc", opcode: [0xf8], flags: { defines: CF }, weight: 0.5 },
    { name: "stc", opcode: [0xf9], flags: { defines: CF }, weight: 0.5 },
    { name: "cld", opcode: [0xfc], flags: { defines: DF }, weight: 0.5 },
    { name: "std", opcode: [0xfd], flags: { defines: DF }, weight: 0.3 },
  ];
}

function strings(): Spec[] {
  const inData = (random: Random) => 0x2000_0000n + BigInt(random.int(8192));
  const count = (random: Random) => BigInt(random.int(random.int(8) === 0 ? 400 : 20));
  const both = { [RCX]: count, [RSI]: inData, [RDI]: inData };
  const repeat = [0xf3, 0xf2];
  const clobbers = [RCX, RSI, RDI];
  const common = { byteForm: true, sizes: ALL, clobbers, weight: 1.2 };
  return [
    { ...common, name: "movs", opcode: [0xa4], repeat: [0xf3, 0xf3, 0xf2], needs: both },
    { ...common, name: "cmps", opcode: [0xa6], repeat, needs: both, flags: { undefines: 0 }, reads: 0 },
    { ...common, name: "stos", opcode: [0xaa], repeat: [0xf3, 0xf3, 0xf2], needs: { [RCX]: count, [RDI]: inData } },
    {
      ...common,
      name: "lods",
      opcode: [0xac],
      repeat: [0xf3, 0xf3, 0xf2],
      clobbers: [RCX, RSI, RAX],
      needs: { [RCX]: count, [RSI]: inData },
    },
    { ...common, name: "scas", opcode: [0xae], repeat, needs: { [RCX]: count, [RDI]: inData } },
  ];
}

// What 64-bit mode gave up: decimal adjustment, short INC and DEC, PUSHA, BOUND, far pointers, segments on the stack.
function legacy(): Spec[] {
  const bits = 32;
  const inData = (random: Random) => 0x2000_0000n + BigInt(random.int(8192));
  const bcd = { bits, clobbers: [RAX] } as const;
  const far = (name: string, opcode: readonly number[]): Spec => ({
    name,
    bits,
    opcode,
    sizes: [2, 4],
    modrm: { reg: "r", rm: null, memory: 6 },
    writes: ["reg"],
    plain: true,
    weight: 0.3,
  });
  const segments: readonly (readonly [string, number, number])[] = [
    ["es", 0x06, 0x07],
    ["ss", 0x16, 0x17],
    ["ds", 0x1e, 0x1f],
  ];
  // SS takes writable data of ring 3 only; CS, as data, is readable.
  const selectors = [0x2b, 0x2b, 0x07, 0x0f, 0x23, 0x33, 0, 3, 0x10, 0x18, 0x28, 0x1f, 0x63];
  return [
    { ...bcd, name: "daa", opcode: [0x27], reads: CF | AF, flags: { defines: ARITH & ~OF, undefines: OF } },
    { ...bcd, name: "das", opcode: [0x2f], reads: CF | AF, flags: { defines: ARITH & ~OF, undefines: OF } },
    { ...bcd, name: "aaa", opcode: [0x37], reads: AF, flags: { defines: CF | AF, undefines: OF | SF | ZF | PF } },
    { ...bcd, name: "aas", opcode: [0x3f], reads: AF, flags: { defines: CF | AF, undefines: OF | SF | ZF | PF } },
    { ...bcd, name: "aam", opcode: [0xd4], immediate: 1, flags: { defines: SF | ZF | PF, undefines: OF | AF | CF } },
    { ...bcd, name: "aad", opcode: [0xd5], immediate: 1, flags: { defines: SF | ZF | PF, undefines: OF | AF | CF } },
    { ...bcd, name: "salc", opcode: [0xd6], reads: CF },
    {
      name: "inc",
      bits,
      opcode: [0x40],
      sizes: [2, 4],
      opcodeRegister: true,
      writes: ["opcode"],
      flags: { defines: ARITH & ~CF },
    },
    {
      name: "dec",
      bits,
      opcode: [0x48],
      sizes: [2, 4],
      opcodeRegister: true,
      writes: ["opcode"],
      flags: { defines: ARITH & ~CF },
    },
    { name: "pusha", bits, opcode: [0x60], sizes: [2, 4], clobbers: [RSP], weight: 0.5 },
    {
      name: "popa",
      bits,
      opcode: [0x61],
      sizes: [2, 4],
      clobbers: [RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI],
      weight: 0.3,
    },
    { name: "bound", bits, opcode: [0x62], sizes: [2, 4], modrm: { reg: "r", rm: null, memory: 8 }, weight: 0.5 },
    { name: "into", bits, opcode: [0xce], reads: OF, weight: 0.3 },
    {
      name: "arpl",
      bits,
      opcode: [0x63],
      modrm: { reg: "r", rm: "r", memory: 2 },
      writes: ["rm"],
      flags: { defines: ZF },
      plain: true,
    },
    { name: "sub", bits, opcode: [0x82], sizes: [1], modrm: group(5), immediate: 1, writes: ["rm"], flags: arithmetic },
    far("les", [0xc4]),
    far("lds", [0xc5]),
    far("lss", [0x0f, 0xb2]),
    far("lfs", [0x0f, 0xb4]),
    far("lgs", [0x0f, 0xb5]),
    ...segments.flatMap(([name, push, pop]): Spec[] => [
      { name: `push ${name}`, bits, opcode: [push], sizes: [2, 4], clobbers: [RSP], weight: 0.3 },
      ...selectors.map(
        (selector): Spec => ({
          name: `pop ${name}`,
          bits,
          opcode: [0x6a, selector, pop],
          clobbers: [RSP],
          weight: 0.05,
          plain: true,
        }),
      ),
    ]),
    ...selectors.flatMap((selector): Spec[] =>
      [0xc0, 0xd0, 0xd8, 0xe0, 0xe8].map((modrm) => ({
        name: "mov to segment",
        bits,
        opcode: [0x8e, modrm],
        clobbers: [],
        needs: { [RAX]: () => BigInt(selector) },
        weight: 0.03,
        plain: true,
      })),
    ),
    {
      name: "mov from segment",
      bits,
      opcode: [0x8c],
      sizes: [2, 4],
      modrm: { reg: 0, rm: "r", memory: 2 },
      writes: ["rm"],
      weight: 0.2,
      plain: true,
    },
    {
      name: "mov offset",
      bits,
      opcode: [0xa1],
      sizes: [2, 4],
      immediate: 4,
      immediateMax: 0x2000_1fff,
      clobbers: [RAX],
      weight: 0.3,
      plain: true,
    },
    { name: "leave", bits, opcode: [0xc9], sizes: [4], clobbers: [RSP, RBP], needs: { [RBP]: inData }, weight: 0.2 },
  ];
}

// MOVBE, ADX, the counts of zeros, cache lines, FS and GS bases, SSE4a's neighbours.
function optional(): Spec[] {
  const count = { defines: CF | ZF, undefines: OF | SF | AF | PF };
  const memory = { rm: null, memory: 0 } as const;
  const line = (feature: FeatureName, name: string, digit: number, prefix?: 0x66): Spec => ({
    name,
    feature,
    opcode: [0x0f, 0xae],
    modrm: { reg: digit, rm: null, memory: 1 },
    plain: true,
    weight: 0.3,
    ...(prefix ? { prefix } : {}),
  });
  return [
    {
      name: "movbe",
      feature: "movbe",
      opcode: [0x0f, 0x38, 0xf0],
      sizes: WIDE,
      modrm: { reg: "r", ...memory },
      writes: ["reg"],
    },
    { name: "movbe", feature: "movbe", opcode: [0x0f, 0x38, 0xf1], sizes: WIDE, modrm: { reg: "r", ...memory } },
    {
      name: "lzcnt",
      feature: "lzcnt",
      prefix: 0xf3,
      opcode: [0x0f, 0xbd],
      sizes: WIDE,
      modrm: rmReg,
      writes: ["reg"],
      flags: count,
      plain: true,
    },
    {
      name: "tzcnt",
      feature: "bmi1",
      prefix: 0xf3,
      opcode: [0x0f, 0xbc],
      sizes: WIDE,
      modrm: rmReg,
      writes: ["reg"],
      flags: count,
      plain: true,
    },
    {
      name: "adcx",
      feature: "adx",
      prefix: 0x66,
      opcode: [0x0f, 0x38, 0xf6],
      sizes: [4, 8],
      modrm: rmReg,
      writes: ["reg"],
      reads: CF,
      flags: { defines: CF },
      plain: true,
    },
    {
      name: "adox",
      feature: "adx",
      prefix: 0xf3,
      opcode: [0x0f, 0x38, 0xf6],
      sizes: [4, 8],
      modrm: rmReg,
      writes: ["reg"],
      reads: OF,
      flags: { defines: OF },
      plain: true,
    },
    // F3 prevails over 66, in either order.
    ...[
      [0x66, 0xf3],
      [0xf3, 0x66],
    ].map(
      (both): Spec => ({
        name: "adox",
        feature: "adx",
        opcode: [...both, 0x0f, 0x38, 0xf6, 0xc1],
        clobbers: [RAX],
        reads: OF,
        flags: { defines: OF },
        weight: 0.2,
        plain: true,
      }),
    ),
    line("clflush", "clflush", 7),
    line("clflushopt", "clflushopt", 7, 0x66),
    line("clwb", "clwb", 6, 0x66),
    {
      name: "prefetchw",
      feature: "prefetchw",
      opcode: [0x0f, 0x0d],
      modrm: { reg: 1, rm: null, memory: 1 },
      weight: 0.3,
      plain: true,
    },
    {
      name: "rdfsbase",
      feature: "fsgsbase",
      prefix: 0xf3,
      opcode: [0x0f, 0xae],
      sizes: [4, 8],
      modrm: { reg: 0, rm: "r", memory: null },
      writes: ["rm"],
      weight: 0.3,
      plain: true,
    },
    {
      name: "rdgsbase",
      feature: "fsgsbase",
      prefix: 0xf3,
      opcode: [0x0f, 0xae],
      sizes: [4, 8],
      modrm: { reg: 1, rm: "r", memory: null },
      writes: ["rm"],
      weight: 0.3,
      plain: true,
    },
  ];
}

// What a program at ring 3 may not do, what 64-bit mode does not have, and what does nothing.
function refusedAndEmpty(): Spec[] {
  const refused: readonly number[][] = [
    [0xf4],
    [0xfa],
    [0xfb],
    [0xe4, 0x80],
    [0xe6, 0x80],
    [0xec],
    [0xed],
    [0xee],
    [0xef],
    [0x6c],
    [0x6d],
    [0x6e],
    [0x6f],
    [0x0f, 0x06],
    [0x0f, 0x08],
    [0x0f, 0x09],
    [0x0f, 0x30],
    [0x0f, 0x32],
    [0x0f, 0x20, 0xc0],
    [0x0f, 0x22, 0xc0],
    [0x0f, 0x20, 0xe1],
    [0x0f, 0x22, 0xd8],
    [0x0f, 0x21, 0xf8],
    [0x0f, 0x23, 0xf8],
    [0x0f, 0x00, 0xd0],
    [0x0f, 0x00, 0xd8],
    [0x0f, 0x01, 0x13],
    [0x0f, 0x01, 0x1b],
    [0x0f, 0x01, 0xf0],
    [0x0f, 0x01, 0x3b],
    [0x0f, 0x01, 0xf8],
    [0x0f, 0x07],
    [0x0f, 0x0b],
    [0x0f, 0xff, 0xc0],
    [0x0f, 0xb9, 0xc0],
    [0xcd, 0x20],
    [0xcd, 0x03],
    [0xcd, 0x0e],
    [0x0f, 0x04],
    [0x0f, 0x0a],
    [0x0f, 0x24, 0xc0],
    [0x0f, 0x36],
    [0x0f, 0xc7, 0xc8],
    [0xfe, 0xd0],
    [0xff, 0xf8],
    [0xff, 0xd8],
    [0xff, 0xe8],
    [0x8d, 0xc0],
    [0xc6, 0xc8],
    [0x8f, 0xc8],
    [0x0f, 0xba, 0xc0, 1],
    [0x0f, 0xba, 0xd8, 1],
    [0x0f, 0x38, 0xff],
    [0x0f, 0x3a, 0xff],
    [0xcc],
    // Sixteen bytes, and fifteen.
    [0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90],
    [0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90],
    [0xf0, 0x90],
    [0xf0, 0x89, 0xc0],
    [0xf0, 0x01, 0xc0],
    [0xf0, 0x39, 0x03],
    [0xf0, 0x84, 0x03],
  ];
  // Instructions of other modes.
  const refused64: readonly number[][] = [
    [0x06],
    [0x07],
    [0x0e],
    [0x16],
    [0x17],
    [0x1e],
    [0x1f],
    [0x27],
    [0x2f],
    [0x37],
    [0x3f],
    [0x60],
    [0x61],
    [0x82, 0xc0, 1],
    [0x9a],
    [0xce],
    [0xd4, 10],
    [0xd5, 10],
    [0xd6],
    [0xea],
    [0x62, 0xc0],
  ];
  const empty: readonly number[][] = [
    [0x90],
    [0xf3, 0x90],
    [0x66, 0x90],
    [0x0f, 0x1f, 0x00],
    [0x0f, 0x1f, 0x44, 0x00, 0x00],
    [0x0f, 0x18, 0x08],
    [0x0f, 0x0d, 0x08],
    [0x0f, 0xae, 0xe8],
    [0x0f, 0xae, 0xf0],
    [0x0f, 0xae, 0xf8],
    [0x0f, 0x19, 0x00],
    [0xf2, 0x90],
    [0x0f, 0x1f, 0xc0],
    [0x66, 0x0f, 0x1f, 0x84, 0x00, 0, 0, 0, 0],
    [0x0f, 0x1e, 0xc0],
  ];
  return [
    ...refused.map((opcode): Spec => ({ name: "refused", opcode, weight: 0.04, plain: true })),
    ...refused64.map((opcode): Spec => ({ name: "refused", bits: 64, opcode, weight: 0.04, plain: true })),
    ...empty.map((opcode): Spec => ({ name: "nop", opcode, weight: 0.05, plain: true })),
  ];
}

export const INTEGER_TABLE: readonly Spec[] = [
  ...alu(),
  ...multiplication(),
  ...shifts(),
  ...moves(),
  ...conditional(),
  ...bits(),
  ...stack(),
  ...flagInstructions(),
  ...strings(),
  ...optional(),
  ...legacy(),
  ...refusedAndEmpty(),
];
