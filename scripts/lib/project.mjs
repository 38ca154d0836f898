// Where the project lies, and how its scripts run other programs.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Progress is for people at a terminal; pipes and files get none of it. */
export function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`${text}\n`);
}

/** Ends the script with one line. */
export function fail(text, code = 1) {
  process.stderr.write(`${text}\n`);
  process.exit(code);
}

/** Runs a program with our streams; its exit code. */
export function run(command, args, options = {}) {
  const { status, signal, error } = spawnSync(command, args, { cwd: ROOT, stdio: "inherit", ...options });
  if (error) fail(`cannot run ${command}: ${error.message}`);
  return signal ? 128 : status;
}

/** Runs a program of node_modules by its script, without npx: that costs half a second. */
export function runTool(script, args, options) {
  return run(process.execPath, [`${ROOT}node_modules/${script}`, ...args], options);
}
