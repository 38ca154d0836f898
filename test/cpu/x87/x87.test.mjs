// The x87 against the processor below: results, status word, tags, pointers, memory operand, flags.
import assert from "node:assert/strict";
import { test } from "node:test";
import { compareRecords, newComparison } from "../../../dist/test-support/x87/compare.js";
import { EmulatedX87 } from "../../../dist/test-support/x87/emulated.js";
import { buildEmulated, buildHardware, hardwareRecords, obstacle } from "./build.mjs";

const skip = obstacle() ?? false;
const hardware = skip ? null : buildHardware();
const x87 = skip ? null : await EmulatedX87.create(await buildEmulated());
const SEED = 42;
const CASES = 20_000;
/** Of the results of transcendental functions, how many may have another last place than the processor's. */
const OTHER_LAST_PLACE = 0.04;

test("instructions with exact rules leave what the processor leaves", { skip }, () => {
  for (const kind of ["arithmetic", "register", "memory", "environment"]) {
    const result = newComparison();
    compareRecords(x87, hardwareRecords(hardware, SEED, CASES, kind), result);
    assert.equal(result.cases, CASES);
    assert.deepEqual(result.mismatches.slice(0, 5), [], kind);
  }
});

test("transcendental functions are within a unit of the last place of the processor's", { skip }, () => {
  const result = newComparison();
  compareRecords(x87, hardwareRecords(hardware, SEED, CASES, "transcendental"), result);
  assert.deepEqual(result.mismatches.slice(0, 5), []);
  assert.equal(result.lastPlace.size, 8);
  for (const [name, { cases, other }] of result.lastPlace) {
    assert.ok(cases > 1000 && other / cases < OTHER_LAST_PLACE, `${name}: ${other} of ${cases}`);
  }
});
