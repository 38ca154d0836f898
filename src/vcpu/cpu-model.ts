/**
 * CPU models: a name for a vendor, its numbers and a set of features. `--cpu NAME[,vendor=V][,+f][,-f]`.
 */
import type { FeatureName } from "./features.js";
import {
  AMD_FEATURES,
  closure,
  DYNAMIC_FEATURES,
  FEATURE_NEEDS,
  FEATURE_WORDS,
  FEATURES,
  hasFeature,
} from "./features.js";

export interface CpuModel {
  readonly name: string;
  readonly vendor: "amd" | "intel";
  /** Feature words, as `features.ts` numbers them. */
  readonly features: Uint32Array;
  readonly family: number;
  readonly modelNumber: number;
  readonly stepping: number;
  /** CPUID's brand string, at most 47 characters. */
  readonly brand: string;
  readonly physicalBits: number;
  readonly linearBits: number;
}

export type CpuModelErrorCode = "CPU_MODEL" | "CPU_FEATURE" | "CPU_VENDOR";

/** A CPU model that cannot be: an unknown name, vendor or feature. */
export class CpuModelError extends Error {
  override readonly name = "CpuModelError";
  constructor(
    readonly code: CpuModelErrorCode,
    message: string,
  ) {
    super(message);
  }
}

// As the processors of a name had them. What the board does besides (an interrupt goes to INTR where there is no local
// APIC) needs no feature.
const I486: FeatureName[] = ["fpu", "vme"];
const PENTIUM3: FeatureName[] = [
  ...I486,
  "de",
  "pse",
  "tsc",
  "msr",
  "pae",
  "mce",
  "cx8",
  "apic",
  "sep",
  "mtrr",
  "pge",
  "mca",
  "cmov",
  "pat",
  "pse36",
  "mmx",
  "fxsr",
  "sse",
  "mmxext",
  // By it kernels ask for the frequency of the TSC rather than measure it against turns of other vCPUs.
  "hypervisor",
];
// Levels of the x86-64 psABI, and what systems of their time have: no-execute; x2APIC, RDTSCP; XSAVE.
const V1: FeatureName[] = [...PENTIUM3, "clflush", "sse2", "syscall", "nx", "lm"];
const V2: FeatureName[] = [
  ...V1,
  "sse3",
  "ssse3",
  "sse4_1",
  "sse4_2",
  "popcnt",
  "cx16",
  "lahf64",
  "x2apic",
  "tsc_deadline",
  "rdtscp",
  "topoext",
];
const V3: FeatureName[] = [
  ...V2,
  "avx",
  "avx2",
  "bmi1",
  "bmi2",
  "f16c",
  "fma",
  "lzcnt",
  "movbe",
  "xsave",
  "xsaveopt",
  "aes",
  "pclmulqdq",
  "rdrand",
  "fsgsbase",
  "pcid",
  "invpcid",
  "smep",
  "erms",
  "page1gb",
];
const DEFAULT: FeatureName[] = [
  ...V2,
  "aes",
  "pclmulqdq",
  "sha",
  "xsave",
  "xsaveopt",
  "xsavec",
  "xgetbv1",
  "rdrand",
  "rdseed",
  "fsgsbase",
  "pcid",
  "invpcid",
  "smep",
  "smap",
  "umip",
  "page1gb",
  "tsc_adjust",
  "erms",
  "prefetchw",
  "cr8_legacy",
];
/** All that our own engine has: what is not here is refused when asked for. */
const MAX: FeatureName[] = [
  ...DEFAULT,
  "monitor",
  "movbe",
  "lzcnt",
  "adx",
  "sse4a",
  "bmi1",
  "bmi2",
  "clflushopt",
  "clwb",
  "rdpid",
  "la57",
  "pku",
  "pks",
  "avx",
  "avx2",
  "fma",
  "f16c",
  "vaes",
  "vpclmulqdq",
  "xsaves",
];
/** Besides, what takes something away from the x87: later Intel processors say so. */
const OFFERED = new Set<FeatureName>([...MAX, "fdp_excptn_only", "zero_fcs_fds"]);

/** Family, model and stepping. */
type Signature = readonly [number, number, number];

interface Base {
  features: FeatureName[];
  vendor: "amd" | "intel";
  amd: Signature;
  intel: Signature;
  physicalBits: number;
}

const BASES: Record<string, Base> = {
  // Am5x86; DX4
  "486": { features: I486, vendor: "intel", amd: [4, 0xe, 4], intel: [4, 8, 0], physicalBits: 32 },
  // Athlon XP; Coppermine
  pentium3: { features: PENTIUM3, vendor: "intel", amd: [6, 6, 2], intel: [6, 8, 6], physicalBits: 36 },
  // Athlon 64; the last Pentium 4
  "x86-64-v1": { features: V1, vendor: "amd", amd: [0xf, 4, 0xa], intel: [0xf, 6, 4], physicalBits: 40 },
  // AMD had no processor of this level alone: Zen with less; Westmere
  "x86-64-v2": { features: V2, vendor: "amd", amd: [0x17, 1, 2], intel: [6, 0x2c, 2], physicalBits: 40 },
  // Zen; Haswell
  "x86-64-v3": { features: V3, vendor: "amd", amd: [0x17, 1, 2], intel: [6, 0x3c, 3], physicalBits: 40 },
  // Zen; Ice Lake
  default: { features: DEFAULT, vendor: "amd", amd: [0x17, 1, 2], intel: [6, 0x7d, 5], physicalBits: 40 },
  max: { features: MAX, vendor: "amd", amd: [0x17, 1, 2], intel: [6, 0x7d, 5], physicalBits: 40 },
};

/** The models whose features are all there. */
export const CPU_MODEL_NAMES = Object.keys(BASES).filter((name) =>
  BASES[name]!.features.every((feature) => OFFERED.has(feature)),
);

function featureWords(features: Iterable<FeatureName>): Uint32Array {
  const words = new Uint32Array(FEATURE_WORDS);
  for (const feature of features) words[FEATURES[feature] >> 5]! |= 1 << (FEATURES[feature] & 31);
  return words;
}

/** What our own engine offers, as feature words. Models that `parseCpuModel` makes have no more; a saved machine's may. */
export const OFFERED_FEATURES: Uint32Array = featureWords([...OFFERED].flatMap((feature) => closure(feature)));

/**
 * Makes a model from the command line's text.
 * @throws CpuModelError
 */
export function parseCpuModel(text: string): CpuModel {
  const [name = "", ...changes] = text.split(",");
  const base = CPU_MODEL_NAMES.includes(name) ? BASES[name] : undefined;
  if (!base) {
    throw new CpuModelError("CPU_MODEL", `there is no CPU model "${name}"; there are ${CPU_MODEL_NAMES.join(", ")}`);
  }
  let vendor = base.vendor;
  for (const change of changes) {
    if (change.startsWith("vendor=")) vendor = parseVendor(change.slice("vendor=".length));
  }
  const foreign: ReadonlySet<FeatureName> = new Set(vendor === "amd" ? [] : AMD_FEATURES);
  const features = new Set<FeatureName>();
  for (const feature of base.features) {
    for (const member of closure(feature)) if (!foreign.has(member)) features.add(member);
  }
  for (const change of changes) {
    if (change.startsWith("vendor=")) continue;
    if (change.startsWith("+")) {
      for (const member of closure(parseFeature(change.slice(1)))) {
        if (foreign.has(member)) throw new CpuModelError("CPU_FEATURE", `CPU feature "${member}" is AMD's alone`);
        if (!OFFERED.has(member)) throw new CpuModelError("CPU_FEATURE", `CPU feature "${member}" is not built yet`);
        features.add(member);
      }
    } else if (change.startsWith("-")) {
      remove(features, parseFeature(change.slice(1)));
    } else {
      throw new CpuModelError("CPU_FEATURE", `"${change}" is none of vendor=amd, vendor=intel, +feature, -feature`);
    }
  }
  const words = featureWords(features);
  const [family, modelNumber, stepping] = base[vendor];
  return {
    name,
    vendor,
    features: words,
    family,
    modelNumber,
    stepping,
    brand: `Ringvisor virtual CPU (${name})`,
    physicalBits: base.physicalBits,
    linearBits: linearBits(words),
  };
}

function linearBits(features: Uint32Array): number {
  if (!hasFeature(features, "lm")) return 32;
  return hasFeature(features, "la57") ? 57 : 48;
}

function parseVendor(text: string): "amd" | "intel" {
  if (text !== "amd" && text !== "intel") {
    throw new CpuModelError("CPU_VENDOR", `there is no CPU vendor "${text}"; there are amd and intel`);
  }
  return text;
}

function parseFeature(text: string): FeatureName {
  const name = text.replaceAll("-", "_").replaceAll(".", "_");
  if (!Object.hasOwn(FEATURES, name)) throw new CpuModelError("CPU_FEATURE", `there is no CPU feature "${text}"`);
  const feature = name as FeatureName;
  if (DYNAMIC_FEATURES.includes(feature)) {
    throw new CpuModelError("CPU_FEATURE", `CPU feature "${feature}" follows from the machine and what runs on it`);
  }
  return feature;
}

// Takes a feature away, and with it all that need it.
function remove(features: Set<FeatureName>, gone: FeatureName): void {
  if (!features.delete(gone)) return;
  for (const feature of [...features]) if (FEATURE_NEEDS[feature]?.includes(gone)) remove(features, feature);
}

/** The model without the features that are not in `available` (feature words), and without those that need them. */
export function limitModel(model: CpuModel, available: Uint32Array): CpuModel {
  const features = new Set(featureNames(model.features));
  for (const name of [...features]) if (!hasFeature(available, name)) remove(features, name);
  const words = featureWords(features);
  return { ...model, features: words, linearBits: Math.min(model.linearBits, linearBits(words)) };
}

/** The features that `model` has and `other` lacks. */
export function missingFeatures(model: CpuModel, other: CpuModel): FeatureName[] {
  return featureNames(model.features).filter((name) => !hasFeature(other.features, name));
}

function featureNames(words: Uint32Array): FeatureName[] {
  return (Object.keys(FEATURES) as FeatureName[]).filter((name) => hasFeature(words, name));
}

/** A stable hash of all that a guest can tell a model by: FNV-1a, 16 hex digits. Saved machines carry it. */
export function modelHash(model: CpuModel): string {
  const text = JSON.stringify([
    model.vendor,
    [...model.features],
    model.family,
    model.modelNumber,
    model.stepping,
    model.brand,
    model.physicalBits,
    model.linearBits,
  ]);
  let hash = 0xcbf29ce484222325n;
  for (const character of text) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(character.charCodeAt(0))) * 0x100000001b3n);
  }
  return hash.toString(16).padStart(16, "0");
}
