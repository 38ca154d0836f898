// CPUID: a look-up in the table that the host made from the CPU model, and the bits that change at run time.
import { CPUID_COUNT, CPUID_TABLE, CR4, MSR_APIC_BASE, MSR_XSS, XCR0 } from "../layout";
import { CR4_OSXSAVE } from "./mode";

export let cpuidA: u32 = 0;
export let cpuidB: u32 = 0;
export let cpuidC: u32 = 0;
export let cpuidD: u32 = 0;

const ANY: u32 = 0xffffffff;

function find(cpu: usize, leaf: u32, subleaf: u32): usize {
  const entries = load<u32>(cpu, CPUID_COUNT);
  for (let i: u32 = 0; i < entries; i++) {
    const at = cpu + CPUID_TABLE + (i << 5);
    if (load<u32>(at) != leaf) continue;
    const sub = load<u32>(at, 4);
    if (sub == subleaf || sub == ANY) return at;
  }
  return 0;
}

/** CPUID.1 EAX, which RESET leaves in EDX. */
export function signatureOf(cpu: usize): u64 {
  const at = find(cpu, 1, 0);
  return at == 0 ? 0 : <u64>load<u32>(at, 8);
}

/** The answer for a leaf and subleaf, in cpuidA to cpuidD. */
export function cpuid(cpu: usize, leaf: u32, subleaf: u32): void {
  let asked = leaf;
  const base = leaf & 0xf0000000;
  const first = find(cpu, base, 0);
  // Beyond the highest leaf: Intel answers like the highest basic one, AMD with zeros. Zeros here.
  if (first == 0 || leaf > load<u32>(first, 8)) asked = ANY;
  const at = asked == ANY ? 0 : find(cpu, leaf, subleaf);
  if (at == 0) {
    cpuidA = 0;
    cpuidB = 0;
    cpuidC = 0;
    cpuidD = 0;
    return;
  }
  cpuidA = load<u32>(at, 8);
  cpuidB = load<u32>(at, 12);
  cpuidC = load<u32>(at, 16);
  cpuidD = load<u32>(at, 20);
  const apicOff = (load<u64>(cpu, MSR_APIC_BASE) & 0x800) == 0;
  if (leaf == 1) {
    if ((load<u64>(cpu, CR4) & CR4_OSXSAVE) != 0) cpuidC |= 1 << 27;
    if (apicOff) cpuidD &= ~(1 << 9);
  } else if (leaf == 0x80000001) {
    if (apicOff) cpuidD &= ~(1 << 9);
  } else if (leaf == 0xd && subleaf < 2) {
    const components = load<u64>(cpu, XCR0) | (subleaf == 1 ? load<u64>(cpu, MSR_XSS) : 0);
    cpuidB = (components & 4) != 0 ? 832 : 576;
  }
}
