// Fused multiply-add and half-precision conversions against the processor below: results, flags, exceptions.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { buildEntry } from "../sse/build.mjs";
import { loadCore } from "../sse/differential.mjs";
import { double, generator, mxcsr, single } from "../sse/operands.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const CPU = 0x100000;
const AT = 0x110000;
const SIZE = 40;

function obstacle() {
  if (process.arch !== "x64" || process.platform !== "linux") return "needs Linux on x86-64";
  if (spawnSync("gcc", ["--version"]).error) return "needs gcc";
  const cpu = readFileSync("/proc/cpuinfo", "utf8");
  const missing = ["fma", "f16c"].filter((f) => !new RegExp(`^flags.*\\b${f}\\b`, "m").test(cpu));
  return missing.length ? `the processor lacks ${missing.join(", ")}` : false;
}

function native(cases) {
  const path = join(mkdtempSync(join(tmpdir(), "fused-")), "native");
  const { status, stderr } = spawnSync("gcc", ["-O1", "-mfma", "-mf16c", "-o", path, join(here, "native.c")]);
  assert.equal(status, 0, String(stderr));
  return spawnSync(path, { input: cases, maxBuffer: cases.length * 2 }).stdout;
}

const core = loadCore(await buildEntry(join(here, "fused.entry.ts")));

function ours(cases, at) {
  core.bytes.set(cases.subarray(at, at + SIZE), AT);
  let raised = 0;
  try {
    core.exports.run(CPU, AT);
  } catch {
    raised = 1;
  }
  return { raised, flags: core.exports.status(CPU), result: core.ram.getBigUint64(AT + 32, true) };
}

function compare(count, kinds, fill) {
  const random = generator(7);
  const cases = Buffer.alloc(count * SIZE);
  for (let index = 0; index < count; index++) {
    const at = index * SIZE;
    const kind = kinds[random() % kinds.length];
    cases.writeUInt32LE(kind, at);
    cases.writeUInt32LE(mxcsr(random) & 0xffc0, at + 4);
    fill(cases, at + 8, kind, random);
  }
  const answers = native(cases);
  assert.equal(answers.length, cases.length);
  const mismatches = [];
  let raised = 0;
  for (let at = 0; at < cases.length; at += SIZE) {
    const got = ours(cases, at);
    const expected = {
      raised: answers.readUInt32LE(at),
      flags: answers.readUInt32LE(at + 4),
      result: answers.readBigUInt64LE(at + 32),
    };
    raised += expected.raised;
    if (expected.raised) expected.result = got.result;
    if (got.raised === expected.raised && got.flags === expected.flags && got.result === expected.result) continue;
    const hex = (offset) => cases.readBigUInt64LE(at + offset).toString(16);
    const show = (r) => `raised ${r.raised} flags ${r.flags.toString(16)} ${r.result.toString(16)}`;
    mismatches.push(
      `kind ${cases.readUInt32LE(at)} mxcsr ${cases.readUInt32LE(at + 4).toString(16)} ${hex(8)} ${hex(16)} ${hex(24)}: ` +
        `expected ${show(expected)}, got ${show(got)}`,
    );
  }
  assert.deepEqual(mismatches.slice(0, 10), []);
  assert.ok(raised > count / 1000);
}

const skip = obstacle();

test("fused multiply-add rounds the exact result once, in each mode, with the processor's NaNs and flags", {
  skip,
}, () => {
  compare(100_000, [0, 1, 2, 3, 4, 5, 6, 7], (cases, at, kind, random) => {
    const value = () => (kind < 4 ? double(random) : BigInt(single(random)));
    const [x, y] = [value(), value()];
    // The addend is often near the product, so that the sum cancels.
    const z = random() % 3 === 0 ? near(kind < 4, x, y, random) : value();
    for (const [index, bits] of [x, y, z].entries()) cases.writeBigUInt64LE(bits, at + index * 8);
  });
});

// The product rounded, or a neighbour of it, with either sign.
function near(isDouble, x, y, random) {
  const view = new DataView(new ArrayBuffer(8));
  const read = (bits) => {
    view.setBigUint64(0, isDouble ? bits : bits << 32n);
    return isDouble ? view.getFloat64(0) : view.getFloat32(0);
  };
  const product = read(x) * read(y) * (random() & 1 ? -1 : 1);
  if (isDouble) view.setFloat64(0, product);
  else view.setFloat32(0, product);
  const bits = isDouble ? view.getBigUint64(0) : BigInt(view.getUint32(0));
  return BigInt.asUintN(isDouble ? 64 : 32, bits + BigInt((random() % 5) - 2));
}

test("single to half precision: rounding of the immediate or of MXCSR, denormals, overflow, NaNs", { skip }, () => {
  compare(60_000, [8, 9, 10, 11, 12, 13, 14, 15], (cases, at, _kind, random) => {
    // Often within the range of halves: exponents of 2^-26 to 2^17.
    const bits = random() % 3 ? (random() & 0x807f_ffff) + ((101 + (random() % 44)) << 23) : single(random);
    cases.writeUInt32LE(bits >>> 0, at);
  });
});

test("half to single precision: every half", { skip }, () => {
  let next = 0;
  compare(1 << 17, [16], (cases, at) => {
    cases.writeUInt16LE(next & 0xffff, at);
    next++;
  });
});
