/** CPUID's answers for a model and a place in the machine. Intel SDM vol. 2A CPUID; AMD APM vol. 3 appendix E. */
import type { CpuModel } from "./cpu-model.js";
import { FEATURES, hasFeature } from "./features.js";

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
}

/** CPUID.80000001 EDX bits that only AMD defines: MMXEXT, FFXSR, 3DNow!. */
const AMD_EXTENDED = [FEATURES.mmxext, FEATURES.ffxsr, FEATURES["3dnowext"], FEATURES["3dnow"]].reduce(
  (mask, number) => mask | (1 << (number & 31)),
  0,
);
/** Bytes of an XSAVE area in standard format with x87 and SSE, and with AVX too. */
const XSAVE_LEGACY_BYTES = 576;
const XSAVE_AVX_BYTES = 832;

/**
 * The leaves of one vCPU. Bits that change at run time (OSXSAVE, OSPKE, APIC, XSAVE's current size) hold
 * their reset values; the core replaces them when the instruction executes.
 */
export function cpuidTable(model: CpuModel, place: CpuidPlace): CpuidLeaf[] {
  const leaves: CpuidLeaf[] = [];
  const add = (leaf: number, subleaf: number | null, eax: number, ebx: number, ecx: number, edx: number) => {
    leaves.push({ leaf: leaf >>> 0, subleaf, eax: eax >>> 0, ebx: ebx >>> 0, ecx: ecx >>> 0, edx: edx >>> 0 });
  };
  const word = (index: number) => model.features[index] ?? 0;
  const amd = model.vendor === "amd";
  const has = (name: keyof typeof FEATURES) => hasFeature(model.features, name);
  const xsave = has("xsave");
  const modern = has("lm");
  const [vendorB, vendorC, vendorD] = vendorWords(amd ? "AuthenticAMD" : "GenuineIntel");
  const highest = xsave ? 0xd : modern ? 0xb : 1;

  add(0, null, highest, vendorB, vendorC, vendorD);
  const logical = place.count > 1 ? 1 << (FEATURES.htt & 31) : 0;
  add(
    1,
    null,
    signature(model),
    (place.id << 24) | (Math.max(1, place.count) << 16) | (has("clflush") ? 8 << 8 : 0),
    word(1) & ~(1 << (FEATURES.osxsave & 31)),
    word(0) | logical,
  );
  if (modern) {
    if (!amd) {
      // 32 KiB L1 data and code, 512 KiB L2, 8 MiB L3 shared by all.
      add(2, null, 0x00feff01, 0, 0, 0);
      const cores = place.count - 1;
      const sharing = (place.count - 1) << 14;
      add(4, 0, 0x121 | (cores << 26), (7 << 22) | 63, 63, 0);
      add(4, 1, 0x122 | (cores << 26), (7 << 22) | 63, 63, 0);
      add(4, 2, 0x143 | (cores << 26), (7 << 22) | 63, 1023, 0);
      add(4, 3, 0x163 | sharing | (cores << 26), (15 << 22) | 63, 8191, 4);
      add(4, null, 0, 0, 0, 0);
    }
    add(5, null, 0, 0, 0, 0);
    add(6, null, 4, 0, 0, 0); // ARAT: the APIC timer runs always
    add(7, 0, 0, word(2), word(3) & ~(1 << (FEATURES.ospke & 31)), word(4));
    add(7, null, 0, 0, 0, 0);
    const shift = Math.ceil(Math.log2(Math.max(1, place.count)));
    add(0xb, 0, 0, 1, 0x100, place.id);
    add(0xb, 1, shift, place.count, 0x201, place.id);
    add(0xb, null, 0, 0, 2, place.id);
  }
  if (xsave) {
    const avx = has("avx");
    const size = avx ? XSAVE_AVX_BYTES : XSAVE_LEGACY_BYTES;
    add(0xd, 0, avx ? 7 : 3, XSAVE_LEGACY_BYTES, size, 0);
    add(0xd, 1, word(7), size, 0, 0);
    if (avx) add(0xd, 2, 256, XSAVE_LEGACY_BYTES, 0, 0);
    add(0xd, null, 0, 0, 0, 0);
  }
  if (has("hypervisor")) {
    const [b, c, d] = vendorWords("RingvisorVMM");
    add(0x40000000, null, 0x40000010, b, c, d);
    // Frequencies in kHz as VMware and KVM give them: TSC, APIC bus.
    add(0x40000010, null, place.tscHertz / 1000, 1_000_000, 0, 0);
  }
  if (modern) {
    add(0x80000000, null, amd ? 0x8000001e : 0x80000008, amd ? vendorB : 0, amd ? vendorC : 0, amd ? vendorD : 0);
    // AMD repeats leaf 1's bits in the extended leaf, Intel has only its own there.
    const repeated = amd ? word(0) & 0x0183f3ff : 0;
    add(
      0x80000001,
      null,
      amd ? signature(model) : 0,
      0,
      word(6) | (amd && place.count > 1 ? 2 : 0),
      amd ? word(5) | repeated : word(5) & ~AMD_EXTENDED,
    );
    const brand = model.brand.padEnd(48, "\0");
    for (let part = 0; part < 3; part++) {
      const words = [0, 1, 2, 3].map((index) => textWord(brand, part * 16 + index * 4));
      add(0x80000002 + part, null, words[0]!, words[1]!, words[2]!, words[3]!);
    }
    if (amd) {
      add(0x80000005, null, 0xff40ff40, 0xff40ff40, 0x20080140, 0x20080140);
      add(0x80000006, null, 0x64006400, 0x64004200, 0x02006140, 0x00408140);
    } else {
      add(0x80000005, null, 0, 0, 0, 0);
      add(0x80000006, null, 0, 0, 0x02006040, 0);
    }
    add(0x80000007, null, 0, 0, 0, 0x100); // invariant TSC
    const apicBits = Math.ceil(Math.log2(Math.max(1, place.count)));
    add(
      0x80000008,
      null,
      model.physicalBits | (model.linearBits << 8),
      0,
      amd ? (place.count - 1) | (apicBits << 12) : 0,
      0,
    );
    if (amd) {
      add(0x80000019, null, 0, 0, 0, 0);
      add(0x8000001a, null, 0, 0, 0, 0);
      add(0x8000001e, null, place.id, place.id & 0xff, 0, 0);
    }
  }
  return leaves;
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

// The order in which leaf 0 and its likes give twelve characters: EBX, EDX, ECX. Returned as EBX, ECX, EDX.
function vendorWords(text: string): [number, number, number] {
  if (text === "RingvisorVMM") return [textWord(text, 0), textWord(text, 4), textWord(text, 8)];
  return [textWord(text, 0), textWord(text, 8), textWord(text, 4)];
}
