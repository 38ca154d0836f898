// Runs in the Debian that QEMU boots: each case with its limit and without, then the verbs that act on a cgroup.
import { spawnSync } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { CASES } from "./cases.mjs";

const RUNTIME = "bin/ringvisor-oci";
const CGROUPS = "/sys/fs/cgroup";
const OUTPUT = "/tmp/output";
const APPLETS = ["sh", "cat", "dd", "sleep", "nproc", "grep", "mknod", "mkdir", "echo"];

/** A bundle with busybox in it. */
function makeBundle(id, script, resources, cgroupOptions = ["ro"]) {
  const bundle = mkdtempSync(`/tmp/${id}-`);
  for (const name of ["bin", "proc", "dev", "sys", "tmp"]) mkdirSync(join(bundle, "rootfs", name), { recursive: true });
  for (const name of ["busybox", ...APPLETS]) copyFileSync("/usr/bin/busybox", join(bundle, "rootfs/bin", name));
  const capabilities = ["CAP_MKNOD", "CAP_KILL"];
  const config = {
    ociVersion: "1.2.0",
    root: { path: "rootfs" },
    hostname: id,
    process: {
      cwd: "/",
      args: ["/bin/sh", "-c", script],
      env: ["PATH=/bin"],
      user: { uid: 0, gid: 0 },
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755"] },
      { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
      {
        destination: CGROUPS,
        type: "cgroup",
        source: "cgroup",
        options: ["nosuid", "noexec", "nodev", ...cgroupOptions],
      },
    ],
    linux: {
      cgroupsPath: `/ringvisor/${id}`,
      namespaces: ["pid", "mount", "ipc", "uts", "network", "cgroup"].map((type) => ({ type })),
      resources,
    },
  };
  writeFileSync(join(bundle, "config.json"), JSON.stringify(config));
  return bundle;
}

/** Output goes through a file: a container that stays would hold a pipe open. */
function oci(...args) {
  const file = openSync(OUTPUT, "w+");
  const { status, signal } = spawnSync(RUNTIME, args, { stdio: ["ignore", file, file] });
  closeSync(file);
  const output = readFileSync(OUTPUT, "utf8");
  console.log(`$ ringvisor-oci ${args.join(" ")}: ${signal ?? status}`);
  for (const line of output.split("\n").filter(Boolean)) console.log(`  | ${line}`);
  return { code: status, output };
}

let failures = 0;
function judge(name, passed) {
  if (!passed) failures++;
  console.log(`CGROUP-${passed ? "OK" : "FAIL"} ${name}`);
}

function runCase({ name, script, resources, expect, control, controlResources = {} }) {
  const run = (id, given) => oci("run", "--bundle", makeBundle(id, script, given), id);
  const limited = expect(run(name, resources));
  const free = control(run(`${name}-free`, controlResources));
  if (!free) console.log(`${name}: without the limit the script does not do what it should`);
  judge(name, limited && free);
}

/** pause, resume, update, events, kill and delete on a running container. */
function runVerbs() {
  const id = "verbs";
  const folder = join(CGROUPS, "ringvisor", id);
  const read = (file) => readFileSync(join(folder, file), "utf8").trim();
  const script = "for each in 1 2 3 4; do sleep 1000 & done; wait";
  oci("create", "--bundle", makeBundle(id, script, { pids: { limit: 50 } }), id);
  oci("start", id);
  judge(
    "processes",
    until(() => read("cgroup.procs").split("\n").length === 5),
  );
  oci("pause", id);
  judge(
    "pause",
    read("cgroup.freeze") === "1" && /frozen 1/.test(read("cgroup.events")) && /"paused"/.test(oci("state", id).output),
  );
  oci("resume", id);
  judge("resume", read("cgroup.freeze") === "0" && /"running"/.test(oci("state", id).output));
  oci("update", "--pids-limit", "20", "--memory", "67108864", id);
  judge("update", read("pids.max") === "20" && read("memory.max") === "67108864");
  const { data } = JSON.parse(oci("events", "--stats", id).output);
  judge("events", data.pids.current === 5 && data.pids.limit === 20 && data.memory.usage.limit === 67108864);
  oci("kill", "--all", id, "KILL");
  judge(
    "kill",
    until(() => read("cgroup.procs") === ""),
  );
  oci("delete", id);
  judge("delete", containersLeft() === 0);
}

/** A container that makes cgroups below its own, as one with systemd in it does. */
function runNested() {
  const id = "nested";
  const script = [
    "cd /sys/fs/cgroup && mkdir inner inner/most && echo 1 > inner/cgroup.procs",
    "echo +pids > cgroup.subtree_control && echo ready && sleep 1000",
  ].join("; ");
  oci("create", "--bundle", makeBundle(id, script, { pids: { limit: 50 } }, ["rw"]), id);
  oci("start", id);
  const control = join(CGROUPS, "ringvisor", id, "cgroup.subtree_control");
  until(() => readFileSync(control, "utf8").includes("pids"));
  const { output } = oci("exec", id, "/bin/cat", "/proc/self/cgroup");
  judge("exec", output === "0::/inner\n");
  oci("delete", "--force", id);
  judge("delete-nested", containersLeft() === 0);
}

function until(condition) {
  for (let attempt = 0; attempt < 600; attempt++) {
    if (condition()) return true;
    spawnSync("sleep", ["0.1"]);
  }
  return false;
}

function containersLeft() {
  return readdirSync(join(CGROUPS, "ringvisor"), { withFileTypes: true }).filter((entry) => entry.isDirectory()).length;
}

for (const each of CASES) {
  try {
    runCase(each);
  } catch (error) {
    console.log(error.stack);
    judge(each.name, false);
  }
}
for (const [name, run] of Object.entries({ verbs: runVerbs, nested: runNested })) {
  try {
    run();
  } catch (error) {
    console.log(error.stack);
    judge(name, false);
  }
}
process.exitCode = failures === 0 ? 0 : 1;
