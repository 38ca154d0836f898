// The runtimes that are compared: each a program with runc's command line.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fail, ROOT } from "../../../scripts/lib/project.mjs";

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** The words that start a runtime. */
const COMMANDS = {
  runc: ["runc"],
  crun: ["crun"],
  ringvisor: [join(ROOT, "bin/ringvisor-oci")],
};

/**
 * Writes a program `name` into `folder` that runs this runtime with `options` before the command: what engines and
 * test suites take is one path.
 */
export function runtimeProgram(folder, name, options = []) {
  const words = COMMANDS[name];
  if (words === undefined) fail(`no runtime is called ${name}: ${Object.keys(COMMANDS).join(", ")}`, 2);
  if (name === "ringvisor" && !existsSync(join(ROOT, "dist/cli/main.js"))) fail("dist/ is not built: npm run build", 2);
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\nexec ${[...words, ...options].map(quote).join(" ")} "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}

/** One line that says which version of a runtime this is. */
export function runtimeVersion(name) {
  const [command, ...rest] = COMMANDS[name];
  const { stdout, status } = spawnSync(command, [...rest, "--version"], { encoding: "utf8" });
  return status === 0 ? stdout.split("\n")[0].trim() : `${name} (version unknown)`;
}
