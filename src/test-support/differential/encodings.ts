/**
 * Instructions of random bytes: every opcode of every map with every prefix, whether it has a meaning or not. Left out is
 * what tells one machine from another, enters the system, or changes what the next cases stand on.
 */
import { CpuidFeature, Decoder, DecoderOptions, Mnemonic, RflagsBits } from "iced-x86";
import type { FeatureName } from "../../vcpu/features.js";
import type { Random } from "../random.js";
import { type GeneratedCase, generateEncoding } from "./generator.js";
import { AF, CF, DF, OF, PF, SF, ZF } from "./instruction.js";
import type { CodeBits } from "./wire.js";

const OUT = new Set<Mnemonic>([
  // Into the system, or answered by it.
  Mnemonic.Syscall,
  Mnemonic.Sysenter,
  Mnemonic.Vmcall,
  Mnemonic.Vmmcall,
  Mnemonic.Sgdt,
  Mnemonic.Sidt,
  Mnemonic.Sldt,
  Mnemonic.Str,
  Mnemonic.Smsw,
  // SVM's: a hypervisor below lets them get as far as the privilege check.
  Mnemonic.Vmload,
  Mnemonic.Vmsave,
  Mnemonic.Vmrun,
  Mnemonic.Stgi,
  Mnemonic.Clgi,
  Mnemonic.Skinit,
  Mnemonic.Invlpga,
  // Of this machine: identity, time, chance, tables of segments.
  Mnemonic.Cpuid,
  Mnemonic.Rdtsc,
  Mnemonic.Rdtscp,
  Mnemonic.Rdpid,
  Mnemonic.Rdpru,
  Mnemonic.Rdrand,
  Mnemonic.Rdseed,
  Mnemonic.Xgetbv,
  Mnemonic.Lar,
  Mnemonic.Lsl,
  Mnemonic.Verr,
  Mnemonic.Verw,
  // Whole states, with pointers of the last x87 instruction in them.
  Mnemonic.Fxsave,
  Mnemonic.Fxsave64,
  Mnemonic.Fxrstor,
  Mnemonic.Fxrstor64,
  Mnemonic.Xsave,
  Mnemonic.Xsave64,
  Mnemonic.Xsavec,
  Mnemonic.Xsavec64,
  Mnemonic.Xsaveopt,
  Mnemonic.Xsaveopt64,
  Mnemonic.Xrstor,
  Mnemonic.Xrstor64,
  Mnemonic.Fldenv,
  Mnemonic.Fnstenv,
  Mnemonic.Fstenv,
  Mnemonic.Frstor,
  Mnemonic.Fnsave,
  Mnemonic.Fsave,
  // Not exact.
  Mnemonic.F2xm1,
  Mnemonic.Fyl2x,
  Mnemonic.Fyl2xp1,
  Mnemonic.Fptan,
  Mnemonic.Fpatan,
  Mnemonic.Fsincos,
  Mnemonic.Fsin,
  Mnemonic.Fcos,
]);
const APPROXIMATE = new Set<Mnemonic>([
  Mnemonic.Rcpps,
  Mnemonic.Rcpss,
  Mnemonic.Rsqrtps,
  Mnemonic.Rsqrtss,
  Mnemonic.Vrcpps,
  Mnemonic.Vrcpss,
  Mnemonic.Vrsqrtps,
  Mnemonic.Vrsqrtss,
]);
/** Features that both sides may have; null: the guest has none of them, the CPU underneath may. */
const FEATURES = new Map<CpuidFeature, FeatureName | null>([
  [CpuidFeature.ADX, "adx"],
  [CpuidFeature.AES, "aes"],
  [CpuidFeature.AVX, "avx"],
  [CpuidFeature.AVX2, "avx2"],
  [CpuidFeature.BMI1, "bmi1"],
  [CpuidFeature.BMI2, "bmi2"],
  [CpuidFeature.CLFLUSHOPT, "clflushopt"],
  [CpuidFeature.CLWB, "clwb"],
  [CpuidFeature.F16C, "f16c"],
  [CpuidFeature.FMA, "fma"],
  [CpuidFeature.FSGSBASE, "fsgsbase"],
  [CpuidFeature.LZCNT, "lzcnt"],
  [CpuidFeature.MOVBE, "movbe"],
  [CpuidFeature.PCLMULQDQ, "pclmulqdq"],
  [CpuidFeature.POPCNT, "popcnt"],
  [CpuidFeature.PREFETCHW, "prefetchw"],
  [CpuidFeature.SHA, "sha"],
  [CpuidFeature.SSE4A, "sse4a"],
  [CpuidFeature.XSAVES, "xsaves"],
  [CpuidFeature.PKU, null],
  [CpuidFeature.CLZERO, null],
  [CpuidFeature.GFNI, null],
  [CpuidFeature.MONITORX, null],
  [CpuidFeature.MCOMMIT, null],
  [CpuidFeature.VAES, "vaes"],
  [CpuidFeature.VPCLMULQDQ, "vpclmulqdq"],
  [CpuidFeature.CET_SS, null],
  [CpuidFeature.INVLPGB, null],
]);
const FLAGS: readonly (readonly [RflagsBits, number])[] = [
  [RflagsBits.CF, CF],
  [RflagsBits.PF, PF],
  [RflagsBits.AF, AF],
  [RflagsBits.ZF, ZF],
  [RflagsBits.SF, SF],
  [RflagsBits.DF, DF],
  [RflagsBits.OF, OF],
];
const PREFIXES = [0x66, 0x66, 0xf2, 0xf3, 0xf0, 0x67, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65];

/** `vex`: only behind VEX prefixes; otherwise never. */
export function randomEncoding(
  random: Random,
  has: (feature: FeatureName) => boolean,
  bits: CodeBits,
  vex: boolean,
): GeneratedCase {
  for (;;) {
    const bytes = randomBytes(random, bits, vex);
    const described = describe(bytes, has, bits);
    if (!described) continue;
    const { name, length, undefines, approximate } = described;
    return generateEncoding(
      random,
      bits,
      { name, opcode: [...bytes.subarray(0, length)], ...(approximate ? { approximate } : {}) },
      { undefines },
    );
  }
}

function randomBytes(random: Random, bits: CodeBits, vex: boolean): Buffer {
  const bytes: number[] = [];
  const prefixes = vex ? 0.05 : 0.35;
  while (random.chance(bytes.length < 3 ? prefixes : 0.1) && bytes.length < 14) bytes.push(random.pick(PREFIXES));
  if (vex) {
    bytes.push(...vexPrefix(random));
  } else {
    if (bits === 64 && random.chance(0.4)) bytes.push(0x40 | random.int(16));
    const map = random.int(85);
    if (map >= 30) bytes.push(0x0f);
    if (map >= 62) bytes.push(random.chance(0.6) ? 0x38 : 0x3a);
  }
  bytes.push(random.int(256));
  // ModRM: mostly a register, or memory at a register that often is a pointer.
  bytes.push(random.chance(0.4) ? 0xc0 | random.int(64) : random.chance(0.7) ? random.int(128) : random.int(256));
  while (bytes.length < 15 || random.chance(0.1)) bytes.push(random.int(256));
  return Buffer.from(bytes.slice(0, 16));
}

// With vvvv set to all ones more often than chance would.
function vexPrefix(random: Random): number[] {
  const last = random.chance(0.4) ? 0x78 | random.int(8) : random.int(128);
  const high = random.int(2) << 7;
  if (random.chance(0.3)) return [0xc5, 0x80 | last];
  const maps = random.chance(0.95) ? 1 + random.int(3) : random.int(32);
  return [0xc4, (random.chance(0.7) ? 0xe0 : random.int(8) << 5) | maps, high | last];
}

function describe(bytes: Buffer, has: (feature: FeatureName) => boolean, bits: CodeBits) {
  const decoder = new Decoder(bits, bytes, DecoderOptions.AMD);
  const instruction = decoder.decode();
  try {
    const { mnemonic } = instruction;
    if (OUT.has(mnemonic)) return null;
    if (mnemonic === Mnemonic.Int && instruction.immediate8 === 0x80) return null;
    // A branch into itself does not end.
    if (instruction.isJccShortOrNear || instruction.isJmpShortOrNear || instruction.isLoop || instruction.isLoopcc) {
      if (
        BigInt.asUintN(bits === 32 || instruction.length === 0 ? 32 : 64, instruction.nearBranchTarget) <
        BigInt(instruction.length)
      )
        return null;
    }
    for (const feature of instruction.cpuidFeatures()) {
      const name = FEATURES.get(feature);
      if (name === null || (name !== undefined && !has(name))) return null;
    }
    if (instruction.isInvalid && isSystemGroup(bytes)) return null;
    let undefinedBits = instruction.rflagsUndefined;
    if (mnemonic === Mnemonic.Rcl || mnemonic === Mnemonic.Rcr) undefinedBits |= RflagsBits.OF;
    // A count above 16 leaves all undefined.
    if (mnemonic === Mnemonic.Shld || mnemonic === Mnemonic.Shrd)
      undefinedBits |= RflagsBits.CF | RflagsBits.SF | RflagsBits.ZF | RflagsBits.PF;
    return {
      name: nameOf(mnemonic, instruction.isStringInstruction),
      length: instruction.isInvalid ? bytes.length : instruction.length,
      undefines: FLAGS.reduce((mask, [bit, flag]) => (undefinedBits & bit ? mask | flag : mask), 0),
      approximate: APPROXIMATE.has(mnemonic),
    };
  } finally {
    instruction.free();
    decoder.free();
  }
}

// 0F 00 and the register forms of 0F 01 with prefixes that iced-x86 refuses: some take no notice of them.
function isSystemGroup(bytes: Buffer): boolean {
  const at = bytes.findIndex((byte) => !PREFIXES.includes(byte) && (byte & 0xf0) !== 0x40);
  return bytes[at] === 0x0f && (bytes[at + 1] === 0 || (bytes[at + 1] === 1 && bytes[at + 2]! >= 0xc0));
}

// As the tables name them: string instructions without their size.
function nameOf(mnemonic: Mnemonic, isString: boolean): string {
  const name = (Mnemonic[mnemonic] ?? "").toLowerCase();
  return isString ? name.slice(0, -1) : name;
}
