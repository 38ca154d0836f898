// npm run test:lockstep -- [--programs N] [--variants N] [--seed S] [--bits 64|32|16] [--features F,F...] [--mismatches N] [--tested translate|interpret] [--heat N] [--batch N]
//   [--pieces] [--list]
// Generated programs on two accelerators side by side, compared after every slice.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { build } from "../../scripts/lib/build.mjs";
import { oneOf, wholeNumber } from "../support/arguments.mjs";

const { values } = parseArgs({
  options: {
    programs: { type: "string", default: "10000" },
    variants: { type: "string", default: "1" },
    seed: { type: "string", default: "1" },
    bits: { type: "string", default: "64" },
    features: { type: "string" },
    mismatches: { type: "string", default: "5" },
    tested: { type: "string", default: "translate" },
    heat: { type: "string", default: "2" },
    batch: { type: "string", default: "1" },
    pieces: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    "no-build": { type: "boolean", default: false },
  },
});
// Most functions run a few times only: compiling all of them takes longer than everything else.
setFlagsFromString("--wasm-lazy-compilation");
const programs = wholeNumber(values, "programs", 1);
const variants = wholeNumber(values, "variants", 1);
const seed = wholeNumber(values, "seed");
const maxMismatches = wholeNumber(values, "mismatches", 1);
const bits = Number(oneOf(values.bits, "bits", ["64", "32", "16"]));
if (!values["no-build"] && !build()) process.exit(1);
const dist = new URL("../../dist/", import.meta.url);
const { createInterpreter, createTranslator } = await import(new URL("accel/translate/accelerator.js", dist));
const { runLockstep } = await import(new URL("test-support/lockstep/tester.js", dist));
const { describeMismatch, describeProgram } = await import(new URL("test-support/lockstep/report.js", dist));
const { PROGRAM_FEATURES } = await import(new URL("test-support/lockstep/features.js", dist));
const { generateProgram } = await import(new URL("test-support/lockstep/generator.js", dist));
const core = await WebAssembly.compile(readFileSync(new URL("accel/translate/core.wasm", dist)));

const features = new Set(
  values.features === undefined
    ? PROGRAM_FEATURES
    : values.features
        .split(",")
        .filter(Boolean)
        .map((name) => oneOf(name, "features", PROGRAM_FEATURES)),
);
if (values.list) {
  for (const line of describeProgram(generateProgram(seed, { bits, features }))) console.log(line);
  process.exit(0);
}
const heat = wholeNumber(values, "heat", 1);
const batch = wholeNumber(values, "batch", 1);
const tested =
  oneOf(values.tested, "tested", ["translate", "interpret"]) === "translate"
    ? createTranslator(core, { heat, batch })
    : createInterpreter(core);
const terminal = process.stderr.isTTY;
const began = performance.now();
const result = runLockstep({
  accelerators: [tested, createInterpreter(core)],
  bits,
  seed,
  programs,
  variants,
  features,
  maxMismatches,
  pieces: values.pieces,
  progress: (done) => terminal && process.stderr.write(`\r${done} programs`),
});
if (terminal) process.stderr.write("\r\x1b[K");
for (const failure of result.failures) {
  const alone = failure.alone ? "" : ", with the programs before it";
  console.log(`\nmismatch: --bits ${bits} --seed ${failure.seed} --programs 1${alone}`);
  for (const line of describeMismatch(failure.mismatch)) console.log(`  ${line}`);
}
const seconds = (performance.now() - began) / 1000;
console.log(
  `${result.programs} programs of ${bits} bits from seed ${seed}, ${result.runs} runs, ${result.instructions} instructions: ` +
    `${result.failures.length} mismatches (${Math.round(result.runs / seconds)} runs a second)`,
);
console.log("ends:", result.ends, "counters:", result.counters);
process.exit(result.failures.length === 0 ? 0 : 1);
