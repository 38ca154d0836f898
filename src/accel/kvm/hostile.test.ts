/** Guests that do their worst, and machines by the thousand: the process stays as healthy as it was. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { GuestMemory, RAM_OFFSET } from "../../guest-memory/guest-memory.js";
import { kvmObstacle } from "../../test-support/accelerators.js";
import { FUZZ_MODES, fuzz } from "../../test-support/fuzz.js";
import { CODE, runProgram } from "../../test-support/guest-suite/guest.js";
import { TestCpu } from "../../test-support/test-cpu.js";
import { createKvm } from "./accelerator.js";

const skip = kvmObstacle();

for (const mode of FUZZ_MODES) {
  test(`random code, tables and interrupts in ${mode} mode`, { skip }, async () => {
    const { rounds } = await fuzz({ accelerator: createKvm(), mode, seed: 3, rounds: 40 });
    assert.equal(rounds, 40);
  });
}

test("a storm of memory-mapped and port accesses keeps nobody from stopping the machine", { skip }, async () => {
  for (const access of ["mov [ebx], eax", "mov eax, [ebx]", "out 0x99, al", "in al, 0x99"]) {
    const cpu = new TestCpu({ accelerator: createKvm(), mode: "protected" });
    cpu.load(`mov ebx, 0xd0000000\n1: ${access}\njmp 1b`);
    cpu.vcpu.setState(cpu.initialState());
    let stopped = false;
    setTimeout(() => {
      stopped = true;
    }, 10);
    while (!stopped) {
      const exit = await cpu.vcpu.run({ instructions: Number.POSITIVE_INFINITY });
      assert.equal(exit.reason, "budget");
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok((cpu.vcpu.counters().exits.io ?? 0) + (cpu.vcpu.counters().exits.mmio ?? 0) > 0);
    cpu.close();
  }
});

test("a guest that triple-faults and is started again, a hundred times", { skip }, async () => {
  const cpu = new TestCpu({ accelerator: createKvm(), mode: "protected" });
  for (let round = 0; round < 100; round++) {
    const { exit } = await cpu.run("push 0\npush 0\nlidt [esp]\nud2");
    assert.equal(exit.reason, "shutdown");
  }
  const { exit } = await cpu.run("nop");
  assert.equal(exit.reason, "halt");
  cpu.close();
});

test("a guest that resets itself without end can be ended", { skip }, async () => {
  const { outcome } = await runProgram(createKvm(), {
    mode: "protected",
    code: `inc dword ptr [0xa000]\ncmp dword ptr [0xa000], 20\nje 1f\n${CODE.outb(0xcf9, 6)}\nhlt\n1: ${CODE.exit(1)}`,
  });
  assert.deepEqual(outcome, { kind: "debug-exit", value: 1 });
});

const collectGarbage = (() => {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
})();

const count = (folder: string) => readdirSync(folder).length;

/** How many; `RINGVISOR_MACHINES=2000 npm test -- kvm/hostile` takes minutes. */
const MACHINES = Number(process.env.RINGVISOR_MACHINES ?? 200);

test(`${MACHINES} machines, each with a run: no descriptor, thread or mapping is left over`, { skip }, async () => {
  const accelerator = createKvm();
  const one = async () => {
    const memory = new GuestMemory(0x10000);
    memory.setSlots([{ gpa: 0xf0000, size: 0x10000, offset: RAM_OFFSET, readonly: false }]);
    // The reset vector: OUT, HLT.
    memory.write(0xffff0, Uint8Array.of(0xe6, 0x99, 0xf4));
    const vm = accelerator.createVm(memory);
    let written = 0;
    const bus = {
      portRead: () => 0,
      portWrite: () => {
        written++;
        vcpu.kick();
      },
      mmioRead: () => 0,
      mmioWrite: () => {},
      acknowledgePic: () => 0,
      endOfInterrupt: () => {},
      sendIpi: () => {},
    };
    const { parseCpuModel } = await import("../../vcpu/cpu-model.js");
    const model = accelerator.offer(parseCpuModel("default"));
    const vcpu = vm.createVcpu({ id: 0, count: 1, model, bus, clock: { mode: "real", now: () => 0 } });
    const state = vcpu.getState();
    state.segments.cs.base = 0xf0000n;
    vcpu.setState(state);
    await vcpu.run({ instructions: Number.POSITIVE_INFINITY });
    vm.close();
    assert.equal(written, 1);
  };
  // Threads and buffers that are kept for the next machine come with the first ones.
  for (let round = 0; round < 20; round++) await one();
  collectGarbage();
  const before = { descriptors: count("/proc/self/fd"), threads: count("/proc/self/task") };
  const memory = process.memoryUsage.rss();
  for (let round = 0; round < MACHINES; round++) {
    await one();
    // The collector does not see what a machine's memory holds outside of its heap.
    if (round % 50 === 49) collectGarbage();
  }
  collectGarbage();
  assert.deepEqual({ descriptors: count("/proc/self/fd"), threads: count("/proc/self/task") }, before);
  const grown = process.memoryUsage.rss() - memory;
  assert.ok(grown < 64 << 20, `${grown >> 20} MiB more`);
});
