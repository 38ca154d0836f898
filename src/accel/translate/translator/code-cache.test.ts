// The run-time half of the translator: when regions are made, entered, left and dropped. What the regions do is
// simple here: see test-support/stepping-translator.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assemble } from "../../../test-support/assemble.js";
import { testInterpreter } from "../../../test-support/interpreter.js";
import { AccessTranslator, SteppingTranslator, steppingTranslator } from "../../../test-support/stepping-translator.js";
import { TEST_LAYOUT, TestCpu } from "../../../test-support/test-cpu.js";
import type { VcpuBus } from "../../../vcpu/accelerator.js";
import * as L from "../layout.js";
import type { CodeCacheOptions, RegionTranslator } from "./code-cache.js";

const { code, data, pageTables } = TEST_LAYOUT;

interface Options extends CodeCacheOptions {
  translator?: RegionTranslator;
  bus?: Partial<VcpuBus>;
}

async function testCpu({ translator, bus, ...options }: Options = {}): Promise<TestCpu> {
  return new TestCpu({ accelerator: await steppingTranslator(options, translator), mode: "long", bus });
}

function counters(cpu: TestCpu): Record<string, number> {
  return cpu.vcpu.counters().details;
}

const SUM = "xor eax, eax; 1: add eax, ecx; dec ecx; jnz 1b";

test("a hot block becomes a region, and what it computes is the same", async () => {
  const cpu = await testCpu({ heat: 10 });
  const { registers } = await cpu.run(SUM, { rcx: 1000n });
  assert.equal(registers.rax, 500500n);
  const { regionsTranslated, regionsLive } = counters(cpu);
  assert.ok(regionsTranslated! >= 1 && regionsLive! >= 1);
});

test("a block that is entered less often does not", async () => {
  const cpu = await testCpu({ heat: 2000 });
  await cpu.run(SUM, { rcx: 1000n });
  assert.equal(counters(cpu).regionsTranslated, 0);
});

test("what cannot be translated is interpreted, and asked for once", async () => {
  let asked = 0;
  const cpu = await testCpu({
    translator: {
      translate: () => {
        asked++;
        return null;
      },
      encode: () => assert.fail("there is nothing to encode"),
    },
  });
  const { registers } = await cpu.run(SUM, { rcx: 1000n });
  assert.equal(registers.rax, 500500n);
  assert.equal(counters(cpu).hotUntranslatable, asked);
  assert.ok(asked < 10);
});

test("a run ends after exactly as many instructions as it may, in and around regions", async () => {
  const whole = new TestCpu({ accelerator: await testInterpreter(), mode: "long" });
  const program = "1: add eax, ecx; mov [0xa000], eax; test al, 1; jz 2f; inc ebx; 2: dec ecx; jnz 1b";
  const { REGION_BUDGET } = L;
  const counts = [1, 2, REGION_BUDGET - 1, REGION_BUDGET, REGION_BUDGET + 1, REGION_BUDGET + 7, 3 * REGION_BUDGET + 5];
  const cpu = await testCpu();
  for (const count of counts) {
    const expected = await whole.run(program, { rcx: 5000n }, undefined, count);
    const { state, exit } = await cpu.run(program, { rcx: 5000n }, undefined, count);
    assert.equal(exit.reason, "budget");
    assert.deepEqual(
      [state.rip, state.gpr, state.rflags],
      [expected.state.rip, expected.state.gpr, expected.state.rflags],
    );
  }
  assert.ok(counters(cpu).regionsTranslated! > 0);
});

test("with a clock of the host's, a run ends early rather than without regions, and never late", async () => {
  const cpu = new TestCpu({ accelerator: await steppingTranslator(), mode: "long", clock: "real" });
  const { REGION_BUDGET } = L;
  await cpu.run(SUM, { rcx: 100_000n }, undefined, 50_000);
  const before = cpu.vcpu.instructions;
  assert.deepEqual(await cpu.vcpu.run({ instructions: 20_000 }), { reason: "budget" });
  const ran = cpu.vcpu.instructions - before;
  assert.ok(ran > 20_000 - REGION_BUDGET && ran < 20_000 - REGION_BUDGET + 64, `${ran} instructions`);
  // Too few for that.
  const left = cpu.vcpu.instructions;
  assert.deepEqual(await cpu.vcpu.run({ instructions: REGION_BUDGET }), { reason: "budget" });
  assert.equal(cpu.vcpu.instructions - left, REGION_BUDGET);
});

test("nor does a run stay where a region begins with hardly an instruction left", async () => {
  const program = `mov edx, 2
     1: mov ecx, 1000
     2: dec ecx
     jnz 2b
     mov ecx, 90
     3: ${"nop; ".repeat(30)} dec ecx
     jnz 3b
     dec edx
     jnz 1b`;
  // To the second entry of the hot loop. The other one does not become hot.
  const arrival = 2 + 2 * 1000 + 1 + 32 * 90 + 2 + 3;
  for (let left = -8; left < 80; left += 8) {
    const accelerator = await steppingTranslator({ heat: 100, batch: 1 });
    const cpu = new TestCpu({ accelerator, mode: "long", clock: "real" });
    const { exit } = await cpu.run(program, {}, undefined, arrival + left);
    assert.deepEqual(exit, { reason: "budget" });
    assert.ok(cpu.vcpu.instructions > 4800 && cpu.vcpu.instructions <= arrival + left, `${cpu.vcpu.instructions}`);
    assert.ok(counters(cpu).regionsLive! > 0);
  }
});

test("operations that end blocks are executed between regions", async () => {
  const interpreted = new TestCpu({ accelerator: await testInterpreter(), mode: "long" });
  const cpu = await testCpu();
  const program = `mov ecx, 500
     1: pushfq
     cli
     cpuid
     sti
     popfq
     mov ebx, cs
     add esi, ebx
     xor eax, eax
     dec edi
     jnz 1b`;
  const registers = { rdi: 500n };
  const expected = await interpreted.run(program, registers);
  const found = await cpu.run(program, registers);
  assert.deepEqual(found.registers, expected.registers);
  assert.equal(found.exit.reason, "halt");
  assert.ok(counters(cpu).regionsTranslated! > 0);
});

test("a kick ends a region behind the instruction under way", async () => {
  const cpu: TestCpu = await testCpu({
    bus: {
      mmioRead: () => {
        cpu.vcpu.kick();
        return 0;
      },
    },
  });
  const { exit, state } = await cpu.run("jmp 1f; 1: mov ecx, 5; mov eax, [rdi]; inc ebx; dec ecx", { rdi: 0x8000000n });
  assert.deepEqual(exit, { reason: "budget" });
  assert.equal(state.rip, BigInt(code + assemble("jmp 1f; 1: mov ecx, 5; mov eax, [rdi]", 64, code).length));
});

test("a fault in a region is delivered with the state of before the instruction", async () => {
  for (const translator of [new SteppingTranslator(), new AccessTranslator()]) {
    const cpu = await testCpu({ translator });
    const program = "mov ebx, 5; jmp 1f; 1: mov ecx, 7; mov eax, [rdi]; mov ebx, 6";
    const { fault, registers } = await cpu.run(program, { rax: 3n, rdi: 0x4000000000n });
    assert.equal(fault?.vector, 14);
    assert.equal(fault?.address, 0x4000000000n);
    assert.equal(fault?.errorCode, 0);
    assert.equal(fault?.rip, BigInt(code + assemble("mov ebx, 5; jmp 1f; 1: mov ecx, 7", 64, code).length));
    assert.deepEqual([registers.rax, registers.rbx, registers.rcx], [3n, 5n, 7n]);
    assert.ok(counters(cpu).regionsTranslated! > 0);
  }
});

test("a page fault of a write says so", async () => {
  const cpu = await testCpu({ translator: new AccessTranslator() });
  const { fault } = await cpu.run("jmp 1f; 1: mov [rdi], eax", { rdi: 0x4000000000n });
  assert.equal(fault?.vector, 14);
  assert.equal(fault?.errorCode, 2);
});

test("a guest that only faults does not keep its host", async () => {
  const cpu = await testCpu();
  // The handler of #UD is itself UD2.
  cpu.load(Uint8Array.of(0x0f, 0x0b), TEST_LAYOUT.handlers + 6 * 4);
  const { exit } = await cpu.run("ud2", {}, undefined, 1e9);
  assert.ok(exit.reason === "budget" || exit.reason === "shutdown");
});

test("memory is read and written through the guards: plain, across pages, and code", async () => {
  const cpu = await testCpu({ translator: new AccessTranslator() });
  cpu.memory.write32(data + 0xffe, 0x44332211);
  const program = `mov ecx, 3
     1: mov eax, [rdi]
     mov [rsi], eax
     mov [rbx], eax
     dec ecx
     jnz 1b`;
  const { registers, fault } = await cpu.run(program, {
    rdi: BigInt(data + 0xffe),
    rsi: BigInt(data + 0x100),
    rbx: BigInt(data + 0x1ffd),
  });
  assert.equal(fault, null);
  assert.equal(registers.rax, 0x44332211n);
  assert.equal(cpu.memory.read32(data + 0x100), 0x44332211);
  assert.equal(cpu.memory.read32(data + 0x1ffd), 0x44332211);
});

test("devices are the interpreter's, each access once", async () => {
  let reads = 0;
  const writes: number[] = [];
  const cpu = await testCpu({
    translator: new AccessTranslator(),
    bus: {
      mmioRead: () => ++reads,
      mmioWrite: (_gpa, _size, value) => {
        writes.push(value);
      },
    },
  });
  const { registers } = await cpu.run("mov ecx, 50; 1: mov eax, [rdi]; mov [rdi], eax; dec ecx; jnz 1b", {
    rdi: 0x8000000n,
  });
  assert.equal(registers.rax, 50n);
  assert.equal(reads, 50);
  assert.deepEqual(
    writes,
    [...Array(50).keys()].map((n) => n + 1),
  );
});

test("instructions are counted exactly up to an access of a device", async () => {
  for (const accelerator of [await testInterpreter(), await steppingTranslator({}, new AccessTranslator())]) {
    const counts: number[] = [];
    const cpu: TestCpu = new TestCpu({
      accelerator,
      mode: "long",
      bus: {
        mmioRead: () => {
          counts.push(cpu.vcpu.instructions - start);
          return 0;
        },
      },
    });
    let start = 0;
    cpu.load(assemble("nop; jmp 1f; 1: nop; mov eax, [rdi]; nop; mov eax, [rdi]; nop; hlt", 64, code));
    const state = cpu.initialState();
    state.gpr[7] = 0x8000000n;
    cpu.vcpu.setState(state);
    start = cpu.vcpu.instructions;
    assert.equal((await cpu.vcpu.run({ instructions: 100_000 })).reason, "halt");
    assert.deepEqual(counts, [3, 5]);
    assert.equal(cpu.vcpu.instructions - start, 8);
  }
});

for (const translator of [SteppingTranslator, AccessTranslator]) {
  test(`${translator.name}: a region that changes its own code leaves it before the changed instruction`, async () => {
    const cpu = await testCpu({ translator: new translator() });
    const { registers } = await cpu.run(
      `xor ebx, ebx
       mov ecx, 20
       1: mov eax, [rdi]
       2: mov edx, 1
       add ebx, edx
       inc eax
       mov [rdi], eax
       dec ecx
       jnz 1b`,
      { rdi: BigInt(code + assemble("xor ebx, ebx; mov ecx, 20; mov eax, [rdi]", 64, code).length + 1) },
    );
    // 1 + 2 + ... + 20.
    assert.equal(registers.rbx, 210n);
    assert.ok(counters(cpu).regionsDropped! > 0);
  });
}

test("data beside code on its page is written without dropping the region", async () => {
  const cpu = await testCpu({ translator: new AccessTranslator() });
  await cpu.run("mov ecx, 100; 1: mov [rdi], ecx; dec ecx; jnz 1b", { rdi: BigInt(code + 0x800) });
  assert.equal(counters(cpu).regionsDropped, 0);
  assert.equal(counters(cpu).codeInvalidations, 0);
});

test("code that keeps changing has to be hot for longer each time", async () => {
  const cpu = await testCpu({ heat: 4 });
  const program = `mov esi, 40
     1: mov ecx, 20
     2: dec ecx
     jnz 2b
     inc byte ptr [3f + 1]
     3: mov al, 0
     dec esi
     jnz 1b`;
  const { registers } = await cpu.run(program);
  assert.equal(registers.rax! & 0xffn, 40n);
  const { regionsTranslated, hotChanging } = counters(cpu);
  assert.ok(hotChanging! > 0);
  assert.ok(regionsTranslated! < 40, `${regionsTranslated} translations`);
});

test("code written from outside is dropped", async () => {
  const cpu = await testCpu();
  const first = await cpu.run("1: mov eax, 1; dec ecx; jnz 1b", { rcx: 10n });
  assert.equal(first.registers.rax, 1n);
  const second = await cpu.run("1: mov eax, 2; dec ecx; jnz 1b", { rcx: 10n });
  assert.equal(second.registers.rax, 2n);
  assert.ok(counters(cpu).regionsDropped! > 0);
});

test("another page in a code page's place is what runs after INVLPG", async () => {
  const cpu = await testCpu();
  const other = 0x40000;
  const at = 0x30000;
  cpu.load("mov eax, 1; ret", at);
  cpu.load("mov eax, 2; ret", other);
  const entry = pageTables + 0x3000 + (at >> 12) * 8;
  const isTable = (Number(cpu.memory.read64(pageTables + 0x2000)) & 0x80) === 0;
  if (!isTable) return;
  const { registers } = await cpu.run(
    `call rdi
     call rdi
     mov ebx, eax
     mov rax, [rsi]
     and eax, 0xfff
     or eax, ${other}
     mov [rsi], rax
     invlpg [rdi]
     call rdi`,
    { rdi: BigInt(at), rsi: BigInt(entry) },
  );
  assert.deepEqual([registers.rbx, registers.rax], [1n, 2n]);
});

test("an emptied arena takes the regions with it", async () => {
  const cpu = await testCpu();
  await cpu.run(SUM, { rcx: 100n });
  const { regionsLive, regionsTranslated } = counters(cpu);
  assert.ok(regionsLive! > 0);
  // As if nearly all of it were used.
  const view = new DataView(cpu.memory.memory.buffer);
  view.setUint32(L.MACHINE_BLOCK + L.ARENA_NEXT, L.CODE_ARENA_END - 64, true);
  const { registers } = await cpu.run(`nop; ${SUM}`, { rcx: 1000n });
  assert.equal(registers.rax, 500500n);
  const after = counters(cpu);
  assert.equal(after.codeArenaFlushes, 1);
  assert.ok(after.regionsDropped! >= regionsLive!);
  assert.ok(after.regionsTranslated! > regionsTranslated!);
  assert.equal(after.regionsLive, after.regionsTranslated! - after.regionsDropped!);
});

test("regions beyond the limit are evicted, and come again", async () => {
  const cpu = await testCpu({ batches: 4 });
  const functions = [...Array(12).keys()];
  const program = `mov ecx, 50
     1: ${functions.map((n) => `call ${n + 10}f`).join("; ")}
     dec ecx
     jnz 1b
     jmp 9f
     ${functions.map((n) => `${n + 10}: add eax, ${n}; ret`).join("; ")}
     9: nop`;
  const { registers } = await cpu.run(program);
  assert.equal(registers.rax, BigInt(50 * 66));
  const { regionModules, regionsEvicted, regionsLive, regionBytes } = counters(cpu);
  assert.ok(regionModules! <= 4 && regionsLive! <= 4 && regionBytes! > 0);
  assert.ok(regionsEvicted! > 0);
});

test("single steps, breakpoints and states set from outside are exact where regions are", async () => {
  const cpu = await testCpu();
  await cpu.run(SUM, { rcx: 100n });
  const loop = code + assemble("xor eax, eax", 64, code).length;
  const state = cpu.initialState();
  state.gpr[1] = 3n;
  cpu.vcpu.setState(state);
  for (const [left, sum] of [
    [3n, 0n],
    [2n, 3n],
    [1n, 5n],
  ]) {
    cpu.vcpu.setDebug({ singleStep: false, breakpoints: [BigInt(loop)], watchpoints: [] });
    const exit = await cpu.vcpu.run({ instructions: 100_000 });
    assert.deepEqual(exit, { reason: "debug", cause: "breakpoint", address: BigInt(loop) });
    const { gpr } = cpu.vcpu.getState();
    assert.deepEqual([gpr[1], gpr[0]], [left, sum]);
    cpu.vcpu.setDebug({ singleStep: true, breakpoints: [], watchpoints: [] });
    assert.equal((await cpu.vcpu.run({ instructions: 100_000 })).reason, "debug");
  }
  cpu.vcpu.setDebug({ singleStep: true, breakpoints: [], watchpoints: [] });
  const before = cpu.vcpu.instructions;
  assert.equal((await cpu.vcpu.run({ instructions: 100_000 })).reason, "debug");
  assert.equal(cpu.vcpu.instructions - before, 1);
});
