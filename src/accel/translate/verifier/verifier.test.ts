import assert from "node:assert/strict";
import { test } from "node:test";
import { compiledCore } from "../../../test-support/compiled-core.js";
import { flawedAccelerator } from "../../../test-support/lockstep/flawed.js";
import { TEST_LAYOUT, TestCpu } from "../../../test-support/test-cpu.js";
import { AcceleratorError, type VcpuBus } from "../../../vcpu/accelerator.js";
import { createInterpreter } from "../accelerator.js";
import { createVerifier } from "./accelerator.js";

async function sound(interval?: number) {
  const interpreter = createInterpreter(await compiledCore());
  return createVerifier({ tested: interpreter, reference: interpreter, interval });
}

test("both sides get a device's answer, and it is asked once", async () => {
  let reads = 0;
  const bus: Partial<VcpuBus> = { portRead: () => ++reads };
  const cpu = new TestCpu({ accelerator: await sound(3), mode: "long", bus });
  const { exit, registers } = await cpu.run(`
    mov ecx, 20
  again:
    in al, 0x70
    add ebx, eax
    mov [${TEST_LAYOUT.data} + rcx * 4], ebx
    out 0x71, al
    loop again`);
  assert.equal(exit.reason, "halt");
  assert.equal(reads, 20);
  assert.equal(registers.rbx, 210n);
  assert.equal(cpu.portWrites.length, 20);
  assert.ok(cpu.vcpu.counters().details.comparisons! > 20);
  cpu.close();
});

test("what a device writes to memory, within an access and between runs, is written on both sides", async () => {
  const bus: Partial<VcpuBus> = {
    portWrite: (_port, _size, value) => {
      cpu.memory.write32(TEST_LAYOUT.data, value * 3);
    },
  };
  const cpu = new TestCpu({ accelerator: await sound(1), mode: "long", bus });
  const { registers } = await cpu.run(`
    mov eax, 7
    out 0x71, al
    mov ebx, [${TEST_LAYOUT.data}]`);
  assert.equal(registers.rbx, 21n);
  cpu.memory.write32(TEST_LAYOUT.data, 5);
  const second = await cpu.run(`mov ebx, [${TEST_LAYOUT.data}]`);
  assert.equal(second.exit.reason, "halt");
  assert.equal(second.registers.rbx, 5n);
  cpu.close();
});

test("an interrupt that an access raises is taken by both sides at the same instruction", async () => {
  const bus: Partial<VcpuBus> = {
    portWrite: () => cpu.vcpu.setExtInt(true),
    acknowledgePic: () => {
      cpu.vcpu.setExtInt(false);
      return 0x40;
    },
  };
  const cpu = new TestCpu({ accelerator: await sound(1), mode: "long", bus });
  // The wire makes the vCPU leave; it is asserted then.
  const first = await cpu.run("sti; out 0x71, al; inc ebx; again: jmp again", {}, (state) => {
    // The local APIC is off: the wire leads to the CPU.
    state.msrs[0x1b] = 0n;
  });
  assert.equal(first.exit.reason, "budget");
  const { fault } = await cpu.resume();
  assert.equal(fault?.vector, 0x40);
  cpu.close();
});

test("a wrong result is reported with its register, and both values", async () => {
  const interpreter = createInterpreter(await compiledCore());
  const accelerator = createVerifier({ tested: flawedAccelerator(interpreter), reference: interpreter, interval: 1 });
  const cpu = new TestCpu({ accelerator, mode: "long" });
  const { exit } = await cpu.run("mov eax, 3; mov ebx, 5; imul ebx, eax; nop");
  assert.equal(exit.reason, "internal-error");
  assert.match(exit.reason === "internal-error" ? exit.error.message : "", /differ .*gpr\.0: 0x83, 0x3/);
  cpu.close();
});

test("a wrong byte in memory is reported with its address", async () => {
  const interpreter = createInterpreter(await compiledCore());
  const accelerator = createVerifier({ tested: flawedAccelerator(interpreter), reference: interpreter, interval: 4 });
  const cpu = new TestCpu({ accelerator, mode: "long" });
  const { exit } = await cpu.run(`mov eax, 3; imul ebx, eax; mov [${TEST_LAYOUT.data}], eax; mov eax, 0; nop`);
  assert.equal(exit.reason, "internal-error");
  assert.match(exit.reason === "internal-error" ? exit.error.message : "", /memory at 0xa000: 0x83, 0x3/);
  cpu.close();
});

test("runs in real time cannot be verified", async () => {
  const accelerator = await sound();
  const { GuestMemory } = await import("../../../guest-memory/guest-memory.js");
  const { parseCpuModel } = await import("../../../vcpu/cpu-model.js");
  const vm = accelerator.createVm(new GuestMemory(4096));
  assert.throws(
    () =>
      vm.createVcpu({
        id: 0,
        count: 1,
        model: parseCpuModel("default"),
        bus: {
          portRead: () => 0,
          portWrite: () => {},
          mmioRead: () => 0,
          mmioWrite: () => {},
          acknowledgePic: () => 0,
          endOfInterrupt: () => {},
          sendIpi: () => {},
        },
        clock: { mode: "real", now: () => 0 },
      }),
    (error) => error instanceof AcceleratorError && error.code === "UNIMPLEMENTED_FEATURE",
  );
  vm.close();
});
