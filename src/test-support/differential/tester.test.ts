import assert from "node:assert/strict";
import { test } from "node:test";
import { testInterpreter } from "../interpreter.js";
import { compileHarness, HarnessError } from "./native.js";
import { runDifferential, TABLES } from "./tester.js";

// Why this machine cannot answer for a real CPU, or false.
function obstacle(): string | false {
  try {
    compileHarness();
    return false;
  } catch (error) {
    if (error instanceof HarnessError) return error.message;
    throw error;
  }
}

for (const bits of [64, 32] as const) {
  for (const table of Object.keys(TABLES)) {
    test(`the interpreter does what the CPU does: ${table}, ${bits}-bit code`, { skip: obstacle() }, async () => {
      const accelerator = await testInterpreter();
      const options = { accelerator, bits, tables: [table], cases: 2500, seed: 1000 };
      const { cases, failures } = await runDifferential(options);
      assert.deepEqual(failures, []);
      assert.equal(cases, 2500);
    });
  }
}
