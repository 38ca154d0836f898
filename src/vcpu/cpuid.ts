/** CPUID's answers for a model and a place in the machine. Intel SDM vol. 2A CPUID; AMD APM vol. 3 appendix E. */
import type { CpuModel } from "./cpu-model.js";
import { amdLevel1, cacheDescriptors, cacheSubleaf, cachesOf, level2And3 } from "./cpuid-caches.js";
import { AMD_FEATURES, FEATURES, type FeatureName, hasFeature } from "./features.js";

export interface CpuidLeaf {
  leaf: number;
  /** null: the same for each subleaf. */
  subleaf: number | null;
  eax: number;
  ebx: number;
  ecx: number;
  edx: number;
}

export interface CpuidPlace {
  /** The vCPU's index, which is its APIC id. */
  id: number;
  count: number;
  tscHertz: number;
  /**
   * Nothing underneath predicts the guest's branches: AMD's BTC_NO and SRSO_NO, so that a kernel needs no return thunks.
   * Not where the guest's code runs on a processor.
   */
  predictsNothing?: boolean;
}

/** CPUID.80000008 EBX: branches are not confused with others (Retbleed). */
const BTC_NO = 1 << 29;
/** CPUID.80000021 EAX: returns are not predicted by others' (Inception). */
const SRSO_NO = 1 << 29;
/** Ticks a second of the local APIC's timer before its divider, and of what Intel calls the core crystal clock. */
const APIC_BUS_HERTZ = 1_000_000_000;
/** Leaf 1's brand index of a Pentium III. */
const PENTIUM3_BRAND = 2;
/** CPUID.80000001 bits that leaf 1 has too and AMD repeats: 0-9, 12-17, 23, 24. */
const REPEATED = 0x0183f3ff;
/** Bytes of an XSAVE area in standard format: x87 and SSE; AVX behind them; the protection keys' register. */
const XSAVE_LEGACY_BYTES = 576;
const XSAVE_AVX_BYTES = 256;
const XSAVE_PKRU_BYTES = 8;
/** Behind AVX-512's components and, on Intel's processors, MPX's: KVM's guests see the processor's own. */
const XSAVE_PKRU_OFFSET = { amd: 2432, intel: 2688 };

/** XSAVE components beyond x87 and SSE, where the standard format has them. The core's layout follows vendor, too. */
function xsaveComponents(model: CpuModel): { number: number; offset: number; bytes: number }[] {
  const components = [];
  if (hasFeature(model.features, "avx")) {
    components.push({ number: 2, offset: XSAVE_LEGACY_BYTES, bytes: XSAVE_AVX_BYTES });
  }
  if (hasFeature(model.features, "pku")) {
    components.push({ number: 9, offset: XSAVE_PKRU_OFFSET[model.vendor], bytes: XSAVE_PKRU_BYTES });
  }
  return components;
}

/** The highest basic leaf of a processor whose newest features are these. */
function highestBasic(model: CpuModel): number {
  const has = (...names: FeatureName[]) => names.some((name) => hasFeature(model.features, name));
  const amd = model.vendor === "amd";
  const word = (index: number) => model.features[index] ?? 0;
  let highest = 1;
  if (!amd && has("sse")) highest = 2;
  if (!amd && has("lm")) highest = 6;
  if (has("monitor")) highest = Math.max(highest, 5);
  if (has("tsc_deadline")) highest = 6;
  if ((word(2) | word(3) | word(4)) !== 0) highest = 7;
  if (has("x2apic")) highest = 0xb;
  if (has("xsave")) highest = 0xd;
  // Intel's generations: Skylake, Ice Lake.
  if (!amd && has("xsavec", "clflushopt")) highest = 0x16;
  if (!amd && has("umip", "rdpid", "la57")) highest = 0x1f;
  return highest;
}

/** The highest extended leaf, or 0 where there are none: on Intel's 32-bit processors, and on the 486. */
function highestExtended(model: CpuModel, predictsNothing: boolean): number {
  const has = (name: FeatureName) => hasFeature(model.features, name);
  if (model.vendor === "intel") return has("lm") ? 0x80000008 : 0;
  if (has("topoext")) return predictsNothing ? 0x80000021 : 0x8000001f;
  if (has("lm")) return 0x80000018;
  return has("sse") ? 0x80000008 : 0;
}

/**
 * The leaves of one vCPU. Bits that change at run time (OSXSAVE, OSPKE, APIC, Intel's SYSCALL, XSAVE's current size)
 * hold their reset values; the core replaces them when the instruction executes.
 */
export function cpuidTable(model: CpuModel, place: CpuidPlace): CpuidLeaf[] {
  const leaves: CpuidLeaf[] = [];
  const add = (leaf: number, subleaf: number | null, eax: number, ebx: number, ecx: number, edx: number) => {
    leaves.push({ leaf: leaf >>> 0, subleaf, eax: eax >>> 0, ebx: ebx >>> 0, ecx: ecx >>> 0, edx: edx >>> 0 });
  };
  const word = (index: number) => model.features[index] ?? 0;
  const has = (name: FeatureName) => hasFeature(model.features, name);
  const amd = model.vendor === "amd";
  const vendor = vendorWords(amd ? "AuthenticAMD" : "GenuineIntel");
  // 32-bit processors are packages of their own. The others are cores of one, and have no threads.
  const count = has("lm") ? Math.max(1, place.count) : 1;
  const apicBits = Math.ceil(Math.log2(count));
  const addressable = 1 << apicBits;
  const highest = highestBasic(model);

  add(0, null, highest, ...vendor);
  const logical = count > 1 ? bit("htt") : 0;
  const sharing = has("lm") ? (amd ? count : addressable) : 0;
  const brandIndex = !amd && has("sse") && !has("lm") ? PENTIUM3_BRAND : 0;
  add(
    1,
    null,
    signature(model),
    (place.id << 24) | (sharing << 16) | (has("clflush") ? 8 << 8 : 0) | brandIndex,
    word(1) & ~bit("osxsave"),
    word(0) | logical,
  );
  if (!amd && highest >= 2) add(2, null, ...cacheDescriptors(model));
  if (!amd && highest >= 4) {
    cachesOf(model).forEach((cache, index) => {
      add(4, index, ...cacheSubleaf(cache, addressable, addressable));
    });
    add(4, null, 0, 0, 0, 0);
  }
  // Monitored are lines of 64 bytes; MWAIT takes extensions, and ends by an interrupt though IF is clear. One kind of C1.
  if (highest >= 5 && has("monitor")) add(5, null, 64, 64, 3, 0x10);
  else if (highest >= 5) add(5, null, 0, 0, 0, 0);
  if (highest >= 6) add(6, null, has("apic") ? 4 : 0, 0, 0, 0); // ARAT: the APIC timer runs always
  if (highest >= 7) {
    add(7, 0, 0, word(2), word(3) & ~bit("ospke"), word(4));
    add(7, null, 0, 0, 0, 0);
  }
  const topology = (leaf: number) => {
    add(leaf, 0, 0, 1, 0x100, place.id); // threads of a core
    add(leaf, 1, apicBits, count, 0x201, place.id); // cores of the package
    add(leaf, null, 0, 0, 0, place.id);
  };
  if (has("x2apic")) topology(0xb);
  if (has("xsave")) addXsave(model, add);
  if (highest >= 0x15) {
    const hertz = Math.round(place.tscHertz);
    const divisor = gcd(hertz, APIC_BUS_HERTZ);
    const [numerator, denominator] = [hertz / divisor, APIC_BUS_HERTZ / divisor];
    // Kernels multiply the crystal's kHz by the numerator in 32 bits: a ratio that does not fit there is not enumerated.
    if (numerator * (APIC_BUS_HERTZ / 1000) < 2 ** 32) add(0x15, null, denominator, numerator, APIC_BUS_HERTZ, 0);
    const megahertz = Math.min(0xffff, Math.round(hertz / 1e6));
    add(0x16, null, megahertz, megahertz, APIC_BUS_HERTZ / 1e6, 0);
  }
  if (highest >= 0x1f) topology(0x1f);
  if (has("hypervisor")) {
    add(0x40000000, null, 0x40000010, ...textWords("RingvisorVMM"));
    // Frequencies in kHz as VMware and KVM give them: TSC, APIC bus.
    add(0x40000010, null, place.tscHertz / 1000, APIC_BUS_HERTZ / 1000, 0, 0);
  }

  const predictsNothing = place.predictsNothing === true;
  const extended = highestExtended(model, predictsNothing);
  if (extended === 0) return leaves;
  const own: typeof vendor = amd ? vendor : [0, 0, 0];
  add(0x80000000, null, extended, ...own);
  // AMD repeats leaf 1's bits in the extended leaf, Intel has only its own there.
  const legacy = amd && count > 1 ? 2 : 0; // CmpLegacy: leaf 1 counts cores
  if (amd) add(0x80000001, null, signature(model), 0, word(6) | legacy, word(5) | (word(0) & REPEATED));
  else add(0x80000001, null, 0, 0, word(6) & ~amdBits(6), word(5) & ~amdBits(5));
  const brand = model.brand.padEnd(48, "\0");
  for (let part = 0; part < 3; part++) {
    const words = [0, 1, 2, 3].map((index) => textWord(brand, part * 16 + index * 4));
    add(0x80000002 + part, null, words[0]!, words[1]!, words[2]!, words[3]!);
  }
  if (amd) add(0x80000005, null, ...amdLevel1(model));
  add(0x80000006, null, ...level2And3(model));
  add(0x80000007, null, 0, 0, 0, has("tsc") ? 0x100 : 0); // invariant TSC
  const cores = amd ? (count - 1) | (apicBits << 12) : 0;
  const immune = amd && has("topoext") && predictsNothing;
  add(0x80000008, null, model.physicalBits | (model.linearBits << 8), immune ? BTC_NO : 0, cores, 0);
  if (has("topoext")) {
    cachesOf(model).forEach((cache, index) => {
      add(0x8000001d, index, ...cacheSubleaf(cache, count, 1));
    });
    add(0x8000001d, null, 0, 0, 0, 0);
    add(0x8000001e, null, place.id, place.id & 0xff, 0, 0);
  }
  if (immune) add(0x80000021, null, SRSO_NO, 0, 0, 0);
  return leaves;
}

type Add = (leaf: number, subleaf: number | null, eax: number, ebx: number, ecx: number, edx: number) => void;

function addXsave(model: CpuModel, add: Add): void {
  const components = xsaveComponents(model);
  const mask = components.reduce((bits, { number }) => bits | (1 << number), 3);
  const size = components.reduce((end, { offset, bytes }) => Math.max(end, offset + bytes), XSAVE_LEGACY_BYTES);
  add(0xd, 0, mask, XSAVE_LEGACY_BYTES, size, 0);
  add(0xd, 1, model.features[FEATURES.xsavec >> 5] ?? 0, XSAVE_LEGACY_BYTES, 0, 0);
  for (const { number, offset, bytes } of components) add(0xd, number, bytes, offset, 0, 0);
  add(0xd, null, 0, 0, 0, 0);
}

function bit(name: FeatureName): number {
  return 1 << (FEATURES[name] & 31);
}

// The bits of a feature word that only AMD defines.
function amdBits(word: number): number {
  return AMD_FEATURES.filter((name) => FEATURES[name] >> 5 === word).reduce((mask, name) => mask | bit(name), 0);
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

// CPUID.1 EAX: extended family and model, family, model, stepping.
function signature(model: CpuModel): number {
  const family = Math.min(model.family, 15);
  const extendedFamily = model.family - family;
  return (
    (extendedFamily << 20) |
    ((model.modelNumber >> 4) << 16) |
    (family << 8) |
    ((model.modelNumber & 15) << 4) |
    model.stepping
  );
}

function textWord(text: string, at: number): number {
  let word = 0;
  for (let index = 3; index >= 0; index--) word = word * 256 + text.charCodeAt(at + index);
  return word;
}

// Twelve characters as EBX, ECX, EDX.
function textWords(text: string): [number, number, number] {
  return [textWord(text, 0), textWord(text, 4), textWord(text, 8)];
}

// The vendor's twelve characters stand in EBX, EDX, ECX. Returned as EBX, ECX, EDX.
function vendorWords(text: string): [number, number, number] {
  const [first, second, third] = textWords(text);
  return [first, third, second];
}
