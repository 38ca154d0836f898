// Breakpoints on ports: DR7's kind 2 under CR4.DE. Intel SDM vol. 3B 18.2.5 and 18.3.1.2.
import { CR4, DEBUG_PENDING, DR, INTERRUPT_CHECK } from "../layout";
import { CR4_DE } from "./mode";
import { breakpointSize } from "./mmu";

const DR7: usize = DR + 56;
const KIND_PORT: u64 = 2;

/** After an access to `size` ports: a #DB follows the instruction, or the iteration, where a breakpoint is on one of them. */
export function watchPorts(cpu: usize, port: u32, size: u32): void {
  const dr7 = load<u64>(cpu, DR7);
  if ((dr7 & 0xff) == 0 || (load<u64>(cpu, CR4) & CR4_DE) == 0) return;
  for (let i: u32 = 0; i < 4; i++) {
    const enabled = ((dr7 >> <u64>(i * 2)) & 3) != 0;
    if (!enabled || ((dr7 >> <u64>(16 + i * 4)) & 3) != KIND_PORT) continue;
    const length = breakpointSize(dr7, i);
    const first = load<u64>(cpu + DR + (i << 3)) & ~(length - 1);
    if (<u64>port >= first + length || first >= <u64>(port + size)) continue;
    store<u64>(cpu, load<u64>(cpu, DEBUG_PENDING) | (<u64>1 << i), DEBUG_PENDING);
    store<u32>(cpu, 1, INTERRUPT_CHECK);
  }
}
