// `node test/cpu/sse/run.mjs [CASES] [FILTER] [SEED]`: a longer comparison; FILTER is a part of an encoding's description.
import { buildCore, buildNative } from "./build.mjs";
import { compareAll, loadCore } from "./differential.mjs";

const [cases = "1000", filter = "", seed = "1"] = process.argv.slice(2);
const result = await compareAll(loadCore(await buildCore()), buildNative(), Number(cases), filter, Number(seed));
for (const text of result.mismatches.slice(0, 50)) console.log(text);
console.log(
  `${result.encodings} encodings, ${result.cases} cases, ${result.mismatches.length} mismatches, vectors raised:`,
  result.vectors,
);
process.exitCode = result.mismatches.length ? 1 : 0;
