import assert from "node:assert/strict";
import { test } from "node:test";
import { CALIBRATION_SECONDS, lateness } from "./lateness.mjs";

test("lateness is what the TSC counted beyond the delay, in microseconds", () => {
  // A TSC of 2 GHz beside an APIC timer of 1 GHz.
  const late = lateness([2e9 * CALIBRATION_SECONDS, 1e9 * CALIBRATION_SECONDS, 1000, 2100, 1000, 2600]);
  assert.deepEqual(
    late.map((each) => each.toFixed(6)),
    ["0.050000", "0.300000"],
  );
});
