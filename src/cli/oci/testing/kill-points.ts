/**
 * Kills the runtime with SIGKILL before each system call that changes something, one run a call, and looks whether
 * `delete --force` cleans up. strace(1) counts the calls and kills.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TestBundle } from "./bundle.js";

const LOADER = fileURLToPath(new URL("../../../../bin/load-oci.cjs", import.meta.url));
/** Between two of these nothing changes that could be left behind. */
const CALLS = "mkdir,rmdir,rename,unlink,write,pwrite64,clone,kill,socketpair,chmod,exit_group";
const ID = "killed";
const TIMEOUT_MS = 60_000;

export type KilledVerb = "create" | "start" | "delete" | "delete --force";
export const KILLED_VERBS: readonly KilledVerb[] = ["create", "start", "delete", "delete --force"];

export interface KillPoints {
  /** Calls before which the runtime was killed. */
  readonly points: number;
  /** What `delete --force` did not clean, with the point. */
  readonly leftovers: readonly string[];
}

/** What a runtime could leave on the host. */
function findLeftovers(bundle: TestBundle): string[] {
  const cgroups = findCgroups("/sys/fs/cgroup");
  const mounts = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(bundle.folder));
  const states = existsSync(bundle.state) ? readdirSync(bundle.state) : [];
  return [
    ...cgroups.map((path) => `cgroup ${path}`),
    ...mounts.map((line) => `mount ${line}`),
    ...states.map((name) => `state ${name}`),
    ...findProcesses(bundle).map((pid) => `process ${pid}`),
  ];
}

/** Others' groups come and go meanwhile. */
function findCgroups(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      if (!entry.isDirectory()) return [];
      const path = join(folder, entry.name);
      return entry.name === ID ? [path] : findCgroups(path);
    });
  } catch {
    return [];
  }
}

/** Stages of the bundle's containers, and programs with the bundle's root. */
function findProcesses(bundle: TestBundle): string[] {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      if (readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ")) return false;
      if (readFileSync(`/proc/${pid}/environ`, "latin1").includes(bundle.folder)) return true;
      // A stage has no environment; it holds the FIFO in the state folder.
      return readdirSync(`/proc/${pid}/fd`).some((fd) =>
        readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith(bundle.state),
      );
    } catch {
      return false;
    }
  });
}

function prepare(bundle: TestBundle, verb: KilledVerb): void {
  if (verb === "create") return;
  expectSuccess(bundle, "create", ID);
  if (verb === "start") return;
  expectSuccess(bundle, "start", ID);
  if (verb === "delete") {
    expectSuccess(bundle, "kill", ID, "KILL");
    waitUntil(() => JSON.parse(bundle.run("state", ID).stdout).status === "stopped");
  }
}

function expectSuccess(bundle: TestBundle, ...args: string[]): void {
  const { status, stderr } = bundle.run(...args);
  if (status !== 0) throw new Error(`${args.join(" ")}: ${stderr}`);
}

function waitUntil(condition: () => boolean): boolean {
  for (const end = Date.now() + TIMEOUT_MS; Date.now() < end; ) {
    if (condition()) return true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  }
  return false;
}

/** Runs a verb under strace. @returns its output */
function trace(bundle: TestBundle, verb: KilledVerb, options: string[]): string {
  const log = join(bundle.folder, "trace");
  const args = ["-o", log, ...options, process.execPath, LOADER, "--root", bundle.state, ...verb.split(" "), ID];
  spawnSync("strace", args, { cwd: bundle.folder, stdio: "ignore", timeout: TIMEOUT_MS });
  return readFileSync(log, "utf8");
}

/** @param stride 1 tries every point, n each n-th */
export function killAtEveryPoint(verb: KilledVerb, stride: number): KillPoints {
  using bundle = new TestBundle();
  bundle.configure((config) => {
    config.process!.args = ["sleep", "100000"];
    // To find the program again.
    config.process!.env!.push(`BUNDLE=${bundle.folder}`);
  });
  // Once to warm up: the first run writes down what the compiler made of the code.
  for (let run = 0; run < 2; run++) {
    prepare(bundle, verb);
    trace(bundle, verb, ["-e", "trace=none"]);
    bundle.run("delete", "--force", ID);
  }
  prepare(bundle, verb);
  const calls = trace(bundle, verb, ["-e", `trace=${CALLS}`]);
  bundle.run("delete", "--force", ID);
  const total = calls.split("\n").filter((line) => /^\w+\(/.test(line)).length;
  const leftovers: string[] = [];
  let points = 0;
  for (let when = 1; when <= total; when += stride) {
    prepare(bundle, verb);
    trace(bundle, verb, ["-e", `trace=${CALLS}`, "-e", `inject=${CALLS}:signal=SIGKILL:when=${when}`]);
    points++;
    const { status, stderr } = bundle.run("delete", "--force", ID);
    if (status !== 0) leftovers.push(`point ${when}: delete --force: ${stderr.trim()}`);
    // A stage that lost its runtime ends by itself, soon.
    if (!waitUntil(() => findLeftovers(bundle).length === 0)) {
      leftovers.push(...findLeftovers(bundle).map((what) => `point ${when}: ${what}`));
    }
  }
  return { points, leftovers };
}
