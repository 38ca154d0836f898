/** The caches and TLBs that CPUID describes: what a model of its class has, alike in every leaf that tells of them. */
import type { CpuModel } from "./cpu-model.js";
import { hasFeature } from "./features.js";

export interface Cache {
  level: 1 | 2 | 3;
  kind: "data" | "code" | "unified";
  bytes: number;
  ways: number;
  lineBytes: number;
  /** One for the package rather than one for each core. */
  shared: boolean;
}

const KIND = { data: 1, code: 2, unified: 3 } as const;

/** Intel SDM vol. 2A, table 3-12: what the one-byte descriptors of leaf 2 stand for. */
const PENTIUM3_DESCRIPTORS = [0x03020101, 0, 0, 0x0c040882] as const;
/** TLBs 5A 03 55 B2 CA, prefetching F0, and FF: the caches are in leaf 4. */
const MODERN_DESCRIPTORS = [0x55035a01, 0x00f0b2ff, 0, 0x00ca0000] as const;

/** AMD's encoding of associativity in leaf 80000006. */
const AMD_WAYS: Readonly<Record<number, number>> = { 1: 1, 2: 2, 4: 4, 8: 6, 16: 8 };

/** Caches of the model's CPUs, from the innermost on. */
export function cachesOf(model: CpuModel): Cache[] {
  if (hasFeature(model.features, "lm")) {
    const amd = model.vendor === "amd";
    return [
      { level: 1, kind: "data", bytes: 32 << 10, ways: 8, lineBytes: 64, shared: false },
      { level: 1, kind: "code", bytes: (amd ? 64 : 32) << 10, ways: amd ? 4 : 8, lineBytes: 64, shared: false },
      { level: 2, kind: "unified", bytes: 512 << 10, ways: 8, lineBytes: 64, shared: false },
      { level: 3, kind: "unified", bytes: 8 << 20, ways: 16, lineBytes: 64, shared: true },
    ];
  }
  // Of the 32-bit models only Athlons tell: leaf 80000005 and 80000006.
  return [
    { level: 1, kind: "data", bytes: 64 << 10, ways: 2, lineBytes: 64, shared: false },
    { level: 1, kind: "code", bytes: 64 << 10, ways: 2, lineBytes: 64, shared: false },
    { level: 2, kind: "unified", bytes: 256 << 10, ways: 16, lineBytes: 64, shared: false },
  ];
}

/** Leaf 2: EAX, EBX, ECX, EDX. */
export function cacheDescriptors(model: CpuModel): readonly [number, number, number, number] {
  return hasFeature(model.features, "lm") ? MODERN_DESCRIPTORS : PENTIUM3_DESCRIPTORS;
}

/**
 * One subleaf of leaf 4, or of 8000001D, which has the same format but for EAX[31:26].
 * @param sharing CPUs that share a cache of the package
 * @param cores Intel: addressable cores of the package; AMD: 1, its field is reserved
 */
export function cacheSubleaf(cache: Cache, sharing: number, cores: number): [number, number, number, number] {
  const sharers = cache.shared ? sharing : 1;
  const selfInitializing = 1 << 8;
  const eax = KIND[cache.kind] | (cache.level << 5) | selfInitializing | ((sharers - 1) << 14) | ((cores - 1) << 26);
  const ebx = (cache.lineBytes - 1) | ((cache.ways - 1) << 22);
  const inclusive = cache.shared ? 2 : 0;
  return [eax, ebx, cache.bytes / cache.ways / cache.lineBytes - 1, inclusive];
}

function find(model: CpuModel, level: number, kind: Cache["kind"]): Cache | undefined {
  return cachesOf(model).find((cache) => cache.level === level && cache.kind === kind);
}

/** AMD's leaf 80000005: TLBs of 64 entries, fully associative, and the caches of level 1. */
export function amdLevel1(model: CpuModel): [number, number, number, number] {
  const describe = (cache: Cache | undefined) =>
    cache ? ((cache.bytes >> 10) << 24) | (cache.ways << 16) | (1 << 8) | cache.lineBytes : 0;
  return [0xff40ff40, 0xff40ff40, describe(find(model, 1, "data")), describe(find(model, 1, "code"))];
}

/** Leaf 80000006: TLBs of level 2 and the caches of levels 2 and 3. Intel has ECX alone, without lines a tag. */
export function level2And3(model: CpuModel): [number, number, number, number] {
  const amd = model.vendor === "amd";
  const level2 = find(model, 2, "unified");
  const level3 = find(model, 3, "unified");
  const common = (cache: Cache) => ((AMD_WAYS[cache.ways] ?? 0) << 12) | (amd ? 1 << 8 : 0) | cache.lineBytes;
  const ecx = level2 ? ((level2.bytes >> 10) << 16) | common(level2) : 0;
  if (!amd) return [0, 0, ecx, 0];
  const edx = level3 ? ((level3.bytes >> 19) << 18) | common(level3) : 0;
  const tlbs = level3 ? [0x64006400, 0x64004200] : [0, 0x41004100];
  return [tlbs[0]!, tlbs[1]!, ecx, edx];
}
