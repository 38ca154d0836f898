/** CPU features by name: the command line's spelling, in lower case, and the bit in the feature words. */

/** Number of feature words: CPUID.1 EDX and ECX, 7.0 EBX, ECX and EDX, 80000001 EDX and ECX, D.1 EAX. */
export const FEATURE_WORDS = 8;

/** Where CPUID has each word: leaf, subleaf and register. */
export const FEATURE_LEAVES = [
  [1, 0, "edx"],
  [1, 0, "ecx"],
  [7, 0, "ebx"],
  [7, 0, "ecx"],
  [7, 0, "edx"],
  [0x80000001, 0, "edx"],
  [0x80000001, 0, "ecx"],
  [0xd, 1, "eax"],
] as const;

/** Feature number: word * 32 + bit. The core has the same numbers in accel/translate/feature-bits.ts; a test compares. */
export const FEATURES = {
  fpu: 0,
  vme: 1,
  de: 2,
  pse: 3,
  tsc: 4,
  msr: 5,
  pae: 6,
  mce: 7,
  cx8: 8,
  apic: 9,
  sep: 11,
  mtrr: 12,
  pge: 13,
  mca: 14,
  cmov: 15,
  pat: 16,
  pse36: 17,
  clflush: 19,
  mmx: 23,
  fxsr: 24,
  sse: 25,
  sse2: 26,
  htt: 28,
  sse3: 32,
  pclmulqdq: 33,
  monitor: 35,
  ssse3: 41,
  fma: 44,
  cx16: 45,
  pcid: 49,
  sse4_1: 51,
  sse4_2: 52,
  x2apic: 53,
  movbe: 54,
  popcnt: 55,
  tsc_deadline: 56,
  aes: 57,
  xsave: 58,
  osxsave: 59,
  avx: 60,
  f16c: 61,
  rdrand: 62,
  hypervisor: 63,
  fsgsbase: 64,
  tsc_adjust: 65,
  bmi1: 67,
  avx2: 69,
  fdp_excptn_only: 70,
  smep: 71,
  bmi2: 72,
  erms: 73,
  invpcid: 74,
  zero_fcs_fds: 77,
  rdseed: 82,
  adx: 83,
  smap: 84,
  clflushopt: 87,
  clwb: 88,
  sha: 93,
  umip: 98,
  pku: 99,
  ospke: 100,
  vaes: 105,
  vpclmulqdq: 106,
  la57: 112,
  rdpid: 118,
  pks: 127,
  fsrm: 132,
  syscall: 171,
  nx: 180,
  mmxext: 182,
  ffxsr: 185,
  page1gb: 186,
  rdtscp: 187,
  lm: 189,
  "3dnowext": 190,
  "3dnow": 191,
  lahf64: 192,
  svm: 194,
  extapic: 195,
  cr8_legacy: 196,
  lzcnt: 197,
  sse4a: 198,
  misalignsse: 199,
  prefetchw: 200,
  topoext: 214,
  xsaveopt: 224,
  xsavec: 225,
  xgetbv1: 226,
  xsaves: 227,
} as const;

export type FeatureName = keyof typeof FEATURES;

/** What a feature needs besides itself. Taking one away takes away what needs it; adding one adds what it needs. */
export const FEATURE_NEEDS: Partial<Record<FeatureName, readonly FeatureName[]>> = {
  mmx: ["fpu"],
  sep: ["msr"],
  mtrr: ["msr"],
  pat: ["msr"],
  mca: ["mce", "msr"],
  apic: ["msr"],
  fxsr: ["fpu"],
  sse: ["fxsr", "mmx"],
  sse2: ["sse"],
  sse3: ["sse2"],
  ssse3: ["sse3"],
  sse4_1: ["ssse3"],
  sse4_2: ["sse4_1", "popcnt"],
  sse4a: ["sse3"],
  aes: ["sse2"],
  pclmulqdq: ["sse2"],
  sha: ["sse4_1"],
  xsave: ["fxsr"],
  avx: ["sse4_2", "xsave"],
  avx2: ["avx"],
  vaes: ["avx", "aes"],
  vpclmulqdq: ["avx", "pclmulqdq"],
  fma: ["avx"],
  f16c: ["avx"],
  xsaveopt: ["xsave"],
  xsavec: ["xsave"],
  xgetbv1: ["xsave"],
  xsaves: ["xsavec", "xgetbv1"],
  lm: ["pae", "sse2", "syscall", "msr", "cx8"],
  cx16: ["cx8", "lm"],
  nx: ["pae"],
  page1gb: ["lm"],
  pcid: ["lm"],
  invpcid: ["lm"],
  fsgsbase: ["lm"],
  lahf64: ["lm"],
  la57: ["lm"],
  pku: ["lm", "xsave"],
  pks: ["lm"],
  x2apic: ["apic"],
  tsc_deadline: ["apic", "tsc"],
  rdtscp: ["tsc"],
  rdpid: ["rdtscp"],
  tsc_adjust: ["tsc", "msr"],
  pse36: ["pse"],
  clflushopt: ["clflush"],
  clwb: ["clflush"],
};

/** Features that AMD's processors alone have: their bits are reserved on Intel's. */
export const AMD_FEATURES: readonly FeatureName[] = [
  "mmxext",
  "ffxsr",
  "3dnowext",
  "3dnow",
  "svm",
  "extapic",
  "cr8_legacy",
  "sse4a",
  "misalignsse",
  "topoext",
];

/** Features that no model switches: CPUID shows them by what system software set, or by the number of CPUs. */
export const DYNAMIC_FEATURES: readonly FeatureName[] = ["osxsave", "ospke", "htt"];

/** Whether a set of feature words has the feature. */
export function hasFeature(words: Uint32Array, name: FeatureName): boolean {
  const number = FEATURES[name];
  return ((words[number >> 5] ?? 0) >>> (number & 31)) % 2 === 1;
}

/** The feature and all that it needs, directly or not. */
export function closure(name: FeatureName): FeatureName[] {
  const all = new Set<FeatureName>([name]);
  for (const member of all) for (const need of FEATURE_NEEDS[member] ?? []) all.add(need);
  return [...all];
}
