/** What only KVM has: exits that the kernel makes, doorbells, interrupt descriptors, debug registers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { kvmObstacle } from "../../test-support/accelerators.js";
import { CODE, flatImage, Guest, until } from "../../test-support/guest-suite/guest.js";
import { TEST_LAYOUT, TestCpu } from "../../test-support/test-cpu.js";
import { AcceleratorError, type VcpuExit } from "../../vcpu/accelerator.js";
import { createKvm } from "./accelerator.js";

const skip = kvmObstacle();
const DATA = TEST_LAYOUT.data;

test("CPUID is the model's, less what the host lacks", { skip }, async () => {
  const cpu = new TestCpu({ accelerator: createKvm(), mode: "long" });
  const { registers } = await cpu.run("xor eax, eax\ncpuid");
  assert.deepEqual([registers.rbx, registers.rdx, registers.rcx], [0x68747541n, 0x69746e65n, 0x444d4163n]);
  const hypervisor = await cpu.run("mov eax, 0x40000000\ncpuid");
  // "RingvisorVMM", whose TSC rate the next leaf tells.
  assert.equal(hypervisor.registers.rbx, 0x676e6952n);
  const rate = await cpu.run("mov eax, 0x40000010\ncpuid");
  assert.equal(rate.registers.rax, BigInt(Math.round(cpu.vcpu.getState().tscFrequency / 1000)));
  cpu.close();
});

test("port strings, wide memory-mapped accesses and single ones are counted as exits", { skip }, async () => {
  const reads: [number, number][] = [];
  const cpu = new TestCpu({
    accelerator: createKvm(),
    mode: "long",
    bus: {
      portRead: (port, size) => {
        reads.push([port, size]);
        return 0x11 * reads.length;
      },
    },
  });
  const { registers } = await cpu.run(`mov dx, 0x99\nmov edi, ${DATA}\nmov ecx, 4\ncld\nrep insb\nmov eax, [${DATA}]`);
  assert.equal(registers.rax, 0x44332211n);
  assert.deepEqual(
    reads,
    [1, 2, 3, 4].map(() => [0x99, 1]),
  );
  await cpu.run("mov al, 1\nout 0x99, al\nout 0x99, ax\nout 0x99, eax");
  assert.deepEqual(
    cpu.portWrites.map(({ size }) => size),
    [1, 2, 4],
  );
  const { exits } = cpu.vcpu.counters();
  assert.ok((exits.io ?? 0) >= 4, JSON.stringify(exits));
  cpu.close();
});

test("a write that rings a doorbell makes no exit", { skip }, async () => {
  const accelerator = createKvm();
  const cpu = new TestCpu({ accelerator, mode: "long" });
  let rings = 0;
  const remove = cpu.vm.addDoorbell?.({ space: "ports", address: 0x99, size: 1, value: 7n }, () => rings++);
  await cpu.run("mov al, 7\nout 0x99, al");
  await until(() => rings === 1);
  assert.deepEqual(cpu.portWrites, []);
  // Another value, or another size, is an access like any other.
  await cpu.run("mov al, 8\nout 0x99, al\nmov ax, 7\nout 0x99, ax");
  assert.deepEqual(
    cpu.portWrites.map(({ value }) => value),
    [8, 7],
  );
  remove?.();
  await cpu.run("mov al, 7\nout 0x99, al");
  assert.equal(cpu.portWrites.length, 3);
  assert.equal(rings, 1);
  cpu.close();
});

test("a doorbell in memory, rung many times, is heard at least once and none is left over", { skip }, async () => {
  const cpu = new TestCpu({ accelerator: createKvm(), mode: "long" });
  let rings = 0;
  cpu.vm.addDoorbell?.({ space: "memory", address: 0xd0000000, size: 4 }, () => rings++);
  await cpu.run("mov ebx, 0xd0000000\nmov ecx, 50\n1: mov dword ptr [rbx], ecx\ndec ecx\njnz 1b");
  await until(() => rings > 0);
  cpu.close();
});

test("writing to an interrupt descriptor sends its message", { skip }, async () => {
  const accelerator = createKvm();
  const { writeSync } = await import("node:fs");
  const program = {
    mode: "long" as const,
    code: `${CODE.apicOn}\n${CODE.print(">")}\nsti\n1: hlt\njmp 1b`,
    handlers: { 97: CODE.exit(6) },
  };
  let wire: { descriptor: number; close(): void } | undefined;
  const guest = new Guest(
    {
      ...accelerator,
      createVm: (memory) => {
        const vm = accelerator.createVm(memory);
        wire = vm.addInterruptDescriptor?.({
          destination: 0,
          destinationMode: "physical",
          deliveryMode: "fixed",
          vector: 0x61,
          triggerMode: "edge",
          level: true,
          shorthand: "none",
        });
        return vm;
      },
    },
    flatImage(program),
  );
  const running = guest.machine.start();
  await until(() => guest.output === ">");
  writeSync(wire?.descriptor ?? -1, new Uint8Array(new BigUint64Array([1n]).buffer));
  assert.deepEqual(await guest.finish(running), { kind: "debug-exit", value: 6 });
  guest.machine.close();
});

test("coalesced writes arrive in their order before the next exit's", { skip }, async () => {
  const cpu = new TestCpu({ accelerator: createKvm(), mode: "long" });
  cpu.vm.coalesce?.("ports", 0x99, 1);
  await cpu.run("mov ecx, 300\n1: mov eax, ecx\nout 0x99, al\ndec ecx\njnz 1b\nout 0x9a, al");
  const written = cpu.portWrites.map(({ port, value }) => [port, value]);
  assert.deepEqual(written, [...Array.from({ length: 300 }, (_, index) => [0x99, (300 - index) & 0xff]), [0x9a, 1]]);
  cpu.close();
});

/** Runs until the debugger stops it, or to the end. */
async function next(cpu: TestCpu): Promise<VcpuExit> {
  return (await cpu.resume()).exit;
}

test("the debugger's breakpoints, watchpoints and steps are debug registers of the host", { skip }, async () => {
  const cpu = new TestCpu({ accelerator: createKvm(), mode: "long" });
  const code = `mov eax, 1\nmov ebx, 2\nmov dword ptr [${DATA}], 5\nmov ecx, [${DATA}]`;
  await cpu.run(code);
  const start = cpu.initialState();
  cpu.vcpu.setState(start);
  const second = BigInt(TEST_LAYOUT.code + 5);
  cpu.vcpu.setDebug({ singleStep: false, breakpoints: [second], watchpoints: [] });
  assert.deepEqual(await next(cpu), { reason: "debug", cause: "breakpoint", address: second });
  assert.equal(cpu.vcpu.getState().gpr[0], 1n);
  cpu.vcpu.setDebug({ singleStep: true, breakpoints: [], watchpoints: [] });
  const step = await next(cpu);
  assert.deepEqual(step, { reason: "debug", cause: "step", address: second + 5n });
  assert.equal(cpu.vcpu.getState().gpr[3], 2n);
  cpu.vcpu.setDebug(null);
  assert.equal((await next(cpu)).reason, "halt");
  assert.equal(cpu.vcpu.getState().gpr[1], 5n);
  cpu.close();
});

test("more than four points, and sizes that a debug register has not, are refused by name", { skip }, () => {
  const cpu = new TestCpu({ accelerator: createKvm(), mode: "long" });
  const refused = (error: unknown) => error instanceof AcceleratorError && error.code === "UNIMPLEMENTED_FEATURE";
  const five = [1n, 2n, 3n, 4n, 5n];
  assert.throws(() => cpu.vcpu.setDebug({ singleStep: false, breakpoints: five, watchpoints: [] }), refused);
  const watchpoints = [{ address: 0x1001n, size: 4, access: "write" as const }];
  assert.throws(() => cpu.vcpu.setDebug({ singleStep: false, breakpoints: [], watchpoints }), refused);
  assert.throws(() => cpu.vcpu.setIntercepts({ cpuid: true }), refused);
  cpu.close();
});

test("a vCPU that spins is left by kick, and by a limit of time", { skip }, async () => {
  const cpu = new TestCpu({ accelerator: createKvm(), mode: "long" });
  cpu.load("1: jmp 1b");
  cpu.vcpu.setState(cpu.initialState());
  const run = cpu.vcpu.run({ instructions: Number.POSITIVE_INFINITY });
  setTimeout(() => cpu.vcpu.kick(), 5);
  assert.deepEqual(await run, { reason: "budget" });
  assert.deepEqual(await cpu.vcpu.run({ instructions: 1000, deadline: 5e6 }), { reason: "budget" });
  cpu.close();
});

test("a vCPU that is closed in the middle of a run gives its thread back", { skip }, async () => {
  const cpu = new TestCpu({ accelerator: createKvm(), mode: "long" });
  cpu.load("1: jmp 1b");
  cpu.vcpu.setState(cpu.initialState());
  const run = cpu.vcpu.run({ instructions: Number.POSITIVE_INFINITY });
  cpu.close();
  assert.deepEqual(await run, { reason: "budget" });
});

test("an instruction that KVM cannot emulate is named with its bytes", { skip }, async () => {
  const cpu = new TestCpu({ accelerator: createKvm(), mode: "long" });
  // Code outside of memory: KVM would have to emulate what it cannot fetch.
  cpu.vcpu.setState({ ...cpu.initialState(), rip: 0x3fff_0000n });
  const { exit } = await cpu.resume();
  assert.ok(exit.reason === "internal-error" || exit.reason === "shutdown" || exit.reason === "halt", exit.reason);
  cpu.close();
});
