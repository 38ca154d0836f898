// x87 errors while CR0.NE is clear, as a PC of the 80387 reports them: FERR# goes out, the board makes IRQ 13 of it,
// and the processor stands still at the instruction until an interrupt comes. IGNNE#, which the board asserts for the
// interrupt's handler, lets x87 go on in spite of the error. Intel SDM vol. 1 8.7.1 and appendix D.
import { FPU_PENDING, IGNNE, INTERRUPT_CHECK, RUN_STATE } from "../layout";
import { hostFloatError, unwind } from "./host";

const RUN_HALTED: u32 = 1;

/** Before a waiting instruction that finds an error: returns where IGNNE# says to go on, else unwinds. */
export function waitForFloatError(cpu: usize): void {
  if (load<u32>(cpu, IGNNE) != 0) return;
  hostFloatError(cpu);
  store<u32>(cpu, RUN_HALTED, RUN_STATE);
  store<u32>(cpu, 1, INTERRUPT_CHECK);
  unwind();
}

/** No error waits any more: FERR# rises, and the board takes IGNNE# back. */
export function errorCleared(cpu: usize): void {
  store<u32>(cpu, 0, FPU_PENDING);
  store<u32>(cpu, 0, IGNNE);
}
