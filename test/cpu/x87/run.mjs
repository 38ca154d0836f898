// `node test/cpu/x87/run.mjs [CASES] [KIND] [SEED]` after a build: a longer comparison with the processor; see hardware.c
// for the kinds.
import { compareRecords, newComparison } from "../../../dist/test-support/x87/compare.js";
import { EmulatedX87 } from "../../../dist/test-support/x87/emulated.js";
import { buildEmulated, buildHardware, hardwareRecords, obstacle } from "./build.mjs";

const KINDS = ["arithmetic", "register", "memory", "environment", "transcendental"];
const CHUNK = 50_000;
const [cases = "200000", kind, seed = "1"] = process.argv.slice(2);
const why = obstacle();
if (why !== null) {
  console.error(`no comparison: ${why}`);
  process.exit(2);
}
const x87 = await EmulatedX87.create(await buildEmulated());
const hardware = buildHardware();
let mismatches = 0;
for (const name of kind ? [kind] : KINDS) {
  const result = newComparison();
  for (let at = 0; at < Number(cases); at += CHUNK) {
    const count = Math.min(CHUNK, Number(cases) - at);
    compareRecords(x87, hardwareRecords(hardware, Number(seed) + at / CHUNK, count, name), result);
  }
  for (const text of result.mismatches.slice(0, 10)) console.log(text);
  console.log(`${name}: ${result.cases} cases, ${result.mismatches.length} mismatches`);
  for (const [instruction, { cases, other }] of result.lastPlace) {
    console.log(`  ${instruction}: ${cases} cases, ${other} with another last place or rounding`);
  }
  mismatches += result.mismatches.length;
}
process.exitCode = mismatches > 0 ? 1 : 0;
