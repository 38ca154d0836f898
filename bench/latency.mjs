// npm run bench:latency -- [--systems LIST] [--accel LIST] [--node LIST] [--samples N] [--rounds N] [--loops WORD]
//                          [--timeout SECONDS] [--out FILE]
// How late a timer's interrupt comes in a hot loop that makes no exits, by the guest's own TSC: Ringvisor and QEMU's TCG.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { build } from "../scripts/lib/build.mjs";
import { fail } from "../scripts/lib/project.mjs";

const { values } = parseArgs({
  options: {
    systems: { type: "string", default: "ringvisor,qemu" },
    accel: { type: "string", default: "auto" },
    node: { type: "string", default: process.execPath },
    samples: { type: "string", default: "2000" },
    rounds: { type: "string", default: "1" },
    loops: { type: "string", default: "" },
    timeout: { type: "string", default: "120" },
    out: { type: "string", default: "bench-latency.json" },
  },
});
const [samples, rounds] = ["samples", "rounds"].map((name) => {
  const number = Number(values[name]);
  if (!(Number.isInteger(number) && number >= 1 && number <= 100_000))
    fail(`--${name} ${values[name]} is not 1 to 100000`, 2);
  return number;
});
if (!build()) process.exit(1);
const { LOOPS, latencyGuest } = await import("./lib/latency-guest.mjs");
const { lateness } = await import("./lib/lateness.mjs");
const { runLines } = await import("./lib/measure.mjs");
const { listRuns, multibootCommand } = await import("./lib/systems.mjs");
const { format, layOut, percentile } = await import("./lib/table.mjs");

const runs = listRuns(values).filter(({ system }) => system === "ringvisor" || system === "qemu");
if (runs.length === 0) fail("there is no system left to measure");
const loops = Object.keys(LOOPS).filter((name) => name.includes(values.loops));
if (loops.length === 0) fail(`--loops ${values.loops}: none of ${Object.keys(LOOPS).join(", ")}`, 2);

const scratch = mkdtempSync(join(tmpdir(), "ringvisor-bench-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));

async function measure(run, kernel) {
  const numbers = [];
  const onLine = (line) => /^[0-9a-f]{8}$/.test(line) && numbers.push(Number.parseInt(line, 16));
  const options = { timeoutSeconds: Number(values.timeout), codes: [0, 1], onLine };
  const error = await runLines(multibootCommand({ ...run, node: run.program }, kernel), options);
  if (error !== null) fail(`${run.label}: ${error}`);
  if (numbers.length !== 2 + 2 * samples) fail(`${run.label} gave ${numbers.length} numbers, not ${2 + 2 * samples}`);
  return lateness(numbers);
}

const results = {};
for (const name of loops) {
  const kernel = join(scratch, "kernel");
  writeFileSync(kernel, latencyGuest(LOOPS[name], samples));
  results[name] = {};
  for (let round = 0; round < rounds; round++) {
    for (const run of runs) {
      console.error(`${name} on ${run.label} ...`);
      results[name][run.label] ??= [];
      results[name][run.label].push(...(await measure(run, kernel)));
    }
  }
}

const SHARES = [0, 0.5, 0.9, 0.99, 1];
const rows = Object.entries(results).flatMap(([name, systems]) =>
  Object.entries(systems).map(([label, late]) => [
    `${name}, ${label}`,
    ...SHARES.map((share) => format(percentile(late, share), 1)),
  ]),
);
console.log(layOut([["microseconds late", "least", "median", "90 %", "99 %", "most"], ...rows]));
const load = loadavg().map((value) => value.toFixed(1));
console.log(`${samples} interrupts, ${rounds} rounds, load ${load.join(" ")}`);
const host = { cpu: cpus()[0]?.model, cpus: cpus().length, load };
writeFileSync(values.out, `${JSON.stringify({ date: new Date().toISOString(), host, runs, results })}\n`);
