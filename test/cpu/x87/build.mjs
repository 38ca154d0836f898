// Builds both sides of the comparison into a temporary folder.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const here = fileURLToPath(new URL(".", import.meta.url));
const RECORD_BYTES = 480;

/** Why this machine cannot be compared with, or null. The expected results are those of AMD's processors. */
export function obstacle() {
  if (process.arch !== "x64" || process.platform !== "linux") return "needs Linux on x86-64";
  if (spawnSync("gcc", ["--version"]).error) return "needs gcc";
  const cpu = readFileSync("/proc/cpuinfo", "utf8");
  if (!cpu.includes("AuthenticAMD")) return "needs a processor of AMD's";
  return null;
}

/** The path of hardware.c's program. */
export function buildHardware() {
  const path = join(mkdtempSync(join(tmpdir(), "x87-")), "hardware");
  const options = ["-O1", "-Wall", "-Wextra", "-Wno-parentheses"];
  const { status, stderr } = spawnSync("gcc", [...options, "-o", path, join(here, "hardware.c")]);
  if (status !== 0) throw new Error(`gcc: ${stderr}`);
  return path;
}

/** Records of `count` cases of a kind that hardware.c knows. */
export function hardwareRecords(path, seed, count, kind) {
  const options = { maxBuffer: count * RECORD_BYTES + 1 };
  const { status, stdout, signal } = spawnSync(path, [String(seed), String(count), kind], options);
  if (status !== 0 || stdout.length !== count * RECORD_BYTES) throw new Error(`hardware: status ${status}, ${signal}`);
  return stdout;
}

/** The emulated side as wasm bytes. */
export async function buildEmulated() {
  const path = join(mkdtempSync(join(tmpdir(), "x87-")), "x87.wasm");
  const options = ["-O3", "--runtime", "stub", "--importMemory", "--noAssert", "--memoryBase", "4096"];
  options.push("--enable", "simd,bulk-memory,sign-extension,nontrapping-f2i", "--disableWarning", "112");
  options.push("--initialMemory", "2560", "--maximumMemory", "65536");
  const { error, stderr } = await asc.main([join(here, "x87.entry.ts"), "-o", path, ...options]);
  if (error) throw new Error(`${error.message}\n${stderr}`);
  return readFileSync(path);
}
