// npm run bench -- [--only LIST] [--scale X] [--systems LIST] [--accel LIST] [--node LIST] [--rounds N] [--shell]
//                  [--kernel FILE] [--kernel-i386 FILE] [--memory MIB] [--timeout SECONDS] [--out FILE] [--echo]
// Fixed work natively, on Ringvisor, on QEMU and on v86: host CPU seconds in one table, and as JSON.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { build } from "../scripts/lib/build.mjs";
import { ensureTestPackages } from "../scripts/lib/debian.mjs";
import { fail } from "../scripts/lib/project.mjs";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    scale: { type: "string", default: "0.1" },
    systems: { type: "string", default: "native,ringvisor,qemu" },
    accel: { type: "string", default: "auto" },
    node: { type: "string", default: process.execPath },
    rounds: { type: "string", default: "1" },
    shell: { type: "boolean", default: false },
    kernel: { type: "string" },
    "kernel-i386": { type: "string" },
    memory: { type: "string", default: "512" },
    timeout: { type: "string", default: "1800" },
    out: { type: "string", default: "bench-results.json" },
    echo: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);
if (!(Number.isInteger(rounds) && rounds >= 1)) fail(`--rounds ${values.rounds} is not a whole number from 1 on`, 2);
if (!(Number(values.scale) > 0)) fail(`--scale ${values.scale} is not a number above 0`, 2);
if (!build()) process.exit(1);
const { guestbench, guestbenchImage, shellImage, shellScript, dataFile } = await import("./lib/images.mjs");
const { getKernel } = await import("./lib/kernels.mjs");
const { measure } = await import("./lib/measure.mjs");
const { linuxCommand, listRuns, SYSTEMS } = await import("./lib/systems.mjs");
const { comparisons, formatSummary, formatTable, mergeRounds, summary, wrongChecks } = await import("./lib/table.mjs");

const scratch = mkdtempSync(join(tmpdir(), "ringvisor-bench-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));

const append = [
  "console=ttyS0 quiet panic=-1",
  ...(values.shell ? [] : [`BENCH_SCALE=${values.scale}`, `BENCH_ONLY=${values.only}`]),
].join(" ");

const guests = {};
/** The guest of 32 or 64 bits, made when it is first asked for. */
async function getGuest(bits) {
  guests[bits] ??= await makeGuest(bits);
  return guests[bits];
}

async function makeGuest(bits) {
  const { kernel, initrd } = await getKernel(bits);
  const own = values[bits === 32 ? "kernel-i386" : "kernel"];
  const image = values.shell ? shellImage(readFileSync(initrd), bits) : guestbenchImage(bits);
  return { kernel: own ?? kernel, initrd: image, append, memory: values.memory };
}

function nativeRun() {
  if (!values.shell) return { command: [guestbench(64), values.scale, values.only], native: true };
  ensureTestPackages([{ program: "busybox", packages: ["busybox-static"] }]);
  const env = { DIR: scratch, XZ: dataFile() ?? "/none", BB: "busybox" };
  return { command: ["busybox", "sh", "-c", `. ${shellScript()}; echo BENCH_DONE`], native: true, env };
}

const runs = listRuns(values);
if (runs.length === 0) fail("there is no system left to measure");

for (let round = 0; round < rounds; round++) {
  for (const run of runs) {
    console.error(`${run.label} ...`);
    const stats = join(scratch, "stats.json");
    rmSync(stats, { force: true });
    const options = { timeoutSeconds: Number(values.timeout), echo: values.echo };
    let result;
    if (run.system === "native") {
      const { command, ...more } = nativeRun();
      result = await measure(command, { ...options, ...more });
    } else {
      const guest = await getGuest(SYSTEMS[run.system].bits);
      result = await measure(linuxCommand({ ...run, node: run.program, stats }, guest), options);
    }
    if (result.error) console.error(`${run.label}: ${result.error}`);
    if (run.system.startsWith("ringvisor")) {
      try {
        result.stats = JSON.parse(readFileSync(stats, "utf8"));
      } catch {
        console.error(`${run.label} wrote no statistics`);
      }
    }
    if (Object.keys(result.programs).length > 0 || result.boot !== null) run.results.push(result);
  }
}

const wrong = [];
const systems = {};
for (const { label, results } of runs) {
  if (results.length === 0) continue;
  try {
    systems[label] = mergeRounds(results);
  } catch (error) {
    wrong.push(`${label}: ${error.message}`);
  }
}
const bits = Object.fromEntries(runs.map(({ label, system }) => [label, SYSTEMS[system].bits]));
wrong.push(...wrongChecks(systems, (label) => bits[label]));
const pairs = comparisons(runs.filter(({ label }) => label in systems));
console.log(formatTable(systems, pairs));
console.log(`\n${formatSummary(systems, pairs)}`);
for (const [label, { stats }] of Object.entries(systems)) {
  if (!stats?.instructions || !stats.cpuSeconds) continue;
  const mips = (stats.instructions / stats.cpuSeconds / 1e6).toFixed(0);
  console.log(`${label}: --accel ${stats.accel}, ${mips} MIPS over the whole run`);
}
const load = loadavg().map((value) => value.toFixed(1));
console.log(`scale ${values.scale}, ${rounds} rounds, load ${load.join(" ")}`);
for (const each of wrong) console.log(`WRONG RESULT ${each}`);

const report = {
  date: new Date().toISOString(),
  host: { cpu: cpus()[0]?.model, cpus: cpus().length, load },
  scale: Number(values.scale),
  systems,
  rounds: Object.fromEntries(runs.map(({ label, results }) => [label, results])),
  ratios: Object.fromEntries(pairs.map(([ours, peer]) => [`${ours}/${peer}`, summary(systems[ours], systems[peer])])),
  wrong,
};
writeFileSync(values.out, `${JSON.stringify(report, null, 2)}\n`);
const failed = runs.some(({ results }) => results.length < rounds || results.some(({ error }) => error !== null));
process.exit(wrong.length === 0 && !failed ? 0 : 1);
