// npm run bench:warmup -- [--systems LIST] [--accel LIST] [--node LIST] [--seconds S] [--only WORKLOAD] [--rounds N]
//                         [--timeout SECONDS] [--out FILE]
// The first second of a cold program: units of work done in 0.1, 0.3 and 1 s, beside the steady state and beside QEMU.
import { writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { build } from "../scripts/lib/build.mjs";
import { fail } from "../scripts/lib/project.mjs";

const { values } = parseArgs({
  options: {
    systems: { type: "string", default: "native,ringvisor,qemu" },
    accel: { type: "string", default: "auto" },
    node: { type: "string", default: process.execPath },
    seconds: { type: "string", default: "3" },
    only: { type: "string", default: "" },
    rounds: { type: "string", default: "3" },
    timeout: { type: "string", default: "300" },
    out: { type: "string", default: "bench-warmup.json" },
  },
});
const rounds = Number(values.rounds);
if (!(Number.isInteger(rounds) && rounds >= 1)) fail(`--rounds ${values.rounds} is not a whole number from 1 on`, 2);
const seconds = Number(values.seconds);
if (!(seconds >= 1.5 && seconds <= 60)) fail(`--seconds ${values.seconds} is not 1.5 to 60`, 2);
if (!build()) process.exit(1);
const { guestProgram, programImage } = await import("./lib/images.mjs");
const { getKernel } = await import("./lib/kernels.mjs");
const { runLines } = await import("./lib/measure.mjs");
const { linuxCommand, listRuns, SYSTEMS } = await import("./lib/systems.mjs");
const { format, layOut, median, ratio } = await import("./lib/table.mjs");
const { parseWarmLine, shareOfSteady, steadyRate, unitsBy } = await import("./lib/warmth.mjs");

const runs = listRuns(values);
if (runs.length === 0) fail("there is no system left to measure");
const guests = {};
for (const bits of new Set(
  runs.filter(({ system }) => system !== "native").map(({ system }) => SYSTEMS[system].bits),
)) {
  const { kernel } = await getKernel(bits);
  const append = `console=ttyS0 quiet panic=-1 WARM_SECONDS=${seconds} WARM_ONLY=${values.only}`;
  guests[bits] = { kernel, initrd: programImage("warmup", bits), append, memory: 256 };
}

/** Workloads by name. */
async function measure(run) {
  const workloads = {};
  const native = run.system === "native";
  const command = native
    ? [guestProgram("warmup")]
    : linuxCommand({ ...run, node: run.program }, guests[SYSTEMS[run.system].bits]);
  let failure = null;
  const onLine = (line) => {
    if (line.startsWith("ERROR ")) failure ??= line;
    if (!line.startsWith("WARM ")) return;
    const workload = parseWarmLine(line);
    workloads[workload.name] = workload;
  };
  const env = native ? { WARM_SECONDS: values.seconds, WARM_ONLY: values.only } : {};
  const error = await runLines(command, { env, timeoutSeconds: Number(values.timeout), onLine });
  if (failure ?? error) fail(`${run.label}: ${failure ?? error}`);
  if (Object.keys(workloads).length === 0) fail(`${run.label} did no workload`);
  return workloads;
}

for (let round = 0; round < rounds; round++) {
  for (const run of runs) {
    console.error(`${run.label}, round ${round + 1} of ${rounds} ...`);
    run.results.push(await measure(run));
  }
}

const checks = new Map();
const wrong = new Set();
for (const { label, results } of runs) {
  for (const { name, check } of results.flatMap((each) => Object.values(each))) {
    if (!checks.has(name)) checks.set(name, check);
    else if (checks.get(name) !== check) wrong.add(`${label}: ${name}`);
  }
}

const MOMENTS = [0.1, 0.3, 1];
const peer = runs.find(({ system }) => system === "qemu" || system === "qemu-i386");
const middle = (run, name, value) => median(run.results.map((each) => value(each[name])));
const rows = [...checks.keys()].flatMap((name) =>
  runs.map((run) => {
    const by = (moment) => middle(run, name, (each) => unitsBy(each, moment));
    const theirs = (moment) => peer && middle(peer, name, (each) => unitsBy(each, moment));
    const steady = middle(run, name, steadyRate);
    return [
      `${name}, ${run.label}`,
      steady.toFixed(0),
      ...MOMENTS.map((moment) => format(middle(run, name, (each) => shareOfSteady(each, moment)))),
      ...MOMENTS.map((moment) => ratio(by(moment), theirs(moment))),
      ratio(steady, peer && middle(peer, name, steadyRate)),
    ];
  }),
);
const times = MOMENTS.map((moment) => `${moment} s`);
const beside = [...times, "steady"].map((time) => `${time}/${peer?.label ?? "qemu"}`);
console.log(layOut([["work done", "steady, units/s", ...times.map((time) => `${time}/steady`), ...beside], ...rows]));
const load = loadavg().map((value) => value.toFixed(1));
console.log(`medians of ${rounds} rounds, ${seconds} s a workload, load ${load.join(" ")}; more is better`);
for (const each of wrong) console.log(`WRONG RESULT ${each}`);
const host = { cpu: cpus()[0]?.model, cpus: cpus().length, load };
writeFileSync(values.out, `${JSON.stringify({ date: new Date().toISOString(), host, runs, wrong: [...wrong] })}\n`);
process.exit(wrong.size === 0 ? 0 : 1);
