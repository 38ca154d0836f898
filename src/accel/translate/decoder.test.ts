// What prefixes do to instructions. test/cpu/decoder holds the whole decoder against another; each test here is a
// difference that it found.
import assert from "node:assert/strict";
import { test } from "node:test";
import { testInterpreter } from "../../test-support/interpreter.js";
import { TestCpu, type TestMode, type TestRegisters } from "../../test-support/test-cpu.js";
import type { VcpuState } from "../../vcpu/state.js";

const accelerator = await testInterpreter();
const UD = 6;
const OSXSAVE = 1n << 18n;

async function run(
  bytes: number[],
  registers: Partial<TestRegisters> = {},
  options: { model?: string; mode?: TestMode; prepare?: (state: VcpuState) => void } = {},
) {
  const cpu = new TestCpu({ accelerator, model: options.model ?? "max", mode: options.mode ?? "long", ring: 0 });
  const before = cpu.initialState().gpr[4]!;
  const result = await cpu.run(Uint8Array.from(bytes), registers, options.prepare);
  cpu.close();
  return { ...result, pushed: Number(before - result.registers.rsp), vector: result.fault?.vector ?? null };
}

test("REX.W goes before an operand size prefix: pushes and near branches stay 64 bits wide", async () => {
  assert.equal((await run([0x66, 0x9c])).pushed, 2);
  assert.equal((await run([0x66, 0x48, 0x9c])).pushed, 8);
  assert.equal((await run([0x66, 0x48, 0x50])).pushed, 8);
  // JMP to the next instruction, with 32 bits of distance.
  assert.equal((await run([0x66, 0x48, 0xe9, 0, 0, 0, 0])).vector, null);
  // A CALL leaves eight bytes.
  assert.equal((await run([0x66, 0x48, 0xe8, 0, 0, 0, 0])).pushed, 8);
});

test("instructions that take no 66, F2 or F3 are undefined with one", async () => {
  const prepare = (state: VcpuState) => {
    state.cr4 |= OSXSAVE;
  };
  const xgetbv = [0x0f, 0x01, 0xd0];
  assert.equal((await run(xgetbv, { rcx: 0n }, { prepare })).vector, null);
  for (const prefix of [0x66, 0xf2, 0xf3]) {
    assert.equal((await run([prefix, ...xgetbv], { rcx: 0n }, { prepare })).vector, UD);
    assert.equal((await run([prefix, 0x0f, 0x01, 0xca])).vector, UD); // CLAC
    // RDTSCP takes them and does not care.
    assert.equal((await run([prefix, 0x0f, 0x01, 0xf9])).vector, null);
  }
});

test("F3 makes ADOX whether or not 66 stands there; F2 makes nothing", async () => {
  const CF = 1n;
  const OF = 1n << 11n;
  const add = (...prefixes: number[]) =>
    run([...prefixes, 0x0f, 0x38, 0xf6, 0xc1], { rax: 0xffffffffn, rcx: 1n, rflags: 2n });
  const flags = async (...prefixes: number[]) => (await add(...prefixes)).registers.rflags & (CF | OF);
  assert.equal(await flags(0x66), CF);
  assert.equal(await flags(0xf3), OF);
  assert.equal(await flags(0x66, 0xf3), OF);
  assert.equal((await add(0x66, 0xf2)).vector, UD);
  assert.equal((await add(0xf2)).vector, UD);
});

test("INVPCID takes 66 alone", async () => {
  const invpcid = [0x66, 0x0f, 0x38, 0x82, 0x03]; // rax, [rbx]
  assert.equal((await run(invpcid, { rax: 2n, rbx: 0x9000n })).vector, null);
  assert.equal((await run([0xf2, ...invpcid], { rax: 2n, rbx: 0x9000n })).vector, UD);
  assert.equal((await run([0xf3, ...invpcid], { rax: 2n, rbx: 0x9000n })).vector, UD);
});

test("0F 0D without a memory operand is nothing to AMD's processors and a NOP to Intel's", async () => {
  assert.equal((await run([0x0f, 0x0d, 0xc0], {}, { model: "max,vendor=amd" })).vector, UD);
  assert.equal((await run([0x0f, 0x0d, 0xc0], {}, { model: "max,vendor=intel" })).vector, null);
});

test("F3 90 is PAUSE, but with REX.B it exchanges RAX and R8", async () => {
  const { registers } = await run([0xf3, 0x41, 0x90], { rax: 1n, r8: 2n });
  assert.deepEqual([registers.rax, registers.r8], [2n, 1n]);
});

test("a 486 has neither RDMSR nor the hints that are NOPs to later processors", async () => {
  const options = { model: "486", mode: "protected" } as const;
  assert.equal((await run([0x0f, 0x32], { rcx: 0x10n }, options)).vector, UD);
  assert.equal((await run([0x0f, 0x1f, 0xc0], {}, options)).vector, UD);
  assert.equal((await run([0x0f, 0x1f, 0xc0], {}, { ...options, model: "pentium3" })).vector, null);
});
