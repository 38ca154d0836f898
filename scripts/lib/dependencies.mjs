// Keeps node_modules as package-lock.json has it, with npm alone.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fail, progress, ROOT } from "./project.mjs";

/** What of the lock file is not installed, or installed in another version; null where all is well. */
function missing() {
  // npm writes down what it installed. Comparing that is cheaper than asking npm, and survives a checkout's mtimes.
  const record = `${ROOT}node_modules/.package-lock.json`;
  if (!existsSync(record)) return "node_modules";
  const installed = JSON.parse(readFileSync(record, "utf8")).packages;
  const wanted = JSON.parse(readFileSync(`${ROOT}package-lock.json`, "utf8")).packages;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "" || entry.optional || entry.devOptional || entry.peer) continue;
    if (installed[path]?.version !== entry.version) return `${path} ${entry.version}`;
  }
  return null;
}

/** Runs `npm ci` where node_modules is missing or does not match the lock file. */
export function ensureDependencies() {
  const what = missing();
  if (what === null) return;
  progress(`installing packages (${what} is missing)`);
  const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
  // Its output goes to stderr: stdout belongs to what the user started.
  const { status, error, stdout } = spawnSync("npm", ["ci", ...quiet], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (error) fail(`cannot run npm: ${error.message}`);
  if (status !== 0) {
    process.stderr.write(stdout);
    fail("npm ci failed: see above");
  }
}
