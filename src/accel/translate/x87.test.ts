// x87 results that need no processor to compare with: test/cpu/x87 has the wide comparison.
import assert from "node:assert/strict";
import { test } from "node:test";
import { testInterpreter } from "../../test-support/interpreter.js";
import { TestCpu } from "../../test-support/test-cpu.js";

const cpu = new TestCpu({ accelerator: await testInterpreter(), mode: "long" });

/** Runs code with ST(0) and ST(1) given as sign and exponent, colon, significand; gives ST(0). */
async function compute(code: string, st0: string, st1: string, fcw = 0x37f): Promise<{ st0: string; fsw: number }> {
  const { state, fault } = await cpu.run(code, {}, (before) => {
    before.fpu.fcw = fcw;
    before.fpu.fsw = 0;
    before.fpu.ftw = 0xfff0;
    [st0, st1].forEach((text, index) => {
      const [exponent, significand] = text.split(":") as [string, string];
      before.fpu.registers[index] = {
        signExponent: Number.parseInt(exponent, 16),
        significand: BigInt(`0x${significand}`),
      };
    });
  });
  assert.equal(fault, null);
  const top = state.fpu.registers[(state.fpu.fsw >> 11) & 7]!;
  const hex = (value: number | bigint, digits: number): string => value.toString(16).padStart(digits, "0");
  return { st0: `${hex(top.signExponent, 4)}:${hex(top.significand, 16)}`, fsw: state.fpu.fsw };
}

// Results rounded from 300-bit arithmetic; angles with the 66-bit pi of the manuals.
const FUNCTIONS: readonly [code: string, st0: string, st1: string, result: string][] = [
  ["f2xm1", "3ffe:8000000000000000", "3fff:8000000000000000", "3ffd:d413cccfe7799211"],
  ["f2xm1", "3fd7:8cbccc096f5088cc", "3fff:8000000000000000", "3fd6:c31a84a52c4aaa0e"],
  ["f2xm1", "bffd:aaaaaaaaaaaaaaab", "3fff:8000000000000000", "bffc:d3402b5852386faa"],
  ["fyl2x", "4002:a000000000000000", "3fff:8000000000000000", "4000:d49a784bcd1b8afe"],
  ["fyl2x", "3ffd:aaaaaaaaaaaaaaab", "4002:a000000000000000", "c002:fd9810643d6614c3"],
  ["fyl2xp1", "3fd7:8cbccc096f5088cc", "4002:a000000000000000", "3fda:fdcd355f4edca31a"],
  ["fpatan", "4002:a000000000000000", "3ffd:aaaaaaaaaaaaaaab", "3ffa:887b98b91357e904"],
  ["fpatan", "c000:8000000000000000", "3ffd:aaaaaaaaaaaaaaab", "4000:be7e0ee0031b537f"],
  ["fpatan", "3ffd:aaaaaaaaaaaaaaab", "c000:8000000000000000", "bfff:b3ec431de4cde4c9"],
  ["fsin", "4002:a000000000000000", "3fff:8000000000000000", "bffe:8b44f7af9a7a92cf"],
  ["fsin", "4030:e35fa931a0000000", "3fff:8000000000000000", "3ffe:dbb7b8f40de0426e"],
  ["fsin", "4000:c90fdaa22168c235", "3fff:8000000000000000", "bfbf:8000000000000000"],
  ["fcos", "3ffd:aaaaaaaaaaaaaaab", "3fff:8000000000000000", "3ffe:f1e8b2cc8cc1656b"],
  ["fcos", "4030:e35fa931a0000000", "3fff:8000000000000000", "bffe:8360bcba0acc128f"],
  ["fptan; fstp st(0)", "3ffd:aaaaaaaaaaaaaaab", "3fff:8000000000000000", "3ffd:b148252e8b2e6bd0"],
];

test("transcendental functions are rounded right", async () => {
  for (const [code, st0, st1, result] of FUNCTIONS) {
    assert.equal((await compute(code, st0, st1)).st0, result, `${code} of ${st0} and ${st1}`);
  }
});

const ONE = "3fff:8000000000000000";
const THREE = "4000:c000000000000000";

test("rounding and precision control decide the last place", async () => {
  const cases: [fcw: number, result: string][] = [
    [0x37f, "3ffd:aaaaaaaaaaaaaaab"], // nearest
    [0x77f, "3ffd:aaaaaaaaaaaaaaaa"], // down
    [0xb7f, "3ffd:aaaaaaaaaaaaaaab"], // up
    [0xf7f, "3ffd:aaaaaaaaaaaaaaaa"], // chop
    [0x27f, "3ffd:aaaaaaaaaaaaa800"], // 53 bits
    [0x07f, "3ffd:aaaaab0000000000"], // 24 bits
  ];
  for (const [fcw, result] of cases) assert.equal((await compute("fdiv st, st(1)", ONE, THREE, fcw)).st0, result);
});

test("masked exceptions have their results, unmasked ones keep the operands", async () => {
  const zero = "0000:0000000000000000";
  const masked = await compute("fdiv st, st(1)", ONE, zero);
  assert.deepEqual(masked, { st0: "7fff:8000000000000000", fsw: 0x04 });
  const unmasked = await compute("fdiv st, st(1)", ONE, zero, 0x37b);
  assert.deepEqual(unmasked, { st0: ONE, fsw: 0x8084 });
  // The square root of a negative number, an empty register, a NaN that signals.
  assert.deepEqual(await compute("fchs; fsqrt", ONE, ONE), { st0: "ffff:c000000000000000", fsw: 0x01 });
  assert.deepEqual(await compute("fadd st, st(2)", ONE, ONE), { st0: "ffff:c000000000000000", fsw: 0x41 });
  const quieted = { st0: "7fff:c000000000000001", fsw: 0x01 };
  assert.deepEqual(await compute("fadd st, st(1)", ONE, "7fff:8000000000000001"), quieted);
});

test("FPREM takes off at most 63 bits at a time and says so in C2", async () => {
  const far = await compute("fprem", "4062:8000000000000001", THREE);
  assert.equal(far.fsw & 0x400, 0x400);
  const near = await compute("fprem", "4002:9000000000000000", THREE); // 9 modulo 3
  assert.deepEqual(near, { st0: "0000:0000000000000000", fsw: 0x4200 });
});

test("an angle of 2^63 is out of range", async () => {
  const result = await compute("fsin", "403e:8000000000000000", ONE);
  assert.deepEqual(result, { st0: "403e:8000000000000000", fsw: 0x400 });
});
