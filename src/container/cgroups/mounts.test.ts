import assert from "node:assert/strict";
import { test } from "node:test";
import { createCgroup } from "./create.js";
import { detect } from "./detect.js";
import { CgroupError } from "./errors.js";
import { type CgroupMountStep, planCgroupMounts } from "./mounts.js";
import { fakeHost } from "./testing/fake-host.js";

/** A line a step. */
function show(steps: readonly CgroupMountStep[], root: string): string[] {
  return steps.map((step) => {
    if (step.kind === "mkdir") return `mkdir ${step.target}`;
    if (step.kind === "symlink") return `link ${step.target} -> ${step.value}`;
    const line =
      `${step.type} ${step.source.replace(root, "")} ${step.target} ${step.options.join(",")} ${step.data}`.trimEnd();
    return step.fallback ? `${line} else ${show([step.fallback], root)}` : line;
  });
}

function plan(options: Parameters<typeof fakeHost>[0], cgroupNamespace: boolean, flags = ["nosuid", "ro"]): string[] {
  using host = fakeHost(options);
  const hierarchy = detect(host);
  const { paths } = createCgroup(hierarchy, "/box", {}, { id: "box", files: host.files });
  const steps = planCgroupMounts({ hierarchy, paths, destination: "/sys/fs/cgroup", options: flags, cgroupNamespace });
  return show(steps, host.root);
}

const HYBRID = { v1: ["cpu,cpuacct", "systemd"], unified: "unified", controllers: "" };

test("v1 without a cgroup namespace: the container's own cgroup in each hierarchy, and links", () => {
  assert.deepEqual(plan(HYBRID, false), [
    "tmpfs tmpfs /sys/fs/cgroup nosuid mode=755,size=64k",
    "mkdir /sys/fs/cgroup/cpu,cpuacct",
    "bind /cpu,cpuacct/box /sys/fs/cgroup/cpu,cpuacct bind,nosuid,ro",
    "mkdir /sys/fs/cgroup/systemd",
    "bind /systemd/box /sys/fs/cgroup/systemd bind,nosuid,ro",
    "mkdir /sys/fs/cgroup/unified",
    "bind /unified/box /sys/fs/cgroup/unified bind,nosuid,ro",
    "link /sys/fs/cgroup/cpu -> cpu,cpuacct",
    "link /sys/fs/cgroup/cpuacct -> cpu,cpuacct",
    "tmpfs tmpfs /sys/fs/cgroup remount,nosuid,ro mode=755,size=64k",
  ]);
});

test("v1 with a cgroup namespace: the hierarchies themselves, as the namespace shows them", () => {
  const steps = plan({ v1: ["memory", "systemd"] }, true, ["nosuid"]);
  assert.deepEqual(steps, [
    "tmpfs tmpfs /sys/fs/cgroup nosuid mode=755,size=64k",
    "mkdir /sys/fs/cgroup/memory",
    "cgroup cgroup /sys/fs/cgroup/memory nosuid memory else bind /memory/box /sys/fs/cgroup/memory bind,nosuid",
    "mkdir /sys/fs/cgroup/systemd",
    "cgroup cgroup /sys/fs/cgroup/systemd nosuid none,name=systemd else bind /systemd/box /sys/fs/cgroup/systemd bind,nosuid",
  ]);
});

test("v2", () => {
  const bind = "bind /box /sys/fs/cgroup bind,nosuid,ro";
  assert.deepEqual(plan({ unified: "" }, true), [`cgroup2 cgroup /sys/fs/cgroup nosuid,ro else ${bind}`]);
  assert.deepEqual(plan({ unified: "" }, false), [bind]);
});

test("a container without a cgroup has nothing to mount", () => {
  using host = fakeHost({ unified: "" });
  const request = {
    hierarchy: detect(host),
    paths: {},
    destination: "/sys/fs/cgroup",
    options: [],
    cgroupNamespace: true,
  };
  assert.throws(() => planCgroupMounts(request), CgroupError);
});
