/** The same calls on this host's own hierarchies, as root. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Resources } from "../spec/config.js";
import { detect } from "./detect.js";
import { type Cgroup, CgroupError, openCgroup, planCgroup, UNIFIED } from "./index.js";

const HIERARCHY = detect();

/** Why a test with these controllers cannot run here, false if it can. */
function lacking(...controllers: string[]): string | false {
  if (process.getuid?.() !== 0) return "needs root";
  const missing = controllers.filter(
    (name) => !HIERARCHY.v1.has(name) && !HIERARCHY.unified?.controllers.includes(name),
  );
  if (missing.length > 0) return `this host has no cgroup controller ${missing.join(" and ")}`;
  try {
    const id = `ringvisor-probe-${process.pid}`;
    const probe = openCgroup(planCgroup(`/${id}`, id));
    probe.create({});
    void probe.delete();
    return false;
  } catch (error) {
    return `cgroups cannot be made here: ${(error as Error).message}`;
  }
}

let count = 0;

async function withCgroup(resources: Resources, work: (cgroup: Cgroup) => Promise<void>): Promise<void> {
  const id = `ringvisor-test-${process.pid}-${count++}`;
  const cgroup = openCgroup(planCgroup(`/${id}/inner`, id));
  const parent = openCgroup(planCgroup(`/${id}`, id));
  assert.equal(cgroup.create(resources), null);
  try {
    await work(cgroup);
  } finally {
    await cgroup.kill(9);
    await cgroup.delete();
    await parent.delete();
  }
  assert.ok(Object.values(cgroup.paths.folders).every((path) => !existsSync(path)));
}

/** A shell that waits for a line, so that it can be moved before it begins. */
function shell(script: string): ChildProcess {
  return spawn("/bin/sh", ["-c", `read line; ${script}`], { stdio: ["pipe", "pipe", "pipe"] });
}

function begin(cgroup: Cgroup, child: ChildProcess): void {
  cgroup.addProcess(child.pid!);
  child.stdin!.end("go\n");
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (const end = Date.now() + 60_000; !condition(); ) {
    assert.ok(Date.now() < end, what);
    await delay(5);
  }
}

test("processes enter, are listed, and are killed with all that they forked", { skip: lacking() }, async () => {
  await withCgroup({}, async (cgroup) => {
    const child = shell("for each in 1 2 3 4 5 6 7 8; do (sleep 1000; :) & done; wait");
    begin(cgroup, child);
    await until(() => cgroup.processes().length === 17, "all have begun");
    const again = openCgroup(JSON.parse(JSON.stringify(cgroup.paths)));
    const exit = once(child, "exit");
    await again.kill(9);
    assert.equal((await exit)[1], "SIGKILL");
    await until(() => cgroup.processes().length === 0, "all are gone");
  });
});

test("a limit on processes ends a shell that forks on and on", { skip: lacking("pids") }, async () => {
  await withCgroup({ pids: { limit: 16 } }, async (cgroup) => {
    assert.equal(cgroup.statistics().pids.limit, 16n);
    const child = shell("while :; do sleep 1000 & done");
    const exit = once(child, "exit");
    begin(cgroup, child);
    assert.deepEqual(await exit, [2, null]);
    assert.equal(cgroup.processes().length, 15);
  });
});

test("a memory limit kills what exceeds it", { skip: lacking("memory") }, async () => {
  await withCgroup({ memory: { limit: 32 << 20, swap: 32 << 20 } }, async (cgroup) => {
    const hog = spawn(process.execPath, [
      "-e",
      "process.stdin.once('data',()=>{const a=[];for(;;)a.push(Buffer.alloc(1<<20,1))})",
    ]);
    const exit = once(hog, "exit");
    cgroup.addProcess(hog.pid!);
    hog.stdin.end("go\n");
    assert.equal((await exit)[1], "SIGKILL");
    assert.equal(cgroup.statistics().memory.usage.limit, BigInt(32 << 20));
    assert.ok(cgroup.outOfMemoryCount() > 0);
  });
});

test("a CPU quota throttles", { skip: lacking("cpu") }, async () => {
  await withCgroup({ cpu: { quota: 5000, period: 100000, shares: 128 } }, async (cgroup) => {
    begin(cgroup, shell("while :; do :; done"));
    await until(() => (cgroup.statistics().cpu.throttling.throttledPeriods ?? 0n) > 2n, "it was throttled");
    assert.ok(cgroup.statistics().cpu.usage.total! > 0n);
  });
});

test("frozen processes stop and go on", { skip: lacking() }, async () => {
  await withCgroup({}, async (cgroup) => {
    const child = shell("while :; do echo; done");
    let seen = 0;
    child.stdout!.on("data", (data: Buffer) => {
      seen += data.length;
    });
    begin(cgroup, child);
    await until(() => seen > 0, "it writes");
    await cgroup.freeze();
    assert.equal(cgroup.isFrozen(), true);
    const ticks = () => readFileSync(`/proc/${child.pid}/stat`, "utf8").split(" ").slice(13, 15).join();
    const before = ticks();
    await delay(50);
    assert.equal(ticks(), before, "a frozen process uses no CPU");
    await cgroup.thaw();
    const thawed = seen;
    await until(() => seen > thawed, "it writes again");
  });
});

test("a signal reaches all processes; a paused container that gets another than SIGKILL stays paused", {
  skip: lacking(),
}, async () => {
  await withCgroup({}, async (cgroup) => {
    const listen = "trap 'echo got it' USR1; echo ready; while :; do sleep 0.01; done";
    const child = shell(`(${listen}) & ${listen}`);
    let output = "";
    child.stdout!.on("data", (data: Buffer) => {
      output += data;
    });
    begin(cgroup, child);
    await until(() => output === "ready\nready\n", "both shells listen");
    await cgroup.freeze();
    await cgroup.kill(constants.signals.SIGUSR1);
    assert.equal(cgroup.isFrozen(), true);
    assert.equal(output, "ready\nready\n");
    await cgroup.thaw();
    await until(() => output.endsWith("got it\ngot it\n"), "both shells caught it");
    await cgroup.freeze();
    const exit = once(child, "exit");
    await cgroup.kill(constants.signals.SIGKILL);
    assert.equal((await exit)[1], "SIGKILL");
  });
});

test("device rules hold", { skip: lacking("devices") }, async () => {
  const rules = [
    { allow: false, access: "rwm" },
    { allow: true, type: "c", major: 1, minor: 3, access: "rwm" },
  ] as const;
  await withCgroup({ devices: rules }, async (cgroup) => {
    const child = shell("echo > /dev/null && echo null; head -c1 /dev/zero >/dev/null && echo zero");
    let output = "";
    child.stdout!.on("data", (data: Buffer) => {
      output += data;
    });
    const exit = once(child, "close");
    begin(cgroup, child);
    await exit;
    assert.equal(output, "null\n");
    cgroup.update({ devices: [...rules, { allow: true, type: "c", major: 1, minor: 5, access: "r" }] });
    assert.equal(readFileSync(`${cgroup.paths.folders.devices}/devices.list`, "utf8"), "c 1:3 rwm\nc 1:5 r\n");
  });
});

test("limits of every v1 controller that is here", { skip: lacking("cpuset", "blkio", "memory") }, async () => {
  const cpus = readFileSync("/proc/self/status", "utf8").match(/^Cpus_allowed_list:\s*(\d+)/m)![1]!;
  await withCgroup(
    { cpu: { cpus, mems: "0", idle: 1, burst: 0 }, memory: { swappiness: 5, reservation: 1 << 20 } },
    async (cgroup) => {
      const stats = cgroup.statistics();
      assert.deepEqual(stats.cpuset.cpus, [Number(cpus)]);
      assert.deepEqual(stats.cpuset.mems, [0]);
      cgroup.update({ memory: { limit: 64 << 20, swap: 64 << 20 } });
      cgroup.update({ memory: { limit: 16 << 20, swap: 32 << 20 } });
      cgroup.update({ memory: { limit: 128 << 20, swap: 256 << 20 } });
      assert.equal(cgroup.statistics().memory.usage.limit, BigInt(128 << 20));
      cgroup.update({ memory: { limit: -1 } });
      assert.ok(cgroup.statistics().memory.swap.limit > 1n << 60n);
    },
  );
});

test("what the kernel refuses is told by the controller's name", { skip: lacking("cpuset") }, () => {
  const cgroup = openCgroup(planCgroup(`/ringvisor-refused-${process.pid}`, "x"));
  assert.throws(
    () => cgroup.create({ cpu: { cpus: "4000" } }),
    (error: unknown) => error instanceof CgroupError && error.controller === "cpuset",
  );
  assert.equal(cgroup.exists(), false);
});

const lacksHybrid = HIERARCHY.mode !== "hybrid" ? "this host is not hybrid" : lacking("hugetlb");

test("on a hybrid host, v2 limits what v1 does not have", { skip: lacksHybrid }, async () => {
  const control = `${HIERARCHY.unified!.mountPoint}/cgroup.subtree_control`;
  const enabledBefore = readFileSync(control, "utf8").includes("hugetlb");
  try {
    await withCgroup({ hugepageLimits: [{ pageSize: "2MB", limit: 4 << 20 }] }, async (cgroup) => {
      const folder = cgroup.paths.folders[UNIFIED]!;
      assert.equal(readFileSync(`${folder}/hugetlb.2MB.max`, "utf8"), `${4 << 20}\n`);
      const child = shell("sleep 1000");
      begin(cgroup, child);
      assert.match(readFileSync(`/proc/${child.pid}/cgroup`, "utf8"), /^0::\/ringvisor-test-\S+\/inner$/m);
    });
  } finally {
    if (!enabledBefore) writeFileSync(control, "-hugetlb");
  }
});
