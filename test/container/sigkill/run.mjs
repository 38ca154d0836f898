// npm run test:sigkill: kills the runtime with SIGKILL at every point of create, start and delete, and looks for what is
// left after one `delete --force`.
//
//   --runtime A[,B]   columns (runc,ringvisor)
//   --points N        at most N points of each sweep, evenly spread (all)
//   --write           put the table into docs/containers-conformance.md
//
// Points are the system calls of the runtime's main thread, those of the processes that it makes the container with, and
// moments between start and end at which its whole process group dies. Exits with 1 where our own runtime leaves something.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { ensureTestPackages } from "../../../scripts/lib/debian.mjs";
import { fail } from "../../../scripts/lib/project.mjs";
import { circumstances, table, writeSection } from "../lib/document.mjs";
import { cgroups, mountPoints, removeCgroups } from "../lib/host.mjs";
import { inOwnNamespaces, inside } from "../lib/namespace.mjs";
import { runtimeProgram, runtimeVersion } from "../lib/runtimes.mjs";
import { listen, scratchFolder } from "../lib/scratch.mjs";

const { values } = parseArgs({
  options: {
    runtime: { type: "string", default: "runc,ringvisor" },
    points: { type: "string", default: "1000000" },
    write: { type: "boolean", default: false },
  },
});
const maxPoints = Number(values.points);
if (!(maxPoints >= 1)) fail("--points wants a number", 2);
if (process.getuid() !== 0) fail("run it as root: it makes containers with control groups", 2);
if (!inside) {
  ensureTestPackages([
    { program: "runc", packages: ["runc"] },
    { program: "catatonit", packages: ["catatonit"] },
    { program: "strace", packages: ["strace"] },
    { program: "busybox", packages: ["busybox-static"] },
  ]);
  process.env.RINGVISOR_SIGKILL_FOLDER = scratchFolder("ringvisor-sigkill-");
}
await inOwnNamespaces(["mount", "pid"], () =>
  removeCgroups((path) => path.includes(basename(process.env.RINGVISOR_SIGKILL_FOLDER))),
);

const folder = process.env.RINGVISOR_SIGKILL_FOLDER;
/** Of this run alone: control groups are the host's. */
const ID = basename(folder);
const bundle = join(folder, "bundle");
/** What a clean-up that goes on in the background (a process that hears of its parent's end) may take. */
const SETTLE_MS = 30_000;

/** A container with everything that has to be cleaned up: control groups, mounts of several kinds, a process. */
function makeBundle() {
  const bin = join(bundle, "rootfs/bin");
  mkdirSync(bin, { recursive: true });
  for (const name of ["sh", "sleep"]) spawnSync("cp", ["/bin/busybox", join(bin, name)]);
  for (const name of ["proc", "dev", "sys", "data"]) mkdirSync(join(bundle, "rootfs", name));
  spawnSync("runc", ["spec"], { cwd: bundle });
  const config = JSON.parse(readFileSync(join(bundle, "config.json"), "utf8"));
  config.process.terminal = false;
  config.process.args = ["sleep", "100000"];
  config.mounts.push(
    { destination: "/data", type: "bind", source: "/etc", options: ["rbind", "ro"] },
    { destination: "/scratch", type: "tmpfs", source: "tmpfs", options: ["size=1m"] },
  );
  config.linux.cgroupsPath = `/${ID}`;
  config.linux.resources = { ...config.linux.resources, memory: { limit: 64 << 20 }, pids: { limit: 50 } };
  writeFileSync(join(bundle, "config.json"), JSON.stringify(config));
}

/** Every process of this PID namespace that is neither we nor a zombie. */
function strangers() {
  const found = [];
  for (const pid of readdirSync("/proc").filter(
    (name) => /^\d+$/.test(name) && ![1, process.pid].includes(Number(name)),
  )) {
    try {
      const [, state] = /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"));
      if (state === "Z" || state === "X") continue;
      found.push(`process ${readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim() || pid}`);
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}

const files = (path) =>
  existsSync(path) ? readdirSync(path, { recursive: true }).map((name) => join(path, name)) : [];

/** What there is of containers: compared with the same before. */
function traces(runtime) {
  return [
    ...strangers(),
    ...cgroups()
      .filter((path) => path.includes(ID))
      .map((path) => `control group ${path}`),
    ...mountPoints().map((path) => `mount ${path}`),
    ...files(runtime.state).map((path) => `file ${path}`),
    ...files(runtime.temporary).map((path) => `file ${path}`),
  ];
}

const environment = (runtime) => ({ ...process.env, TMPDIR: runtime.temporary });
const call = (runtime, ...words) =>
  spawnSync(runtime.program, words, {
    encoding: "utf8",
    env: environment(runtime),
    stdio: ["ignore", "pipe", "pipe"],
    cwd: bundle,
    timeout: 60_000,
  });

// The container's process must not hold our pipes, or we would wait for its end.
const quiet = (runtime, ...words) =>
  spawnSync(runtime.program, words, { env: environment(runtime), stdio: "ignore", cwd: bundle, timeout: 60_000 })
    .status;

/** The three verbs, and what has to be done before each. */
const VERBS = {
  create: { words: ["create", "--bundle", bundle, ID], before: [] },
  start: { words: ["start", ID], before: [["create", "--bundle", bundle, ID]] },
  delete: {
    words: ["delete", "--force", ID],
    before: [
      ["create", "--bundle", bundle, ID],
      ["start", ID],
    ],
  },
};

/** System calls that change or ask for something; those of the JavaScript engine's own keeping are left out. */
const OWN_CALLS =
  "open,openat,creat,read,pread64,write,pwrite64,writev,close,close_range,mkdir,mkdirat,rename,renameat,renameat2," +
  "unlink,unlinkat,rmdir,link,symlink,symlinkat,mknod,mknodat,chown,fchown,fchownat,chmod,fchmod,fchmodat,stat,lstat," +
  "fstat,newfstatat,statx,access,faccessat,readlink,readlinkat,getdents64,clone,clone3,vfork,fork,execve,execveat," +
  "wait4,waitid,kill,tgkill,pidfd_open,pidfd_send_signal,socket,socketpair,pipe2,connect,sendmsg,recvmsg,memfd_create," +
  "fcntl,ioctl,poll,bpf,mount,umount2,unshare,setns,exit_group";
/** Those by which a container is made, by whatever process. */
const MAKING_CALLS =
  "mount,umount2,pivot_root,chroot,open_tree,move_mount,mount_setattr,fsopen,fsconfig,fsmount,unshare,setns,sethostname," +
  "mknodat,symlinkat,mkdirat,fchownat,setgroups,setresuid,setresgid,setuid,setgid,capset,seccomp,keyctl,setsid,umask," +
  "fchdir,chdir,dup3,close_range,personality,execve,clone,clone3";

/** As a child of the traced program's: strace stays as long as the container does, and must not be waited for. */
const straceOptions = (calls, log, follow) => [
  ...["--daemonize", "--quiet=all", "--output", log, "--trace", calls],
  ...(follow ? ["--follow-forks"] : []),
];

/** Runs a verb under strace and removes the container. @returns the calls that the verb made, one a line */
async function trace(runtime, verb, calls, follow) {
  const log = join(folder, "trace");
  rmSync(log, { force: true });
  const options = straceOptions(calls, log, follow);
  spawnSync("strace", [...options, runtime.program, ...VERBS[verb].words], {
    env: environment(runtime),
    stdio: "ignore",
    cwd: bundle,
  });
  call(runtime, "delete", "--force", ID);
  while (strangers().some((what) => what.includes("strace"))) await new Promise((resolve) => setTimeout(resolve, 50));
  return readFileSync(log, "utf8").split("\n").filter(Boolean);
}

function killAtCall(runtime, verb, calls, number, follow) {
  const options = straceOptions(calls, "/dev/null", follow);
  spawnSync(
    "strace",
    [...options, "--inject", `${calls}:signal=SIGKILL:when=${number}`, runtime.program, ...VERBS[verb].words],
    {
      env: environment(runtime),
      stdio: "ignore",
      cwd: bundle,
      timeout: 60_000,
      killSignal: "SIGKILL",
    },
  );
}

/** Kills the verb's process group after a time. @returns whether it was still there */
async function killAfter(runtime, verb, milliseconds) {
  const child = spawn(runtime.program, VERBS[verb].words, {
    env: environment(runtime),
    stdio: "ignore",
    cwd: bundle,
    detached: true,
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It had ended.
  }
  await ended;
}

/** One `delete --force`, then nothing may be left. @returns what is, or what went wrong */
async function cleanAndLook(runtime, before) {
  const { status, stderr } = call(runtime, "delete", "--force", ID);
  const problems = [];
  if (status !== 0) problems.push(`delete --force ended with ${status}: ${stderr.trim().split("\n").at(-1)}`);
  const deadline = Date.now() + SETTLE_MS;
  let left;
  do {
    left = traces(runtime).filter((what) => !before.includes(what));
    if (left.length === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
    // What a runtime leaves for good is not worth the whole wait each time.
  } while (Date.now() < deadline && runtime.name === "ringvisor");
  return [...problems, ...left];
}

/** Makes the host clean by force, so that one failure is not counted for the points after it. */
function scrub(runtime) {
  for (const path of cgroups().filter((name) => name.includes(ID))) {
    for (const pid of readFileSync(join(path, "cgroup.procs"), "utf8").split("\n").filter(Boolean)) {
      try {
        process.kill(Number(pid), "SIGKILL");
      } catch {
        // Gone.
      }
    }
  }
  call(runtime, "delete", "--force", ID);
  spawnSync("rm", ["-rf", join(runtime.state, ID)]);
  for (let attempt = 0; attempt < 50 && cgroups().some((path) => path.includes(ID)); attempt++) {
    removeCgroups((path) => path.includes(ID));
    spawnSync("sleep", ["0.05"]);
  }
}

const spread = (first, last) => {
  const count = Math.min(maxPoints, last - first + 1);
  return Array.from({ length: count }, (_, index) => first + Math.floor((index * (last - first + 1)) / count));
};

/** The highest count of calls of any one thread: strace counts for each. */
function longestThread(lines) {
  const counts = new Map();
  for (const line of lines) {
    const [pid] = line.split(" ");
    if (!line.includes("resumed>")) counts.set(pid, (counts.get(pid) ?? 0) + 1);
  }
  return Math.max(...counts.values());
}

/** Prepares for a verb, calls `kill`, and looks. */
async function attempt(runtime, verb, kill) {
  await listen();
  const before = traces(runtime);
  for (const words of VERBS[verb].before) {
    const status = quiet(runtime, ...words);
    if (status !== 0) throw new Error(`${runtime.name} ${words[0]} ended with ${status} before the kill`);
  }
  await kill();
  const problems = await cleanAndLook(runtime, before);
  if (problems.length > 0) scrub(runtime);
  return problems;
}

/** The sweeps of one verb: how a point is described, and how the runtime is killed there. */
async function sweeps(runtime, verb) {
  const prepare = () => {
    for (const words of VERBS[verb].before) quiet(runtime, ...words);
  };
  const finish = () => call(runtime, "delete", "--force", ID);
  prepare();
  const own = await trace(runtime, verb, OWN_CALLS, false);
  // From the first call that names the container: what comes before is the start of the interpreter.
  const first = Math.max(1, own.findIndex((line) => line.includes(ID) && !line.startsWith("execve")) - 3);
  prepare();
  const making = await trace(runtime, verb, MAKING_CALLS, true);
  prepare();
  const started = process.hrtime.bigint();
  quiet(runtime, ...VERBS[verb].words);
  const milliseconds = Number((process.hrtime.bigint() - started) / 1_000_000n);
  finish();
  const moments = Math.min(100, maxPoints);
  return [
    [
      "calls of the runtime's main thread",
      spread(first, own.length),
      (point) => killAtCall(runtime, verb, OWN_CALLS, point, false),
    ],
    [
      "calls of any process",
      spread(1, longestThread(making)),
      (point) => killAtCall(runtime, verb, MAKING_CALLS, point, true),
    ],
    [
      "moments",
      Array.from({ length: moments }, (_, index) => Math.round((milliseconds * 1.2 * index) / moments)),
      (point) => killAfter(runtime, verb, point),
    ],
  ];
}

makeBundle();
const rows = [];
let failures = 0;
for (const name of values.runtime.split(",")) {
  const runtime = { name, state: join(folder, `state-${name}`), temporary: join(folder, `tmp-${name}`) };
  mkdirSync(runtime.temporary);
  runtime.program = runtimeProgram(folder, name, ["--root", runtime.state]);
  // The first container makes what stays: the folder of states.
  quiet(runtime, ...VERBS.create.words);
  call(runtime, "delete", "--force", ID);
  for (const verb of Object.keys(VERBS)) {
    for (const [what, points, kill] of await sweeps(runtime, verb)) {
      let bad = 0;
      for (const point of points) {
        const problems = await attempt(runtime, verb, () => kill(point));
        if (problems.length === 0) continue;
        bad++;
        console.log(`${name}: killed in ${verb} (${what}: ${point}): ${[...new Set(problems)].join("; ")}`);
      }
      if (name === "ringvisor") failures += bad;
      rows.push([name, verb, what, points.length, bad]);
      console.log(`${name}: ${verb}, ${what}: ${points.length} points, ${bad} left something`);
    }
  }
}
if (values.write) {
  writeSection("sigkill", [
    circumstances(values.runtime.split(",").map(runtimeVersion)),
    "",
    ...table(["runtime", "verb", "killed at", "points", "left something"], rows),
  ]);
}
process.exit(failures === 0 ? 0 : 1);
