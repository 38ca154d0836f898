// A temporary folder, and what has to be undone before it goes: run at the end, on an error and on Ctrl-C.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mountPoints } from "./host.mjs";

const undo = [];
let done = false;

/** Has `action` run at the end: the last one first, each one whatever became of the others. */
export function atEnd(action) {
  undo.push(action);
}

function finish() {
  if (done) return;
  done = true;
  for (const action of undo.reverse()) {
    try {
      action();
    } catch (error) {
      process.stderr.write(`while cleaning up: ${error.message}\n`);
    }
  }
}

process.on("exit", finish);
for (const [signal, number] of [
  ["SIGINT", 2],
  ["SIGTERM", 15],
  ["SIGHUP", 1],
]) {
  process.on(signal, () => {
    finish();
    process.exit(128 + number);
  });
}

/** Lets signals be heard that came while a child was waited for: call it between children. */
export const listen = () => new Promise((resolve) => setImmediate(resolve));

/** A new folder under the system's temporary one. Mounts in it are undone and it is removed at the end. */
export function scratchFolder(prefix) {
  const folder = mkdtempSync(join(process.env.TMPDIR ?? tmpdir(), prefix));
  chmodSync(folder, 0o755);
  atEnd(() => {
    for (const mount of mountPoints()
      .filter((path) => path.startsWith(`${folder}/`))
      .reverse()) {
      spawnSync("umount", ["--lazy", mount]);
    }
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}
