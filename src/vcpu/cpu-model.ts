/**
 * CPU models: a name for a vendor, its numbers and a set of features. `--cpu NAME[,vendor=V][,+f][,-f]`.
 */
import type { FeatureName } from "./features.js";
import { closure, FEATURE_NEEDS, FEATURE_WORDS, FEATURES, hasFeature } from "./features.js";

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

const I486: FeatureName[] = ["fpu", "vme", "pse", "apic", "cx8", "tsc", "msr"];
const PENTIUM3: FeatureName[] = [
  ...I486,
  "de",
  "pae",
  "mce",
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
  "hypervisor",
];
const V1: FeatureName[] = [
  ...PENTIUM3,
  "clflush",
  "sse2",
  "syscall",
  "nx",
  "lm",
  "x2apic",
  "tsc_deadline",
  "rdtscp",
  "lahf64",
];
const V2: FeatureName[] = [...V1, "sse3", "ssse3", "sse4_1", "sse4_2", "popcnt", "cx16", "mmxext"];
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

interface Base {
  features: FeatureName[];
  vendor: "amd" | "intel";
  family: number;
  modelNumber: number;
  physicalBits: number;
}

const BASES: Record<string, Base> = {
  "486": { features: I486, vendor: "intel", family: 5, modelNumber: 2, physicalBits: 32 },
  pentium3: { features: PENTIUM3, vendor: "intel", family: 6, modelNumber: 8, physicalBits: 36 },
  "x86-64-v1": { features: V1, vendor: "amd", family: 0x17, modelNumber: 1, physicalBits: 40 },
  "x86-64-v2": { features: V2, vendor: "amd", family: 0x17, modelNumber: 1, physicalBits: 40 },
  default: { features: DEFAULT, vendor: "amd", family: 0x17, modelNumber: 1, physicalBits: 40 },
  max: {
    features: [...DEFAULT, "movbe", "lzcnt", "adx", "sse4a"],
    vendor: "amd",
    family: 0x17,
    modelNumber: 1,
    physicalBits: 40,
  },
};

export const CPU_MODEL_NAMES = Object.keys(BASES);

/** Features that this engine offers in some model; others are refused when asked for. */
const OFFERED = new Set<FeatureName>(BASES.max?.features);

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
  const base = BASES[name];
  if (!base) {
    throw new CpuModelError("CPU_MODEL", `there is no CPU model "${name}"; there are ${CPU_MODEL_NAMES.join(", ")}`);
  }
  let vendor = base.vendor;
  const features = new Set<FeatureName>();
  for (const feature of base.features) for (const member of closure(feature)) features.add(member);
  for (const change of changes) {
    if (change.startsWith("vendor=")) {
      vendor = parseVendor(change.slice("vendor=".length));
    } else if (change.startsWith("+")) {
      for (const member of closure(parseFeature(change.slice(1)))) {
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
  const swapped = vendor !== base.vendor;
  return {
    name,
    vendor,
    features: words,
    // The other vendor's numbers for a CPU of the same class.
    family: swapped && base.family > 6 ? 6 : base.family,
    modelNumber: swapped && base.family > 6 ? 0x2c : base.modelNumber,
    stepping: 2,
    brand: `Ringvisor virtual CPU (${name})`,
    physicalBits: base.physicalBits,
    linearBits: hasFeature(words, "lm") ? 48 : 32,
  };
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
  return name as FeatureName;
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
  return { ...model, features: words, linearBits: hasFeature(words, "lm") ? model.linearBits : 32 };
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
