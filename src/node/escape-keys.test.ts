import assert from "node:assert/strict";
import { test } from "node:test";
import { EscapeKeys } from "./escape-keys.js";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array) => new TextDecoder().decode(data);

function feed(keys: EscapeKeys, typed: string) {
  const step = keys.feed(bytes(typed));
  return [text(step.bytes), step.action, text(step.rest)];
}

test("what is no escape goes to the guest", () => {
  assert.deepEqual(feed(new EscapeKeys(), "ls\r\x03"), ["ls\r\x03", null, ""]);
});

test("Ctrl-A and a key is an action; the rest comes after it", () => {
  assert.deepEqual(feed(new EscapeKeys(), "ab\x01xcd"), ["ab", "quit", "cd"]);
  assert.deepEqual(feed(new EscapeKeys(), "\x01C"), ["", "monitor", ""]);
  assert.deepEqual(feed(new EscapeKeys(), "\x01h"), ["", "help", ""]);
});

test("the two keys may come apart", () => {
  const keys = new EscapeKeys();
  assert.deepEqual(feed(keys, "\x01"), ["", null, ""]);
  assert.deepEqual(feed(keys, "x"), ["", "quit", ""]);
  assert.deepEqual(feed(keys, "x"), ["x", null, ""]);
});

test("Ctrl-A twice sends one", () => {
  assert.deepEqual(feed(new EscapeKeys(), "\x01\x01x"), ["\x01x", null, ""]);
});

test("a key without a meaning goes to nobody", () => {
  assert.deepEqual(feed(new EscapeKeys(), "\x01zx"), ["x", null, ""]);
});
