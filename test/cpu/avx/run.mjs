// `node test/cpu/avx/run.mjs [CASES] [FILTER] [SEED]`: a longer comparison; FILTER is a part of an encoding's description.
import { buildCore, buildNative } from "./build.mjs";
import { compareAll, compareExistence, loadCore } from "./differential.mjs";

const [cases = "1000", filter = "", seed = "1"] = process.argv.slice(2);
const core = loadCore(await buildCore());
const native = buildNative();
if (filter === "") {
  const existence = await compareExistence(core, native);
  for (const text of existence.mismatches.slice(0, 50)) console.log(text);
  console.log(`${existence.cases} encodings tried, ${existence.mismatches.length} known to one side only`);
  if (existence.mismatches.length) process.exitCode = 1;
}
const result = await compareAll(core, native, Number(cases), filter, Number(seed));
for (const text of result.mismatches.slice(0, 50)) console.log(text);
console.log(
  `${result.encodings} encodings, ${result.cases} cases, ${result.mismatches.length} mismatches, vectors raised:`,
  result.vectors,
);
if (result.mismatches.length) process.exitCode = 1;
