// npm run test:kvm-unit-tests -- --dir DIR [--dir DIR32] [--all] [--table] [--verbose] [--scale N] [WORD]...
// Runs kvm-unit-tests that were built in DIR (one folder for each architecture) and prints a table, with what QEMU 10
// gave beside it. WORDs choose entries by their names' beginning; `=WORD` by the whole name. Not a part of `npm test`.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { build } from "../../scripts/lib/build.mjs";
import { fail } from "../../scripts/lib/project.mjs";
import { existing } from "../support/arguments.mjs";
import { parseConfig } from "./config.mjs";
import { QEMU } from "./peer.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    dir: { type: "string", multiple: true, default: [] },
    /** The built command line of another checkout, e.g. to compare. */
    cli: { type: "string" },
    /** Also what cannot run here, with the reason. */
    all: { type: "boolean", default: false },
    /** The guest's output, while it runs. */
    verbose: { type: "boolean", default: false },
    /** Timeouts are those of unittests.cfg times this: they are meant for KVM. */
    scale: { type: "string", default: "4" },
    /** Changes to the CPU model of every test, e.g. `vendor=intel`. */
    cpu: { type: "string" },
    /** At the end a table for docs, with both architectures in one line. */
    table: { type: "boolean", default: false },
  },
});
if (values.dir.length === 0) {
  console.error("usage: npm run test:kvm-unit-tests -- --dir DIR [--dir DIR32] [WORD]...");
  process.exit(2);
}
const scale = Number(values.scale);
if (!(scale > 0)) fail(`--scale ${values.scale} is not a number above 0`, 2);
for (const dir of values.dir) for (const file of ["config.mak", "x86/unittests.cfg"]) existing(join(dir, file));
if (values.cli === undefined && !build()) process.exit(1);
const cli = values.cli ?? new URL("../../dist/cli/main.js", import.meta.url).pathname;
const scratch = mkdtempSync(join(tmpdir(), "kvm-unit-tests-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));

function archOf(dir) {
  const config = readFileSync(join(dir, "config.mak"), "utf8");
  const arch = /^ARCH=(\S+)/m.exec(config)?.[1];
  if (arch !== "x86_64" && arch !== "i386") throw new Error(`${dir} is not built for x86_64 or i386`);
  return arch;
}

const chosen = (name) =>
  positionals.length === 0 ||
  positionals.some((word) => (word.startsWith("=") ? name === word.slice(1) : name.startsWith(word)));

// The module that lib/x86/setup.c looks for: KEY=VALUE lines.
function environment(entry) {
  const file = join(scratch, `${entry.name}.env`);
  // With a test device the apic test takes KVM's hypercall for IPIs for granted.
  const device = entry.file === "apic.flat" ? 0 : 1;
  writeFileSync(
    file,
    [`TEST_DEVICE=${device}`, `NR_CPUS=${entry.cpus}`, `MEMSIZE=${megabytes(entry.memory)}`, ""].join("\n"),
  );
  return file;
}

function megabytes(memory) {
  return Number.parseInt(memory, 10) * (memory.endsWith("G") ? 1024 : 1);
}

function boot(image, entry) {
  const seconds = Math.ceil(entry.timeout * scale);
  const cpu = values.cpu === undefined ? entry.cpu : `${entry.cpu},${values.cpu}`;
  const options = ["--kernel", image, "--initrd", environment(entry), "--append", entry.args, "--cpu", cpu];
  options.push("--cpus", entry.cpus, "--memory", entry.memory, "--testdev", "--debug-exit", "--no-reboot");
  options.push("--accel", "interpret", "--timeout", seconds);
  const started = performance.now();
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [cli, "boot", ...options.map(String)], { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let errors = "";
    child.stdout.on("data", (data) => {
      output += data;
      if (values.verbose) process.stdout.write(data);
    });
    child.stderr.on("data", (data) => {
      errors += data;
      if (values.verbose) process.stderr.write(data);
    });
    child.on("close", (code) => resolve({ code, output, errors, seconds: (performance.now() - started) / 1000 }));
  });
}

// Tests that print no summary: measurements, and what the exit code alone tells.
const WITHOUT_SUMMARY = new Set([
  "vmexit.flat",
  "sieve.flat",
  "rmap_chain.flat",
  "taskswitch.flat",
  "kvmclock_test.flat",
]);

// The test's own words; without its summary a run counts as broken off, but for those above.
function judge({ code, output, errors }, entry) {
  const summary =
    /^SUMMARY: (\d+) tests(?:, (\d+) unexpected failures)?(?:, (\d+) expected failures)?(?:, (\d+) skipped)?/m.exec(
      output,
    );
  const lines = output.split("\n").map((line) => line.trimEnd());
  const failures = lines.filter((line) => /^(FAIL|XPASS):/.test(line));
  const passes = lines.filter((line) => /^PASS(:|$)/.test(line)).length;
  if (summary) {
    const [tests, failed, expected, skipped] = summary.slice(1).map((text) => Number(text ?? 0));
    const clean = failed === 0 && expected === 0 && (code === 1 || (code === 155 && skipped === tests));
    return {
      passed: tests - failed - expected - skipped,
      failed: failed + expected,
      skipped,
      clean,
      failures,
      end: "",
    };
  }
  const measured = WITHOUT_SUMMARY.has(entry.file) && code === 1;
  const end = measured ? "" : endOf(code, errors);
  const clean = failures.length === 0 && (measured || (code === 1 && passes > 0));
  return { passed: passes, failed: failures.length, skipped: 0, clean, failures, end: clean ? "" : end };
}

function endOf(code, errors) {
  if (code === 124) return "timeout";
  const line = errors
    .split("\n")
    .map((text) => text.trim())
    .find((text) => text.startsWith("ringvisor:"));
  return `exit ${code}${line ? `: ${line.slice("ringvisor:".length).trim().slice(0, 90)}` : ""}`;
}

const figure = ({ passed, failed, end }) => `${passed}/${failed}${end ? ` ${end}` : ""}`;

console.log("| test | result | skipped | QEMU 10 | seconds | |");
console.log("| --- | --- | --- | --- | --- | --- |");
const unclean = [];
const table = new Map();
for (const dir of values.dir) {
  const arch = archOf(dir);
  for (const entry of parseConfig(readFileSync(join(dir, "x86/unittests.cfg"), "utf8"), arch)) {
    if (!chosen(entry.name)) continue;
    const name = `${entry.name}, ${arch === "i386" ? 32 : 64}-bit`;
    const image = join(dir, "x86", entry.file);
    const skip = entry.skip ?? (existsSync(image) ? null : `${entry.file} is not built`);
    if (skip) {
      if (values.all) console.log(`| ${name} | not run | | | | ${skip} |`);
      continue;
    }
    const run = await boot(image, entry);
    const result = judge(run, entry);
    const peer = arch === "x86_64" && QEMU[entry.name] ? figure(QEMU[entry.name]) : "";
    const verdict = result.clean ? "clean" : result.end || "failures";
    const time = run.seconds.toFixed(1);
    console.log(`| ${name} | ${result.passed}/${result.failed} | ${result.skipped} | ${peer} | ${time} | ${verdict} |`);
    if (!result.clean) unclean.push({ name, result });
    const cell = `${figure(result)}${result.skipped ? `, ${result.skipped} skipped` : ""}`;
    table.set(entry.name, { ...table.get(entry.name), [arch]: cell });
  }
}
if (table.size === 0) fail(`nothing that can run matches ${positionals.join(" ")} (--all says why)`, 2);
if (values.table) {
  console.log("\n| test | 64-bit | 32-bit | QEMU 10, 64-bit |\n| --- | --- | --- | --- |");
  for (const [name, { x86_64 = "", i386 = "" }] of table) {
    console.log(`| ${name} | ${x86_64} | ${i386} | ${QEMU[name] ? figure(QEMU[name]) : ""} |`);
  }
}
for (const { name, result } of unclean) {
  console.log(`\n${name}: ${result.end || `${result.failed} failed`}`);
  for (const line of result.failures.slice(0, 20)) console.log(`  ${line}`);
  if (result.failures.length > 20) console.log(`  and ${result.failures.length - 20} more`);
}
process.exit(unclean.length === 0 ? 0 : 1);
