// Child processes and scratch space that do not outlive the script, however it ends.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const children = new Set();

/** A folder of our own, removed when the process ends. */
export function scratchFolder() {
  const folder = mkdtempSync(join(tmpdir(), "ringvisor-nested-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Starts a program that ends with this process at the latest. */
export function start(command, args, options = {}) {
  // Debian keeps mke2fs where an ordinary user's PATH does not lead.
  const env = { ...process.env, LC_ALL: "C", PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  const child = spawn(command, args, { ...options, env });
  children.add(child);
  child.on("close", () => children.delete(child));
  return child;
}

/** Runs a program to its end; what it printed. @throws Error with its last words, where it fails */
export function capture(command, args, options = {}) {
  const child = start(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
  let output = "";
  let complaint = "";
  child.stdout?.setEncoding("utf8").on("data", (text) => {
    output += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text) => {
    complaint = (complaint + text).slice(-2000);
  });
  return new Promise((resolve, reject) => {
    child.on("error", (error) => reject(new Error(`cannot run ${command}: ${error.message}`)));
    child.on("close", (code, signal) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${command} ended with ${signal ?? code}: ${complaint.trim()}`));
    });
  });
}

process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});
for (const [signal, number] of Object.entries({ SIGINT: 2, SIGTERM: 15, SIGHUP: 1 })) {
  process.on(signal, () => process.exit(128 + number));
}
