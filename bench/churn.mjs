// npm run bench:churn -- [--seconds S] [--systems LIST] [--accel LIST] [--node LIST] [--memory MIB] [--out FILE]
// A guest that makes, runs and throws away code for so long: what the process keeps of it. Ends with 1 where it grows.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { build } from "../scripts/lib/build.mjs";
import { fail } from "../scripts/lib/project.mjs";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    systems: { type: "string", default: "ringvisor" },
    accel: { type: "string", default: "auto" },
    node: { type: "string", default: process.execPath },
    memory: { type: "string", default: "128" },
    out: { type: "string", default: "bench-churn.json" },
  },
});
const seconds = Number(values.seconds);
if (!(seconds >= 5)) fail(`--seconds ${values.seconds} is not a number from 5 on`, 2);
if (!build()) process.exit(1);
const { cpuSeconds } = await import("./lib/cpu-time.mjs");
const { growth } = await import("./lib/growth.mjs");
const { programImage } = await import("./lib/images.mjs");
const { getKernel } = await import("./lib/kernels.mjs");
const { residentBytes, runLines } = await import("./lib/measure.mjs");
const { linuxCommand, listRuns, SYSTEMS } = await import("./lib/systems.mjs");
const { format, layOut, mebibytes } = await import("./lib/table.mjs");
const { touchedBytes } = await import("./lib/touched.mjs");

/** Growth of the last quarter over the second that is still noise of a garbage collector. */
const ALLOWED_BYTES = 24 << 20;
const memory = Number(values.memory);
const runs = listRuns(values).filter(({ system }) => system !== "native" && system !== "v86");
if (runs.length === 0) fail("there is no system left to measure");
const scratch = mkdtempSync(join(tmpdir(), "ringvisor-bench-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));

async function measure(run) {
  const { bits } = SYSTEMS[run.system];
  const append = `console=ttyS0 quiet panic=-1 CHURN_SECONDS=${seconds}`;
  const guest = { kernel: (await getKernel(bits)).kernel, initrd: programImage("churn", bits), append, memory };
  const stats = join(scratch, "stats.json");
  rmSync(stats, { force: true });
  const samples = [];
  let failure = null;
  let done = false;
  const onLine = (line, pid) => {
    const [kind, time, functions, programs] = line.split(" ");
    if (kind === "ERROR") failure ??= line;
    if (kind === "CHURN_DONE") done = true;
    if (kind !== "CHURN") return;
    // Without the guest's own memory: what it touches grows until it has touched all.
    const rss = residentBytes(pid) - (touchedBytes(pid, memory << 20) ?? 0);
    const sample = { time: Number(time), functions: Number(functions), programs: Number(programs), rss };
    samples.push({ ...sample, cpu: cpuSeconds(pid) });
    if (process.stderr.isTTY) process.stderr.write(`\r${run.label} ${time} s, ${format(mebibytes(rss), 0)} MiB  `);
  };
  const command = linuxCommand({ ...run, node: run.program, stats }, guest);
  const error = await runLines(command, { timeoutSeconds: seconds * 3 + 300, onLine });
  if (process.stderr.isTTY) process.stderr.write("\n");
  if (failure ?? error ?? (done ? null : "it ended early"))
    fail(`${run.label}: ${failure ?? error ?? "it ended early"}`);
  let details = null;
  if (run.system.startsWith("ringvisor")) details = JSON.parse(readFileSync(stats, "utf8")).details;
  return { samples, details };
}

const rows = [];
let grew = false;
for (const run of runs) {
  console.error(`${run.label} ...`);
  const result = await measure(run);
  run.results.push(result);
  const { samples, details } = result;
  const last = samples.at(-1);
  const { early, late } = growth(samples.map(({ rss }) => rss));
  if (late - early > ALLOWED_BYTES) grew = true;
  rows.push([
    run.label,
    `${last.functions}`,
    `${last.programs}`,
    ...[early, late].map((value) => format(mebibytes(value), 0)),
    late - early > ALLOWED_BYTES ? "GROWS" : "flat",
  ]);
  if (details) console.error(`${run.label}: ${JSON.stringify(details)}`);
}
const header = ["churn", "functions", "programs", "2nd quarter, MiB", "last quarter, MiB", "memory beside the guest's"];
console.log(layOut([header, ...rows]));
const load = loadavg().map((value) => value.toFixed(1));
console.log(`${seconds} s each, load ${load.join(" ")}`);
const host = { cpu: cpus()[0]?.model, cpus: cpus().length, load };
writeFileSync(values.out, `${JSON.stringify({ date: new Date().toISOString(), host, runs })}\n`);
process.exit(grew ? 1 : 0);
