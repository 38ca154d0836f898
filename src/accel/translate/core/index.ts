// The core's entry points: what the host calls. `cpu` is the address of a vCPU's state block.
import { flushTlb } from "./mmu";
import { refreshAll } from "./mode";
import { SCRATCH } from "../layout";
import { apicPollTimer } from "./lapic";
import { tscSet } from "./tsc";

export { memoryWritten, monitorLine } from "./blocks";
export { hasPendingWork } from "./events";
export { materializeFlags } from "./flags";
export { settle } from "./general";
export { run } from "./interpreter";
export { apicAccept, apicLint0, apicMatches, apicNmi, apicPriority, apicResumeTimer, apicTimerCount, apicTimerDeadline } from "./lapic";
export { flushTlb, translateLinear } from "./mmu";
export { readMsr, writeMsr } from "./msr";
export {
  fetchOffset, peekBlock, publishRegion, regionCall, regionCarry, regionCondition, regionExecute, regionRead, regionWrite, withdrawRegion,
} from "./regions";
export { resetVcpu } from "./reset";

/** The host wrote the state block: everything that follows from the architectural state is recomputed. */
export function stateLoaded(cpu: usize): void {
  flushTlb(cpu);
  refreshAll(cpu);
}

/** The memory slots changed: no address translation is worth anything any more. */
export function slotsChanged(cpu: usize): void {
  flushTlb(cpu);
}

/** Makes the guest's TSC read SCRATCH now. */
export function loadTsc(cpu: usize): void {
  tscSet(cpu, load<u64>(cpu, SCRATCH));
}

/** Fires the local APIC's timer if its time has come. */
export function pollTimers(cpu: usize): void {
  apicPollTimer(cpu);
}
