// The time-stamp counter: the machine's clock times a frequency, plus an offset. Real time or
// instructions retired: the clock knows which.
import { TSC_FREQUENCY, TSC_OFFSET } from "../layout";
import { hostNow } from "./host";

/** The guest's TSC now. */
export function tscNow(cpu: usize): u64 {
  return <u64>(hostNow(cpu) * load<f64>(cpu, TSC_FREQUENCY)) + load<u64>(cpu, TSC_OFFSET);
}

/** Makes the TSC read `value` now. */
export function tscSet(cpu: usize, value: u64): void {
  store<u64>(cpu, value - <u64>(hostNow(cpu) * load<f64>(cpu, TSC_FREQUENCY)), TSC_OFFSET);
}

/** The clock time (ns) at which the TSC reads `value`; not before now. */
export function tscToClock(cpu: usize, value: u64): f64 {
  const ahead = <i64>(value - tscNow(cpu));
  const now = hostNow(cpu);
  // Rounded up by a nanosecond, so that the TSC has reached the value when the clock says so.
  return ahead <= 0 ? now : now + Math.ceil(<f64>ahead / load<f64>(cpu, TSC_FREQUENCY)) + 1;
}
