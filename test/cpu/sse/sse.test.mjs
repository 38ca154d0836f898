// The SSE and MMX operations against the processor below: results, flags, MXCSR, exceptions.
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildCore, buildNative, obstacle } from "./build.mjs";
import { compareAll, loadCore, raised } from "./differential.mjs";
import { compareExistence } from "./existence.mjs";

const skip = obstacle() ?? false;
const core = loadCore(await buildCore());
const native = skip ? null : buildNative();

const UD = 6;
const NM = 7;
const MF = 16;
const XM = 19;
const op = (map, opcode, prefix, modrm = 0xc0) => Number(core.decode(map, opcode, prefix, modrm, 0) & 0xffffn);
const PXOR_XMM = op(1, 0xef, 1);
const PXOR_MMX = op(1, 0xef, 0);
const MOVNTI = op(1, 0xc3, 0, 0);
const DIVPS = op(1, 0x5e, 0);

test("the decoder knows the encodings that the processor has", { skip }, () => {
  const { cases, mismatches } = compareExistence(core, native);
  assert.ok(cases > 60000);
  assert.deepEqual(mismatches, []);
});

test("every encoding leaves what the processor leaves", { skip }, async () => {
  const { encodings, vectors, mismatches } = await compareAll(core, native, 40);
  assert.ok(encodings > 1300);
  for (const vector of [0, 13, MF, XM]) assert.ok(vectors[vector] > 0, `vector ${vector} occurred`);
  assert.deepEqual(mismatches.slice(0, 5), []);
});

test("SSE raises what SSE_BLOCKED says, but MOVNTI does not", () => {
  assert.equal(raised(core, PXOR_XMM, {}), 0);
  assert.equal(raised(core, PXOR_XMM, { SSE_BLOCKED: NM }), NM);
  assert.equal(raised(core, PXOR_XMM, { SSE_BLOCKED: UD }), UD);
  assert.equal(raised(core, MOVNTI, { SSE_BLOCKED: UD }, false), 0);
});

test("MMX raises #UD for CR0.EM, #NM for CR0.TS, #MF for a waiting exception", () => {
  assert.equal(raised(core, PXOR_MMX, { SSE_BLOCKED: UD }), 0);
  assert.equal(raised(core, PXOR_MMX, { FPU_BLOCKED: NM, CR0: 4 }), UD);
  assert.equal(raised(core, PXOR_MMX, { FPU_BLOCKED: NM, CR0: 8 }), NM);
  assert.equal(raised(core, PXOR_MMX, { FPU_PENDING: 1, CR0: 0x20 }), MF);
});

test("an unmasked exception is #XM, or #UD without CR4.OSXMMEXCPT", () => {
  assert.equal(raised(core, DIVPS, { MXCSR: 0, CR4: 0x400 }), XM);
  assert.equal(raised(core, DIVPS, { MXCSR: 0, CR4: 0 }), UD);
  assert.equal(raised(core, DIVPS, { MXCSR: 0x1f80, CR4: 0 }), 0);
});
