// npm run test:runtime-tools: the validation suite of opencontainers/runtime-tools, against runc and against ours.
//
//   --checkout DIR      a checkout of runtime-tools, built or to be built (else it is cloned into the user's cache)
//   --runtime A[,B]     columns (runc,ringvisor); the first one is the reference
//   --keep DIR          the output of each program, a file each
//   --write             put the table into docs/containers-conformance.md
//   WORD...             only the programs whose name contains one of these
//
// Exits with 1 where something that passes under the first runtime fails under another one.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ensureTestPackages } from "../../../scripts/lib/debian.mjs";
import { fail } from "../../../scripts/lib/project.mjs";
import { circumstances, table, writeSection } from "../lib/document.mjs";
import { removeCgroups } from "../lib/host.mjs";
import { inOwnNamespaces } from "../lib/namespace.mjs";
import { runtimeProgram, runtimeVersion } from "../lib/runtimes.mjs";
import { atEnd, listen, scratchFolder } from "../lib/scratch.mjs";
import { prepareCheckout, programPath, programs, REPOSITORY } from "./build.mjs";
import { figures, parseTap, passed, regressions } from "./tap.mjs";

/** A program that takes longer than this has hung: the slowest take 15 s. */
const TIMEOUT_MS = 180_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    checkout: { type: "string", default: join(homedir(), ".cache/ringvisor/runtime-tools") },
    runtime: { type: "string", default: "runc,ringvisor" },
    keep: { type: "string" },
    write: { type: "boolean", default: false },
  },
});

if (process.getuid() !== 0) fail("run it as root: most of the suite needs it", 2);
ensureTestPackages([
  { program: "runc", packages: ["runc"] },
  { program: "go", packages: ["golang-go"] },
  { program: "git", packages: ["git"] },
]);
// The suite leaves mounts behind: they go with the namespace.
await inOwnNamespaces(["mount"]);
const checkout = resolve(values.checkout);
prepareCheckout(checkout);

const names = values.runtime.split(",");
const scratch = scratchFolder("ringvisor-runtime-tools-");
const runtimes = names.map((name) => ({
  name,
  program: runtimeProgram(scratch, name, ["--root", join(scratch, `state-${name}`)]),
}));

/** Removes what a program left: containers, and the two control groups that the suite names. */
function sweep(runtime) {
  const { stdout } = spawnSync(runtime.program, ["list", "--quiet"], { encoding: "utf8" });
  for (const id of (stdout ?? "").split("\n").filter(Boolean)) {
    spawnSync(runtime.program, ["delete", "--force", id], { stdio: "ignore" });
  }
  removeCgroups((path) => /\/(cgrouptest|testdir)(\/|$)/.test(path));
}

function runProgram(name, runtime) {
  const folder = join(scratch, "tmp");
  mkdirSync(folder, { recursive: true });
  const { stdout, stderr, status, signal, error } = spawnSync(programPath(checkout, name), [], {
    cwd: checkout,
    encoding: "utf8",
    env: { ...process.env, RUNTIME: runtime.program, TMPDIR: folder },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: TIMEOUT_MS,
    killSignal: "SIGKILL",
    maxBuffer: 1 << 26,
  });
  if (error && error.code !== "ETIMEDOUT") fail(`cannot run ${name}: ${error.message}`);
  sweep(runtime);
  if (values.keep) {
    mkdirSync(values.keep, { recursive: true });
    writeFileSync(join(values.keep, `${name}.${runtime.name}.txt`), `${stdout}\n--- standard error\n${stderr}\n`);
  }
  return { ...parseTap(stdout), status, signal, timedOut: error?.code === "ETIMEDOUT" };
}

for (const runtime of runtimes) atEnd(() => sweep(runtime));

const cell = (run) => {
  const { ok, notOk, skipped } = figures(run);
  const verdict = passed(run) ? "pass" : run.timedOut ? "timeout" : "fail";
  return `${verdict}: ${ok} ok, ${notOk} not ok${skipped ? `, ${skipped} skipped` : ""}`;
};

const rows = [];
const worse = [];
const totals = runtimes.map(() => ({ passed: 0, ok: 0, notOk: 0 }));
for (const name of programs(checkout)) {
  if (positionals.length > 0 && !positionals.some((word) => name.includes(word))) continue;
  const runs = [];
  for (const runtime of runtimes) {
    await listen();
    runs.push(runProgram(name, runtime));
  }
  for (const [index, run] of runs.entries()) {
    const { ok, notOk } = figures(run);
    totals[index].ok += ok;
    totals[index].notOk += notOk;
    if (passed(run)) totals[index].passed++;
  }
  rows.push([name, ...runs.map(cell)]);
  console.log(`${name.padEnd(34)} ${runs.map((run) => cell(run).padEnd(40)).join(" ")}`);
  for (const [index, run] of runs.slice(1).entries()) {
    for (const what of regressions(runs[0], run)) worse.push(`${runtimes[index + 1].name}: ${name}: ${what}`);
  }
}
if (rows.length === 0) fail(`no program matches ${positionals.join(" ")}`, 2);

rows.push([
  `**${rows.length} programs**`,
  ...totals.map((sum) => `**${sum.passed} pass; ${sum.ok} ok, ${sum.notOk} not ok**`),
]);
console.log(rows.at(-1).join("   ").replaceAll("**", ""));
console.log(
  worse.length === 0 ? `nothing that passes under ${names[0]} fails` : `fails only here:\n  ${worse.join("\n  ")}`,
);
if (values.write) {
  if (positionals.length > 0) fail("--write wants the whole suite, without words", 2);
  const commit = spawnSync("git", ["-C", checkout, "rev-parse", "--short", "HEAD"], { encoding: "utf8" }).stdout.trim();
  writeSection("runtime-tools", [
    circumstances([`[runtime-tools](${REPOSITORY}) ${commit}`, ...names.map(runtimeVersion)]),
    "",
    worse.length === 0
      ? `No test that ${names[0]} passes fails under another column.`
      : `Passes under ${names[0]}, fails here:\n\n${worse.map((line) => `- ${line}`).join("\n")}`,
    "",
    ...table(["program", ...names], rows),
  ]);
}
process.exit(worse.length === 0 ? 0 : 1);
