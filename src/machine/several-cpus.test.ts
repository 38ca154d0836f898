/** Several vCPUs of the interpreter that take turns: spinning, waiting by MONITOR and MWAIT, IPIs, determinism. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { GuestMemory, RAM_OFFSET } from "../guest-memory/guest-memory.js";
import { assemble } from "../test-support/assemble.js";
import { testInterpreter } from "../test-support/interpreter.js";
import { initialState, setHandler, TEST_LAYOUT, writeTables } from "../test-support/test-environment.js";
import { parseCpuModel } from "../vcpu/cpu-model.js";
import type { VcpuState } from "../vcpu/state.js";
import { Bus } from "./bus.js";
import { MachineClock } from "./clock.js";
import { InterruptRouter } from "./interrupts.js";
import { RunLoop } from "./run-loop.js";
import { FakeScheduler } from "./testing/fake-scheduler.js";

const accelerator = await testInterpreter();

const POWER = 0x604;
const SIZE = 0x100000;
/** Programs, stacks and interrupt handlers that tests write. */
const CODE = 0x20000;
const STACK = 0x40000;
const HANDLER = 0x60000;
/** A cache line that nothing else lies in, and one beside it. */
const LINE = 0x70000;
const OTHER_LINE = LINE + 64;
const OFF = `mov dx, ${POWER}; out dx, al`;
const APIC_ON = "mov edi, 0xfee00000; mov dword ptr [rdi + 0xf0], 0x1ff";

/** A machine whose vCPU n runs program n in 64-bit mode; its clock counts instructions. */
function machine(programs: string[], prepare: (state: VcpuState, id: number) => void = () => {}) {
  const scheduler = new FakeScheduler();
  const clock = new MachineClock({ mode: "icount", monotonic: () => scheduler.monotonic(), startTime: 0 });
  const memory = new GuestMemory(SIZE);
  memory.setSlots([{ gpa: 0, size: SIZE, offset: RAM_OFFSET, readonly: false }]);
  writeTables(memory, { mode: "long" });
  const ports = new Bus(0x10000);
  const mmio = new Bus(2 ** 52);
  const router = new InterruptRouter();
  const vm = accelerator.createVm(memory);
  const model = parseCpuModel("max");
  const bus = {
    portRead: (port: number, size: number) => ports.read(port, size),
    portWrite: (port: number, size: number, value: number) => ports.write(port, size, value),
    mmioRead: (gpa: number, size: number) => mmio.read(gpa, size),
    mmioWrite: (gpa: number, size: number, value: number) => mmio.write(gpa, size, value),
    acknowledgePic: () => 0,
    endOfInterrupt: () => {},
    sendIpi: (message: Parameters<InterruptRouter["deliver"]>[0], from: number) => {
      router.deliver(message, from);
    },
  };
  const vcpus = programs.map((program, id) => {
    const vcpu = vm.createVcpu({ id, count: programs.length, model, bus, clock });
    router.attach(vcpu);
    const at = CODE + id * 0x1000;
    memory.write(at, assemble(program, 64, at));
    const state = initialState(memory, vcpu.getState(), { mode: "long" });
    state.runState = "running";
    state.rip = BigInt(at);
    state.gpr[4] = BigInt(STACK + id * 0x1000);
    prepare(state, id);
    vcpu.setState(state);
    return vcpu;
  });
  const loop = new RunLoop({ vcpus, vm, clock, ports, mmio, scheduler, reset: () => {} });
  ports.add("power", POWER, 1, { read: () => 0, write: () => loop.end({ kind: "poweroff" }) });
  const handler = (vector: number, code: string) => {
    const at = HANDLER + vector * 64;
    memory.write(at, assemble(code, 64, at));
    setHandler(memory, "long", vector, at & 0xffff);
    memory.write16(TEST_LAYOUT.idt + vector * 16 + 6, at >>> 16);
  };
  return { loop, clock, memory, vcpus, vm, handler };
}

/** Waits at LINE until a store, then switches off. */
const waitForStore = (extensions = 0) =>
  `mov eax, ${LINE}; xor ecx, ecx; xor edx, edx; monitor; mov ecx, ${extensions}; mwait; mov ebx, 1; ${OFF}; hlt`;
const after = (instructions: number, code: string) => `mov ecx, ${instructions}; 1: dec ecx; jnz 1b; ${code}`;

test("MWAIT ends with a store to the line by another vCPU, be it of the value that is there", async () => {
  const { loop, vcpus, vm } = machine([waitForStore(), after(70_000, `mov byte ptr [${LINE + 63}], 0; cli; hlt`)]);
  assert.deepEqual(await loop.run(), { kind: "poweroff" });
  assert.ok(vcpus[1].instructions > 140_000, "not before the store");
  assert.ok(vcpus[0].instructions < 20, "it did not poll");
  vm.close();
});

test("a store to the line beside it, or a read, does not end MWAIT", async () => {
  const { loop, vcpus, vm } = machine([
    waitForStore(),
    after(1000, `mov eax, [${LINE}]; mov byte ptr [${OTHER_LINE}], 1; 1: jmp 1b`),
  ]);
  void loop.run();
  assert.equal(await loop.pauseAt({ instructions: 300_000 }), true);
  assert.equal(vcpus[0].getState().runState, "mwait");
  assert.deepEqual(vcpus[0].getState().monitor, { line: LINE, interrupts: false });
  loop.end({ kind: "stopped" });
  vm.close();
});

test("a device's write to memory ends MWAIT", async () => {
  const { loop, clock, memory, vm } = machine([waitForStore()]);
  clock.timer(() => memory.write(LINE + 8, Uint8Array.of(0))).arm(5e6);
  assert.deepEqual(await loop.run(), { kind: "poweroff" });
  assert.ok(clock.now() >= 5e6);
  vm.close();
});

test("a store between MONITOR and MWAIT, or no MONITOR at all: MWAIT does not wait", async () => {
  for (const before of [
    `mov eax, ${LINE}; xor ecx, ecx; xor edx, edx; monitor; mov byte ptr [${LINE}], 0`,
    "xor ecx, ecx",
  ]) {
    const { loop, vm } = machine([`${before}; mwait; ${OFF}; hlt`]);
    assert.deepEqual(await loop.run(), { kind: "poweroff" });
    vm.close();
  }
});

test("many lines on one page are watched each for itself", async () => {
  // vCPU n waits for a store to line n and passes it on; the last one is woken first.
  const programs = Array.from({ length: 4 }, (_, id) => {
    const next = id === 0 ? OFF : `mov byte ptr [${LINE + (id - 1) * 64}], 1`;
    return `mov eax, ${LINE + id * 64}; xor ecx, ecx; xor edx, edx; monitor; mwait; ${next}; cli; hlt`;
  });
  const { loop, vcpus, vm } = machine([...programs, after(1000, `mov byte ptr [${LINE + 3 * 64}], 1; cli; hlt`)]);
  assert.deepEqual(await loop.run(), { kind: "poweroff" });
  for (const vcpu of vcpus.slice(0, 4)) assert.ok(vcpu.instructions < 12);
  vm.close();
});

test("an interrupt ends MWAIT where it is open, or by ECX bit 0 where it is masked; then it is not delivered", async () => {
  const timer =
    "mov dword ptr [rdi + 0x3e0], 0xb; mov dword ptr [rdi + 0x320], 0x70; mov dword ptr [rdi + 0x380], 20000";
  for (const [flags, extensions, wanted] of [
    ["sti", 0, "delivered"],
    ["sti", 1, "delivered"],
    ["cli", 1, "pending"],
    ["cli", 0, "waits"],
  ] as const) {
    const { loop, vcpus, memory, vm, handler } = machine([
      `${APIC_ON}; ${timer}; ${flags}; ${waitForStore(extensions)}`,
    ]);
    handler(0x70, `mov byte ptr [${OTHER_LINE}], 1; iretq`);
    const running = loop.run();
    if (wanted === "waits") {
      assert.equal(await loop.pauseAt({ time: 1e6 }), true);
      assert.equal(vcpus[0].getState().runState, "mwait");
      loop.end({ kind: "stopped" });
    } else assert.deepEqual(await running, { kind: "poweroff" });
    await running;
    assert.equal(memory.read8(OTHER_LINE), wanted === "delivered" ? 1 : 0, `${flags} ${extensions}`);
    vm.close();
  }
});

test("what MONITOR armed goes into a saved state, before MWAIT and in it", async () => {
  for (const instructions of [4, 100]) {
    const first = machine([waitForStore()]);
    void first.loop.run();
    assert.equal(await first.loop.pauseAt(instructions === 4 ? { instructions } : { time: 1e6 }), true);
    const state = structuredClone(first.vcpus[0].getState());
    assert.deepEqual(state.monitor, { line: LINE, interrupts: false });
    first.loop.end({ kind: "stopped" });
    first.vm.close();
    const second = machine([waitForStore()]);
    second.vcpus[0].setState(state);
    second.clock.timer(() => second.memory.write(LINE, Uint8Array.of(7))).arm(2e6);
    assert.deepEqual(await second.loop.run(), { kind: "poweroff" });
    assert.ok(second.clock.now() >= 2e6, `${instructions}`);
    second.vm.close();
  }
});

test("sixteen vCPUs that spin with PAUSE for their predecessor lose no time", async () => {
  // A counter goes round three times; each vCPU waits until it is its turn.
  const programs = Array.from({ length: 16 }, (_, id) => {
    const done = id === 15 ? `cmp eax, 47; jne 2f; ${OFF}; 2:` : "";
    return `mov esi, ${id}; 1: pause; mov eax, [${LINE}]; cmp eax, esi; jne 1b; ${done} inc eax; mov [${LINE}], eax; add esi, 16; cmp esi, 48; jb 1b; cli; hlt`;
  });
  const { loop, vcpus, memory, vm } = machine(programs);
  assert.deepEqual(await loop.run(), { kind: "poweroff" });
  assert.equal(memory.read32(LINE), 47);
  const all = vcpus.reduce((sum, vcpu) => sum + vcpu.instructions, 0);
  assert.ok(all < 16 * 1000, `${all} instructions`);
  vm.close();
});

test("PAUSE of the only vCPU with something to do does not end its turn", async () => {
  const { loop, vm } = machine([after(1000, `mov ecx, 1000; 1: pause; dec ecx; jnz 1b; ${OFF}; hlt`), "cli; hlt"]);
  assert.deepEqual(await loop.run(), { kind: "poweroff" });
  assert.ok(loop.stats.slices < 10, `${loop.stats.slices} slices`);
  vm.close();
});

test("an IPI with a shootdown: the other vCPU uses the old translation until its handler runs, then the new one", async () => {
  // The page at 64 MiB leads to RAM's first, then to where no memory is.
  const pageDirectory = TEST_LAYOUT.pageTables + 0x2000 + 32 * 8;
  const { loop, memory, vm, handler } = machine([
    `${APIC_ON}; 3: pause; cmp byte ptr [${LINE + 3}], 1; jne 3b; mov dword ptr [${pageDirectory}], 0x1800087; mov dword ptr [rdi + 0x310], 0x1000000;
     mov dword ptr [rdi + 0x300], 0x4080; 1: pause; cmp byte ptr [${LINE}], 1; jne 1b;
     mov byte ptr [${LINE + 1}], 1; 2: pause; cmp byte ptr [${LINE + 2}], 1; jne 2b; ${OFF}; hlt`,
    `${APIC_ON}; sti; mov eax, [0x4000000]; mov byte ptr [${LINE + 3}], 1; 1: pause; cmp byte ptr [${LINE + 1}], 1; jne 1b;
     mov eax, [0x4000000]; mov [${LINE + 8}], eax; mov byte ptr [${LINE + 2}], 1; cli; hlt`,
  ]);
  memory.write32(pageDirectory, 0x87);
  handler(0x80, `mov byte ptr [${LINE}], 1; mov eax, 0x4000000; invlpg [rax]; mov dword ptr [rdi + 0xb0], 0; iretq`);
  assert.deepEqual(await loop.run(), { kind: "poweroff" });
  assert.equal(memory.read32(LINE + 8), 0xffffffff);
  vm.close();
});

test("four vCPUs that share a lock and a counter: every run is the same, be it stopped in between or not", async () => {
  const program = `mov ecx, 3000; 1: mov eax, 1; 2: xchg [${LINE}], eax; test eax, eax; jz 3f; pause; jmp 2b;
    3: mov eax, [${LINE + 64}]; inc eax; mov [${LINE + 64}], eax; mov dword ptr [${LINE}], 0; lock inc dword ptr [${LINE + 128}];
    dec ecx; jnz 1b; lock inc dword ptr [${LINE + 192}]; cmp dword ptr [${LINE + 192}], 4; jne 4f; ${OFF}; 4: cli; hlt`;
  const runOnce = async (stops: number[]): Promise<string> => {
    const { loop, vcpus, memory, clock, vm } = machine([program, program, program, program]);
    const running = loop.run();
    for (const instructions of stops) {
      if (await loop.pauseAt({ instructions })) loop.resume();
    }
    assert.deepEqual(await running, { kind: "poweroff" });
    assert.deepEqual([memory.read32(LINE + 64), memory.read32(LINE + 128)], [12000, 12000]);
    const counts = vcpus.map((vcpu) => vcpu.instructions);
    vm.close();
    return JSON.stringify([counts, clock.now()]);
  };
  const expected = await runOnce([]);
  assert.equal(await runOnce([]), expected);
  assert.equal(await runOnce([1, 777, 50_000, 50_001, 123_456]), expected);
});
