// FXSAVE, XSAVE and their relatives, MXCSR, and when x87 raises what. Intel SDM Vol. 1, 10.5 and 13; Vol. 3A, 2.5.
import assert from "node:assert/strict";
import { test } from "node:test";
import { testInterpreter } from "../../test-support/interpreter.js";
import { TEST_LAYOUT, TestCpu, type TestRun } from "../../test-support/test-cpu.js";
import type { VcpuState } from "../../vcpu/state.js";

const AREA = TEST_LAYOUT.data;
const UD = 6;
const NM = 7;
const GP = 13;
const PF = 14;
const MF = 16;
const CR0_EM = 4n;
const CR0_TS = 8n;
const CR4_OSXSAVE = 1n << 18n;

const cpu = new TestCpu({ accelerator: await testInterpreter(), mode: "long" });

/** The area's address is in RSI, the components in EDX:EAX. */
function run(code: string, prepare: (state: VcpuState) => void = () => {}, area = AREA, mask = 3n): Promise<TestRun> {
  return cpu.run(code, { rsi: BigInt(area), rax: mask, rdx: 0n }, prepare);
}

function clear(area = AREA, byte = 0): void {
  cpu.memory.write(area, new Uint8Array(1024).fill(byte));
}

const withXsave = (state: VcpuState): void => {
  state.cr4 |= CR4_OSXSAVE;
  state.xcr0 = 3n;
  state.fpu.vectors[2] = "0123456789abcdef0011223344556677".padEnd(64, "0");
};

test("FXSAVE writes registers from the top of the stack, and the reserved bytes beside them as zeros", async () => {
  clear(AREA, 0xcc);
  const { fault } = await run("fninit; fld1; fldpi; fxsave64 [rsi]");
  assert.equal(fault, null);
  assert.equal(cpu.memory.read16(AREA), 0x37f);
  assert.equal(cpu.memory.read16(AREA + 2), 6 << 11);
  assert.equal(cpu.memory.read16(AREA + 4), 0xc0, "abridged tags of R7 and R6");
  assert.equal(cpu.memory.read64(AREA + 8), 0n, "no instruction pointer without a pending exception");
  assert.equal(cpu.memory.read32(AREA + 24), 0x1f80);
  assert.equal(cpu.memory.read32(AREA + 28), 0xffff);
  assert.equal(cpu.memory.read64(AREA + 32), 0xc90fdaa22168c235n);
  assert.equal(cpu.memory.read64(AREA + 40), 0x4000n);
  assert.equal(cpu.memory.read64(AREA + 48), 0x8000000000000000n);
  assert.equal(cpu.memory.read64(AREA + 56), 0x3fffn);
  assert.equal(cpu.memory.read32(AREA + 416), 0xcccccccc, "the rest is the program's");
});

test("FXRSTOR brings back what FXSAVE wrote", async () => {
  clear();
  const { state, fault } = await run(`
    fninit; fldpi; fldl2e; mov rax, 0x1234567; movq xmm5, rax; fxsave64 [rsi]
    fninit; pxor xmm5, xmm5; fxrstor64 [rsi]`);
  assert.equal(fault, null);
  assert.equal(state.fpu.fsw, 6 << 11);
  assert.equal(state.fpu.registers[7]!.significand, 0xc90fdaa22168c235n);
  assert.equal(state.fpu.registers[6]!.significand, 0xb8aa3b295c17f0bcn);
  assert.equal(state.fpu.vectors[5]!.slice(0, 16), "6745230100000000");
});

test("an area that crosses pages works as any other, and a fault in its second page changes nothing", async () => {
  const area = 0x1fff00;
  const last = 0x200000 - 0x100;
  assert.equal(area, last);
  const small = new TestCpu({ accelerator: await testInterpreter(), mode: "long", ramSize: 0x400000 });
  const code = "fninit; fldpi; fxsave64 [rsi]; fninit; fxrstor64 [rsi]";
  const whole = await small.run(code, { rsi: BigInt(area) });
  assert.equal(whole.fault, null);
  assert.equal(whole.state.fpu.registers[7]!.significand, 0xc90fdaa22168c235n);
  // The second large page is not there.
  small.memory.write(area, new Uint8Array(0x100).fill(0xee));
  small.memory.write64(TEST_LAYOUT.pageTables + 0x2008, 0n);
  const cut = await small.run("fninit; fldpi; fxsave64 [rsi]", { rsi: BigInt(area) });
  assert.equal(cut.fault?.vector, PF);
  assert.equal(cut.fault?.address, 0x200000n);
  assert.equal(small.memory.read64(area), 0xeeeeeeeeeeeeeeeen);
  small.close();
});

test("areas have an alignment, MXCSR has reserved bits", async () => {
  clear();
  assert.equal((await run("fxsave [rsi + 8]")).fault?.vector, GP);
  assert.equal((await run("xsave [rsi + 16]", withXsave)).fault?.vector, GP);
  cpu.memory.write32(AREA, 0x40000);
  assert.equal((await run("ldmxcsr [rsi]")).fault?.vector, GP);
  clear();
  cpu.memory.write32(AREA + 24, 0x80000000);
  const { fault, state } = await run("fninit; fldpi; fxrstor [rsi]");
  assert.equal(fault?.vector, GP);
  assert.equal(state.fpu.registers[7]!.significand, 0xc90fdaa22168c235n, "nothing was loaded");
});

test("CR0.TS, CR0.EM and CR4.OSXSAVE decide who may", async () => {
  clear();
  const set = (bits: bigint) => (state: VcpuState) => {
    state.cr0 |= bits;
  };
  for (const code of ["fld1", "fnstsw ax", "fxsave [rsi]", "fxrstor [rsi]"]) {
    assert.equal((await run(code, set(CR0_TS))).fault?.vector, NM, code);
    assert.equal((await run(code, set(CR0_EM))).fault?.vector, NM, code);
  }
  assert.equal((await run("emms", set(CR0_EM))).fault?.vector, UD);
  assert.equal((await run("fwait", set(CR0_TS))).fault?.vector, NM, "CR0.MP is set");
  assert.equal((await run("fwait", set(CR0_EM))).fault, null);
  assert.equal((await run("xsave [rsi]")).fault?.vector, UD);
});

test("an unmasked exception waits for the next waiting instruction", async () => {
  // Divide 1 by 0 with ZE unmasked.
  const raise = "fninit; mov word ptr [rsi], 0x37b; fldcw [rsi]; fld1; fldz; fdivp;";
  assert.equal((await run(raise)).fault, null);
  assert.equal((await run(`${raise} fld1`)).fault?.vector, MF);
  assert.equal((await run(`${raise} fwait`)).fault?.vector, MF);
  assert.equal((await run(`${raise} emms`)).fault?.vector, MF);
  const { registers, fault } = await run(`${raise} fnstsw ax; fnclex; fld1`);
  assert.equal(fault, null);
  assert.equal(registers.rax & 0xffffn, 0xb084n, "ES, B, ZE; TOP is 6: nothing was popped");
});

test("XSAVE tells which components are in use, XRSTOR initializes the others", async () => {
  clear();
  const saved = await run("fninit; xsave64 [rsi]", withXsave);
  assert.equal(saved.fault, null);
  assert.equal(cpu.memory.read64(AREA + 512) & 2n, 2n);
  assert.equal(cpu.memory.read64(AREA + 160 + 32), 0xefcdab8967452301n);
  cpu.memory.write64(AREA + 512, 0n);
  const { state, fault } = await run("fninit; fld1; xrstor64 [rsi]", withXsave);
  assert.equal(fault, null);
  assert.equal(state.fpu.fsw, 0);
  assert.equal(state.fpu.registers[7]!.significand, 0n);
  assert.match(state.fpu.vectors[2]!, /^0+$/);
});

test("XRSTOR refuses a header that the processor does not know", async () => {
  const spoil: [string, () => void][] = [
    ["a component that XCR0 lacks", () => cpu.memory.write64(AREA + 512, 4n)],
    ["reserved bytes", () => cpu.memory.write64(AREA + 528, 1n)],
    ["XCOMP_BV of no compacted area", () => cpu.memory.write64(AREA + 520, 3n)],
    ["compacted, with a component beyond XCOMP_BV", () => cpu.memory.write64(AREA + 520, 1n << 63n)],
  ];
  for (const [what, change] of spoil) {
    clear();
    cpu.memory.write32(AREA + 24, 0x1f80);
    cpu.memory.write64(AREA + 512, 3n);
    assert.equal((await run("xrstor64 [rsi]", withXsave)).fault, null);
    change();
    assert.equal((await run("xrstor64 [rsi]", withXsave)).fault?.vector, GP, what);
  }
});

test("in real mode an environment holds linear addresses", async () => {
  const real = new TestCpu({ accelerator: await testInterpreter(), mode: "real" });
  const { fault } = await real.run("fninit; fld dword ptr [0xa040]; fnstenv [0xa000]", {}, (state) => {
    state.segments.ds = { ...state.segments.ds, selector: 0x10, base: 0x100n };
  });
  assert.equal(fault, null);
  const words = [0, 1, 2, 3, 4, 5, 6].map((i) => real.memory.read16(0xa100 + 2 * i));
  // The FLD is two bytes into the program and has opcode D9 06.
  assert.deepEqual(words, [0x37f, 7 << 11, 0x7fff, TEST_LAYOUT.code + 2, 0x106, 0xa140, 0]);
  real.close();
});
