// Other versions of Node, from the npm package `node`, in the user's cache folder.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";

const DIST = new URL("../../dist/", import.meta.url);
const { cacheFolder } = await import(new URL("node/cache-folder.js", DIST));

/**
 * @param wanted a version of Node, whole or only its first numbers (`24`), or a program's path
 * @returns `{ program, version }`; this process's own where its version will do
 * @throws Error where npm does not have it
 */
export function getNode(wanted) {
  if (wanted.includes("/")) return describe(wanted);
  if (`${process.versions.node}.`.startsWith(`${wanted}.`)) return describe(process.execPath);
  if (!/^\d+(\.\d+){0,2}$/.test(wanted)) throw new Error(`${wanted} is neither a version of Node nor a program's path`);
  const folder = join(cacheFolder(), "bench", `node-${wanted}`);
  const program = join(folder, "node_modules/node/bin/node");
  if (!existsSync(program)) {
    console.error(`fetching Node ${wanted} ...`);
    mkdirSync(folder, { recursive: true });
    const args = ["install", "--prefix", folder, "--no-save", "--no-audit", "--no-fund", `node@${wanted}`];
    const { status, stderr, error } = spawnSync("npm", args, { cwd: folder, encoding: "utf8" });
    if (status !== 0 || !existsSync(program)) throw new Error(`npm has no Node ${wanted}: ${error?.message ?? stderr}`);
  }
  return describe(program);
}

function describe(program) {
  const { status, stdout, error } = spawnSync(program, ["--version"], { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} does not run: ${error?.message ?? status}`);
  return { program, version: stdout.trim() };
}
