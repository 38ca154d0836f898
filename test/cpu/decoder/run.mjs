// npm run test:decoder -- [--count N] [--seed S] [--bits 16|32|64] [--vendor amd|intel]
import { parseArgs } from "node:util";
import { build } from "../../../scripts/lib/build.mjs";
import { oneOf, wholeNumber } from "../../support/arguments.mjs";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "10000000" },
    seed: { type: "string", default: "1" },
    bits: { type: "string", multiple: true },
    vendor: { type: "string", multiple: true },
    failures: { type: "string", default: "20" },
  },
});
const total = wholeNumber(values, "count", 1);
const firstSeed = wholeNumber(values, "seed");
const maxFailures = wholeNumber(values, "failures", 1);
const vendors = (values.vendor ?? ["amd", "intel"]).map((vendor) => oneOf(vendor, "vendor", ["amd", "intel"]));
const modes = (values.bits ?? ["16", "32", "64"]).map((bits) => Number(oneOf(bits, "bits", ["16", "32", "64"])));
if (!build()) process.exit(1);
const { loadDecoder } = await import("./our-decoder.mjs");
const { compareStrings } = await import("./compare.mjs");
const { parseCpuModel } = await import("../../../dist/vcpu/cpu-model.js");

const ours = await loadDecoder();
let failed = false;
for (const bits of modes) {
  for (const vendor of vendors) {
    const model = parseCpuModel(`max,vendor=${vendor}`);
    const count = Math.ceil(total / vendors.length);
    const seed = firstSeed * 64 + bits + (vendor === "amd" ? 0 : 1);
    const started = performance.now();
    const result = compareStrings({ ours, bits, model, count, seed, maxFailures });
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(
      `${bits} bits, ${vendor}: ${result.count} strings in ${seconds} s: ${result.same} the same instruction ` +
        `(${result.operands} with the same memory operand), ` +
        `${result.neither} none to either, ${result.failures.length} unexplained`,
    );
    const print = (number, reason) => console.log(`  ${String(number).padStart(8)}  ${reason}`);
    const reasons = [...result.reasons].sort((a, b) => b[1] - a[1]);
    const [ofFeatures, others] = [true, false].map((is) =>
      reasons.filter(([reason]) => reason.startsWith("feature") === is),
    );
    for (const [reason, number] of others) print(number, reason);
    const names = ofFeatures.map(([reason]) => reason.replace(/^.* has /, ""));
    const lacking = ofFeatures.reduce((sum, [, number]) => sum + number, 0);
    print(lacking, `feature: no model has ${names.slice(0, 8).join("; ")} and ${Math.max(0, names.length - 8)} more`);
    for (const failure of result.failures) {
      console.log(
        `  ${failure.bytes}  ours: ${failure.ours}; iced: ${failure.other}${failure.operand ? `; ${failure.operand}` : ""}`,
      );
      failed = true;
    }
  }
}
process.exit(failed ? 1 : 0);
