// Our decoder against iced-x86's, over fewer strings than `npm run test:decoder`.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCpuModel } from "../../../dist/vcpu/cpu-model.js";
import { compareStrings } from "./compare.mjs";
import { loadDecoder } from "./our-decoder.mjs";

const ours = await loadDecoder();
const COUNT = 300_000;

for (const bits of [16, 32, 64]) {
  for (const vendor of ["amd", "intel"]) {
    test(`${bits} bits, ${vendor}: the same length, mnemonic and memory operand, or a known reason`, () => {
      const model = parseCpuModel(`max,vendor=${vendor}`);
      const result = compareStrings({ ours, bits, model, count: COUNT, seed: bits });
      assert.deepEqual(result.failures, []);
      assert.ok(result.same > COUNT / 2, `${result.same} instructions`);
      assert.ok(result.operands > COUNT / 6, `${result.operands} memory operands`);
      assert.ok(result.neither > COUNT / 20, `${result.neither} that are none`);
    });
  }
}
