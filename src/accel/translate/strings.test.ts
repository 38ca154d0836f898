// String instructions. Intel SDM vol. 2B, MOVS and its like, REP; vol. 1 7.3.9.
import assert from "node:assert/strict";
import { test } from "node:test";
import { testInterpreter } from "../../test-support/interpreter.js";
import { TEST_LAYOUT, TestCpu, type TestMode } from "../../test-support/test-cpu.js";

const { code, data, pageTables } = TEST_LAYOUT;
const SOURCE = 0x20000;
const TARGET = 0x30000;

async function longMode() {
  return new TestCpu({ accelerator: await testInterpreter(), mode: "long" });
}

/** Bytes that differ everywhere within 251. */
const pattern = (size: number) => Uint8Array.from({ length: size }, (_, index) => index % 251);

for (const [name, size] of [
  ["movsb", 1],
  ["movsw", 2],
  ["movsd", 4],
  ["movsq", 8],
] as const) {
  test(`rep ${name} copies across pages, whatever the alignment`, async () => {
    const cpu = await longMode();
    cpu.load(pattern(0x5000), SOURCE);
    for (const [from, to, bytes] of [
      [0, 0, 0x4000],
      [3, 5, 0x3008],
      [0xfff, 0xffd, 0x2000],
    ] as const) {
      cpu.load(new Uint8Array(0x6000), TARGET);
      const { registers } = await cpu.run(`rep ${name}`, {
        rsi: BigInt(SOURCE + from),
        rdi: BigInt(TARGET + to),
        rcx: BigInt(bytes / size),
      });
      assert.equal(registers.rcx, 0n);
      assert.equal(registers.rsi, BigInt(SOURCE + from + bytes));
      assert.equal(registers.rdi, BigInt(TARGET + to + bytes));
      const expected = new Uint8Array(0x6000);
      expected.set(pattern(0x5000).subarray(from, from + bytes), to);
      assert.deepEqual(cpu.memory.view(TARGET, 0x6000), expected);
    }
  });
}

test("rep movsb onto itself a byte further repeats the first byte", async () => {
  const cpu = await longMode();
  cpu.load(pattern(16), TARGET);
  await cpu.run("mov byte ptr [rsi], 0x77; rep movsb", { rsi: BigInt(TARGET), rdi: BigInt(TARGET + 1), rcx: 5000n });
  assert.deepEqual(cpu.memory.view(TARGET, 5001), new Uint8Array(5001).fill(0x77));
});

test("rep movsb backwards moves an overlapping block up", async () => {
  const cpu = await longMode();
  cpu.load(pattern(0x2000), TARGET);
  const { registers } = await cpu.run("std; rep movsb; cld", {
    rsi: BigInt(TARGET + 0x1fff),
    rdi: BigInt(TARGET + 0x2002),
    rcx: 0x2000n,
  });
  assert.deepEqual(cpu.memory.view(TARGET + 3, 0x2000), pattern(0x2000));
  assert.equal(registers.rsi, BigInt(TARGET - 1));
});

for (const [name, bytes] of [
  ["stosb", 1],
  ["stosw", 2],
  ["stosd", 4],
  ["stosq", 8],
] as const) {
  test(`rep ${name} fills with the pattern`, async () => {
    const cpu = await longMode();
    cpu.load(new Uint8Array(0x4000), TARGET);
    const { registers } = await cpu.run(`rep ${name}`, {
      rax: 0x8877665544332211n,
      rdi: BigInt(TARGET + 5),
      rcx: BigInt(0x2000 / bytes + 1),
    });
    const element = [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88].slice(0, bytes);
    const expected = new Uint8Array(0x4000);
    for (let at = 0; at < 0x2000 + bytes; at++) expected[5 + at] = element[at % bytes]!;
    assert.deepEqual(cpu.memory.view(TARGET, 0x4000), expected);
    assert.equal(registers.rdi, BigInt(TARGET + 5 + 0x2000 + bytes));
  });
}

test("rep with a count of 0 does nothing, not even touch memory", async () => {
  const cpu = await longMode();
  for (const name of ["movsb", "stosq", "lodsd", "cmpsw", "scasb"]) {
    const { fault, registers } = await cpu.run(`rep ${name}`, { rsi: 1n << 40n, rdi: 1n << 40n, rflags: 0x8d7n });
    assert.equal(fault, null, name);
    assert.equal(registers.rdi, 1n << 40n, name);
    assert.equal(registers.rflags & 0x8d5n, 0x8d5n, name);
  }
});

test("repe cmpsb stops behind the first difference, with its flags", async () => {
  const cpu = await longMode();
  cpu.load(pattern(0x3000), SOURCE);
  cpu.load(pattern(0x3000), TARGET);
  cpu.load(Uint8Array.of(0xff), TARGET + 0x1800);
  const { registers } = await cpu.run("repe cmpsb", {
    rsi: BigInt(SOURCE),
    rdi: BigInt(TARGET),
    rcx: 0x3000n,
  });
  assert.equal(registers.rcx, BigInt(0x3000 - 0x1801));
  assert.equal(registers.rsi, BigInt(SOURCE + 0x1801));
  // 0x1800 % 251 = 0x78 against 0xff: below, and 0x79 is positive.
  assert.equal(registers.rflags & 0x8c1n, 0x01n);
});

test("repne scasb finds a string's end", async () => {
  const cpu = await longMode();
  cpu.load(new Uint8Array(0x2000).fill(0x41), TARGET);
  cpu.load(Uint8Array.of(0), TARGET + 0x1234);
  const { registers } = await cpu.run("repne scasb; not rcx", { rdi: BigInt(TARGET), rcx: 0xffff_ffff_ffff_ffffn });
  assert.equal(registers.rcx, 0x1235n);
  assert.equal(registers.rflags & 0x40n, 0x40n);
});

test("rep lodsb leaves the last element", async () => {
  const cpu = await longMode();
  cpu.load(pattern(0x2000), SOURCE);
  const { registers } = await cpu.run("rep lodsb", { rsi: BigInt(SOURCE), rcx: 0x1000n, rax: 0x1234n });
  assert.equal(registers.rax, 0x1200n | BigInt(0xfff % 251));
});

test("a repetition that faults can be resumed: registers say what is done", async () => {
  const cpu = await longMode();
  // 4 KiB pages for the second 2 MiB: two of them, then none.
  const table = 0x10000;
  cpu.memory.write64(pageTables + 0x2000 + 8, BigInt(table) | 7n);
  cpu.memory.write64(table, BigInt(TARGET) | 7n);
  cpu.memory.write64(table + 8, BigInt(TARGET + 0x1000) | 7n);
  cpu.load(pattern(0x3000), SOURCE);
  const { fault, registers } = await cpu.run("nop; rep movsw", {
    rsi: BigInt(SOURCE),
    rdi: 0x200001n,
    rcx: 0x1800n,
  });
  assert.equal(fault?.vector, 14);
  assert.equal(fault?.errorCode, 2);
  assert.equal(fault?.rip, BigInt(code + 1));
  // The element that lies half on the absent page is not written at all.
  assert.equal(fault?.address, 0x202000n);
  assert.equal(registers.rcx, BigInt(0x1800 - 0xfff));
  assert.equal(registers.rdi, 0x201fffn);
  assert.equal(registers.rsi, BigInt(SOURCE + 0x1ffe));
  assert.deepEqual(cpu.memory.view(TARGET + 1, 0x1ffe), pattern(0x1ffe));
});

test("a comparison that faults keeps the flags from before", async () => {
  const cpu = await longMode();
  const table = 0x10000;
  cpu.memory.write64(pageTables + 0x2000 + 8, BigInt(table) | 7n);
  cpu.memory.write64(table, BigInt(TARGET) | 7n);
  cpu.load(new Uint8Array(0x1000), TARGET);
  const { fault, registers } = await cpu.run("repe scasb", {
    rdi: 0x200000n,
    rcx: 0x2000n,
    rflags: 0x2n | 0x891n,
  });
  assert.equal(fault?.vector, 14);
  assert.equal(registers.rcx, 0x1000n);
  assert.equal(registers.rflags & 0x8d5n, 0x891n);
});

test("a long repetition stops for the budget and goes on", async () => {
  const cpu = await longMode();
  cpu.load(pattern(0x8000), SOURCE);
  const state = cpu.initialState();
  state.gpr[1] = 0x8000n;
  state.gpr[6] = BigInt(SOURCE);
  state.gpr[7] = BigInt(TARGET);
  cpu.load("rep movsb; hlt");
  cpu.vcpu.setState(state);
  let slices = 0;
  while ((await cpu.vcpu.run({ instructions: 1 })).reason === "budget") assert.ok(++slices < 0x8000);
  assert.deepEqual(cpu.memory.view(TARGET, 0x8000), pattern(0x8000));
});

test("with the trap flag, each iteration of a repetition traps", async () => {
  const cpu = await longMode();
  const { fault, registers } = await cpu.run("rep stosb", { rdi: BigInt(TARGET), rcx: 9n, rflags: 0x102n });
  assert.equal(fault?.vector, 1);
  assert.equal(fault?.rip, BigInt(code));
  assert.equal(registers.rcx, 8n);
});

test("a 32-bit address size uses and clears to 32 bits", async () => {
  const cpu = await longMode();
  cpu.load(pattern(16), SOURCE);
  const { registers } = await cpu.run("addr32 rep movsb", {
    rsi: 0x1_0000_0000n + BigInt(SOURCE),
    rdi: 0x1_0000_0000n + BigInt(TARGET),
    rcx: 0x5_0000_0004n,
  });
  assert.equal(registers.rsi, BigInt(SOURCE + 4));
  assert.equal(registers.rdi, BigInt(TARGET + 4));
  assert.equal(registers.rcx, 0n);
  assert.deepEqual(cpu.memory.view(TARGET, 4), pattern(4));
});

test("the source's segment may be overridden, the destination's is ES", async () => {
  const cpu = new TestCpu({ accelerator: await testInterpreter(), mode: "real" });
  cpu.load(pattern(16), 0x23456);
  cpu.load(new Uint8Array(16), 0x34560);
  await cpu.run(
    "mov ax, 0x2000; mov fs, ax; mov ax, 0x3000; mov es, ax; mov si, 0x3456; mov di, 0x4560; mov cx, 8; rep movsw word ptr es:[di], fs:[si]",
  );
  assert.deepEqual(cpu.memory.view(0x34560, 16), pattern(16));
});

test("16-bit indices wrap inside the segment", async () => {
  const cpu = new TestCpu({ accelerator: await testInterpreter(), mode: "real" });
  const { registers } = await cpu.run("mov ax, 0x3000; mov es, ax; mov di, 0xfffc; mov al, 0x55; mov cx, 8; rep stosb");
  assert.equal(registers.rdi, 4n);
  assert.deepEqual(cpu.memory.view(0x3fffc, 4), new Uint8Array(4).fill(0x55));
  assert.deepEqual(cpu.memory.view(0x30000, 4), new Uint8Array(4).fill(0x55));
});

test("an element past the segment's limit faults where it is", async () => {
  const cpu = new TestCpu({ accelerator: await testInterpreter(), mode: "protected" });
  const { fault, registers } = await cpu.run("rep stosd", { rdi: BigInt(data), rcx: 100n }, (state) => {
    state.segments.es = { ...state.segments.es, limit: data + 41 };
  });
  assert.deepEqual([fault?.vector, fault?.errorCode], [13, 0]);
  assert.equal(registers.rcx, 90n);
  assert.equal(registers.rdi, BigInt(data + 40));
});

test("ROM swallows a string's stores", async () => {
  const cpu = await longMode();
  const { memory } = cpu;
  const [ram] = memory.slots;
  memory.setSlots([ram!, { gpa: 0x1000000, size: 0x1000, offset: ram!.offset + 0x50000, readonly: true }]);
  const { fault, registers } = await cpu.run("mov byte ptr [0x50000], 9; rep stosb", {
    rdi: 0x1000000n,
    rcx: 16n,
    rax: 1n,
  });
  assert.equal(fault, null);
  assert.equal(registers.rcx, 0n);
  assert.equal(memory.view(0x50000, 1)[0], 9);
});

for (const mode of ["real", "protected16", "protected", "compatibility"] satisfies TestMode[]) {
  test(`${mode}: rep movsb copies`, async () => {
    const cpu = new TestCpu({ accelerator: await testInterpreter(), mode });
    cpu.load(pattern(0x400), data + 0x1000);
    cpu.load(new Uint8Array(0x400), data);
    const { registers } = await cpu.run("cld; rep movsb", {
      rsi: BigInt(data + 0x1000),
      rdi: BigInt(data),
      rcx: 0x400n,
    });
    assert.equal(registers.rcx, 0n);
    assert.deepEqual(cpu.memory.view(data, 0x400), pattern(0x400));
  });
}
