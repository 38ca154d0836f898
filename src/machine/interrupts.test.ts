import assert from "node:assert/strict";
import { test } from "node:test";
import { GuestMemory } from "../guest-memory/guest-memory.js";
import { interruptMessage } from "../test-support/interrupt-message.js";
import { BROADCAST, type VcpuBus } from "../vcpu/accelerator.js";
import { parseCpuModel } from "../vcpu/cpu-model.js";
import { MachineClock } from "./clock.js";
import { InterruptRouter } from "./interrupts.js";
import { fakeAccelerator } from "./testing/fake-accelerator.js";

function makeRouter(cpus: number) {
  const accelerator = fakeAccelerator([]);
  const router = new InterruptRouter();
  const clock = new MachineClock({ mode: "icount", monotonic: () => 0, startTime: 0 });
  const memory = new GuestMemory(0x10000);
  const model = parseCpuModel("default");
  const vm = accelerator.createVm(memory);
  for (let id = 0; id < cpus; id++) {
    router.attach(vm.createVcpu({ id, count: cpus, model, bus: {} as VcpuBus, clock }));
  }
  const log: string[] = [];
  const controller = (name: string) => ({
    line: (number: number) => ({ set: (level: boolean) => log.push(`${name}${number}=${level ? 1 : 0}`) }),
  });
  router.connect(controller("pic"), controller("ioapic"));
  const arrived = () => accelerator.vcpus.map((vcpu) => vcpu.arrived.splice(0).map(({ vector }) => vector));
  return { router, log, arrived, vcpus: accelerator.vcpus };
}

test("ISA interrupts go to both controllers, the timer to pin 2 of the IOAPIC, the others to the IOAPIC alone", () => {
  const { router, log } = makeRouter(1);
  router.line(0).set(true);
  router.line(4).set(true);
  router.line(2).set(true);
  router.line(16).set(true);
  assert.deepEqual(log, ["pic0=1", "ioapic2=1", "pic4=1", "ioapic4=1", "ioapic16=1"]);
  assert.throws(() => router.line(24), RangeError);
});

test("a shared line is asserted while one of its sources asserts it", () => {
  const { router, log } = makeRouter(1);
  const a = router.line(18);
  const b = router.line(18);
  a.set(true);
  b.set(true);
  a.set(false);
  a.set(false);
  b.set(false);
  assert.deepEqual(log, ["ioapic18=1", "ioapic18=0"]);
});

test("destinations and shorthands select vCPUs", () => {
  const { router, arrived } = makeRouter(3);
  router.deliver(interruptMessage({ destination: 2 }));
  assert.deepEqual(arrived(), [[], [], [0x40]]);
  router.deliver(interruptMessage({ destination: 5, destinationMode: "logical" }));
  assert.deepEqual(arrived(), [[0x40], [], [0x40]]);
  router.deliver(interruptMessage({ destination: BROADCAST }));
  assert.deepEqual(arrived(), [[0x40], [0x40], [0x40]]);
  router.deliver(interruptMessage({ shorthand: "self" }), 1);
  assert.deepEqual(arrived(), [[], [0x40], []]);
  router.deliver(interruptMessage({ shorthand: "others" }), 1);
  assert.deepEqual(arrived(), [[0x40], [], [0x40]]);
  router.deliver(interruptMessage({ shorthand: "all" }), 1);
  assert.deepEqual(arrived(), [[0x40], [0x40], [0x40]]);
  assert.equal(router.deliver(interruptMessage({ destination: 9 })), false);
  // Eight bits of ones in an MSI's address are everybody; fifteen bits of a destination are somebody.
  router.send(0xfeeff000, 0x41);
  assert.deepEqual(arrived(), [[0x41], [0x41], [0x41]]);
  router.send(0xfeeff020, 0x41);
  assert.deepEqual(arrived(), [[], [], []]);
});

test("lowest priority delivery goes to the one with the least to do, and to one only", () => {
  const { router, arrived, vcpus } = makeRouter(3);
  vcpus[0].interrupt(interruptMessage({ vector: 0x99 }));
  router.deliver(interruptMessage({ destination: 7, destinationMode: "logical", deliveryMode: "lowest" }));
  assert.deepEqual(arrived(), [[0x99], [0x40], []]);
});

test("an MSI's address and data become a message", () => {
  const { router, vcpus } = makeRouter(2);
  router.send(0xfee01000, 0x4051);
  assert.deepEqual(vcpus[1].arrived, [interruptMessage({ destination: 1, vector: 0x51 })]);
  router.send(0xfee03004, 0x8161);
  assert.equal(vcpus[0].arrived.length, 1);
  assert.deepEqual(vcpus[0].arrived[0], {
    ...interruptMessage({ destination: 3, destinationMode: "logical", deliveryMode: "lowest", vector: 0x61 }),
    triggerMode: "level",
    level: false,
  });
});

test("the PIC's INTR is the bootstrap processor's", () => {
  const { router, vcpus } = makeRouter(2);
  router.setIntr(true);
  assert.deepEqual(
    vcpus.map(({ extInt }) => extInt),
    [true, false],
  );
});
