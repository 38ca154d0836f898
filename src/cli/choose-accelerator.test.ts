import assert from "node:assert/strict";
import { test } from "node:test";
import { type AccelerationFacts, probeAcceleration } from "../node/host/acceleration.js";
import { type FakeHost, fakeHost, withoutDevice } from "../node/host/testing/fake-host.js";
import { AcceleratorError } from "../vcpu/accelerator.js";
import { chooseAccelerator, type RealAcceleratorName } from "./choose-accelerator.js";
import { NotImplementedError } from "./errors.js";

const ALL: RealAcceleratorName[] = ["interpret", "translate", "kvm"];
const BEFORE_THE_TRANSLATOR: RealAcceleratorName[] = ["interpret", "kvm"];

const facts = (host: FakeHost = {}): Promise<AccelerationFacts> =>
  probeAcceleration(fakeHost(host), { loadNativeCalls: async () => ({}) });

const PVM: FakeHost = { files: { "/proc/modules": "kvm_pvm 1 0 - Live 0x0\n" } };
const DENIED: FakeHost = { process: { groups: [] }, devices: { "/dev/kvm": { openError: "EACCES" } } };

test("auto takes KVM with hardware underneath", async () => {
  assert.deepEqual(chooseAccelerator(await facts(), "auto", ALL), {
    accelerator: "kvm",
    reason: "KVM is usable, with VT-x underneath",
  });
});

for (const [name, host, why] of [
  ["kvm_pvm serves it", PVM, /^KVM is no faster: .*kvm_pvm/],
  ["it may not be opened", DENIED, /^KVM is not usable: .*EACCES/],
  ["there is none", withoutDevice("/dev/kvm"), /^KVM is not usable: there is no \/dev\/kvm/],
] as [string, FakeHost, RegExp][]) {
  test(`auto takes our own engine where ${name}, and says so in a sentence`, async () => {
    for (const available of [ALL, BEFORE_THE_TRANSLATOR]) {
      const { accelerator, reason } = chooseAccelerator(await facts(host), "auto", available);
      assert.equal(accelerator, available.includes("translate") ? "translate" : "interpret");
      assert.match(reason, why);
      assert.ok(!reason.includes("\n"));
    }
  });
}

test("auto in a version without KVM does not blame the host", async () => {
  for (const host of [{}, DENIED]) {
    const choice = chooseAccelerator(await facts(host), "auto", ["interpret"]);
    assert.deepEqual(choice, { accelerator: "interpret", reason: "the fastest that this version has" });
  }
});

test("what is asked for is taken, where it can be", async () => {
  assert.deepEqual(chooseAccelerator(await facts(), "interpret", ALL), {
    accelerator: "interpret",
    reason: "asked for",
  });
  assert.deepEqual(chooseAccelerator(await facts(), "kvm", ALL), { accelerator: "kvm", reason: "asked for" });
  const slow = chooseAccelerator(await facts(PVM), "kvm", ALL);
  assert.equal(slow.accelerator, "kvm");
  assert.match(slow.reason, /^asked for, though .*kvm_pvm/);
});

test("KVM on a host that has none: an error with the remedy", async () => {
  const host = await facts(DENIED);
  assert.throws(
    () => chooseAccelerator(host, "kvm", ALL),
    (error) =>
      error instanceof AcceleratorError &&
      error.code === "ACCELERATOR_UNAVAILABLE" &&
      /^--accel kvm: .*EACCES.*usermod -aG kvm ada/.test(error.message) &&
      !error.message.includes("\n"),
  );
});

test("an accelerator that this version does not have", async () => {
  const host = await facts();
  for (const name of ["kvm", "translate"] as const) {
    assert.throws(() => chooseAccelerator(host, name, ["interpret"]), NotImplementedError);
  }
});
