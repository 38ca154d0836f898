import assert from "node:assert/strict";
import { test } from "node:test";
import { AssembleError, assemble } from "./assemble.js";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

test("the same text in the three code sizes", () => {
  assert.equal(hex(assemble("mov eax, 1", 16)), "66b801000000");
  assert.equal(hex(assemble("mov eax, 1", 32)), "b801000000");
  assert.equal(hex(assemble("mov rax, [rbx + r9 * 4]", 64)), "4a8b048b");
});

test("absolute addresses follow the origin", () => {
  assert.equal(hex(assemble("here: mov eax, offset here", 32, 0x8000)), "b800800000");
  assert.equal(hex(assemble("here: mov ax, offset here", 16, 0x8000)), "b80080");
});

test("a syntax error names the text", () => {
  assert.throws(
    () => assemble("mov eax, nonsense(", 64),
    (error: unknown) => error instanceof AssembleError && error.code === "ASSEMBLY_SYNTAX",
  );
});
