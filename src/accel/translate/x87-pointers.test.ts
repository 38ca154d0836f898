// The pointers to the last x87 instruction and operand, and its opcode: who stores them, when, and where they lie in each
// format. Intel SDM vol. 1, 8.1.8-8.1.10; AMD APM vol. 2, 11.4. AMD's rules as a Zen 3 shows them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { testInterpreter } from "../../test-support/interpreter.js";
import { TEST_LAYOUT, TestCpu, type TestMode } from "../../test-support/test-cpu.js";

const { code, data } = TEST_LAYOUT;
const AREA = data;
const OPERAND = data + 0x200;
const KEEP = data + 0x300;
/** FLD m64: DD /0; 11 bits of opcode are 5 and the ModRM byte. */
const FLD = 0x500;

async function cpuOf(mode: TestMode, model: string): Promise<TestCpu> {
  const cpu = new TestCpu({ accelerator: await testInterpreter(), mode, model });
  cpu.memory.write64(OPERAND, 0x3ff0_0000_0000_0000n);
  cpu.memory.write16(KEEP, 0x37f & ~4);
  return cpu;
}

const LOAD = `fninit; fld qword ptr [${OPERAND}]`;
/** Where the FLD is. */
const FIP = code + 2;
// Division by zero, unmasked: left pending.
const DIVIDE = `fninit; fldcw [${KEEP}]; fldz; fdivr qword ptr [${OPERAND}]`;

test("FXSAVE has the pointers always on Intel's processors, on AMD's while an exception is pending", async () => {
  for (const vendor of ["intel", "amd"]) {
    const cpu = await cpuOf("protected", `max,vendor=${vendor}`);
    assert.equal((await cpu.run(`${LOAD}; fxsave [${AREA}]`)).fault, null);
    const always = vendor === "intel";
    assert.equal(cpu.memory.read16(AREA + 6) & 0x700, always ? FLD : 0);
    assert.equal(cpu.memory.read32(AREA + 8), always ? FIP : 0);
    assert.equal(cpu.memory.read32(AREA + 16), always ? OPERAND : 0);
    await cpu.run(`${DIVIDE}; fxsave [${AREA}]; fnclex`);
    assert.equal(cpu.memory.read16(AREA + 6) & 0x738, 0x438, "DC /7");
    assert.notEqual(cpu.memory.read16(AREA + 12), 0, "FCS");
    assert.equal(cpu.memory.read32(AREA + 16), OPERAND);
  }
});

test("FNSTENV has the pointers on both; control instructions leave them alone", async () => {
  for (const vendor of ["intel", "amd"]) {
    const cpu = await cpuOf("protected", `max,vendor=${vendor}`);
    await cpu.run(`${LOAD}; fldcw [${KEEP}]; fnstsw ax; fnclex; fnstenv [${AREA}]`);
    assert.equal(cpu.memory.read32(AREA + 12), FIP);
    assert.equal((cpu.memory.read32(AREA + 16) >>> 16) & 0x700, FLD);
    assert.equal(cpu.memory.read32(AREA + 20), OPERAND);
  }
});

test("an instruction without an operand in memory leaves FDP", async () => {
  const cpu = await cpuOf("long", "max");
  await cpu.run(`${LOAD.replace("[", "[ds:")}; fld1; fnstenv [${AREA}]`);
  assert.equal(cpu.memory.read32(AREA + 20), OPERAND);
  assert.notEqual(cpu.memory.read32(AREA + 12), FIP);
});

test("where the model says so, FDP is of the last unmasked exception only", async () => {
  const cpu = await cpuOf("protected", "max,vendor=intel,+fdp_excptn_only");
  await cpu.run(`${LOAD}; fnstenv [${AREA}]`);
  assert.equal(cpu.memory.read32(AREA + 12), FIP, "FIP is kept");
  assert.equal(cpu.memory.read32(AREA + 20), 0);
  await cpu.run(`${DIVIDE}; fnstenv [${AREA}]; fnclex`);
  assert.equal(cpu.memory.read32(AREA + 20), OPERAND);
});

test("where the model says so, FCS and FDS are stored as zeros", async () => {
  const cpu = await cpuOf("protected", "max,vendor=intel,+zero_fcs_fds");
  await cpu.run(`${LOAD}; fnstenv [${AREA}]; fxsave [${AREA + 0x80}]`);
  assert.equal(cpu.memory.read32(AREA + 12), FIP);
  assert.equal(cpu.memory.read16(AREA + 16), 0);
  assert.equal(cpu.memory.read16(AREA + 24), 0);
  assert.equal(cpu.memory.read32(AREA + 0x80 + 12), 0);
  assert.equal(cpu.memory.read32(AREA + 0x80 + 20), 0);
});

test("FXRSTOR loads the pointers, 32 bits and selectors or 64 bits", async () => {
  const cpu = await cpuOf("long", "max,vendor=intel");
  const from = `mov word ptr [ebx + 6], 0x123; mov dword ptr [ebx + 8], 0x11112222; mov dword ptr [ebx + 12], 0x3333`;
  await cpu.run(`mov ebx, ${AREA}; fxsave64 [rbx]; ${from}; fxrstor64 [rbx]; fxsave64 [rbx + 512]`);
  assert.equal(cpu.memory.read64(AREA + 512 + 8), 0x3333_1111_2222n);
  await cpu.run(`mov ebx, ${AREA}; fxsave [rbx]; ${from}; fxrstor [rbx]; fxsave64 [rbx + 512]`);
  assert.equal(cpu.memory.read64(AREA + 512 + 8), 0x1111_2222n);
  assert.equal(cpu.memory.read16(AREA + 512 + 6), 0x123);
});

test("FNSAVE: 108 bytes, or 94 with 16-bit operands, then an initialized unit", async () => {
  for (const [text, header] of [
    [`fnsave [${AREA}]`, 28],
    [`.byte 0x66; fnsave [${AREA}]`, 14],
  ] as const) {
    const cpu = await cpuOf("protected", "max");
    cpu.memory.fill(AREA, 0x100, 0xcc);
    const { state } = await cpu.run(`${LOAD}; ${text}`);
    assert.equal(cpu.memory.read16(AREA), 0x37f);
    assert.equal(cpu.memory.read64(AREA + header), 0x8000_0000_0000_0000n);
    assert.equal(cpu.memory.read16(AREA + header + 8), 0x3fff);
    assert.equal(cpu.memory.read8(AREA + header + 80), 0xcc);
    if (header === 28) assert.equal(cpu.memory.read32(AREA + 20), OPERAND);
    else assert.equal(cpu.memory.read16(AREA + 10), OPERAND & 0xffff);
    assert.equal(state.fpu.ftw, 0xffff);
    assert.equal(state.fpu.fip, 0n);
  }
});
