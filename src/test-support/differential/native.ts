/** The real CPU's side: cases run by a small C program, compiled when first needed. */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { FeatureName } from "../../vcpu/features.js";
import { type CodeBits, decodeOutcomes, encodeBatch, type Outcome, RESULT, WRITABLE_BYTES } from "./wire.js";

const SOURCE = fileURLToPath(new URL("../../../test/cpu/harness.c", import.meta.url));

export class HarnessError extends Error {
  override readonly name = "HarnessError";
  constructor(
    readonly code: "HARNESS_HOST" | "HARNESS_COMPILER" | "HARNESS_CRASH",
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Why cases cannot run natively here, or null. */
export function nativeObstacle(): string | null {
  return process.platform === "linux" && process.arch === "x64" ? null : "the real CPU's side needs Linux on x86-64";
}

/** Compiles the harness into the temporary directory, once for each version of its source. Its path. */
export function compileHarness(): string {
  const obstacle = nativeObstacle();
  if (obstacle) throw new HarnessError("HARNESS_HOST", obstacle);
  const folder = join(tmpdir(), "ringvisor-harness");
  const path = join(folder, createHash("sha256").update(readFileSync(SOURCE)).digest("hex").slice(0, 16));
  if (existsSync(path)) return path;
  mkdirSync(folder, { recursive: true });
  const fresh = `${path}.${process.pid}`;
  try {
    // Position-independent: the low addresses, which random values hit, stay unmapped.
    const options = ["-O2", "-fno-stack-protector", "-mno-red-zone", "-static-pie", "-Wall", "-Wextra", "-Werror"];
    execFileSync("gcc", [...options, "-o", fresh, SOURCE], { stdio: ["ignore", "ignore", "pipe"] });
  } catch (error) {
    const { code, stderr } = error as { code?: string; stderr?: Buffer };
    const why = code === "ENOENT" ? "gcc is missing: apt-get install gcc libc6-dev" : `gcc refused:\n${stderr}`;
    throw new HarnessError("HARNESS_COMPILER", why, { cause: error });
  }
  renameSync(fresh, path);
  return path;
}

/** Runs a batch of `CASE` records over data pages with the contents `data`. */
export function runNative(bits: CodeBits, data: Uint8Array, cases: readonly Uint8Array[]): Outcome[] {
  const { status, signal, stdout, stderr } = spawnSync(compileHarness(), {
    input: encodeBatch(bits, data, cases),
    maxBuffer: cases.length * (RESULT.bytes + 2 * WRITABLE_BYTES) + 4096,
    timeout: 120_000,
  });
  if (status !== 0) throw new HarnessError("HARNESS_CRASH", `the harness ended with ${signal ?? status}: ${stderr}`);
  return decodeOutcomes(stdout, cases.length);
}

/** Linux's names of features where they are not ours. */
const CPUINFO_NAMES: Partial<Record<FeatureName, string>> = {
  lzcnt: "abm",
  prefetchw: "3dnowprefetch",
  sha: "sha_ni",
  sse3: "pni",
  lahf64: "lahf_lm",
};

/** Whether the CPU underneath has a feature that Linux lists. */
export function nativeHas(feature: FeatureName): boolean {
  cpuFlags ??= new Set(/^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1]?.trim().split(/\s+/));
  return cpuFlags.has(CPUINFO_NAMES[feature] ?? feature);
}

let cpuFlags: Set<string> | undefined;
