import assert from "node:assert/strict";
import { test } from "node:test";
import { DebugConsole, DebugExit, PostCode } from "./debug-exit.js";

test("debug exit hands on what is written", () => {
  const codes: number[] = [];
  new DebugExit((value) => codes.push(value)).write(0, 4, 0x10);
  assert.deepEqual(codes, [0x10]);
});

test("firmware finds the debug console by 0xe9; each byte is its own for a backend that keeps it", () => {
  const written: Uint8Array[] = [];
  const console = new DebugConsole({ write: (bytes) => written.push(bytes) });
  assert.equal(console.read(), 0xe9);
  for (const letter of "ok") console.write(0, 1, letter.charCodeAt(0));
  assert.equal(written.map((bytes) => String.fromCharCode(...bytes)).join(""), "ok");
});

test("the last POST code reads back", () => {
  const port = new PostCode();
  port.write(0, 1, 0x5a);
  assert.equal(port.read(), 0x5a);
});
