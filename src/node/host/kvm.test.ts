import assert from "node:assert/strict";
import { test } from "node:test";
import { probeAcceleration } from "./acceleration.js";
import { judgeKvm } from "./judge-kvm.js";
import { cpuinfo, type FakeHost, fakeHost, ROOT, withoutDevice } from "./testing/fake-host.js";
import { worst } from "./verdict.js";

const loads = async () => ({});

async function judge(host: FakeHost, options: Partial<Parameters<typeof probeAcceleration>[1]> = {}) {
  const facts = await probeAcceleration(fakeHost(host), { loadNativeCalls: loads, ...options });
  const findings = judgeKvm(facts);
  return { facts, findings, usability: worst(findings), first: findings[0] };
}

const NO_MODULES = { "/proc/modules": "ext4 1 0 - Live 0x0\n" };

test("VT-x, a loaded module and permission: nothing to say", async () => {
  const { facts, findings } = await judge({});
  assert.deepEqual(findings, []);
  assert.equal(facts.kvm.device, "open");
  assert.equal(facts.kvm.backing, "vmx");
  assert.deepEqual(facts.kvm.modules, ["kvm", "kvm_intel"]);
  assert.equal(facts.kvm.group, "kvm");
});

test("a kernel with KVM built in has no /proc/modules, but folders in /sys/module", async () => {
  const files = {
    "/proc/modules": null,
    "/proc/cpuinfo": cpuinfo("fpu svm"),
    "/sys/module/kvm/parameters/x": "",
    "/sys/module/kvm_amd/parameters/nested": "1",
  };
  const { facts, findings } = await judge({ files });
  assert.equal(facts.kvm.backing, "svm");
  assert.deepEqual(findings, []);
});

test("a container may hide all modules: the processor's flags decide", async () => {
  const { facts } = await judge({ files: { "/proc/modules": null } });
  assert.equal(facts.kvm.backing, "vmx");
});

for (const [how, files] of [
  ["built in", { "/proc/modules": null, "/sys/module/kvm_pvm/parameters/x": "", "/sys/module/kvm/parameters/x": "" }],
  ["loaded", { "/proc/modules": "kvm_pvm 1 0 - Live 0x0\nkvm 1 1 kvm_pvm, Live 0x0\n" }],
] as const) {
  test(`kvm_pvm, ${how}, is usable with limits: slower than our own engine`, async () => {
    const { facts, usability, first } = await judge({
      files: { ...files, "/proc/cpuinfo": cpuinfo("fpu hypervisor") },
    });
    assert.equal(facts.kvm.backing, "pvm");
    assert.equal(usability, "limited");
    assert.match(first.why, /kvm_pvm/);
    assert.match(first.consequence, /million instructions a second/);
    assert.ok(first.remedy);
  });
}

test("kvm_pvm built in beside a processor with VT-x and its module: the hardware serves", async () => {
  const { facts } = await judge({ files: { "/sys/module/kvm_pvm/parameters/x": "" } });
  assert.equal(facts.kvm.backing, "vmx");
});

test("/dev/kvm with nothing seen behind it is usable with limits", async () => {
  const files = { "/proc/cpuinfo": cpuinfo("fpu"), "/proc/modules": "kvm 1 0 - Live 0x0\n" };
  const { facts, usability } = await judge({ files });
  assert.equal(facts.kvm.backing, null);
  assert.equal(usability, "limited");
});

test("no /dev/kvm: the remedy depends on what the processor shows", async () => {
  const cases: [string, FakeHost["files"], RegExp, RegExp][] = [
    ["module not loaded", NO_MODULES, /VT-x/, /modprobe kvm_intel/],
    ["the same with AMD", { ...NO_MODULES, "/proc/cpuinfo": cpuinfo("svm") }, /AMD-V/, /modprobe kvm_amd/],
    ["virtual", { ...NO_MODULES, "/proc/cpuinfo": cpuinfo("hypervisor") }, /nested/, /hypervisor below/],
    ["switched off", { ...NO_MODULES, "/proc/cpuinfo": cpuinfo("fpu") }, /neither VT-x nor AMD-V/, /firmware/],
    ["in a container", {}, /container hides/, /--device \/dev\/kvm/],
  ];
  for (const [name, files, why, remedy] of cases) {
    const { facts, usability, first } = await judge({ files, ...withoutDevice("/dev/kvm") });
    assert.equal(facts.kvm.device, "absent", name);
    assert.equal(usability, "unusable", name);
    assert.match(first.why, why, name);
    assert.match(first.remedy ?? "", remedy, name);
  }
});

test("a device node without a driver counts as absent", async () => {
  const files = { ...NO_MODULES, "/proc/cpuinfo": cpuinfo("fpu") };
  const { facts, first } = await judge({ files, devices: { "/dev/kvm": { openError: "ENODEV" } } });
  assert.equal(facts.kvm.device, "broken");
  assert.match(first.why, /no driver \(ENODEV\): the processor shows neither/);
});

test("any other failure is named", async () => {
  const { usability, first } = await judge({ devices: { "/dev/kvm": { openError: "EMFILE" } } });
  assert.equal(usability, "unusable");
  assert.match(first.why, /EMFILE/);
});

test("no permission: the group to join", async () => {
  const { facts, usability, first } = await judge({
    process: { groups: [1000] },
    devices: { "/dev/kvm": { openError: "EACCES" } },
  });
  assert.equal(facts.kvm.device, "denied");
  assert.equal(usability, "unusable");
  assert.match(first.remedy ?? "", /usermod -aG kvm ada/);
});

test("no permission: a group without a name, and no group at all", async () => {
  const process = { groups: [1000] };
  const unnamed = await judge({ process, devices: { "/dev/kvm": { openError: "EACCES", gid: 993 } } });
  assert.match(unnamed.first.remedy ?? "", /group 993/);
  const none = await judge({ process, devices: { "/dev/kvm": { openError: "EACCES", mode: 0o600 } } });
  assert.equal(none.facts.kvm.group, null);
  assert.match(none.first.remedy ?? "", /chgrp kvm/);
});

test("no permission in spite of the permission bits: a container forbids it", async () => {
  for (const process of [ROOT, {}]) {
    const { facts, first } = await judge({ process, devices: { "/dev/kvm": { openError: "EPERM" } } });
    assert.equal(facts.kvm.permitted, true);
    assert.match(first.remedy ?? "", /--device \/dev\/kvm/);
  }
});

test("no permission and kvm_pvm: both are said, the denial first", async () => {
  const { findings, usability } = await judge({
    process: { groups: [] },
    files: { "/proc/modules": "kvm_pvm 1 0 - Live 0x0\n" },
    devices: { "/dev/kvm": { openError: "EACCES" } },
  });
  assert.equal(usability, "unusable");
  assert.deepEqual(
    findings.map((finding) => finding.usability),
    ["unusable", "limited"],
  );
});

test("a /dev/kvm that opens and then answers no ioctl", async () => {
  const { usability, first } = await judge({}, { kvmCapabilities: () => Promise.reject(new Error("ENOTTY")) });
  assert.equal(usability, "unusable");
  assert.match(first.why, /ENOTTY/);
});

test("other systems and processors", async () => {
  const mac = await judge({ process: { platform: "darwin" } });
  assert.equal(mac.usability, "unusable");
  assert.match(mac.first.why, /darwin/);
  const arm = await judge({ process: { arch: "arm64" } });
  assert.equal(arm.usability, "unusable");
  assert.match(arm.first.why, /arm64/);
});

test("without koffi there are no ioctls", async () => {
  const missing = Object.assign(new Error("Cannot find package"), { code: "ERR_MODULE_NOT_FOUND" });
  const absent = await judge({}, { loadNativeCalls: () => Promise.reject(missing) });
  assert.equal(absent.usability, "unusable");
  assert.match(absent.first.remedy ?? "", /npm install/);
  const broken = await judge({}, { loadNativeCalls: () => Promise.reject(new Error("wrong libc\nat x")) });
  assert.equal(broken.usability, "unusable");
  assert.match(broken.first.why, /wrong libc$/);
});

test("native code is not loaded for a KVM that would not be chosen", async () => {
  const never = () => assert.fail("loaded");
  const pvm = { "/proc/modules": "kvm_pvm 1 0 - Live 0x0\n" };
  for (const host of [withoutDevice("/dev/kvm"), { files: pvm }]) {
    const { facts } = await judge(host, { loadNativeCalls: never, kvmCapabilities: never });
    assert.deepEqual(facts.nativeCalls, { state: "untried" });
  }
});

test("capabilities, where somebody asks /dev/kvm", async () => {
  const ask = (missing: string[], reduced: string[], apiVersion = 12) =>
    judge({}, { kvmCapabilities: async () => ({ apiVersion, missing, reduced }) });
  assert.equal((await ask([], [])).usability, "usable");
  const missing = await ask(["KVM_CAP_SPLIT_IRQCHIP"], []);
  assert.equal(missing.usability, "unusable");
  assert.match(missing.first.why, /KVM_CAP_SPLIT_IRQCHIP/);
  const reduced = await ask([], ["KVM_CAP_XSAVE2: no AMX", "KVM_CAP_PVSCHED"]);
  assert.equal(reduced.usability, "limited");
  assert.match(reduced.first.why, /KVM_CAP_XSAVE2, KVM_CAP_PVSCHED/);
  assert.equal(reduced.first.consequence, "no AMX");
  const old = await ask([], [], 11);
  assert.equal(old.usability, "unusable");
  assert.match(old.first.why, /API version 11/);
});
