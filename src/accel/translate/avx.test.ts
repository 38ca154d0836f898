// AVX and AVX2 in a guest: who may use them, what is undefined, faults in the middle. What the instructions compute is
// held against a processor in test/cpu/avx.
import assert from "node:assert/strict";
import { test } from "node:test";
import { testInterpreter } from "../../test-support/interpreter.js";
import { TEST_LAYOUT, TestCpu, type TestMode } from "../../test-support/test-cpu.js";
import type { VcpuState } from "../../vcpu/state.js";

const DATA = TEST_LAYOUT.data;
const UD = 6;
const NM = 7;
const GP = 13;
const PF = 14;
const XM = 19;
const CR0_TS = 8n;
const CR0_EM = 4n;
const CR4_OSXMMEXCPT = 1n << 10n;
const CR4_OSXSAVE = 1n << 18n;

const accelerator = await testInterpreter();
const make = (mode: TestMode, model = "max", ramSize?: number) => new TestCpu({ accelerator, mode, model, ramSize });
const cpu = make("long");

const enabled = (state: VcpuState): void => {
  state.cr4 |= CR4_OSXSAVE | CR4_OSXMMEXCPT;
  state.xcr0 = 7n;
};
const also =
  (change: (state: VcpuState) => void) =>
  (state: VcpuState): void => {
    enabled(state);
    change(state);
  };
const fault = async (code: string, prepare = enabled, on = cpu) =>
  (await on.run(code, { rsi: BigInt(DATA) }, prepare)).fault?.vector;
const bytes = (...list: number[]) => `.byte ${list.join(",")}`;
const dwords = (hex: string) =>
  Array.from({ length: 8 }, (_, i) =>
    Number.parseInt(hex.slice(i * 8, i * 8 + 8).replace(/(..)(..)(..)(..)/, "$4$3$2$1"), 16),
  );
/** A vector register of a state from its dwords. */
const vector = (...values: number[]) => {
  const buffer = Buffer.alloc(32);
  values.forEach((value, i) => {
    buffer.writeUInt32LE(value >>> 0, i * 4);
  });
  return buffer.toString("hex");
};

test("AVX needs OSXSAVE, SSE and AVX in XCR0, and a clear CR0.TS; CR0.EM and OSFXSR do not matter", async () => {
  const code = "vpaddd ymm0, ymm1, ymm2";
  assert.equal(await fault(code), undefined);
  assert.equal(
    await fault(
      code,
      also((state) => (state.cr4 &= ~CR4_OSXSAVE)),
    ),
    UD,
  );
  assert.equal(
    await fault(
      code,
      also((state) => (state.xcr0 = 3n)),
    ),
    UD,
  );
  assert.equal(
    await fault(
      code,
      also((state) => (state.cr0 |= CR0_TS)),
    ),
    NM,
  );
  assert.equal(
    await fault(
      code,
      also((state) => (state.cr0 |= CR0_EM)),
    ),
    undefined,
  );
  assert.equal(
    await fault(
      "vaddps xmm0, xmm1, xmm2",
      also((state) => (state.cr4 &= ~0x200n)),
    ),
    undefined,
  );
  // XSETBV and CR4 do at run time what the state did above.
  assert.equal(await fault(`mov eax, 3; xor edx, edx; xor ecx, ecx; xsetbv; ${code}`), UD);
  assert.equal(
    await fault(
      `mov eax, 7; xor edx, edx; xor ecx, ecx; xsetbv; ${code}`,
      also((s) => (s.xcr0 = 1n)),
    ),
    undefined,
  );
  assert.equal(await fault(`mov rax, cr4; btr rax, 18; mov cr4, rax; ${code}`), UD);
});

test("a model without a feature has none of its instructions", async () => {
  for (const [feature, code] of [
    ["avx", "vaddps xmm0, xmm1, xmm2"],
    ["avx2", "vpaddd ymm0, ymm1, ymm2"],
    ["avx2", "vbroadcastss xmm0, xmm1"],
    ["fma", "vfmadd132ps xmm0, xmm1, xmm2"],
    ["f16c", "vcvtph2ps xmm0, xmm1"],
    ["aes", "vaesenc xmm0, xmm1, xmm2"],
    ["pclmulqdq", "vpclmulqdq xmm0, xmm1, xmm2, 0"],
  ] as const) {
    const without = make("long", `max,-${feature}`);
    assert.equal(await fault(code), undefined, code);
    assert.equal(await fault(code, enabled, without), UD, `${code} without ${feature}`);
    without.close();
  }
});

test("a legacy or REX prefix before VEX is undefined, as are LOCK and an unused VEX.vvvv", async () => {
  const vaddps = [0xc5, 0xf0, 0x58, 0xc2];
  assert.equal(await fault(bytes(...vaddps)), undefined);
  for (const prefix of [0x66, 0xf2, 0xf3, 0xf0, 0x40, 0x48]) {
    assert.equal(await fault(bytes(prefix, ...vaddps)), UD, `prefix ${prefix.toString(16)}`);
  }
  assert.equal(await fault(bytes(0x64, ...vaddps)), undefined, "a segment is none of these");
  assert.equal(await fault(bytes(0xc5, 0xf8, 0x51, 0xc2)), undefined, "VSQRTPS");
  assert.equal(await fault(bytes(0xc5, 0xf0, 0x51, 0xc2)), UD, "with VEX.vvvv");
  assert.equal(await fault(bytes(0xc4, 0xe0, 0x70, 0x58, 0xc2)), UD, "map 0");
  assert.equal(await fault(bytes(0xc4, 0xe4, 0x70, 0x58, 0xc2)), UD, "map 4");
});

test("outside 64-bit mode C4 and C5 are VEX where ModRM would name a register, in protected mode alone", async () => {
  const compatible = make("protected");
  const code = `vpcmpeqd ymm1, ymm1, ymm1; vpsrld ymm0, ymm1, 28; ${bytes(0xc4, 0xe1, 0x35, 0xfe, 0xd0)}`;
  const { state, fault: raised } = await compatible.run(code, {}, enabled);
  assert.equal(raised, null);
  assert.deepEqual(dwords(state.fpu.vectors[0]!), new Array(8).fill(15));
  assert.deepEqual(
    dwords(state.fpu.vectors[2]!),
    new Array(8).fill(14),
    "vpaddd ymm2, ymm1 (9 without its top bit), ymm0",
  );
  compatible.memory.write32(DATA, 0x1234);
  compatible.memory.write16(DATA + 4, 0);
  const les = await compatible.run(`les eax, [esi]`, { rsi: BigInt(DATA) }, enabled);
  assert.equal(les.registers.rax, 0x1234n);
  compatible.close();
  const real = make("real");
  assert.equal(await fault(bytes(0xc5, 0xf0, 0x58, 0xc2), enabled, real), UD);
  real.close();
});

test("an instruction of 128 bits clears the upper half, one of SSE keeps it", async () => {
  const code = "vpcmpeqd ymm1, ymm1, ymm1; vmovdqa ymm2, ymm1; vpaddd xmm1, xmm1, xmm1; paddd xmm2, xmm2";
  const { state } = await cpu.run(code, {}, enabled);
  assert.deepEqual(dwords(state.fpu.vectors[1]!), [...new Array(4).fill(0xfffffffe), 0, 0, 0, 0]);
  assert.deepEqual(dwords(state.fpu.vectors[2]!), [...new Array(4).fill(0xfffffffe), ...new Array(4).fill(0xffffffff)]);
  const cleared = await cpu.run("vpcmpeqd ymm9, ymm9, ymm9; vmovdqa ymm10, ymm9; vzeroupper", {}, enabled);
  assert.deepEqual(dwords(cleared.state.fpu.vectors[10]!).slice(4), [0, 0, 0, 0]);
  const all = await cpu.run("vpcmpeqd ymm9, ymm9, ymm9; vzeroall", {}, enabled);
  assert.match(all.state.fpu.vectors[9]!, /^0+$/);
});

test("only instructions that say so ask for alignment", async () => {
  assert.equal(await fault("vpaddd ymm0, ymm1, [rsi + 4]"), undefined);
  assert.equal(await fault("vpaddd xmm0, xmm1, [rsi + 4]"), undefined);
  assert.equal(await fault("vmovaps xmm0, [rsi + 16]"), undefined);
  for (const code of [
    "vmovaps ymm0, [rsi + 16]",
    "vmovdqa [rsi + 8], xmm0",
    "vmovntdq [rsi + 16], ymm0",
    "vmovntdqa xmm0, [rsi + 8]",
  ]) {
    assert.equal(await fault(code), GP, code);
  }
});

test("both lanes' exceptions are flagged before one is raised, and the destination keeps its value", async () => {
  // 1/0 in the lower lane, 0/0 in the upper one; only the first is unmasked.
  const { state, fault: raised } = await cpu.run(
    "vdivps ymm0, ymm1, ymm2",
    {},
    also((state) => {
      state.fpu.mxcsr = 0x1f80 & ~0x200;
      state.fpu.vectors[0] = vector(7, 7, 7, 7, 7, 7, 7, 7);
      state.fpu.vectors[1] = vector(0x3f800000, 0, 0x3f800000, 0x3f800000, 0, 0x3f800000, 0x3f800000, 0x3f800000);
      state.fpu.vectors[2] = vector(0, 0x3f800000, 0x3f800000, 0x3f800000, 0, 0x40400000, 0x3f800000, 0x3f800000);
    }),
  );
  assert.equal(raised?.vector, XM);
  assert.equal(state.fpu.mxcsr & 0x3f, 5, "invalid and divide by zero; inexact came too late");
  assert.deepEqual(dwords(state.fpu.vectors[0]!), new Array(8).fill(7));
});

// A page that is not there: the second of two large pages.
const EDGE = 0x200000;
async function atEdge(code: string, prepare = enabled) {
  const small = make("long", "max", 0x400000);
  for (let i = 0; i < 64; i += 4) small.memory.write32(EDGE - 64 + i, 0x100 + i / 4);
  small.memory.write64(TEST_LAYOUT.pageTables + 0x2008, 0n);
  const run = await small.run(code, { rsi: BigInt(EDGE) }, prepare);
  const words = Array.from({ length: 16 }, (_, i) => small.memory.read32(EDGE - 64 + i * 4));
  small.close();
  return { ...run, words };
}

test("a store whose second page is missing changes nothing; CR2 is in that page", async () => {
  const { fault: raised, words } = await atEdge("vpcmpeqd ymm0, ymm0, ymm0; vmovdqu [rsi - 20], ymm0");
  assert.equal(raised?.vector, PF);
  assert.equal(raised?.address, BigInt(EDGE));
  assert.equal(raised?.errorCode, 2);
  assert.equal(words[15], 0x10f);
});

test("elements that a mask leaves out are not accessed", async () => {
  const masked = also((state) => {
    state.fpu.vectors[1] = vector(0x80000000, 0, 0x80000000, 0xffffffff, 0, 0x7fffffff, 0, 0);
    state.fpu.vectors[2] = vector(1, 2, 3, 4, 5, 6, 7, 8);
    state.fpu.vectors[3] = vector(9, 9, 9, 9, 9, 9, 9, 9);
    state.fpu.vectors[4] = vector(0x80000000, 0, 0x80000000, 0xffffffff, 0x80000000, 0, 0, 0);
  });
  const loaded = await atEdge("vmaskmovps ymm3, ymm1, [rsi - 16]", masked);
  assert.equal(loaded.fault, null);
  assert.deepEqual(dwords(loaded.state.fpu.vectors[3]!), [0x10c, 0, 0x10e, 0x10f, 0, 0, 0, 0]);
  const stored = await atEdge("vpmaskmovd [rsi - 16], ymm1, ymm2", masked);
  assert.equal(stored.fault, null);
  assert.deepEqual(stored.words.slice(12), [1, 0x10d, 3, 4]);
  const failed = await atEdge("vpmaskmovd [rsi - 16], ymm4, ymm2", masked);
  assert.equal(failed.fault?.vector, PF);
  assert.equal(failed.fault?.address, BigInt(EDGE));
  assert.deepEqual(failed.words.slice(12), [0x10c, 0x10d, 0x10e, 0x10f], "no element was stored");
  const none = await atEdge("vmaskmovpd ymm3, ymm5, [rsi + 4096]", masked);
  assert.equal(none.fault, null);
});

test("a gather keeps what it has loaded when an element faults, and goes on from there", async () => {
  const prepare = also((state) => {
    state.fpu.vectors[0] = vector(9, 9, 9, 9, 9, 9, 9, 9);
    // Elements of 4 bytes before the edge, and one behind it.
    state.fpu.vectors[1] = vector(-1, -2, -3, 1, -4, -5, 2, -6);
    state.fpu.vectors[2] = vector(0x80000000, 0x80000000, 0, 0x80000000, 0x80000000, 0, 0, 0x80000000);
  });
  const cut = await atEdge("vpgatherdd ymm0, [rsi + ymm1 * 4], ymm2", prepare);
  assert.equal(cut.fault?.vector, PF);
  assert.equal(cut.fault?.address, BigInt(EDGE + 4));
  assert.deepEqual(dwords(cut.state.fpu.vectors[0]!), [0x10f, 0x10e, 9, 9, 9, 9, 9, 9]);
  assert.deepEqual(dwords(cut.state.fpu.vectors[2]!), [0, 0, 0, 0x80000000, 0x80000000, 0, 0, 0x80000000]);
  const rest = await atEdge(
    "vpgatherdd ymm0, [rsi + ymm1 * 4], ymm2",
    also((state) => {
      state.fpu.vectors[0] = cut.state.fpu.vectors[0]!;
      state.fpu.vectors[2] = cut.state.fpu.vectors[2]!;
      state.fpu.vectors[1] = vector(-1, -2, -3, -7, -4, -5, 2, -6);
    }),
  );
  assert.equal(rest.fault, null);
  assert.deepEqual(dwords(rest.state.fpu.vectors[0]!), [0x10f, 0x10e, 9, 0x109, 0x10c, 9, 9, 0x10a]);
  assert.match(rest.state.fpu.vectors[2]!, /^0+$/);
});

test("a gather's destination, index and mask are three registers", async () => {
  for (const code of [
    bytes(0xc4, 0xe2, 0x6d, 0x90, 0x04, 0x06), // vpgatherdd ymm0, [rsi + ymm0], ymm2
    bytes(0xc4, 0xe2, 0x7d, 0x90, 0x04, 0x0e), // vpgatherdd ymm0, [rsi + ymm1], ymm0
    bytes(0xc4, 0xe2, 0x75, 0x90, 0x04, 0x0e), // vpgatherdd ymm0, [rsi + ymm1], ymm1
    bytes(0xc4, 0xe2, 0x6d, 0x90, 0x06), // no index
  ]) {
    assert.equal(await fault(code), UD, code);
  }
});
