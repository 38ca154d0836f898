// The VEX-encoded instructions on vector registers against the processor below: results, flags, MXCSR, exceptions.
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildCore, buildNative, obstacle } from "./build.mjs";
import { compareAll, compareExistence, loadCore } from "./differential.mjs";

const skip = obstacle() ?? false;
const core = skip ? null : loadCore(await buildCore());
const native = skip ? null : buildNative();

test("the decoder knows the VEX encodings that the processor has", { skip }, async () => {
  const { cases, mismatches } = await compareExistence(core, native);
  assert.ok(cases > 90000);
  assert.deepEqual(mismatches.slice(0, 5), []);
});

test("every VEX encoding leaves what the processor leaves", { skip }, async () => {
  const { encodings, vectors, mismatches } = await compareAll(core, native, 20);
  assert.ok(encodings > 2200);
  for (const vector of [0, 6, 13, 19]) assert.ok(vectors[vector] > 0, `vector ${vector} occurred`);
  assert.deepEqual(mismatches.slice(0, 5), []);
});
