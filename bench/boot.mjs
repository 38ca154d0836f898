// npm run bench:boot -- [--systems LIST] [--accel LIST] [--node LIST] [--rounds N] [--memory MIB] [--timeout SECONDS]
//                       [--out FILE] [--echo]
// From the start of the process to the guest's /init: CPU seconds, wall seconds, and memory above the RAM that the
// guest has touched by then. Debian's cloud kernel (686-pae for i386) with the same initramfs, in turns, medians.
import { writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { build } from "../scripts/lib/build.mjs";
import { fail } from "../scripts/lib/project.mjs";

const { values } = parseArgs({
  options: {
    systems: { type: "string", default: "ringvisor,qemu" },
    accel: { type: "string", default: "auto" },
    node: { type: "string", default: process.execPath },
    rounds: { type: "string", default: "5" },
    memory: { type: "string", default: "512" },
    timeout: { type: "string", default: "300" },
    out: { type: "string", default: "bench-boot.json" },
    echo: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);
if (!(Number.isInteger(rounds) && rounds >= 1)) fail(`--rounds ${values.rounds} is not a whole number from 1 on`, 2);
if (!build()) process.exit(1);
const { cpuSeconds } = await import("./lib/cpu-time.mjs");
const { guestbenchImage } = await import("./lib/images.mjs");
const { getKernel } = await import("./lib/kernels.mjs");
const { peakBytes, runLines } = await import("./lib/measure.mjs");
const { linuxCommand, listRuns, SYSTEMS } = await import("./lib/systems.mjs");
const { format, layOut, mebibytes, median, ratio } = await import("./lib/table.mjs");
const { touchedBytes } = await import("./lib/touched.mjs");

const memory = Number(values.memory);
const runs = listRuns(values).filter(({ system }) => system !== "native");
if (runs.length === 0) fail("there is no system left to measure");

const guests = {};
for (const bits of new Set(runs.map(({ system }) => SYSTEMS[system].bits))) {
  const { kernel, version } = await getKernel(bits);
  // It does no program: it says that it is there, and powers off.
  const append = "console=ttyS0 quiet panic=-1 BENCH_ONLY=none";
  guests[bits] = { kernel, version, initrd: guestbenchImage(bits), append, memory };
}

async function boot(run) {
  const command = linuxCommand({ ...run, node: run.program }, guests[SYSTEMS[run.system].bits]);
  const started = performance.now();
  let result = null;
  const onLine = (line, pid) => {
    if (!line.startsWith("INIT-OK ")) return;
    const wall = (performance.now() - started) / 1000;
    const peak = peakBytes(pid);
    const touched = touchedBytes(pid, memory << 20);
    result = { cpu: cpuSeconds(pid), wall, guest: Number(line.split(" ")[1]), peak, touched };
  };
  const error = await runLines(command, { timeoutSeconds: Number(values.timeout), echo: values.echo, onLine });
  if (error !== null || result === null) fail(`${run.label}: ${error ?? "it never came to /init"}`);
  return result;
}

for (let round = 0; round < rounds; round++) {
  for (const run of runs) {
    console.error(`${run.label}, round ${round + 1} of ${rounds} ...`);
    run.results.push(await boot(run));
  }
}

const middle = (results, key) => {
  const known = results.map((each) => each[key]).filter((value) => value !== null);
  return known.length > 0 ? median(known) : null;
};
const medians = {};
for (const { label, results } of runs) {
  const each = Object.fromEntries(Object.keys(results[0]).map((key) => [key, middle(results, key)]));
  medians[label] = { ...each, above: each.touched === null ? null : each.peak - each.touched };
}
const base = runs.find(({ system }) => system === "qemu" || system === "qemu-i386")?.label;
const rows = Object.entries(medians).map(([label, each]) => [
  label,
  ...[each.cpu, each.wall].map((value) => format(value)),
  ...[ratio(each.cpu, medians[base]?.cpu), ratio(each.wall, medians[base]?.wall)],
  ...[each.peak, each.touched, each.above].map((value) => format(mebibytes(value), 0)),
]);
const against = base ?? "qemu";
console.log(
  layOut([
    ["boot to init", "CPU s", "wall s", `CPU/${against}`, `wall/${against}`, "peak RSS", "RAM touched", "above, MiB"],
    ...rows,
  ]),
);
const load = loadavg().map((value) => value.toFixed(1));
console.log(
  `medians of ${rounds} rounds, load ${load.join(" ")}: ${[...new Set(Object.values(guests))].map(({ version }) => version).join(", ")}`,
);
const host = { cpu: cpus()[0]?.model, cpus: cpus().length, load };
writeFileSync(values.out, `${JSON.stringify({ date: new Date().toISOString(), host, runs, medians }, null, 2)}\n`);
