// Runs one system and measures host CPU seconds of its process between the lines that the programs print.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { cpuSeconds } from "./cpu-time.mjs";

/** Peak resident memory of a living process in bytes; null where the kernel does not tell. */
export function peakBytes(pid) {
  const match = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "latin1"));
  return match ? Number(match[1]) * 1024 : null;
}

/** Resident memory of a living process in bytes. */
export function residentBytes(pid) {
  const match = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "latin1"));
  return match ? Number(match[1]) * 1024 : null;
}

/**
 * Runs a program and hands on its lines.
 *
 * @param onLine gets each line of its standard output, and its process id
 * @returns {Promise<string | null>} why it did not end by itself with `codes`, with its last words; null where it did
 */
export function runLines(command, { env = {}, timeoutSeconds = 900, echo = false, codes = [0], onLine }) {
  const [file, ...args] = command;
  const child = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
  let error = null;
  let tail = "";
  const timer = setTimeout(() => {
    error = `no end within ${timeoutSeconds} s: ${tail.slice(-300)}`;
    child.kill("SIGKILL");
  }, timeoutSeconds * 1000);
  const end = () => child.kill("SIGKILL");
  process.on("exit", end);
  const note = (text) => {
    tail = (tail + text).slice(-2000);
  };
  child.stderr.setEncoding("utf8").on("data", note);
  createInterface({ input: child.stdout }).on("line", (raw) => {
    const line = raw.replace(/[\r\0]/g, "");
    note(`${line}\n`);
    if (echo) console.error(line);
    onLine(line, child.pid);
  });
  return new Promise((resolve) => {
    const settle = (verdict) => {
      clearTimeout(timer);
      process.off("exit", end);
      resolve(error ?? verdict);
    };
    child.on("error", (cause) => settle(cause.code === "ENOENT" ? `${file} is not installed` : cause.message));
    child.on("close", (code, signal) =>
      settle(codes.includes(code) ? null : `ended with ${signal ?? code}: ${tail.slice(-300)}`),
    );
  });
}

/**
 * @returns {Promise<{programs: Record<string, {seconds: number, check: string}>, boot: number | null, total: number,
 *   peakRss: number | null, error: string | null}>} `boot`: CPU seconds from the start to the guest's /init
 */
export async function measure(command, { native = false, ...options } = {}) {
  const result = { programs: {}, boot: null, total: 0, peakRss: null, error: null };
  let started = null;
  let done = false;
  const onLine = (line, pid) => {
    const [kind, name, seconds, check] = line.split(" ");
    if (!["INIT-OK", "GO", "BENCH", "CPU", "BENCH_DONE"].includes(kind)) return;
    if (native) {
      // The native program's own account: its process is shared by all programs.
      if (kind === "BENCH") result.programs[name] = { seconds: Number(seconds), check };
      else if (kind === "CPU") result.programs[name].seconds = Number(seconds);
      else if (kind === "BENCH_DONE") done = true;
      return;
    }
    let now;
    try {
      now = cpuSeconds(pid);
      result.peakRss = peakBytes(pid);
    } catch {
      return;
    }
    result.total = now;
    if (kind === "INIT-OK") result.boot = now;
    else if (kind === "GO") started = now;
    else if (kind === "BENCH" && started !== null) result.programs[name] = { seconds: now - started, check };
    else if (kind === "BENCH_DONE") done = true;
  };
  const ending = await runLines(command, { ...options, onLine });
  if (!done) result.error = ending ?? "it ended without having done all";
  return result;
}
