// Builds dist/ from src/: TypeScript by tsc, the core by the AssemblyScript compiler. What is up to date is skipped.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundle } from "./bundle.mjs";
import { progress, ROOT, runTool } from "./project.mjs";

const SOURCES = "src";
const CORE = "src/accel/translate/core";
const CORE_ENTRY = `${CORE}/index.ts`;
const CORE_OUTPUT = "dist/accel/translate/core.wasm";
const PROGRAMS = ["dist/cli/main.js"];
const STAMP = "dist/.build.json";
/** One core for all machines: its memory is imported, the first 4 KiB stay empty so that a null address is never data. */
const CORE_OPTIONS = [
  ...["-O3", "--runtime", "stub", "--importMemory", "--noAssert", "--memoryBase", "4096", "--exportTable"],
  ...["--enable", "simd,bulk-memory,sign-extension,nontrapping-f2i"],
  ...["--initialMemory", "2560", "--maximumMemory", "65536"],
];

function sourceFiles() {
  return readdirSync(join(ROOT, SOURCES), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(ROOT.length))
    .sort();
}

/** Changes when any source changed, came or went. Sizes and times only: it runs at every start. */
function surface(files) {
  const hash = createHash("sha256");
  for (const file of [
    ...files,
    "tsconfig.json",
    "package-lock.json",
    "scripts/lib/build.mjs",
    "scripts/lib/bundle.mjs",
  ]) {
    const { mtimeMs, size } = statSync(join(ROOT, file));
    hash.update(`${file} ${mtimeMs} ${size}\n`);
  }
  return hash.digest("hex");
}

/** Digest of what the core is compiled from: its folder, what it imports from outside, the compiler and its options. */
function coreDigest(files) {
  const hash = createHash("sha256").update(CORE_OPTIONS.join(" "));
  hash.update(readFileSync(join(ROOT, "node_modules/assemblyscript/package.json")));
  const inputs = new Set();
  const add = (file) => {
    if (inputs.has(file) || !existsSync(join(ROOT, file))) return;
    inputs.add(file);
    const text = readFileSync(join(ROOT, file), "utf8");
    hash.update(`${file}\n${text}`);
    for (const [, target] of text.matchAll(/from "(\.[^"]+)"/g)) add(`${join(file, "..", target)}.ts`);
  };
  for (const file of files) if (file.startsWith(`${CORE}/`)) add(file);
  return hash.digest("hex");
}

/** Removes outputs whose source is gone, so that no test of a deleted file lives on. */
function sweep(files) {
  const kept = new Set(files.map((file) => file.slice(SOURCES.length + 1, -".ts".length)));
  for (const entry of readdirSync(join(ROOT, "dist"), { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath ?? entry.path, entry.name);
    const output = path.slice(join(ROOT, "dist/").length).match(/^(.*?)(\.d\.ts|\.js|\.js\.map)$/);
    if (entry.isFile() && output && !kept.has(output[1])) rmSync(path);
  }
}

/** The compiler warns about porting to a 64-bit wasm, at length: its words are shown if it fails. */
function compileCore() {
  const script = join(ROOT, "node_modules/assemblyscript/bin/asc.js");
  const args = [script, CORE_ENTRY, "-o", CORE_OUTPUT, ...CORE_OPTIONS];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: "utf8" });
  if (status !== 0) process.stderr.write(stderr);
  return status === 0;
}

function readStamp() {
  try {
    return JSON.parse(readFileSync(join(ROOT, STAMP), "utf8"));
  } catch {
    return {};
  }
}

/** Brings dist/ up to date. Returns false where a compiler refused; it has said why. */
export function build() {
  const files = sourceFiles();
  const stamp = readStamp();
  const now = surface(files);
  if (stamp.surface === now) return true;
  mkdirSync(join(ROOT, "dist/accel/translate"), { recursive: true });
  progress("compiling TypeScript");
  // stdout belongs to what the user started: a pipe of the guest's console must not begin with ours.
  const stdio = ["ignore", 2, 2];
  // Without its outputs, tsc's own record of them is wrong.
  if (!existsSync(join(ROOT, STAMP))) rmSync(join(ROOT, "dist/.tsbuildinfo"), { force: true });
  if (runTool("typescript/bin/tsc", ["-p", "."], { stdio }) !== 0) return false;
  sweep(files);
  // npm does this when it links a package; engines take the runtime by its path.
  for (const program of PROGRAMS) if (existsSync(join(ROOT, program))) chmodSync(join(ROOT, program), 0o755);
  bundle();
  let core = stamp.core;
  if (existsSync(join(ROOT, CORE_ENTRY))) {
    core = coreDigest(files);
    if (core !== stamp.core || !existsSync(join(ROOT, CORE_OUTPUT))) {
      progress("compiling the core");
      if (!compileCore()) return false;
    }
  }
  writeFileSync(join(ROOT, STAMP), `${JSON.stringify({ surface: now, core })}\n`);
  return true;
}
