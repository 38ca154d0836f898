// CPU time of another process with all its threads, those that have ended too, in steps of a nanosecond.
import koffi from "koffi";

const clockGetTime = koffi.load("libc.so.6").func("int clock_gettime(int clock, _Out_ int64_t *time)");
/** Linux makes a process's clock of its id: the complement in the upper bits, then CPUCLOCK_SCHED. */
const CPUCLOCK_SCHED = 2;

/** User and system CPU seconds. @throws Error when there is no such process */
export function cpuSeconds(pid) {
  const time = new BigInt64Array(2);
  if (clockGetTime((~pid << 3) | CPUCLOCK_SCHED, time) !== 0) throw new Error(`process ${pid} has ended`);
  return Number(time[0]) + Number(time[1]) / 1e9;
}
