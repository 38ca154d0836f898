// Boots a disk in QEMU and judges by the lines that its console shows.
import { execFileSync } from "node:child_process";
import { appendFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { ROOT } from "../../scripts/lib/project.mjs";
import { qemuArguments, qemuVersion, runQemu } from "./qemu.mjs";

/**
 * Prints the console as it comes where a person watches, else the verdict, and the console only to explain a failure.
 *
 * @param disk what makeRootDisk made
 * @param machine cpu, cpus, memory and the kernel's parameters, for QEMU
 * @param milestones lines to wait for, and what each shows: { line, shows }
 * @param wrong a line that is a failure by itself
 * @param logFile where the whole log goes as it grows, if anywhere
 * @returns whether every milestone was reached and QEMU ended by itself
 */
export async function judgeBoot({ disk, machine, milestones, wrong, minutes, logFile }) {
  const log = [];
  if (logFile !== undefined) writeFileSync(logFile, "");
  const say = (line) => {
    log.push(line);
    if (logFile !== undefined) appendFileSync(logFile, `${line}\n`);
    if (process.stdout.isTTY) console.log(line);
  };
  const args = qemuArguments({ disk: disk.disk, kernel: disk.kernel, ...machine });
  say(`Ringvisor ${revision()} on ${new Date().toISOString()}`);
  say(await qemuVersion());
  say(`Node ${process.version} here and in QEMU`);
  say(`Debian packages in QEMU: ${disk.packages.join(", ")}`);
  say(`$ qemu-system-x86_64 ${args.map((argument) => show(argument, disk)).join(" ")}`);
  say("");

  const started = performance.now();
  const reached = new Set();
  const failures = [];
  const ending = await runQemu(args, {
    timeout: minutes * 60_000,
    onLine(line) {
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      say(`${seconds.padStart(6)}  ${line}`.trimEnd());
      for (const milestone of milestones) if (milestone.line.test(line)) reached.add(milestone);
      if (wrong?.test(line)) failures.push(line);
    },
  });
  if (ending !== null) failures.push(ending);
  say("");
  for (const milestone of milestones) say(`${reached.has(milestone) ? "ok  " : "FAIL"}  ${milestone.shows}`);
  for (const failure of failures) say(`FAIL  ${failure}`);
  const passed = failures.length === 0 && milestones.every((milestone) => reached.has(milestone));
  if (!process.stdout.isTTY) console.log((passed ? log.slice(-milestones.length) : log).join("\n"));
  return passed;
}

/** Version, commit, and whether there were changes on top. */
function revision() {
  const git = (...words) => execFileSync("git", words, { cwd: ROOT, encoding: "utf8", stdio: "pipe" }).trim();
  try {
    return `${git("rev-parse", "--short", "HEAD")}${git("status", "--porcelain") === "" ? "" : " with changes"}`;
  } catch {
    return "outside git";
  }
}

/** As one would type it, without the folders of this host. */
function show(argument, { disk, kernel }) {
  const short = argument.replaceAll(disk, basename(disk)).replaceAll(kernel, basename(kernel));
  return /[^\w,.=:/-]/.test(short) ? `"${short}"` : short;
}
