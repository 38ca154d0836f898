import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Resources } from "../spec/config.js";
import { stringifyExactJson } from "../spec/exact-json.js";
import { detect } from "./detect.js";
import { deviceProgram } from "./devices/program.js";
import { CgroupError, type CgroupProblem } from "./errors.js";
import { cgroupMounts } from "./hierarchies.js";
import { type CgroupPaths, openCgroup, planCgroup } from "./index.js";
import { type FakeHost, fakeHost } from "./testing/fake-host.js";
import { weightOfShares } from "./v2/cpu.js";

const V1 = [
  "cpu,cpuacct",
  "cpuset",
  "memory",
  "devices",
  "freezer",
  "blkio",
  "pids",
  "hugetlb",
  "net_cls",
  "net_prio",
  "rdma",
  "systemd",
];

function create(host: FakeHost, resources: Resources, path = "/box/one", rootless = false) {
  const options = { files: host.files, hierarchy: detect(host), rootless };
  const cgroup = openCgroup(planCgroup(path, "one", options), options);
  const program = cgroup.create(resources);
  return Object.assign(cgroup, { program, folders: cgroup.paths.folders });
}

function reopen(host: FakeHost, paths: CgroupPaths, files = host.files) {
  return openCgroup(JSON.parse(JSON.stringify(paths)), { files, rootless: false });
}

function refused(work: () => unknown, controller: string, problem: CgroupProblem, message?: RegExp): void {
  assert.throws(work, (error: unknown) => {
    assert.ok(error instanceof CgroupError, String(error));
    assert.deepEqual([error.controller, error.problem], [controller, problem], error.message);
    if (message) assert.match(error.message, message);
    return true;
  });
}

const RESOURCES: Resources = {
  devices: [
    { allow: false, access: "rwm" },
    { allow: true, type: "c", major: 1, minor: 3, access: "rwm" },
  ],
  memory: {
    limit: 64 << 20,
    reservation: 32 << 20,
    swap: 128 << 20,
    kernel: 1,
    swappiness: 10,
    disableOOMKiller: true,
  },
  cpu: {
    shares: 512,
    quota: 50000,
    period: 100000,
    burst: 1000,
    realtimeRuntime: 950,
    realtimePeriod: 1000000,
    cpus: "0",
    mems: "0",
  },
  pids: { limit: 20 },
  blockIO: {
    weight: 300,
    weightDevice: [{ major: 8, minor: 0, weight: 500 }],
    throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1048576 }],
    throttleWriteIOPSDevice: [{ major: 8, minor: 0, rate: 0 }],
  },
  hugepageLimits: [{ pageSize: "2MB", limit: 4 << 20 }],
  network: { classID: 0x100001, priorities: [{ name: "eth0", priority: 5 }] },
  rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 10000 } },
};

test("v1: each limit goes to its controller's file", () => {
  using host = fakeHost({ v1: V1 });
  const cgroup = create(host, RESOURCES);
  assert.equal(cgroup.folders.memory, join(host.root, "memory/box/one"));
  assert.equal(cgroup.folders.cpuacct, cgroup.folders.cpu);
  assert.equal(cgroup.folders["name=systemd"], join(host.root, "systemd/box/one"));
  assert.equal(cgroup.program, null);
  assert.deepEqual(
    host.writes.filter((line) => !line.includes("rt_")).map((line) => line.replace("/box/one", "")),
    [
      // A new cpuset takes what its parent has.
      "cpuset/box/cpuset.cpus 0-1\n",
      "cpuset/box/cpuset.mems 0\n",
      "cpuset/cpuset.cpus 0-1\n",
      "cpuset/cpuset.mems 0\n",
    ]
      .map((line) => line.trim())
      .concat([
        "cpuset/cpuset.cpus 0",
        "cpuset/cpuset.mems 0",
        "devices/devices.deny a",
        "devices/devices.allow c 1:3 rwm",
        // The limit with swap may not be below the one without.
        `memory/memory.limit_in_bytes ${64 << 20}`,
        `memory/memory.memsw.limit_in_bytes ${128 << 20}`,
        `memory/memory.soft_limit_in_bytes ${32 << 20}`,
        "memory/memory.oom_control 1",
        "memory/memory.swappiness 10",
        "cpu,cpuacct/cpu.shares 512",
        "cpu,cpuacct/cpu.cfs_period_us 100000",
        "cpu,cpuacct/cpu.cfs_quota_us 50000",
        "cpu,cpuacct/cpu.cfs_burst_us 1000",
        "pids/pids.max 20",
        "blkio/blkio.bfq.weight 300",
        "blkio/blkio.bfq.weight_device 8:0 500",
        "blkio/blkio.throttle.read_bps_device 8:0 1048576",
        "blkio/blkio.throttle.write_iops_device 8:0 0",
        "hugetlb/hugetlb.2MB.limit_in_bytes 4194304",
        "hugetlb/hugetlb.2MB.rsvd.limit_in_bytes 4194304",
        "net_cls/net_cls.classid 1048577",
        "net_prio/net_prio.ifpriomap eth0 5",
        "rdma/rdma.max mlx5_1 hca_handle=3 hca_object=10000",
      ]),
  );
  assert.ok(host.writes.includes("cpu,cpuacct/box/one/cpu.rt_runtime_us 950"));
});

test("v2: limits in v2's files and units; controllers are enabled on the way down", () => {
  using host = fakeHost({ unified: "" });
  const { network: _, ...resources } = RESOURCES;
  const cgroup = create(host, {
    ...resources,
    cpu: { ...resources.cpu, realtimePeriod: undefined, realtimeRuntime: undefined },
    unified: { "memory.high": "50000000", "cgroup.max.depth": "3" },
  });
  assert.deepEqual(cgroup.paths, { version: "v2", folders: { "": join(host.root, "box/one") } });
  assert.equal(cgroup.program!.folder, join(host.root, "box/one"));
  assert.deepEqual(cgroup.program!.instructions, deviceProgram(RESOURCES.devices!));
  const enable = "+cpuset +cpu +io +memory +hugetlb +pids +rdma";
  assert.deepEqual(
    host.writes.map((line) => line.replace("box/one/", "")),
    [
      `cgroup.subtree_control ${enable}`,
      `box/cgroup.subtree_control ${enable}`,
      "cpuset.cpus 0",
      "cpuset.mems 0",
      // Swap alone.
      `memory.swap.max ${64 << 20}`,
      `memory.max ${64 << 20}`,
      `memory.low ${32 << 20}`,
      "cpu.weight 59",
      "cpu.max.burst 1000",
      "cpu.max 50000 100000",
      "pids.max 20",
      "io.weight default 2930",
      "io.weight 8:0 4950",
      "io.max 8:0 rbps=1048576",
      "io.max 8:0 wiops=max",
      "hugetlb.2MB.max 4194304",
      "rdma.max mlx5_1 hca_handle=3 hca_object=10000",
      "memory.high 50000000",
      "cgroup.max.depth 3",
    ],
  );
});

test("hybrid: what v1 lacks is limited through v2, and processes enter both", () => {
  using host = fakeHost({ v1: ["memory", "freezer"], unified: "unified", controllers: "hugetlb pids" });
  const cgroup = create(host, { hugepageLimits: [{ pageSize: "2MB", limit: 0 }], memory: { limit: 4096 } });
  cgroup.addProcess(77);
  assert.deepEqual(host.writes, [
    "unified/cgroup.subtree_control +hugetlb",
    "unified/box/cgroup.subtree_control +hugetlb",
    "memory/box/one/memory.limit_in_bytes 4096",
    "unified/box/one/hugetlb.2MB.max 0",
    "memory/box/one/cgroup.procs 77",
    "freezer/box/one/cgroup.procs 77",
    "unified/box/one/cgroup.procs 77",
  ]);
  // Until a limit needs it, a controller stays where it is.
  refused(() => cgroup.update({ pids: { limit: 3 } }), "pids", "unavailable");
  refused(() => cgroup.update({ unified: { "pids.max": "3" } }), "unified", "invalid");
});

test("shares become a weight with the defaults on each other", () => {
  assert.deepEqual([2, 1024, 262144].map(weightOfShares), [1, 100, 10000]);
  assert.deepEqual([0, 1, 3, 512, 2048, 300000].map(weightOfShares), [1, 1, 2, 59, 174, 10000]);
});

test("memory and swap on v2", () => {
  using host = fakeHost({ unified: "" });
  const cgroup = create(host, {});
  const update = (memory: Resources["memory"]) => {
    host.writes.length = 0;
    cgroup.update({ memory });
    return host.writes.map((line) => line.replace("box/one/memory.", ""));
  };
  assert.deepEqual(update({ limit: 8192, swap: 8192 }), ["swap.max 0", "max 8192"]);
  assert.deepEqual(update({ swap: 10000 }), ["swap.max 1808"], "against the limit that is there");
  assert.deepEqual(update({ limit: -1 }), ["swap.max max", "max max"]);
  assert.deepEqual(update({ limit: 2 ** 63 }), ["max 9223372036854775807"], "JSON's rounding of the largest number");
  refused(() => update({ limit: 8192, swap: 4096 }), "memory", "invalid", /below memory.limit/);
  refused(() => update({ limit: -1, swap: 4096 }), "memory", "invalid", /needs a memory.limit/);
  refused(() => update({ limit: 100, checkBeforeUpdate: true }), "memory", "refused", /4096 in use/);
  refused(() => update({ limit: 1.5 }), "memory", "invalid");
  host.refuse("memory.swap.max", "ENOENT");
  assert.deepEqual(update({ limit: 8192, swap: -1 }), ["max 8192"], "no swap in the kernel: no limit on it is kept");
  refused(() => update({ limit: 8192, swap: 9000 }), "memory", "unavailable");
});

test("quota and period on v2 leave each other as they are", () => {
  using host = fakeHost({ unified: "" });
  const cgroup = create(host, { cpu: { quota: 20000 } });
  cgroup.update({ cpu: { period: 50000 } });
  cgroup.update({ cpu: { quota: -1 } });
  const written = host.writes.filter((line) => line.includes("cpu.max"));
  assert.deepEqual(
    written.map((line) => line.slice("box/one/cpu.max ".length)),
    ["20000 100000", "20000 50000", "max 50000"],
  );
  refused(() => cgroup.update({ cpu: { realtimePeriod: 5 } }), "cpu", "invalid", /no real-time/);
});

test("v1: values that are refused until another is there are written again", () => {
  using host = fakeHost({ v1: ["cpu"] });
  let quota = false;
  host.refuse("cpu.cfs_period_us", "EINVAL", () => !quota);
  host.refuse("cpu.cfs_quota_us", "EINVAL", () => {
    quota = true;
    return false;
  });
  create(host, { cpu: { quota: 1000, period: 2000 } });
  assert.deepEqual(host.writes, ["cpu/box/one/cpu.cfs_quota_us 1000", "cpu/box/one/cpu.cfs_period_us 2000"]);
});

test("what a host cannot do is refused by name, and nothing is left behind", () => {
  using host = fakeHost({ v1: ["memory"] });
  refused(() => create(host, { pids: { limit: 3 } }), "pids", "unavailable");
  refused(() => create(host, { network: { classID: 3 } }), "net_cls", "unavailable");
  refused(() => create(host, { devices: [] }), "devices", "unavailable");
  refused(() => create(host, { unified: { "memory.max": "1" } }), "unified", "invalid");
  refused(() => create(host, { memory: { swappiness: 101 } }), "memory", "invalid");
  host.refuse("memory.limit_in_bytes", "EBUSY");
  refused(() => create(host, { memory: { limit: 100 } }), "memory", "busy", /4096 now, 8192 at most/);
  assert.ok(!existsSync(join(host.root, "memory/box")));
  using none = fakeHost({});
  refused(() => create(none, {}), "cgroup", "unavailable");
});

test("v2: the unified map's keys are checked", () => {
  using host = fakeHost({ unified: "", controllers: "memory" });
  for (const key of [
    "../memory.max",
    "memory",
    "memory/x.y",
    "cgroup.procs",
    "cgroup.kill",
    "cgroup.freeze",
    "cgroup.type",
    "a.b\n",
  ]) {
    refused(() => create(host, { unified: { [key]: "1" } }), "unified", "invalid");
  }
  refused(() => create(host, { unified: { "pids.max": "1" } }), "pids", "unavailable");
  refused(() => create(host, { unified: { "memory.nothing": "1" } }), "memory", "unavailable");
  assert.ok(!existsSync(join(host.root, "box")));
});

test("v2: a parent with processes can hand down no controllers", () => {
  using host = fakeHost({ unified: "" });
  host.refuse("cgroup.subtree_control", "EBUSY", (path, value) => path.includes("/box/") && value.includes("memory"));
  create(host, { pids: { limit: 3 } });
  refused(() => create(host, { memory: { limit: 3 } }, "/box/two"), "memory", "busy", /box has processes in it/);
  assert.deepEqual(
    readdirSync(join(host.root, "box")).filter((name) => !name.includes(".")),
    ["one"],
  );
});

test("v2: a threaded cgroup takes no domain controllers", () => {
  using host = fakeHost({ unified: "" });
  host.files.mkdir(join(host.root, "box"));
  host.files.mkdir(join(host.root, "box/one"));
  writeFileSync(join(host.root, "box/one/cgroup.type"), "domain invalid\n");
  refused(() => create(host, { memory: { limit: 3 } }), "memory", "refused", /domain invalid/);
  create(host, { pids: { limit: 3 } });
  assert.ok(host.writes.includes("box/one/cgroup.type threaded"));
});

test("a cgroup with processes in it is somebody else's", () => {
  for (const options of [{ v1: ["memory"] }, { unified: "" }]) {
    using host = fakeHost(options);
    const cgroup = create(host, {});
    writeFileSync(join(Object.values(cgroup.folders)[0]!, "cgroup.procs"), "12\n13\n");
    refused(() => create(host, {}), "cgroup", "invalid", /in use already, by 2 processes \(12, 13\)/);
  }
});

test("rootless: hierarchies that cannot be written are done without, unless limits are asked for", () => {
  for (const options of [{ v1: ["memory", "devices"] }, { unified: "" }]) {
    using host = fakeHost(options);
    host.refuse("mkdir", "EACCES");
    host.refuse("cgroup.subtree_control", "EACCES");
    const cgroup = create(host, { devices: [{ allow: false }] }, "/box", true);
    assert.equal(cgroup.program, null);
    assert.equal(cgroup.exists(), false);
    cgroup.addProcess(3);
    refused(() => create(host, {}, "/box", false), options.v1 ? "memory" : "cgroup", "not-permitted");
    refused(
      () => create(host, { memory: { limit: 4096 } }, "/box", true),
      options.v1 ? "memory" : "cgroup",
      "not-permitted",
    );
  }
});

test("processes, statistics and removal, from saved paths", async () => {
  using host = fakeHost({
    v1: ["cpu,cpuacct", "memory", "freezer", "pids", "blkio"],
    unified: "unified",
    controllers: "",
  });
  const { folders, paths } = create(host, {});
  const cgroup = reopen(host, paths);
  const nested = join(folders.freezer!, "inner/most");
  host.files.mkdir(join(folders.freezer!, "inner"));
  host.files.mkdir(nested);
  writeFileSync(join(nested, "cgroup.procs"), "31\n30\n");
  writeFileSync(join(folders.freezer!, "cgroup.procs"), "5\n0\n");
  assert.deepEqual(cgroup.processes(), [5, 30, 31]);
  assert.deepEqual(cgroup.processes(false), [5]);

  const stats = JSON.parse(stringifyExactJson(cgroup.statistics()));
  assert.deepEqual(stats.cpu.usage, {
    total: 3e9,
    percpu: [3, 7],
    percpu_kernel: [2, 4],
    percpu_user: [1, 3],
    kernel: 2e9,
    user: 1e9,
  });
  assert.deepEqual(stats.cpu.throttling, { periods: 4, throttledPeriods: 3, throttledTime: 12 });
  assert.deepEqual([stats.memory.usage.usage, stats.memory.usage.max, stats.memory.cache], [4096, 8192, 11]);
  assert.deepEqual(stats.pids, { current: 2 });
  assert.deepEqual(stats.blkio.ioServiceBytesRecursive[1], { major: 8, minor: 0, op: "Write", value: 512 });
  assert.match(stringifyExactJson(cgroup.statistics()), /"limit":9223372036854771712,/, "64 bits, written exactly");

  for (const folder of [nested, folders.freezer!]) writeFileSync(join(folder, "cgroup.procs"), "");
  await cgroup.delete();
  assert.equal(cgroup.exists(), false);
  await cgroup.delete();
  assert.deepEqual(cgroup.processes(), []);
  for (const memory of ["/sys/../etc", "relative"]) {
    assert.throws(() => reopen(host, { version: "v1", folders: { memory } }), CgroupError);
  }
});

test("v2: statistics in v1's terms, freezing and killing by the kernel's files", async () => {
  using host = fakeHost({ unified: "" });
  const cgroup = create(host, {});
  const stats = cgroup.statistics();
  assert.deepEqual(
    [stats.cpu.usage.total, stats.cpu.usage.user, stats.cpu.throttling.throttledTime],
    [30000n, 10000n, 5000n],
  );
  assert.equal(stats.memory.usage.failcnt, 7n);
  assert.equal(cgroup.outOfMemoryCount(), 1);
  assert.equal(stats.memory.swap.usage, 4196n);
  assert.match(stringifyExactJson(stats), /"limit":18446744073709551615/);
  assert.deepEqual(stats.blkio.ioServicedRecursive![1], { major: 254, minor: 0, op: "Write", value: 2n });
  assert.deepEqual(stats.cpuset.cpus, [0, 1]);
  host.writes.length = 0;
  await cgroup.freeze();
  assert.equal(cgroup.isFrozen(), true);
  await cgroup.thaw();
  assert.equal(cgroup.isFrozen(), false);
  await cgroup.kill(9);
  assert.deepEqual(host.writes, ["box/one/cgroup.freeze 1", "box/one/cgroup.freeze 0", "box/one/cgroup.kill 1"]);
});

test("v2: an exec beside a process that the container moved below itself", () => {
  using host = fakeHost({ unified: "" });
  const cgroup = create(host, {});
  const inner = join(cgroup.folders[""]!, "inner");
  host.files.mkdir(inner);
  mkdirSync(join(host.root, "elsewhere"));
  writeFileSync(join(inner, "cgroup.procs"), `${process.pid}\n`);
  host.refuse("cgroup.procs", "EBUSY", (path) => !path.includes("inner"));
  const files = {
    ...host.files,
    read: (path: string) => (path.startsWith("/proc/") ? "0::/box/one/inner\n" : host.files.read(path)),
  };
  reopen(host, cgroup.paths, files).addProcess(99, process.pid);
  assert.equal(host.writes.at(-1), "box/one/inner/cgroup.procs 99");
  const outside = {
    ...host.files,
    read: (path: string) => (path.startsWith("/proc/") ? "0::/elsewhere\n" : host.files.read(path)),
  };
  refused(() => reopen(host, cgroup.paths, outside).addProcess(99, process.pid), "cgroup", "busy");
});

test("the hierarchies that a container sees", () => {
  using host = fakeHost({ v1: ["cpu,cpuacct", "systemd"], unified: "unified", controllers: "" });
  const { paths, folders } = create(host, {});
  const show = (from: CgroupPaths) =>
    cgroupMounts(from, detect(host)).map(({ name, data, controllers, folder }) => [name, data, controllers, folder]);
  const all = [
    ["cpu,cpuacct", "cpu,cpuacct", ["cpu", "cpuacct"], folders.cpu],
    ["systemd", "none,name=systemd", [], folders["name=systemd"]],
    ["unified", "", [], folders[""]],
  ];
  assert.deepEqual(show(paths), all);
  assert.deepEqual(show({ ...paths, folders: { "": folders[""]! } }), all.slice(2));
});
