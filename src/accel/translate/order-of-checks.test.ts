// Which of two faults an instruction has, and prefixes that mean different things to AMD and Intel: what the comparison with
// a processor (test/cpu) found. AMD's side is what a Zen 3 does.
import assert from "node:assert/strict";
import { test } from "node:test";
import { testInterpreter } from "../../test-support/interpreter.js";
import { TEST_LAYOUT, TestCpu, type TestMode } from "../../test-support/test-cpu.js";
import type { VcpuState } from "../../vcpu/state.js";

const { data } = TEST_LAYOUT;
const UD = 6;
const GP = 13;
const PF = 14;
const CR0_AM = 1n << 18n;
const CR4_OSXSAVE = 1n << 18n;
const ZF = 0x40n;
const AC = 1n << 18n;

async function cpuOf(mode: TestMode, vendor: "amd" | "intel", ring: 0 | 3 = 0): Promise<TestCpu> {
  return new TestCpu({ accelerator: await testInterpreter(), mode, ring, model: `max,vendor=${vendor}` });
}

const withAvx = (state: VcpuState): void => {
  state.cr4 |= CR4_OSXSAVE;
  state.xcr0 = 7n;
};

const SYSEXIT = ".byte 0x0f, 0x35";

test("AMD's SYSEXIT in long mode: #GP outside ring 0, else #UD", async () => {
  assert.equal((await (await cpuOf("long", "amd", 3)).run(SYSEXIT)).fault?.vector, GP);
  assert.equal((await (await cpuOf("long", "amd", 0)).run(SYSEXIT)).fault?.vector, UD);
});

test("a REP prefix makes LOOPNE a LOOPE on AMD's processors, REPNE the other way round", async () => {
  // The branch skips an INC.
  for (const [bytes, vendor, zero, taken] of [
    ["0xf3, 0xe0, 2", "amd", 0n, false],
    ["0xf3, 0xe0, 2", "amd", ZF, true],
    ["0xf2, 0xe1, 2", "amd", 0n, true],
    ["0xf3, 0xe0, 2", "intel", 0n, true],
    ["0xf2, 0xe1, 2", "intel", 0n, false],
    ["0xf3, 0xe2, 2", "amd", 0n, true],
  ] as const) {
    const cpu = await cpuOf("long", vendor);
    const { registers } = await cpu.run(`.byte ${bytes}; inc eax`, { rax: 0n, rcx: 9n, rflags: 2n | zero });
    assert.equal(registers.rax, taken ? 0n : 1n, `${bytes} ${vendor}`);
  }
});

test("REX.W widens far pointers in memory on Intel's processors only", async () => {
  for (const [vendor, expected] of [
    ["amd", 0x1122_3344n],
    ["intel", 0x5566_0000_1122_3344n],
  ] as const) {
    const cpu = await cpuOf("long", vendor);
    cpu.memory.write64(data, 0x5566_0000_1122_3344n);
    cpu.memory.write64(data + 8, 0n);
    const { registers, fault } = await cpu.run(".byte 0x48, 0x0f, 0xb4, 0x03", { rbx: BigInt(data) }); // lfs rax, [rbx]
    assert.equal(fault, null);
    assert.equal(registers.rax, expected);
  }
});

test("on AMD's processors a far CALL with REX.W reads a 32-bit offset and pushes 64 bits", async () => {
  const cpu = await cpuOf("long", "amd");
  const code = `
    lea rax, [rip + target]
    mov [rbx], eax
    mov word ptr [rbx + 4], cs
    mov rcx, rsp
    .byte 0x48, 0xff, 0x1b # call far [rbx]
  target:
    sub rcx, rsp
    pop rdx
    pop rsi
    mov edi, cs`;
  const { registers, fault } = await cpu.run(code, { rbx: BigInt(data) });
  assert.equal(fault, null);
  assert.equal(registers.rcx, 16n);
  assert.deepEqual([registers.rdx, registers.rsi], [registers.rax, registers.rdi]);
});

test("LES reads two operands: the selector may lie past the limit's end, at offset 0", async () => {
  const cpu = await cpuOf("protected", "amd");
  const { registers, fault } = await cpu.run("les eax, [0xfffffffc]");
  assert.equal(fault, null);
  assert.equal(registers.rax, 0xffff_ffffn, "nothing is there");
});

test("an x87 store that an unmasked exception stops is checked for alignment nevertheless", async () => {
  const cpu = await cpuOf("long", "amd", 3);
  cpu.memory.write16(data + 0x20, 0x37e);
  const before = { rdi: BigInt(data), rflags: 2n | AC };
  const { fault } = await cpu.run("fninit; fldcw [rdi + 0x20]; fistp dword ptr [rdi + 1]", before, (state) => {
    state.cr0 |= CR0_AM;
  });
  assert.equal(fault?.vector, 17);
});

test("an SSE operand's alignment is looked at before its segment's limit", async () => {
  const cpu = await cpuOf("protected", "amd");
  const { fault } = await cpu.run("movaps xmm0, ss:[0xfffffff9]");
  assert.equal(fault?.vector, GP);
});

test("where both operands of CMPS fault, the destination's address is reported", async () => {
  const cpu = await cpuOf("long", "amd");
  const { fault } = await cpu.run("cmpsb", { rsi: 0x7000_0000_0000n, rdi: 0x6000_0000_0000n });
  assert.equal(fault?.vector, PF);
  assert.equal(fault.address, 0x6000_0000_0000n);
});

test("what is not canonical is #GP before #AC", async () => {
  const cpu = await cpuOf("long", "amd", 3);
  const { fault } = await cpu.run("movups [rdi], xmm0", { rdi: 0x5000_0000_0000_0001n, rflags: 2n | AC }, (state) => {
    state.cr0 |= CR0_AM;
  });
  assert.equal(fault?.vector, GP);
});

test("VEX.W outside 64-bit mode: AMD has no VPEXTRQ there, to Intel it is VPEXTRD", async () => {
  const vpextrq = ".byte 0xc4, 0xe3, 0xf9, 0x16, 0xc0, 0"; // vpextrq eax, xmm0, 0
  assert.equal((await (await cpuOf("protected", "amd")).run(vpextrq, {}, withAvx)).fault?.vector, UD);
  assert.equal((await (await cpuOf("protected", "intel")).run(vpextrq, {}, withAvx)).fault, null);
});

test("AMD's processors take no notice of VEX.W in VPERMQ", async () => {
  const vpermq = ".byte 0xc4, 0xe3, 0x7d, 0, 0xc0, 0"; // vpermq ymm0, ymm0, 0 without W
  assert.equal((await (await cpuOf("long", "amd")).run(vpermq, {}, withAvx)).fault, null);
  assert.equal((await (await cpuOf("long", "intel")).run(vpermq, {}, withAvx)).fault?.vector, UD);
});
