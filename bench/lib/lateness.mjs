// From the ticks that the guest of latency-guest.mjs printed to microseconds.

/** The PIT's third channel counts these down for the calibration: 50 ms. */
export const CALIBRATION = 59659;
export const CALIBRATION_SECONDS = CALIBRATION / 1_193_182;

/**
 * Microseconds from when each interrupt was due to its handler, from what the guest printed.
 *
 * @param numbers the ticks of the calibration, then pairs of a delay and the time that it took
 */
export function lateness([tscTicks, apicTicks, ...pairs]) {
  const microsecond = tscTicks / (CALIBRATION_SECONDS * 1e6);
  const late = [];
  for (let each = 0; each + 1 < pairs.length; each += 2) {
    late.push((pairs[each + 1] - (pairs[each] * tscTicks) / apicTicks) / microsecond);
  }
  return late;
}
