import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { detect } from "./detect.js";
import { CgroupError } from "./errors.js";
import { parseMountInfo } from "./mount-table.js";
import { cgroupFolder, checkCgroupsPath } from "./paths.js";
import { fakeHost } from "./testing/fake-host.js";

test("a host with v1 alone: joined controllers share a mount, named hierarchies count", () => {
  using host = fakeHost({ v1: ["cpu,cpuacct", "memory", "systemd"], own: "/user/me" });
  const hierarchy = detect(host);
  assert.equal(hierarchy.mode, "v1");
  assert.equal(hierarchy.v1.get("cpu")!.mountPoint, join(host.root, "cpu,cpuacct"));
  assert.equal(hierarchy.v1.get("cpuacct")!.mountPoint, join(host.root, "cpu,cpuacct"));
  assert.equal(hierarchy.v1.get("name=systemd")!.own, "/user/me");
  assert.equal(hierarchy.unified, undefined);
});

test("a host with v2 alone", () => {
  using host = fakeHost({ unified: "", controllers: "cpu memory pids" });
  const { mode, v1, unified } = detect(host);
  assert.equal(mode, "v2");
  assert.equal(v1.size, 0);
  assert.deepEqual(unified!.controllers, ["cpu", "memory", "pids"]);
});

test("a hybrid host: the v2 hierarchy has what no v1 hierarchy has", () => {
  using host = fakeHost({ v1: ["memory", "pids"], unified: "unified", controllers: "hugetlb" });
  const { mode, v1, unified } = detect(host);
  assert.equal(mode, "hybrid");
  assert.deepEqual([...v1.keys()], ["memory", "pids"]);
  assert.deepEqual(unified!.controllers, ["hugetlb"]);
});

test("mounts elsewhere are somebody's private matter, unless there are no others", () => {
  const folder = mkdtempSync(join(tmpdir(), "ringvisor-detect-"));
  try {
    mkdirSync(join(folder, "self"));
    const entry = (point: string) => `31 20 0:29 / ${point} rw - cgroup cgroup rw,memory`;
    writeFileSync(join(folder, "self/cgroup"), "4:memory:/\n0::/\n");
    writeFileSync(join(folder, "self/mountinfo"), `${entry("/mnt/root/memory")}\n${entry("/sys/fs/cgroup/memory")}\n`);
    assert.equal(detect({ proc: folder }).v1.get("memory")!.mountPoint, "/sys/fs/cgroup/memory");
    writeFileSync(join(folder, "self/mountinfo"), `${entry("/dev/cgroup/memory")}\nbroken line\n`);
    assert.equal(detect({ proc: folder }).v1.get("memory")!.mountPoint, "/dev/cgroup/memory");
    writeFileSync(join(folder, "self/mountinfo"), "");
    assert.equal(detect({ proc: folder }).mode, "none");
  } finally {
    rmSync(folder, { recursive: true });
  }
  assert.throws(() => detect({ proc: folder }), CgroupError);
});

test("mountinfo: optional fields and octal escapes", () => {
  const [entry] = parseMountInfo(
    "36 35 98:0 /a\\040b /mnt\\134x rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue",
  );
  assert.deepEqual(entry, {
    root: "/a b",
    mountPoint: "/mnt\\x",
    options: ["rw", "noatime"],
    type: "ext3",
    superOptions: ["rw", "errors=continue"],
  });
});

test("absolute paths count from the mount, relative ones from our own cgroup or, on v2, from its parent", () => {
  const mount = { mountPoint: "/cg", root: "/", own: "/user/session" };
  assert.equal(cgroupFolder(mount, "/a/b", 1), "/cg/a/b");
  assert.equal(cgroupFolder(mount, "a", 1), "/cg/user/session/a");
  assert.equal(cgroupFolder(mount, "a", 2), "/cg/user/a");
  assert.equal(cgroupFolder({ ...mount, own: "/" }, "a", 2), "/cg/a");
  // In a container that sees its own part alone.
  assert.equal(cgroupFolder({ mountPoint: "/cg", root: "/docker/1", own: "/docker/1/x" }, "a", 1), "/cg/x/a");
  assert.throws(() => cgroupFolder({ mountPoint: "/cg", root: "/docker/1", own: "/" }, "a", 1), /absolute cgroupsPath/);
});

test("hostile paths are refused", () => {
  assert.equal(checkCgroupsPath("//a/./b/"), "/a/b");
  assert.equal(checkCgroupsPath("system.slice:runtime:id"), "system.slice:runtime:id");
  const refused = [
    "..",
    "/../x",
    "a/../../b",
    "/",
    "",
    ".",
    "a\nb",
    "a\0",
    "x".repeat(256),
    "a/".repeat(3000),
    "/a/cgroup.procs",
    "tasks",
  ];
  for (const path of refused) {
    assert.throws(
      () => checkCgroupsPath(path),
      (error: unknown) => error instanceof CgroupError && error.problem === "invalid",
      path,
    );
  }
});
