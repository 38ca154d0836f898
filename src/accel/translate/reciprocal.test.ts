// RCPPS and RSQRTPS answer as AMD's processors do: values measured on one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { testInterpreter } from "../../test-support/interpreter.js";
import { TestCpu } from "../../test-support/test-cpu.js";

const cpu = new TestCpu({ accelerator: await testInterpreter(), mode: "long" });

/** What an instruction makes of a single-precision number, by their bits. */
async function approximate(mnemonic: string, operand: number): Promise<number> {
  const { state } = await cpu.run(`movd xmm1, eax; ${mnemonic} xmm0, xmm1; movd eax, xmm0`, { rax: BigInt(operand) });
  return Number(state.gpr[0]);
}

for (const [mnemonic, operand, expected] of [
  ["rcpss", 0x3f800000, 0x3f7ff000], // 1
  ["rcpss", 0x40000000, 0x3efff000], // 2
  ["rcpss", 0xbf800000, 0xbf7ff000], // -1
  ["rcpss", 0x00000000, 0x7f800000], // 0
  ["rsqrtss", 0x3f800000, 0x3f7ff800], // 1
  ["rsqrtss", 0x40000000, 0x3f350000], // 2
  ["rsqrtss", 0xbf800000, 0xffc00000], // -1
] as const) {
  test(`${mnemonic} of ${operand.toString(16)}`, async () => {
    assert.equal((await approximate(mnemonic, operand)).toString(16), expected.toString(16));
  });
}
