import assert from "node:assert/strict";
import { test } from "node:test";
import { createInterpreter, createTranslator } from "../../accel/translate/accelerator.js";
import { compiledCore } from "../compiled-core.js";
import { PROGRAM_FEATURES } from "./features.js";
import { flawedAccelerator } from "./flawed.js";
import { generateProgram } from "./generator.js";
import { place } from "./program.js";
import { describeMismatch } from "./report.js";
import { runLockstep } from "./tester.js";

for (const bits of [64, 32, 16] as const) {
  test(`${bits}-bit programs do the same whatever the budgets of their runs`, async () => {
    const interpreter = createInterpreter(await compiledCore());
    const result = runLockstep({
      accelerators: [interpreter, interpreter],
      bits,
      seed: 1000,
      programs: 60,
      pieces: true,
    });
    assert.deepEqual(
      result.failures.flatMap(({ mismatch }) => describeMismatch(mismatch)),
      [],
    );
    assert.equal(result.programs, 60);
    assert.ok(result.ends.halt! > 20, "programs come to their end");
    assert.ok(result.counters.exceptions! > 0 && result.counters.codeInvalidations! > 0);
  });

  test(`${bits}-bit programs do the same in the translator and in the interpreter`, async () => {
    const core = await compiledCore();
    const result = runLockstep({
      accelerators: [createTranslator(core, { heat: 2, batch: 1 }), createInterpreter(core)],
      bits,
      seed: 2000,
      programs: 40,
      variants: 2,
    });
    assert.deepEqual(
      result.failures.flatMap(({ mismatch }) => describeMismatch(mismatch)),
      [],
    );
    // 16-bit code is interpreted.
    if (bits !== 16) assert.ok(result.counters.regionsTranslated! > 20);
  });
}

test("a defect of one instruction is found, and little but that instruction is left of the program", async () => {
  const interpreter = createInterpreter(await compiledCore());
  const result = runLockstep({
    accelerators: [flawedAccelerator(interpreter), interpreter],
    bits: 64,
    seed: 1,
    programs: 200,
    features: new Set(),
    maxMismatches: 1,
  });
  const [failure] = result.failures;
  assert.ok(failure, "200 programs, and no IMUL in any of them");
  assert.ok(failure.alone);
  const { instructions } = place(failure.mismatch.program);
  assert.equal(instructions.length, 1);
  assert.match(describeMismatch(failure.mismatch).join("\n"), /imul[\s\S]*rax: /);
});

test("a seed always gives the same program", () => {
  const options = { bits: 64, features: new Set(PROGRAM_FEATURES) } as const;
  assert.deepEqual(generateProgram(7, options), generateProgram(7, options));
});
