// Builds both sides of the comparison into a temporary folder.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildEntry } from "../sse/build.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const FEATURES = ["avx2", "fma", "f16c", "aes", "pclmulqdq", "vaes", "vpclmulqdq"];

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
  const path = join(mkdtempSync(join(tmpdir(), "avx-")), "native");
  const { status, stderr } = spawnSync("gcc", ["-O1", "-o", path, join(here, "native.c")]);
  if (status !== 0) throw new Error(`gcc: ${stderr}`);
  return path;
}

/** The core's side as wasm bytes. */
export function buildCore() {
  return buildEntry(join(here, "avx.entry.ts"));
}
