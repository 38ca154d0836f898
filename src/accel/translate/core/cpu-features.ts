// What the CPU model says of a vCPU: features, vendor, physical address width.
import { FEATURES, PHYSICAL_BITS, VENDOR } from "../layout";

/** Whether the model has a feature, FEATURE_* of feature-bits.ts. */
export function has(cpu: usize, feature: u32): bool {
  return ((load<u32>(cpu + ((feature >> 5) << 2), FEATURES) >> (feature & 31)) & 1) != 0;
}

export function isIntel(cpu: usize): bool {
  return load<u32>(cpu, VENDOR) != 0;
}

/** The bits that a physical address can have. */
export function physicalMask(cpu: usize): u64 {
  return (<u64>1 << <u64>load<u32>(cpu, PHYSICAL_BITS)) - 1;
}
