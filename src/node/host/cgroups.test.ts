import assert from "node:assert/strict";
import { test } from "node:test";
import { probeCgroups } from "./cgroups.js";
import { fakeHost } from "./testing/fake-host.js";

const V2 = "/sys/fs/cgroup/user.slice/session.scope";
const mountinfo = (...mounts: string[]) => mounts.map((mount, index) => `${index + 30} 23 0:26 ${mount}\n`).join("");

test("v2, delegated to this user", () => {
  assert.deepEqual(probeCgroups(fakeHost()), {
    version: "v2",
    controllers: ["cpu", "cpuset", "io", "memory", "pids"],
    writable: ["cpu", "cpuset", "io", "memory", "pids"],
  });
});

test("v2 whose group belongs to somebody else", () => {
  assert.deepEqual(probeCgroups(fakeHost({ writable: [] })).writable, []);
  assert.deepEqual(probeCgroups(fakeHost({ writable: [`${V2}/cgroup.procs`] })).writable, []);
});

test("v1: controllers that share a hierarchy, and one of systemd's without any", () => {
  const files = {
    "/proc/self/cgroup": "4:memory:/jobs/1\n3:cpu,cpuacct:/\n1:name=systemd:/\n",
    "/proc/self/mountinfo": mountinfo(
      "/ /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd",
      "/ /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct",
      "/ /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
    ),
  };
  const writable = ["/sys/fs/cgroup/memory/jobs/1"];
  assert.deepEqual(probeCgroups(fakeHost({ files, writable })), {
    version: "v1",
    controllers: ["cpu", "cpuacct", "memory"],
    writable: ["memory"],
  });
});

test("hybrid: v1's controllers beside a v2 hierarchy without any", () => {
  const files = {
    "/proc/self/cgroup": "4:memory:/\n0::/\n",
    "/proc/self/mountinfo": mountinfo(
      "/ /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
      "/ /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
    ),
    "/sys/fs/cgroup/unified/cgroup.controllers": "\n",
  };
  const facts = probeCgroups(fakeHost({ files, writable: ["/sys/fs/cgroup"] }));
  assert.deepEqual(facts, { version: "hybrid", controllers: ["memory"], writable: ["memory"] });
});

test("a container sees its own group as the mount's root", () => {
  const files = {
    "/proc/self/cgroup": "0::/docker/abc\n",
    "/proc/self/mountinfo": mountinfo("/docker/abc /sys/fs/cgroup ro - cgroup2 cgroup2 rw"),
    "/sys/fs/cgroup/cgroup.controllers": "cpu\n",
  };
  assert.deepEqual(probeCgroups(fakeHost({ files, writable: [] })), {
    version: "v2",
    controllers: ["cpu"],
    writable: [],
  });
});

test("a group outside of the mount is looked for at the mount itself, never above", () => {
  const files = {
    "/proc/self/cgroup": "0::/../../elsewhere\n",
    "/proc/self/mountinfo": mountinfo("/ /sys/fs/cgroup rw - cgroup2 cgroup2 rw"),
    "/sys/fs/cgroup/cgroup.controllers": "pids\n",
  };
  assert.deepEqual(probeCgroups(fakeHost({ files })).controllers, ["pids"]);
});

test("a mount point with a space in its name", () => {
  const files = {
    "/proc/self/cgroup": "0::/\n",
    "/proc/self/mountinfo": mountinfo("/ /mnt/control\\040groups rw - cgroup2 cgroup2 rw"),
    "/mnt/control groups/cgroup.controllers": "io\n",
  };
  assert.deepEqual(probeCgroups(fakeHost({ files })).controllers, ["io"]);
});

test("none, and text that is no mountinfo", () => {
  for (const text of [null, "", " - \n- cgroup2\nx - cgroup2\n\0\0 - cgroup c rw\n"]) {
    const files = { "/proc/self/mountinfo": text, "/proc/self/cgroup": "rubbish\n:::\n" };
    assert.deepEqual(probeCgroups(fakeHost({ files })).controllers, []);
  }
  const { version } = probeCgroups(fakeHost({ files: { "/proc/self/mountinfo": null } }));
  assert.equal(version, "none");
});
