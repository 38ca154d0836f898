import assert from "node:assert/strict";
import { test } from "node:test";
import type { RegionReport, ReportedInstruction } from "../accel/translate/translator/region-report.js";
import { WasmCode } from "../accel/translate/translator/wasm-code.js";
import { END, I64_ADD, I64_SUB, TYPE_I64 } from "../accel/translate/translator/wasm-opcodes.js";
import { listRegion } from "./region-listing.js";
import { SymbolTable } from "./symbols.js";

test("a region: guest instructions, and the wasm of each under it", async () => {
  const code = new WasmCode();
  code.unsigned(1);
  code.unsigned(1);
  code.byte(TYPE_I64);
  // add rax, rcx; dec rcx
  const guest = [Uint8Array.of(0x48, 0x01, 0xc8), Uint8Array.of(0x48, 0xff, 0xc9)];
  const instructions: ReportedInstruction[] = [];
  code.get(1);
  code.set(2);
  code.loop();
  for (const [index, bytes] of guest.entries()) {
    instructions.push({ at: code.length, offset: index * 3, code: bytes, first: index === 0 });
    code.get(2);
    code.i64(index === 0 ? 1 : 0x1000);
    code.op(index === 0 ? I64_ADD : I64_SUB);
    code.set(2);
  }
  code.end();
  code.i32(0);
  code.op(END);
  const region: RegionReport = { number: 7, rip: 0xffffffff81000010n, bits: 64, instructions, body: code.finish() };
  const symbols = new SymbolTable([{ address: 0xffffffff81000000n, name: "sum" }]);
  const names = { local: (index: number) => ["cpu", "base", "rax"][index] };
  assert.deepEqual(await listRegion(region, { symbols, names }), [
    `region 7 at ffffffff81000010 <sum+0x10>: 1 block, 2 instructions, ${region.body.length} bytes of wasm`,
    "  locals: 1 i64",
    "  local.get $base",
    "  local.set $rax",
    "  loop $0",
    "",
    ";; block at ffffffff81000010 <sum+0x10>",
    ";; ffffffff81000010  4801c8                   add rax,rcx",
    "    local.get $rax",
    "    i64.const 1",
    "    i64.add",
    "    local.set $rax",
    ";; ffffffff81000013  48ffc9                   dec rcx",
    "    local.get $rax",
    "    i64.const 0x1000",
    "    i64.sub",
    "    local.set $rax",
    "  end",
    "  i32.const 0",
  ]);
});
