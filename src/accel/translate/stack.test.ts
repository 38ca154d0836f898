/** Stacks outside 64-bit mode: SS.B = 0 and its wrap-around at 64 KiB, expand-down segments, mixed operand sizes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { testInterpreter } from "../../test-support/interpreter.js";
import { TEST_LAYOUT, TEST_SELECTORS, TestCpu, type TestRun } from "../../test-support/test-cpu.js";

const accelerator = await testInterpreter();

const FREE = TEST_SELECTORS.freeGdt;
/** Writable data, base 0, limit 64 KiB, B = 0; the same with B = 1; expand-down above 4 KiB with B = 0. */
const SMALL = 0x0000_9300_0000_ffffn;
const BIG = 0x0040_9300_0000_ffffn;
const DOWN = 0x0000_9700_0000_0fffn;
const DOWN_BIG = 0x0040_9700_0000_0fffn;

/** Vector and error code: `13(0x18)`, `6`, or `none`. */
function faultOf(run: TestRun): string {
  if (run.fault === null) return run.exit.reason === "halt" ? "none" : run.exit.reason;
  const { vector, errorCode } = run.fault;
  return errorCode === null ? String(vector) : `${vector}(0x${errorCode.toString(16)})`;
}

/** Runs 32-bit code on a stack segment of its own; the code ends on the flat stack, with ESP in EBP. */
async function onStack(descriptor: bigint, esp: number, source: string, cpu?: TestCpu): Promise<[TestRun, TestCpu]> {
  const target = cpu ?? new TestCpu({ accelerator, mode: "protected" });
  target.memory.write64(TEST_LAYOUT.gdt + FREE, descriptor);
  const flat = `mov ebp, esp; mov esp, ${TEST_SELECTORS.data[0]}; mov ss, esp; mov esp, ${TEST_LAYOUT.stackTop}`;
  const run = await target.run(`mov ss, ecx; mov esp, ${esp}; ${source}; ${flat}`, { rcx: BigInt(FREE) });
  return [run, target];
}

test("with SS.B = 0 pushes use SP, wrap at 64 KiB, and leave the upper half of ESP alone", async () => {
  const [pushed, cpu] = await onStack(SMALL, 0x5555_0000, "push 0x11223344");
  assert.equal(faultOf(pushed), "none");
  assert.equal(pushed.registers.rbp, 0x5555_fffcn);
  assert.equal(cpu.memory.read32(0xfffc), 0x11223344);
  cpu.memory.write32(0xfffc, 0x778899aa);
  const [popped] = await onStack(SMALL, 0x5555_fffc, "pop ebx", cpu);
  assert.equal(popped.registers.rbx, 0x778899aan);
  assert.equal(popped.registers.rbp, 0x5555_0000n);
  cpu.close();
});

test("a push that straddles the end of the stack segment is #SS(0)", async () => {
  // The handler runs in ring 0 on the same stack, which has to have room: only the access itself is beyond it.
  const cpu = new TestCpu({ accelerator, mode: "protected", ring: 3 });
  cpu.memory.write64(TEST_LAYOUT.gdt + FREE, SMALL | (3n << 45n));
  const run = await cpu.run("mov ss, ecx; mov esp, 2; push eax", { rcx: BigInt(FREE | 3) });
  assert.equal(faultOf(run), "12(0x0)");
  cpu.close();
});

test("POP SS moves the pointer as the old stack's", async () => {
  const cpu = new TestCpu({ accelerator, mode: "protected" });
  cpu.memory.write64(TEST_LAYOUT.gdt + FREE + 8, BIG);
  cpu.memory.write32(0xfffc, FREE + 8);
  const [run] = await onStack(SMALL, 0x0002_fffc, "pop ss", cpu);
  assert.equal(faultOf(run), "none");
  assert.equal(run.registers.rbp, 0x0002_0000n);
  cpu.close();
});

test("ENTER with 32-bit operands on a 16-bit stack pushes and keeps the whole of ESP", async () => {
  const [run, cpu] = await onStack(SMALL, 0x0001_0000, "mov ebp, 0x1ffec; enter 8, 1; mov ebx, esp; mov edx, ebp");
  assert.equal(faultOf(run), "none");
  assert.equal(run.registers.rbx, 0x1_fff0n);
  assert.equal(run.registers.rdx, 0x1_fffcn);
  assert.equal(cpu.memory.read32(0xfff8), 0x1_fffc);
  cpu.close();
});

test("an expand-down stack lies above its limit, up to 64 KiB or 4 GiB", async () => {
  for (const [descriptor, esp, wanted] of [
    [DOWN, 0x1004, "none"],
    [DOWN, 0x1003, "12(0x0)"],
    [DOWN, 0x1002, "12(0x0)"],
    [DOWN, 0x0000, "none"], // wraps to 0xfffc
    [DOWN_BIG, 0x1004, "none"],
    [DOWN_BIG, 0x1000, "12(0x0)"],
    [DOWN_BIG, 0x20000, "none"],
  ] as const) {
    const cpu = new TestCpu({ accelerator, mode: "protected", ring: 3 });
    cpu.memory.write64(TEST_LAYOUT.gdt + FREE, descriptor | (3n << 45n));
    const run = await cpu.run(`mov ss, ecx; mov esp, ${esp}; push eax`, { rcx: BigInt(FREE | 3) });
    assert.equal(faultOf(run), wanted, `${descriptor.toString(16)} ${esp.toString(16)}`);
    cpu.close();
  }
});

test("ARPL writes only where it raises the RPL", async () => {
  const cpu = new TestCpu({ accelerator, mode: "protected" });
  const readOnly = 0x00cf_9100_0000_ffffn;
  cpu.memory.write64(TEST_LAYOUT.gdt + FREE, readOnly);
  for (const [rpl, wanted] of [
    [2, "none"],
    [1, "13(0x0)"],
  ] as const) {
    cpu.memory.write16(TEST_LAYOUT.data, 0x50 | rpl);
    const run = await cpu.run(`mov ds, ecx; mov ebx, 2; arpl [${TEST_LAYOUT.data}], bx`, { rcx: BigInt(FREE) });
    assert.equal(faultOf(run), wanted);
    if (wanted === "none") assert.equal(run.registers.rflags & 0x40n, 0n);
  }
  cpu.close();
});
