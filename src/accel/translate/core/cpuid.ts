// CPUID: a look-up in the table that the host made from the CPU model, and the bits that change at run time.
import { CPUID_COUNT, CPUID_TABLE, CR4, MODE, MSR_APIC_BASE, MSR_XSS, XCR0 } from "../layout";
import { isIntel } from "./cpu-features";
import { CR4_OSXSAVE, CR4_PKE } from "./mode";
import { MODE_64, MODE_SIZE } from "./mode-bits";
import { monitorEnabled } from "./msr";


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

/** The size of an XSAVE area with these components, as the subleaves of leaf D have them. */
function areaBytes(cpu: usize, components: u64, compacted: bool): u32 {
  let end: u32 = 576;
  for (let i: u32 = 2; i < 63; i++) {
    if (((components >> i) & 1) == 0) continue;
    const at = find(cpu, 0xd, i);
    const bytes = load<u32>(at, 8);
    end = compacted ? end + bytes : max(end, load<u32>(at, 12) + bytes);
  }
  return end;
}

/** CPUID.1 EAX, which RESET leaves in EDX. */
export function signatureOf(cpu: usize): u64 {
  const at = find(cpu, 1, 0);
  return at == 0 ? 0 : <u64>load<u32>(at, 8);
}

/** The answer for a leaf and subleaf, in cpuidA to cpuidD. */
export function cpuid(cpu: usize, asked: u32, subleaf: u32): void {
  let leaf = asked;
  let first = find(cpu, leaf & 0xf0000000, 0);
  if (first == 0 || leaf > load<u32>(first, 8)) {
    // Beyond the highest leaf: Intel answers like the highest basic one, AMD with zeros.
    first = isIntel(cpu) ? find(cpu, 0, 0) : 0;
    leaf = first == 0 ? ANY : load<u32>(first, 8);
  }
  const at = leaf == ANY ? 0 : find(cpu, leaf, subleaf);
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
  switch (leaf) {
    case 1:
      if ((load<u64>(cpu, CR4) & CR4_OSXSAVE) != 0) cpuidC |= 1 << 27;
      if (apicOff) cpuidD &= ~(1 << 9);
      if (!monitorEnabled(cpu)) cpuidC &= ~(1 << 3);
      return;
    case 7:
      if (subleaf == 0 && (load<u64>(cpu, CR4) & CR4_PKE) != 0) cpuidC |= 1 << 4;
      return;
    case 0xb:
    case 0x1f:
      // A level that is not there answers with its number.
      if ((cpuidC & 0xff00) == 0) cpuidC = subleaf & 0xff;
      return;
    case 0xd:
      if (subleaf < 2) {
        const components = load<u64>(cpu, XCR0) | (subleaf == 1 ? load<u64>(cpu, MSR_XSS) : 0);
        cpuidB = areaBytes(cpu, components, subleaf == 1);
      }
      return;
    case 0x80000001:
      if (apicOff) cpuidD &= ~(1 << 9);
      // Intel has SYSCALL in 64-bit mode alone, and tells of it there.
      if (isIntel(cpu) && (load<u32>(cpu, MODE) & MODE_SIZE) != MODE_64) cpuidD &= ~(1 << 11);
      return;
    default:
      return;
  }
}
