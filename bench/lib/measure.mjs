// Runs one system and measures host CPU seconds of its process between the lines that the programs print.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

/** Clock ticks a second of /proc: fixed on Linux's user interface. */
const TICKS = 100;

/** User and system CPU seconds of a process with all of its threads. */
function cpuSeconds(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  // The second field is the command's name, which may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

function peakBytes(pid) {
  const match = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "latin1"));
  return match ? Number(match[1]) * 1024 : null;
}

/**
 * @returns {Promise<{programs: Record<string, {seconds: number, check: string}>, boot: number | null, total: number,
 *   peakRss: number | null, error: string | null}>} `boot`: CPU seconds from the start to the guest's /init
 */
export function measure(command, { native = false, env = {}, timeoutSeconds = 900, echo = false } = {}) {
  const [file, ...args] = command;
  const child = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
  const result = { programs: {}, boot: null, total: 0, peakRss: null, error: null };
  let started = null;
  let tail = "";
  let done = false;
  const timer = setTimeout(() => {
    result.error = `no end within ${timeoutSeconds} s`;
    child.kill("SIGKILL");
  }, timeoutSeconds * 1000);
  const note = (text) => {
    tail = (tail + text).slice(-2000);
  };
  child.stderr.setEncoding("utf8").on("data", note);
  createInterface({ input: child.stdout }).on("line", (raw) => {
    const line = raw.replace(/[\r\0]/g, "");
    note(`${line}\n`);
    if (echo) console.error(line);
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
      now = cpuSeconds(child.pid);
      result.peakRss = peakBytes(child.pid);
    } catch {
      return;
    }
    result.total = now;
    if (kind === "INIT-OK") result.boot = now;
    else if (kind === "GO") started = now;
    else if (kind === "BENCH" && started !== null) result.programs[name] = { seconds: now - started, check };
    else if (kind === "BENCH_DONE") done = true;
  });
  return new Promise((resolve) => {
    child.on("error", (error) => {
      clearTimeout(timer);
      resolve({ ...result, error: error.code === "ENOENT" ? `${file} is not installed` : error.message });
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      if (!done && !result.error) result.error = `ended with ${code} before its end: ${tail.slice(-300)}`;
      resolve(result);
    });
  });
}
