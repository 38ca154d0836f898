// docs/instructions.md says what the decoder and the models are; the tests that it names are there.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadDecoder } from "../test/cpu/decoder/our-decoder.mjs";
import { collectInstructions, rowOf } from "./lib/instruction-reference.mjs";
import { instructionTests } from "./lib/instruction-tests.mjs";
import { ROOT } from "./lib/project.mjs";

const written = readFileSync(join(ROOT, "docs/instructions.md"), "utf8")
  .split("\n")
  .filter((line) => /^\| [A-Z0-9]+ \|/.test(line))
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
const ours = await loadDecoder();
const entries = collectInstructions(ours);

test("every instruction is there with its encodings, features and first model (npm run docs:instructions)", () => {
  assert.ok(entries.length > 1000);
  assert.deepEqual(
    written.map((row) => row.slice(0, -1)),
    entries.map((entry) => rowOf(entry)),
  );
});

test("the tables of the tests that it names hold the instruction", () => {
  const testsOf = instructionTests(ours);
  entries.forEach((entry, index) => {
    const now = testsOf(entry.codes, entry.mnemonic);
    for (const name of written[index].at(-1).split(", ")) {
      if (/^test/.test(name)) assert.ok(now.includes(name), `${entry.mnemonic}: ${name}`);
    }
  });
});
