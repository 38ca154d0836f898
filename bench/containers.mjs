// npm run bench:containers -- [--rounds N] [--runtimes LIST] [--resident N] [--steps] [--out FILE]
// The same bundle on each runtime in turns: from the start of `create` to the container's first instruction, what the
// steps on the way cost, and the memory that one more container takes. As root.
import { spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "../scripts/lib/build.mjs";
import { ensureTestPackages } from "../scripts/lib/debian.mjs";
import { fail } from "../scripts/lib/project.mjs";
import { makeBundle, VARIANTS } from "./lib/bundle.mjs";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    runtimes: { type: "string", default: "ringvisor,runc,crun" },
    resident: { type: "string", default: "20" },
    steps: { type: "boolean", default: false },
    out: { type: "string", default: "bench-containers.json" },
  },
});
if (process.getuid?.() !== 0) fail("containers with limits need root");
withoutHybrid();
if (!build()) fail("the build failed: see above");
ensureTestPackages([
  { program: "runc", packages: ["runc"] },
  { program: "crun", packages: ["crun"] },
  { program: "busybox", packages: ["busybox-static"] },
  { program: "gcc", packages: ["gcc", "libc6-dev"] },
]);

const OCI = fileURLToPath(new URL("../bin/ringvisor-oci", import.meta.url));
const COMMANDS = { ringvisor: [OCI], runc: ["runc"], crun: ["crun"] };
const scratch = mkdtempSync(join(tmpdir(), "ringvisor-bench-containers-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
const runtimes = values.runtimes.split(",").filter((name) => {
  const [program] = COMMANDS[name] ?? fail(`no runtime is called ${name}`, 2);
  if (spawnSync(program, ["--version"], { stdio: "ignore" }).status === 0) return true;
  console.error(`${name}: left out: not installed`);
  return false;
});
const rounds = Number(values.rounds);
/** The container's program: writes one byte, then ends or waits. */
const firstByte = join(scratch, "first-byte");
const source = join(scratch, "first-byte.c");
writeFileSync(
  source,
  `#include <unistd.h>
int main(int argc, char **argv) {
  if (write(1, "!", 1) != 1) return 1;
  while (argc > 1) pause();
  return 0;
}
`,
);
if (spawnSync("gcc", ["-O2", "-static", "-o", firstByte, source], { stdio: "inherit" }).status !== 0)
  fail("gcc failed");

/** crun refuses hosts with controllers in both versions: there, all runtimes see version 1 alone, in a mount namespace. */
function withoutHybrid() {
  const unified = "/sys/fs/cgroup/unified";
  if (!existsSync(`${unified}/cgroup.controllers`)) return;
  const again = ["sh", "-c", `umount ${unified} && exec "$@"`, "sh", process.execPath, ...process.argv.slice(1)];
  process.exit(spawnSync("unshare", ["--mount", ...again], { stdio: "inherit" }).status ?? 1);
}

let count = 0;
const root = (name) => join(scratch, `root-${name}`);

/** CPU seconds of our children that have ended, with theirs. */
function childrenCpu() {
  const fields = readFileSync("/proc/self/stat", "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

/** Runs a runtime's command to its end; milliseconds. */
function command(name, stdio, ...args) {
  const [program, ...words] = COMMANDS[name];
  const started = performance.now();
  const result = spawnSync(program, [...words, "--root", root(name), ...args], { stdio });
  const milliseconds = performance.now() - started;
  if (result.status !== 0) fail(`${name} ${args.join(" ")} ended with ${result.signal ?? result.status}`);
  return milliseconds;
}

/** create, start, delete as an engine calls them: cold processes, one after another. */
async function measureStart(name, bundle) {
  const id = `ringvisor-bench-${process.pid}-${++count}`;
  const fifo = join(scratch, "fifo");
  if (!existsSync(fifo)) spawnSync("mkfifo", [fifo]);
  // Open for both: neither side waits for the other.
  const pipe = openSync(fifo, "r+");
  const cpu = childrenCpu();
  const started = performance.now();
  const create = command(name, ["ignore", pipe, "inherit"], "create", "--bundle", bundle, id);
  const begin = performance.now();
  const [program, ...words] = COMMANDS[name];
  const starter = spawn(program, [...words, "--root", root(name), "start", id], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const ended = new Promise((resolve) => starter.on("close", resolve));
  await readByte(pipe);
  const first = performance.now();
  if ((await ended) !== 0) fail(`${name} start failed`);
  const start = performance.now() - begin;
  closeSync(pipe);
  const spent = childrenCpu() - cpu;
  const remove = command(name, ["ignore", "ignore", "inherit"], "delete", "--force", id);
  return { total: first - started, create, start, delete: remove, cpu: spent * 1000 };
}

/** Waits for one byte without keeping the event loop from seeing the child's end. */
async function readByte(descriptor) {
  const { read } = await import("node:fs");
  await new Promise((resolve, reject) => {
    read(descriptor, Buffer.alloc(1), 0, 1, null, (error) => (error ? reject(error) : resolve()));
  });
}

/** `run` to its end, and the wall time of it. */
function measureRun(name, bundle) {
  const id = `ringvisor-bench-${process.pid}-${++count}`;
  return command(name, ["ignore", "ignore", "inherit"], "run", "--bundle", bundle, id);
}

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const least = (list) => Math.min(...list);

async function compare(variant) {
  const bundles = Object.fromEntries(
    runtimes.map((name) => [name, makeBundle(join(scratch, `${variant}-${name}`), firstByte, variant)]),
  );
  const results = Object.fromEntries(runtimes.map((name) => [name, []]));
  // Once unmeasured: files come into the page cache.
  for (const name of runtimes) await measureStart(name, bundles[name]);
  for (let round = 0; round < rounds; round++) {
    for (const name of runtimes) {
      results[name].push({ ...(await measureStart(name, bundles[name])), run: measureRun(name, bundles[name]) });
    }
  }
  return Object.fromEntries(
    runtimes.map((name) => {
      const of = (key, pick) => pick(results[name].map((result) => result[key]));
      const mean = (list) => list.reduce((sum, value) => sum + value, 0) / list.length;
      return [
        name,
        {
          total: of("total", median),
          totalLeast: of("total", least),
          create: of("create", median),
          start: of("start", median),
          delete: of("delete", median),
          run: of("run", median),
          cpu: of("cpu", mean),
        },
      ];
    }),
  );
}

/**
 * KiB for each container of several at once: of the process that waits between create and start; of a running one by
 * its own group's account, kernel memory included; and what the host has less, which neighbours blur.
 */
function measureMemory(name, bundle, containers) {
  const ids = Array.from({ length: containers }, (_, index) => `ringvisor-bench-${process.pid}-resident-${index}`);
  const available = () => Number(/^MemAvailable:\s+(\d+)/m.exec(readFileSync("/proc/meminfo", "utf8"))[1]);
  const before = available();
  let waiting = 0;
  let group = 0;
  try {
    for (const id of ids) {
      command(name, ["ignore", "ignore", "inherit"], "create", "--bundle", bundle, id);
      const pid = processOf(name, id);
      waiting += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))[1]);
      command(name, ["ignore", "ignore", "inherit"], "start", id);
      group += groupMemory(pid);
    }
    return {
      waiting: waiting / containers,
      group: group / containers / 1024,
      host: (before - available()) / containers,
    };
  } finally {
    for (const id of ids) command(name, ["ignore", "ignore", "inherit"], "delete", "--force", id);
  }
}

function processOf(name, id) {
  const [program, ...words] = COMMANDS[name];
  const { stdout } = spawnSync(program, [...words, "--root", root(name), "state", id], { encoding: "utf8" });
  return JSON.parse(stdout).pid;
}

/** The bytes that the memory controller has charged to a process's group. */
function groupMemory(pid) {
  const membership = readFileSync(`/proc/${pid}/cgroup`, "utf8");
  const v1 = /^\d+:memory:(.*)$/m.exec(membership)?.[1];
  const file = v1
    ? `/sys/fs/cgroup/memory${v1}/memory.usage_in_bytes`
    : `/sys/fs/cgroup${/^0::(.*)$/m.exec(membership)?.[1]}/memory.current`;
  return Number(readFileSync(file, "utf8"));
}

/** Wall time of what a cold runtime does before it does anything. */
function measureBaseline() {
  const commands = {
    "node with nothing to do": [process.execPath, "-e", "0"],
    ...Object.fromEntries(runtimes.map((name) => [`${name} --version`, [...COMMANDS[name], "--version"]])),
  };
  const times = Object.fromEntries(Object.keys(commands).map((key) => [key, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [key, [program, ...args]] of Object.entries(commands)) {
      const started = performance.now();
      // Reading further certificates would double Node's start; the runtime does not either.
      spawnSync(program, args, { stdio: "ignore", env: { ...process.env, NODE_EXTRA_CA_CERTS: undefined } });
      times[key].push(performance.now() - started);
    }
  }
  return Object.fromEntries(Object.entries(times).map(([key, list]) => [key, median(list)]));
}

const row = (cells) =>
  console.log(cells.map((cell, index) => (index === 0 ? cell.padEnd(26) : cell.padStart(11))).join(""));
const ms = (value) => value.toFixed(1);

for (const name of runtimes) mkdirSync(root(name));
console.log(`${rounds} rounds, in turns; medians in milliseconds, CPU as a mean\n`);
const full = await compare("full");
const KEYS = ["total", "totalLeast", "create", "start", "run", "delete", "cpu"];
row(["", "to first", "(least)", "create", "start", "run", "delete", "CPU"]);
for (const name of runtimes) row([name, ...KEYS.map((key) => ms(full[name][key]))]);
const ratios = {};
for (const peer of runtimes.filter((name) => name !== "ringvisor" && full.ringvisor)) {
  ratios[peer] = Object.fromEntries(KEYS.map((key) => [key, full.ringvisor[key] / full[peer][key]]));
  row([`ringvisor to ${peer}`, ...KEYS.map((key) => `${ratios[peer][key].toFixed(2)} x`)]);
}

const baseline = measureBaseline();
console.log("\nprocesses that do nothing:");
for (const [key, value] of Object.entries(baseline)) row([key, ms(value)]);

const steps = {};
if (values.steps) {
  console.log("\nwithout a part of the bundle, to first and CPU (less than the whole is what the part costs):");
  const both = ({ total, cpu }) => [ms(total), ms(cpu)];
  row(["", ...runtimes.flatMap((name) => [name, "CPU"])]);
  row(["the whole", ...runtimes.flatMap((name) => both(full[name]))]);
  for (const variant of Object.keys(VARIANTS).filter((key) => key !== "full")) {
    steps[variant] = await compare(variant);
    row([VARIANTS[variant].says, ...runtimes.flatMap((name) => both(steps[variant][name]))]);
  }
}

const memory = {};
const resident = Number(values.resident);
if (resident > 0) {
  console.log(`\nmemory that one more container takes, KiB (mean of ${resident}):`);
  row(["", "created", "running", "host less"]);
  for (const name of runtimes) {
    memory[name] = measureMemory(
      name,
      makeBundle(join(scratch, `resident-${name}`), firstByte, "full", ["wait"]),
      resident,
    );
    row([name, ...["waiting", "group", "host"].map((key) => memory[name][key].toFixed(0))]);
  }
}
const host = { cpu: cpus()[0]?.model, cpus: cpus().length, node: process.version };
const record = { date: new Date().toISOString(), host, rounds, full, ratios, baseline, steps, memory };
writeFileSync(values.out, `${JSON.stringify(record, null, 2)}\n`);
