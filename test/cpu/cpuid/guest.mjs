// A guest that runs Debian's `cpuid` and ends: Debian's kernel, the default guest's busybox, the tool and its libraries.
import { spawnSync } from "node:child_process";
import { readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { S_IFDIR, S_IFREG, writeCpio } from "../../../dist/node/cpio.js";

const MAIN = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));
const INIT = `#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
echo "== raw"
/tool/cpuid -i -r
echo "== decoded"
/tool/cpuid -i
echo "== cpuinfo"
$b cat /proc/cpuinfo
echo "== end"
$b poweroff -f
`;

function ringvisor(...args) {
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8" });
  if (error) throw error;
  if (status !== 0) throw new Error(`ringvisor ${args[0]} ended with ${status}: ${stderr}`);
  return stdout;
}

/** Why no guest can be booted, or false. */
export function guestObstacle() {
  if (ringvisor("guest", "info").startsWith("folder")) return false;
  const apt = spawnSync("apt-get", ["--version"]);
  if (apt.error || apt.status !== 0) return "this host has no apt to make the guest with";
  ringvisor("guest", "build");
  return false;
}

/** The tool and what it is linked with, as entries of an archive. */
function toolEntries() {
  const tool = spawnSync("sh", ["-c", "command -v cpuid"], { encoding: "utf8" }).stdout.trim();
  const { stdout } = spawnSync("ldd", [tool], { encoding: "utf8" });
  const libraries = [...stdout.matchAll(/(\/\S+)/g)].map(([, path]) => path);
  const folders = new Set(["tool"]);
  for (const library of libraries) {
    const parts = library.split("/").slice(1, -1);
    for (let count = 1; count <= parts.length; count++) folders.add(parts.slice(0, count).join("/"));
  }
  const file = (path, source) => ({ path, mode: S_IFREG | 0o755, data: readFileSync(realpathSync(source)) });
  return [
    ...[...folders].map((path) => ({ path, mode: S_IFDIR | 0o755 })),
    file("tool/cpuid", tool),
    ...libraries.map((library) => file(library.slice(1), library)),
    { path: "tool/init", mode: S_IFREG | 0o755, data: Buffer.from(INIT) },
  ];
}

/**
 * Boots with this CPU model.
 * @param folder for the archive and the console's text
 * @returns what `cpuid -r`, `cpuid` and /proc/cpuinfo printed
 */
export function runCpuidInGuest({ model, cpus, folder }) {
  const { folder: cache, kernel, initrd } = JSON.parse(ringvisor("guest", "info", "--json"));
  const archive = join(folder, "initrd");
  const console = join(folder, "console");
  writeFileSync(archive, Buffer.concat([readFileSync(join(cache, initrd.file)), writeCpio(toolEntries())]));
  const options = [
    "--memory",
    "256M",
    "--cpus",
    String(cpus),
    "--cpu",
    model,
    "--clock",
    "icount",
    "--accel",
    "interpret",
  ];
  options.push("--kernel", join(cache, kernel.file), "--initrd", archive, `--console=file:${console}`);
  ringvisor("boot", ...options, "--append", "quiet console=ttyS0 rdinit=/tool/init");
  const text = readFileSync(console, "latin1").replaceAll("\r\n", "\n");
  rmSync(archive);
  const part = (from, to) => text.split(`== ${from}\n`)[1]?.split(`== ${to}\n`)[0];
  const parts = { raw: part("raw", "decoded"), decoded: part("decoded", "cpuinfo"), cpuinfo: part("cpuinfo", "end") };
  if (parts.cpuinfo === undefined) throw new Error(`the guest did not come to its end:\n${text.slice(-2000)}`);
  return parts;
}
