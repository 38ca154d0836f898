// XSAVE's formats with YMM and PKRU: which bytes are written and read, what a header may say. Intel SDM Vol. 1, chapter 13.
import assert from "node:assert/strict";
import { test } from "node:test";
import { testInterpreter } from "../../test-support/interpreter.js";
import { TEST_LAYOUT, TestCpu } from "../../test-support/test-cpu.js";
import type { VcpuState } from "../../vcpu/state.js";

const AREA = TEST_LAYOUT.data;
const UD = 6;
const GP = 13;
const PF = 14;
const XSTATE_BV = AREA + 512;
const XCOMP_BV = AREA + 520;
const COMPACTED = 1n << 63n;
const PKRU = 0x200n;
const FILL = 0xee;

const accelerator = await testInterpreter();
const cpu = new TestCpu({ accelerator, mode: "long", model: "max" });

/** All components, registers of which have something to save. */
const full = (state: VcpuState): void => {
  state.cr4 |= (1n << 18n) | (1n << 22n);
  state.xcr0 = 0x207n;
  state.pkru = 0x55555550;
  const registers = state.fpu.registers.map(() => ({ significand: 0n, signExponent: 0 }));
  Object.assign(state.fpu, { fcw: 0x37f, fsw: 0, ftw: 0xffff, fop: 0, fip: 0n, fdp: 0n, fcs: 0, fds: 0, registers });
  state.fpu.vectors[2] = "11".repeat(16) + "22".repeat(16);
  state.fpu.vectors[9] = "33".repeat(16) + "44".repeat(16);
};
const empty = (state: VcpuState): void => {
  full(state);
  state.pkru = 0;
  state.fpu.vectors = state.fpu.vectors.map(() => "0".repeat(64));
};
const run = (code: string, prepare = full, mask = 0xffffffffn, area = AREA) =>
  cpu.run(code, { rsi: BigInt(area), rax: mask, rdx: mask >> 32n }, prepare);
const fault = async (...parts: Parameters<typeof run>) => (await run(...parts)).fault?.vector;
const clear = (byte = FILL) => {
  cpu.memory.write(AREA, new Uint8Array(4096).fill(byte));
  cpu.memory.write(XSTATE_BV, new Uint8Array(64));
};
/** The last byte that is not what `clear` left. */
const last = () => {
  for (let i = 4095; i >= 0; i--) if (cpu.memory.read8(AREA + i) !== FILL) return i;
  return -1;
};

test("the standard format has YMM's upper halves at 576 and PKRU at the vendor's place", async () => {
  for (const [model, offset] of [
    ["max", 2432],
    ["max,vendor=intel", 2688],
  ] as const) {
    const one = new TestCpu({ accelerator, mode: "long", model });
    one.memory.write(AREA, new Uint8Array(4096));
    const { fault: raised } = await one.run("xsave64 [rsi]", { rsi: BigInt(AREA), rax: 0xffn | PKRU }, full);
    assert.equal(raised, null);
    assert.equal(one.memory.read64(XSTATE_BV), 0x206n, "x87 is as FNINIT leaves it");
    assert.equal(one.memory.read64(XCOMP_BV), 0n);
    assert.equal(one.memory.read64(AREA + 160 + 32), 0x1111111111111111n);
    assert.equal(one.memory.read64(AREA + 576 + 32), 0x2222222222222222n);
    assert.equal(one.memory.read64(AREA + 576 + 144), 0x4444444444444444n);
    assert.equal(one.memory.read64(AREA + offset), 0x55555550n);
    const { registers } = await one.run("mov eax, 0xd; mov ecx, 9; cpuid", {}, full);
    assert.equal(registers.rbx, BigInt(offset), "CPUID says the same");
    one.close();
  }
});

test("XSAVE writes all that is asked for, XSAVEOPT what is in use; both keep other bits of XSTATE_BV", async () => {
  clear();
  cpu.memory.write64(XSTATE_BV, 0x200n);
  assert.equal(await fault("xsave64 [rsi]", empty, 7n), undefined);
  assert.equal(cpu.memory.read64(XSTATE_BV), 0x200n);
  assert.equal(last(), 831);
  clear();
  assert.equal(await fault("xsaveopt64 [rsi]", empty), undefined);
  assert.equal(cpu.memory.read64(XSTATE_BV), 0n);
  assert.equal(cpu.memory.read32(AREA + 160), 0xeeeeeeee);
  assert.equal(cpu.memory.read32(AREA + 24), 0x1f80, "MXCSR goes with SSE and AVX");
  assert.equal(last(), 575);
  clear();
  assert.equal(await fault("xsave64 [rsi]", empty, PKRU), undefined);
  assert.equal(cpu.memory.read32(AREA + 24), 0xeeeeeeee);
});

test("the compacted format leaves out what is not asked for and writes what is in use", async () => {
  clear();
  assert.equal(await fault("xsavec64 [rsi]"), undefined);
  assert.equal(cpu.memory.read64(XSTATE_BV), 0x206n);
  assert.equal(cpu.memory.read64(XCOMP_BV), COMPACTED | 0x207n);
  assert.equal(cpu.memory.read64(AREA + 832), 0x55555550n);
  assert.equal(last(), 839);
  clear();
  assert.equal(await fault("xsaves64 [rsi]", full, PKRU), undefined);
  assert.equal(cpu.memory.read64(XCOMP_BV), COMPACTED | PKRU);
  assert.equal(cpu.memory.read64(AREA + 576), 0x55555550n, "PKRU is the first of the extended region");
  assert.equal(cpu.memory.read32(AREA + 24), 0xeeeeeeee);
  clear();
  const changed = (state: VcpuState) => {
    empty(state);
    state.fpu.mxcsr = 0x1fa0;
  };
  assert.equal(await fault("xsavec64 [rsi]", changed), undefined);
  assert.equal(cpu.memory.read64(XSTATE_BV), 2n, "MXCSR alone is SSE in use");
});

test("XRSTOR and XRSTORS bring back what XSAVE, XSAVEC and XSAVES wrote", async () => {
  const spoil =
    "vpcmpeqd ymm2, ymm2, ymm2; vmovdqa ymm9, ymm2; vmovdqa ymm3, ymm2; push rax; push rdx; xor eax, eax; xor ecx, ecx; xor edx, edx; wrpkru; pop rdx; pop rax;";
  for (const [save, restore] of [
    ["xsave64", "xrstor64"],
    ["xsavec64", "xrstor64"],
    ["xsavec64", "xrstors64"],
    ["xsaves64", "xrstors64"],
  ]) {
    clear();
    const { state, fault: raised } = await run(`${save} [rsi]; ${spoil} ${restore} [rsi]`);
    assert.equal(raised, null, save);
    assert.equal(state.fpu.vectors[2], "11".repeat(16) + "22".repeat(16), save);
    assert.equal(state.fpu.vectors[9], "33".repeat(16) + "44".repeat(16));
    assert.match(state.fpu.vectors[3]!, /^0+$/);
    assert.equal(state.pkru, 0x55555550);
  }
});

test("a component that the header leaves out is initialized", async () => {
  clear(0);
  cpu.memory.write32(AREA + 24, 0x1fa0);
  const { state } = await run("xrstor64 [rsi]", full, 4n | PKRU);
  assert.equal(state.fpu.vectors[2], "11".repeat(16) + "00".repeat(16));
  assert.equal(state.pkru ?? 0, 0);
  assert.equal(state.fpu.mxcsr, 0x1fa0, "MXCSR goes with AVX in the standard format");
  cpu.memory.write64(XCOMP_BV, COMPACTED | 7n);
  const compacted = await run("xrstor64 [rsi]", full, 6n);
  assert.equal(compacted.state.fpu.mxcsr, 0x1f80, "and with SSE in the compacted one");
  assert.match(compacted.state.fpu.vectors[9]!, /^0+$/);
});

test("XRSTOR and XRSTORS refuse headers that do not fit", async () => {
  const header = (present: bigint, layout: bigint) => {
    clear(0);
    cpu.memory.write32(AREA + 24, 0x1f80);
    cpu.memory.write64(XSTATE_BV, present);
    cpu.memory.write64(XCOMP_BV, layout);
  };
  header(0x207n, COMPACTED | 0x207n);
  assert.equal(await fault("xrstor64 [rsi]"), undefined);
  assert.equal(await fault("xrstors64 [rsi]"), undefined);
  header(0x207n, 0n);
  assert.equal(await fault("xrstor64 [rsi]"), undefined);
  assert.equal(await fault("xrstors64 [rsi]"), GP, "the standard format");
  for (const [present, layout] of [
    [0x8n, 0n],
    [0x207n, 7n],
    [0x200n, COMPACTED | 7n],
    [7n, COMPACTED | 0xfn],
  ] as const) {
    header(present, layout);
    assert.equal(await fault("xrstor64 [rsi]"), GP, `XSTATE_BV ${present}, XCOMP_BV ${layout}`);
  }
  header(7n, COMPACTED | 7n);
  cpu.memory.write64(XCOMP_BV + 48, 1n);
  assert.equal(await fault("xrstor64 [rsi]"), GP, "reserved bytes");
  const without = new TestCpu({ accelerator, mode: "long", model: "max,-xsavec" });
  without.memory.write(AREA, new Uint8Array(1024));
  without.memory.write64(XCOMP_BV, COMPACTED);
  const raised = await without.run("xrstor64 [rsi]", { rsi: BigInt(AREA), rax: 7n }, full);
  assert.equal(raised.fault?.vector, GP, "a compacted area on a CPU without XSAVEC");
  without.close();
});

test("XSAVES and XRSTORS are for ring 0", async () => {
  const user = new TestCpu({ accelerator, mode: "long", ring: 3, model: "max" });
  for (const code of ["xsaves64 [rsi]", "xrstors64 [rsi]"]) {
    const { fault: raised } = await user.run(code, { rsi: BigInt(AREA), rax: 7n }, full);
    assert.equal(raised?.vector, GP, code);
  }
  user.close();
});

test("XSETBV takes x87 always, AVX with SSE only, and nothing that the model lacks", async () => {
  const set = (value: number, prepare = full) =>
    fault(`mov eax, ${value}; xor edx, edx; xor ecx, ecx; xsetbv`, prepare);
  for (const value of [1, 3, 7, 0x203, 0x207, 0x201]) assert.equal(await set(value), undefined, `${value}`);
  for (const value of [0, 2, 6, 5, 0x205, 0x8007, 0xf]) assert.equal(await set(value), GP, `${value}`);
  const small = new TestCpu({ accelerator, mode: "long", model: "default" });
  const plain = (state: VcpuState) => {
    state.cr4 |= 1n << 18n;
  };
  const raised = await small.run("mov eax, 7; xor edx, edx; xor ecx, ecx; xsetbv", {}, plain);
  assert.equal(raised.fault?.vector, GP);
  small.close();
});

test("XGETBV with ECX = 1 tells what is in use", async () => {
  const used = async (code: string, prepare = full) =>
    (await run(`${code}; mov ecx, 1; xgetbv`, prepare)).registers.rax;
  assert.equal(await used("nop"), 0x206n);
  assert.equal(await used("nop", empty), 0n);
  assert.equal(await used("fld1", empty), 1n);
  assert.equal(await used("vpcmpeqd xmm0, xmm0, xmm0", empty), 2n);
  assert.equal(await used("vpcmpeqd ymm0, ymm0, ymm0; vpslldq xmm1, xmm0, 16; vextracti128 xmm0, ymm1, 1", empty), 0n);
  assert.equal(await used("vzeroall", full), PKRU);
  assert.equal(await used("mov dword ptr [rsi], 0x1fa0; ldmxcsr [rsi]", empty), 2n, "MXCSR");
  const without = new TestCpu({ accelerator, mode: "long", model: "max,-xgetbv1" });
  assert.equal((await without.run("mov ecx, 1; xgetbv", {}, full)).fault?.vector, GP);
  without.close();
});

test("CPUID leaf D gives sizes for what is enabled, in both formats", async () => {
  const leaf = async (subleaf: number, xcr0: bigint) => {
    const { registers } = await run(`mov eax, 0xd; mov ecx, ${subleaf}; cpuid`, (state) => {
      full(state);
      state.xcr0 = xcr0;
    });
    return [registers.rax, registers.rbx, registers.rcx].map(Number);
  };
  assert.deepEqual(await leaf(0, 1n), [0x207, 576, 2440]);
  assert.deepEqual(await leaf(0, 7n), [0x207, 832, 2440]);
  assert.deepEqual(await leaf(0, 0x207n), [0x207, 2440, 2440]);
  assert.deepEqual((await leaf(1, 3n)).slice(1), [576, 0]);
  assert.deepEqual((await leaf(1, 0x203n)).slice(1), [584, 0]);
  assert.deepEqual((await leaf(1, 0x207n)).slice(1), [840, 0]);
  assert.deepEqual(await leaf(2, 7n), [256, 576, 0]);
});

test("a restore reads no further than its header asks for", async () => {
  const small = new TestCpu({ accelerator, mode: "long", model: "max", ramSize: 0x400000 });
  const area = 0x200000 - 576;
  small.memory.write(area, new Uint8Array(576));
  small.memory.write32(area + 24, 0x1f80);
  small.memory.write64(TEST_LAYOUT.pageTables + 0x2008, 0n);
  const ask = (code: string) => small.run(code, { rsi: BigInt(area), rax: 0x207n }, full);
  assert.equal((await ask("xrstor64 [rsi]")).fault, null);
  small.memory.write64(area + 512, 4n);
  const { fault: raised, state } = await ask("xrstor64 [rsi]");
  assert.equal(raised?.vector, PF);
  assert.equal(raised?.address, 0x200000n);
  assert.equal(state.fpu.vectors[2], "11".repeat(16) + "22".repeat(16), "nothing was loaded");
  small.close();
});

test("without OSXSAVE the family is undefined", async () => {
  for (const code of ["xsave64 [rsi]", "xsavec64 [rsi]", "xsaves64 [rsi]", "xrstors64 [rsi]", "xgetbv", "xsetbv"]) {
    const { fault: raised } = await run(code, (state) => {
      full(state);
      state.cr4 &= ~(1n << 18n);
    });
    assert.equal(raised?.vector, UD, code);
  }
});
