import assert from "node:assert/strict";
import { test } from "node:test";
import { WasmCode } from "../accel/translate/translator/wasm-code.js";
import * as emitted from "../accel/translate/translator/wasm-opcodes.js";
import { OPCODES } from "./wasm-opcodes.js";
import { WasmTextError, wasmFunctionText } from "./wasm-text.js";

/** A body with a run of two i64 locals. */
function body(write: (code: WasmCode) => void): Uint8Array {
  const code = new WasmCode();
  code.unsigned(1);
  code.unsigned(2);
  code.byte(emitted.TYPE_I64);
  write(code);
  code.op(emitted.END);
  return code.finish();
}

const linesOf = (bytes: Uint8Array) =>
  wasmFunctionText(bytes).lines.map(({ depth, text }) => "  ".repeat(depth) + text);

test("a loop that leaves its block, indented", () => {
  const bytes = body((code) => {
    const out = code.block();
    const again = code.loop();
    code.get(2);
    code.op(emitted.I64_EQZ);
    code.brIf(out);
    code.get(2);
    code.i64(1);
    code.op(emitted.I64_SUB);
    code.set(2);
    code.br(again);
    code.end();
    code.end();
  });
  const { locals, lines } = wasmFunctionText(bytes, { local: (index) => (index === 2 ? "rcx" : undefined) });
  assert.deepEqual(locals, [{ count: 2, type: "i64" }]);
  assert.deepEqual(
    lines.map(({ depth, text }) => "  ".repeat(depth) + text),
    [
      "block $0",
      "  loop $1",
      "    local.get $rcx",
      "    i64.eqz",
      "    br_if $0",
      "    local.get $rcx",
      "    i64.const 1",
      "    i64.sub",
      "    local.set $rcx",
      "    br $1",
      "  end",
      "end",
    ],
  );
  assert.equal(bytes[lines[0].offset], emitted.BLOCK);
});

test("constants, addresses and vectors", () => {
  const bytes = body((code) => {
    code.i64(0xffff_ffff_8100_0000n);
    code.i64(-1);
    code.i32(0x1000);
    code.get(0);
    code.memory(emitted.I64_LOAD32_U, 0xc8);
    code.get(0);
    code.memory(emitted.I32_STORE8, 0);
    code.simdLane(29, 1);
    code.simdMemory(11, 0x800);
    code.numeric(10);
    code.unsigned(0);
    code.unsigned(0);
    code.call(3);
  });
  assert.deepEqual(linesOf(bytes), [
    "i64.const 0xffffffff81000000",
    "i64.const -1",
    "i32.const 0x1000",
    "local.get 0",
    "i64.load32_u offset=0xc8",
    "local.get 0",
    "i32.store8",
    "i64x2.extract_lane 1",
    "v128.store offset=0x800",
    "memory.copy 0 0",
    "call 3",
  ]);
});

test("names of what lies behind the first parameter, where an access goes there", () => {
  const bytes = body((code) => {
    code.get(0);
    code.memory(emitted.I64_LOAD, 8);
    code.set(1);
    code.get(0);
    code.get(1);
    code.memory(emitted.I64_STORE, 8);
    code.get(1);
    code.memory(emitted.I64_LOAD, 8);
    code.i32(0x1400030);
  });
  const names = {
    field: (offset: number) => (offset === 8 ? "rcx" : undefined),
    constant: (value: bigint) => (value === 0x1400030n ? "$record" : undefined),
  };
  const lines = wasmFunctionText(bytes, names).lines.map(({ text }) => text);
  assert.deepEqual(
    lines.filter((text) => /load|store|const/.test(text)),
    ["i64.load offset=$rcx", "i64.store offset=$rcx", "i64.load offset=8", "i32.const $record"],
  );
});

test("the translator's names of opcodes are the printer's", () => {
  const prefixes: [RegExp, number][] = [
    [/^(V128|[IF]\d+X\d+)_/, 0xfd],
    [/^(MEMORY|TABLE|DATA|ELEM)_|_TRUNC_SAT_/, 0xfc],
  ];
  for (const [name, number] of Object.entries(emitted)) {
    if (name.startsWith("TYPE_")) continue;
    const prefix = prefixes.find(([pattern]) => pattern.test(name))?.[1] ?? 0;
    const text = name.toLowerCase().replace(/^(v128|[if]\d+(x\d+)?|local|global|memory|table|data|elem)_/, "$1.");
    assert.equal(OPCODES.get(prefix)?.get(number)?.name, text);
  }
});

test("what is no function is refused, with the place", () => {
  const cases: [Uint8Array, RegExp][] = [
    [new Uint8Array(0), /byte 0 .*end within/],
    [Uint8Array.of(0), /byte 1 .*no end/],
    [Uint8Array.of(0, 0x27), /byte 1 .*0x27 is no instruction/],
    [Uint8Array.of(0, 0xfd, 0x9a, 0x01), /byte 1 .*0xfd 154/],
    [Uint8Array.of(0, 0x0b, 0x01), /goes on/],
    [Uint8Array.of(0, 0x42, 0x80), /end within/],
    [Uint8Array.of(1, 1, 0x01), /no such value type/],
    [Uint8Array.of(0, 0x0e, 0xff, 0xff, 0xff, 0x0f), /longer than the function/],
  ];
  for (const [bytes, message] of cases) {
    assert.throws(
      () => wasmFunctionText(bytes),
      (error) => error instanceof WasmTextError && message.test(error.message),
    );
  }
});
