import assert from "node:assert/strict";
import { test } from "node:test";
import { exitCode } from "./follow.js";
import { parseSignal } from "./kill.js";

test("signals by number and by name, with or without SIG", () => {
  assert.equal(parseSignal("9"), 9);
  assert.equal(parseSignal("KILL"), 9);
  assert.equal(parseSignal("sigterm"), 15);
  assert.equal(parseSignal("0"), 0);
  assert.equal(parseSignal("SIGRTMIN+3"), 37);
  assert.equal(parseSignal("RTMAX-1"), 63);
  for (const wrong of ["", "SIG", "nonsense", "65", "-1", "toString", "RTMIN+99"]) {
    assert.throws(() => parseSignal(wrong), /unknown signal/, wrong);
  }
});

test("exit codes as shells have them", () => {
  assert.equal(exitCode(7 << 8), 7);
  assert.equal(exitCode(9), 137);
  assert.equal(exitCode(0x80 | 11), 139);
});
