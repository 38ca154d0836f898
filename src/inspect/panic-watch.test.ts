import assert from "node:assert/strict";
import { test } from "node:test";
import { PanicWatch } from "./panic-watch.js";

const PANIC = "[    2.5] Kernel panic - not syncing: VFS: Unable to mount root fs\r\n";
const END = "[    2.6] ---[ end Kernel panic - not syncing: VFS: Unable to mount root fs ]---\r\n";

function watch(...texts: string[]): PanicWatch {
  const panic = new PanicWatch();
  for (const text of texts) panic.feed(new TextEncoder().encode(text));
  return panic;
}

test("a panic's line is remembered", () => {
  const panic = watch("booting\r\n", PANIC);
  assert.equal(panic.message, "Kernel panic - not syncing: VFS: Unable to mount root fs");
  assert.equal(panic.ended, false);
});

test("the end line counts while nothing comes after it", () => {
  assert.equal(watch(PANIC, END).ended, true);
  assert.equal(watch(PANIC, ...END).ended, true, "byte by byte");
  assert.equal(watch(PANIC, END, "\r\n").ended, true);
  assert.equal(watch(PANIC, END, "/ # ").ended, false);
  assert.equal(watch(PANIC, END.trim()).ended, false, "a line that is not complete");
});

test("a line without an end costs little", () => {
  const panic = watch("x".repeat(100_000), PANIC);
  assert.equal(panic.message, null);
  panic.feed(new TextEncoder().encode(PANIC));
  assert.notEqual(panic.message, null);
});
