import assert from "node:assert/strict";
import { test } from "node:test";
import { WasmCode } from "./wasm-code.js";

/** The value of a function () -> i64 that is one constant. */
function evaluate(value: number | bigint): bigint {
  const code = new WasmCode();
  code.i64(value);
  const body = code.finish();
  const section = (id: number, ...bytes: number[]) => [id, bytes.length, ...bytes];
  const module = new WebAssembly.Module(
    new Uint8Array([
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(1, 1, 0x60, 0, 1, 0x7e),
      ...section(3, 1, 0),
      ...section(7, 1, 1, 0x66, 0, 0),
      ...section(10, 1, body.length + 2, 0, ...body, 0x0b),
    ]),
  );
  return (new WebAssembly.Instance(module).exports.f as () => bigint)();
}

test("constants of 64 bits, at the edges of their encodings", () => {
  for (const power of [0, 5, 6, 7, 13, 14, 31, 32, 52]) {
    for (const near of [-1, 0, 1]) {
      const value = 2 ** power + near;
      assert.equal(evaluate(value), BigInt(value));
      assert.equal(evaluate(-value), BigInt(-value));
    }
  }
  assert.equal(evaluate(0x8000_0000_0000_0000n), -0x8000_0000_0000_0000n);
  assert.equal(evaluate(0xffff_ffff_ffff_ffffn), -1n);
  assert.equal(evaluate(0x7fff_ffff_ffff_ffffn), 0x7fff_ffff_ffff_ffffn);
});
