import assert from "node:assert/strict";
import { test } from "node:test";
import { FUZZ_MODES, fuzz } from "./fuzz.js";
import { testInterpreter } from "./interpreter.js";

// `npm run fuzz` runs ten million instructions a mode.
for (const mode of FUZZ_MODES) {
  test(`random code and tables do not reach the host: ${mode} mode`, async () => {
    const accelerator = await testInterpreter();
    const result = await fuzz({ accelerator, mode, seed: 2026, instructions: 100_000 });
    assert.ok(result.instructions >= 100_000);
  });
}
