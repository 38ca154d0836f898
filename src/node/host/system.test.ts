import assert from "node:assert/strict";
import { test } from "node:test";
import { probeSystem } from "./system.js";
import { cpuinfo, fakeHost } from "./testing/fake-host.js";

test("an ordinary host", () => {
  assert.deepEqual(probeSystem(fakeHost()), {
    platform: "linux",
    arch: "x64",
    distribution: "Debian GNU/Linux 12 (bookworm)",
    kernel: "6.1.0-18-amd64",
    user: { uid: 1000, name: "ada" },
    cpu: { model: "Example CPU @ 2 GHz", count: 4, extension: "vmx", virtual: false },
    memory: 8 * 2 ** 30,
  });
});

test("processors that are off do not count, and flags are whole words", () => {
  const files = {
    "/sys/devices/system/cpu/online": "0,2-3,8-15\n",
    "/proc/cpuinfo": cpuinfo("fpu vmxfoo svm hypervisor"),
  };
  const { cpu } = probeSystem(fakeHost({ files }));
  assert.deepEqual(cpu, { model: "Example", count: 11, extension: "svm", virtual: true });
});

test("a host that shows nothing, and one that shows rubbish", () => {
  for (const rubbish of [null, "", ":\n::\n\0\xff\n", "flags\n"]) {
    const paths = [
      "/etc/os-release",
      "/proc/cpuinfo",
      "/proc/meminfo",
      "/sys/devices/system/cpu/online",
      "/etc/passwd",
    ];
    const files = Object.fromEntries(paths.map((path) => [path, rubbish]));
    const system = probeSystem(fakeHost({ files }));
    assert.deepEqual(system.cpu, { model: null, count: 1, extension: null, virtual: false });
    assert.equal(system.distribution, null);
    assert.equal(system.memory, null);
    assert.equal(system.user.name, null);
  }
});
