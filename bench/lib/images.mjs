// What the guests run: guestbench compiled here, and initramfs images around it. Kept in the cache folder by digest.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureTestPackages } from "../../scripts/lib/debian.mjs";

const GUEST = fileURLToPath(new URL("../guest/", import.meta.url));
const DIST = new URL("../../dist/", import.meta.url);
const { cacheFolder } = await import(new URL("node/cache-folder.js", DIST));
const { writeCpio, S_IFCHR, S_IFDIR, S_IFREG } = await import(new URL("node/cpio.js", DIST));

const DEVICES = [
  { path: "dev", mode: S_IFDIR | 0o755 },
  { path: "dev/console", mode: S_IFCHR | 0o600, device: [5, 1] },
];

function folder() {
  const path = join(cacheFolder(), "bench");
  mkdirSync(path, { recursive: true });
  return path;
}

/**
 * Compiles the C files of a folder under guest/ into a static program, and gives its path.
 *
 * @param from the folder's name; "." has guestbench
 * @param bits 64, or 32 for i386
 * @throws Error where gcc cannot
 */
export function guestProgram(from, bits = 64) {
  const sources = readdirSync(join(GUEST, from)).filter((name) => /\.[ch]$/.test(name));
  const digest = createHash("sha256").update(String(bits));
  for (const name of sources.sort()) digest.update(readFileSync(join(GUEST, from, name)));
  const name = from === "." ? "guestbench" : from;
  const path = join(folder(), `${name}-${digest.digest("hex").slice(0, 16)}`);
  if (existsSync(path)) return path;
  ensureTestPackages([
    { program: "gcc", packages: ["gcc", "libc6-dev"] },
    ...(bits === 32 ? [{ program: "/usr/include/x86_64-linux-gnu/gnu/stubs-32.h", packages: ["gcc-multilib"] }] : []),
  ]);
  const files = sources.filter((name) => name.endsWith(".c")).map((name) => join(GUEST, from, name));
  const options = ["-O2", "-static", "-s", "-Wall", "-Wextra", "-Wno-format-overflow", `-m${bits}`];
  const { status, stderr, error } = spawnSync("gcc", [...options, "-o", path, ...files], { encoding: "utf8" });
  if (status !== 0) throw new Error(`gcc -m${bits} failed: ${error?.message ?? stderr}`);
  return path;
}

/** Guestbench for 64 bits or 32. @throws Error where gcc cannot */
export function guestbench(bits) {
  return guestProgram(".", bits);
}

/** An initramfs whose /init is the program of a folder under guest/; perhaps with more files. */
export function programImage(from, bits = 64, more = []) {
  const data = readFileSync(guestProgram(from, bits));
  const entries = [...DEVICES, { path: "init", mode: S_IFREG | 0o755, data }, ...more];
  return write(`${from === "." ? "guestbench" : from}-${bits}.cpio`, writeCpio(entries));
}

/** An initramfs whose /init is guestbench. */
export function guestbenchImage(bits) {
  return programImage(".", bits);
}

/** The default guest's initramfs, and over it an /init that runs the shell programs. */
export function shellImage(defaultInitrd, bits) {
  const file = (path, name, mode) => ({ path, mode: S_IFREG | mode, data: readFileSync(join(GUEST, name)) });
  const entries = [...DEVICES, { path: "tmp", mode: S_IFDIR | 0o777 }, { path: "proc", mode: S_IFDIR | 0o755 }];
  entries.push(file("init", "shell-init", 0o755), file("shell.sh", "shell.sh", 0o644));
  const data = compressedText();
  if (data) entries.push({ path: "data.xz", mode: S_IFREG | 0o644, data });
  // Archives may follow each other, aligned on 4 bytes: later files replace earlier ones.
  const padding = Buffer.alloc((4 - (defaultInitrd.length % 4)) % 4);
  return write(`shell-${bits}.cpio`, Buffer.concat([defaultInitrd, padding, writeCpio(entries)]));
}

/** Eight MiB of text as xz has it; null where the host has no xz. */
export function compressedText() {
  const path = join(folder(), "data.xz");
  if (existsSync(path)) return readFileSync(path);
  let x = 7;
  const lines = [];
  for (let size = 0; size < 8 << 20; ) {
    x = (x * 16807) % 2147483647;
    // Exact: the product is below 2^53.
    const y = Number((BigInt(x) * 48271n) % 2147483647n);
    const line = `${y.toString(16).padStart(8, "0")} record ${x % 5003} ${"lorem ipsum dolor".slice(x % 9)}\n`;
    lines.push(line);
    size += line.length;
  }
  try {
    const bytes = execFileSync("xz", ["-6", "-c"], { input: lines.join(""), maxBuffer: 1 << 24 });
    writeFileSync(path, bytes);
    return bytes;
  } catch {
    return null;
  }
}

function write(name, bytes) {
  const path = join(folder(), name);
  writeFileSync(path, bytes);
  return path;
}

export function shellScript() {
  return join(GUEST, "shell.sh");
}

export function dataFile() {
  return compressedText() ? join(folder(), "data.xz") : null;
}
