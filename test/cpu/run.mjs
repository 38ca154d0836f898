// npm run test:cpu -- [--cases N] [--seed S] [--bits 64|32] [--table integer|sse|mmx|x87|bmi|avx|encodings|vex]... [--failures N] [--translate]
// Generated instruction sequences on the CPU of this machine and on the interpreter, compared; or on the translator, which
// then translates each before it runs.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { build } from "../../scripts/lib/build.mjs";
import { oneOf, wholeNumber } from "../support/arguments.mjs";

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "200000" },
    seed: { type: "string", default: "1" },
    table: { type: "string", multiple: true },
    bits: { type: "string", default: "64" },
    failures: { type: "string", default: "20" },
    translate: { type: "boolean", default: false },
  },
});
const cases = wholeNumber(values, "cases", 1);
const seed = wholeNumber(values, "seed");
const maxFailures = wholeNumber(values, "failures", 1);
const bits = Number(oneOf(values.bits, "bits", ["64", "32"]));
if (!build()) process.exit(1);
const dist = new URL("../../dist/", import.meta.url);
const { createInterpreter, createTranslator } = await import(new URL("accel/translate/accelerator.js", dist));
const { runDifferential, TABLES } = await import(new URL("test-support/differential/tester.js", dist));
const core = await WebAssembly.compile(readFileSync(new URL("accel/translate/core.wasm", dist)));

const tables = (values.table ?? Object.keys(TABLES)).map((table) => oneOf(table, "table", Object.keys(TABLES)));
const terminal = process.stderr.isTTY;
const result = await runDifferential({
  accelerator: values.translate ? createTranslator(core, { heat: 1, batch: 1, deferrals: 0 }) : createInterpreter(core),
  jumps: values.translate,
  tables,
  bits,
  cases,
  seed,
  maxFailures,
  progress: (done) => terminal && process.stderr.write(`\r${done} cases`),
});
if (terminal) process.stderr.write("\r\x1b[K");
for (const failure of result.failures) {
  console.log(
    `\nmismatch: --bits ${values.bits} --table ${failure.table} --seed ${failure.seed}, case ${failure.index}`,
  );
  for (const line of failure.instructions) console.log(`  ${line}`);
  for (const line of failure.differences) console.log(`    ${line}`);
  for (const line of failure.registers) console.log(`      ${line}`);
}
console.log(`${result.cases} ${values.bits}-bit cases of ${tables.join(", ")}: ${result.failures.length} mismatches`);
process.exit(result.failures.length === 0 ? 0 : 1);
