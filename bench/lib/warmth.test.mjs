import assert from "node:assert/strict";
import { test } from "node:test";
import { parseWarmLine, shareOfSteady, steadyRate, unitsBy } from "./warmth.mjs";

test("a line tells what was done when, and what share of the steady state's work that is", () => {
  // Ten units a window in the end, one in each of the first two.
  const run = parseWarmLine("WARM loop 00ff 10 1 2 12 22 32 42 52 62 72");
  assert.equal(run.name, "loop");
  assert.equal(run.check, "00ff");
  assert.equal(unitsBy(run, 0.02), 2);
  assert.equal(unitsBy(run, 1), null);
  assert.equal(steadyRate(run).toFixed(3), "1000.000");
  assert.equal(shareOfSteady(run, 0.02).toFixed(3), "0.100");
  assert.equal(shareOfSteady(run, 1), null);
});
