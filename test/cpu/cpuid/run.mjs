// npm run test:cpuid -- [--cpus N]... [MODEL[,vendor=V]]... : Debian's `cpuid` in a guest of each model that boots Debian's 64-bit kernel.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { build } from "../../../scripts/lib/build.mjs";
import { ensureTestPackages } from "../../../scripts/lib/debian.mjs";

if (!build()) process.exit(1);
ensureTestPackages();
const { CPU_MODEL_NAMES, parseCpuModel } = await import("../../../dist/vcpu/cpu-model.js");
const { hasFeature } = await import("../../../dist/vcpu/features.js");
const { guestFaults } = await import("./check.mjs");
const { guestObstacle, runCpuidInGuest } = await import("./guest.mjs");
const { toolObstacle } = await import("./tool.mjs");

const why = toolObstacle() || guestObstacle();
if (why) {
  console.error(`no guest: ${why}`);
  process.exit(2);
}
const all = CPU_MODEL_NAMES.flatMap((name) => [`${name},vendor=amd`, `${name},vendor=intel`]);
const { values, positionals: asked } = parseArgs({
  options: { cpus: { type: "string", multiple: true, default: ["1", "4"] } },
  allowPositionals: true,
});
let failed = false;
for (const text of asked.length > 0 ? asked : all) {
  if (!hasFeature(parseCpuModel(text).features, "lm")) continue;
  for (const count of values.cpus.map(Number)) {
    const folder = mkdtempSync(join(tmpdir(), "ringvisor-cpuid-"));
    const faults = guestFaults(runCpuidInGuest({ model: text, cpus: count, folder }), text, count);
    rmSync(folder, { recursive: true });
    console.log(`${text}, ${count} vCPUs: ${faults.length === 0 ? "as its table" : `${faults.length} differences`}`);
    for (const fault of faults) console.log(`  ${fault}`);
    failed ||= faults.length > 0;
  }
}
process.exit(failed ? 1 : 0);
