// npm run fuzz -- [--instructions N] [--seed S] [--mode M]... [--verbose]
// Random bytes as code, random page and descriptor tables, in each mode: the host must survive it.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { build } from "../../scripts/lib/build.mjs";

const { values } = parseArgs({
  options: {
    instructions: { type: "string", default: "10000000" },
    seed: { type: "string", default: "1" },
    mode: { type: "string", multiple: true },
    verbose: { type: "boolean", default: false },
  },
});
if (!build()) process.exit(1);
const dist = new URL("../../dist/", import.meta.url);
const { createInterpreter } = await import(new URL("accel/translate/accelerator.js", dist));
const { fuzz, FUZZ_MODES } = await import(new URL("test-support/fuzz.js", dist));
const core = await WebAssembly.compile(readFileSync(new URL("accel/translate/core.wasm", dist)));

let failed = 0;
for (const mode of values.mode ?? FUZZ_MODES) {
  try {
    const result = await fuzz({
      accelerator: createInterpreter(core),
      mode,
      seed: Number(values.seed),
      instructions: Number(values.instructions),
      progress: values.verbose
        ? (round, count) => console.log(`${mode} round ${round}, ${count} instructions`)
        : undefined,
    });
    console.log(`${mode}: ${result.instructions} instructions in ${result.rounds} rounds; exits`, result.exits);
    if (Object.keys(result.unimplemented).length > 0) console.log("  not implemented:", result.unimplemented);
  } catch (error) {
    failed++;
    console.log(`${mode}: ${error.stack}`, error.cause ?? "");
  }
}
process.exit(failed === 0 ? 0 : 1);
