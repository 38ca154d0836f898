// Builds both sides of the comparison into a temporary folder.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const here = fileURLToPath(new URL(".", import.meta.url));
const FEATURES = ["sse4_2", "sse4a", "aes", "pclmulqdq", "sha_ni"];

/** Why this machine cannot be compared with, or null. The expected results are those of AMD's processors. */
export function obstacle() {
  if (process.arch !== "x64" || process.platform !== "linux") return "needs Linux on x86-64";
  if (spawnSync("gcc", ["--version"]).error) return "needs gcc";
  const cpu = readFileSync("/proc/cpuinfo", "utf8");
  if (!cpu.includes("AuthenticAMD")) return "needs a processor of AMD's";
  const missing = FEATURES.filter((f) => !new RegExp(`^flags.*\\b${f}\\b`, "m").test(cpu));
  return missing.length ? `the processor lacks ${missing.join(", ")}` : null;
}

/** The path of the native side. */
export function buildNative() {
  const path = join(mkdtempSync(join(tmpdir(), "sse-")), "native");
  const { status, stderr } = spawnSync("gcc", ["-O1", "-o", path, join(here, "native.c")]);
  if (status !== 0) throw new Error(`gcc: ${stderr}`);
  return path;
}

/** The core's side as wasm bytes. */
export function buildCore() {
  return buildEntry(join(here, "sse.entry.ts"));
}

/** A file that exports parts of the core, as wasm bytes. */
export async function buildEntry(entry) {
  const path = join(mkdtempSync(join(tmpdir(), "sse-")), "core.wasm");
  const options = ["-O3", "--runtime", "stub", "--importMemory", "--noAssert", "--memoryBase", "4096"];
  options.push("--enable", "simd,bulk-memory,sign-extension,nontrapping-f2i", "--disableWarning", "112");
  options.push("--initialMemory", "2560", "--maximumMemory", "65536");
  const { error, stderr } = await asc.main([entry, "-o", path, ...options]);
  if (error) throw new Error(`${error.message}\n${stderr}`);
  return readFileSync(path);
}
