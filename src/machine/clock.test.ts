import assert from "node:assert/strict";
import { test } from "node:test";
import { StateError } from "../devices/device.js";
import { MachineClock } from "./clock.js";

test("real time stands still while paused", () => {
  let host = 1000;
  const clock = new MachineClock({ mode: "real", monotonic: () => host, startTime: 5000 });
  assert.equal(clock.now(), 0);
  host += 50;
  assert.equal(clock.now(), 0, "not started yet");
  clock.resume();
  host += 2e6;
  assert.equal(clock.now(), 2e6);
  assert.equal(clock.wallTime(), 5002);
  clock.pause();
  host += 1e9;
  assert.equal(clock.now(), 2e6);
  clock.resume();
  host += 5;
  assert.equal(clock.now(), 2e6 + 5);
});

test("time never goes back", () => {
  let host = 0;
  const clock = new MachineClock({ mode: "real", monotonic: () => host, startTime: 0 });
  clock.resume();
  host = 100;
  assert.equal(clock.now(), 100);
  host = 40;
  assert.equal(clock.now(), 100);
});

test("real time that a slice takes too long does not count", () => {
  let host = 0;
  const clock = new MachineClock({ mode: "real", monotonic: () => host, startTime: 0 });
  clock.resume();
  host = 1000;
  clock.beginSlice(200);
  host = 1150;
  assert.equal(clock.now(), 1150);
  host = 9000;
  assert.equal(clock.now(), 1200, "a vCPU that reads the clock");
  clock.endSlice();
  host = 9100;
  assert.equal(clock.now(), 1300);
  clock.beginSlice(200);
  host = 9200;
  clock.endSlice();
  host = 9300;
  assert.equal(clock.now(), 1500, "nothing is lost of a short slice");
  clock.beginSlice(200);
  host = 9900;
  clock.pause();
  clock.endSlice();
  clock.resume();
  host = 10000;
  assert.equal(clock.now(), 1800, "paused from inside a slice");
});

test("timers fire in the order of deadline, then creation", () => {
  let instructions = 0;
  const clock = new MachineClock({ mode: "icount", monotonic: () => 0, startTime: 0 });
  clock.countInstructions(() => instructions);
  clock.resume();
  const fired: string[] = [];
  const a = clock.timer(() => fired.push("a"));
  const b = clock.timer(() => fired.push("b"));
  const c = clock.timer(() => fired.push("c"));
  const d = clock.timer(() => fired.push("d"));
  c.arm(10);
  b.arm(20);
  a.arm(20);
  d.arm(5);
  d.cancel();
  assert.equal(clock.nextDeadline(), 10);
  instructions = 9;
  clock.fireDue();
  assert.deepEqual(fired, []);
  instructions = 20;
  clock.fireDue();
  assert.deepEqual(fired, ["c", "a", "b"]);
  assert.equal(clock.nextDeadline(), null);
});

test("a timer may arm itself again when it fires", () => {
  const clock = new MachineClock({ mode: "icount", monotonic: () => 0, startTime: 0 });
  clock.resume();
  let ticks = 0;
  const timer = clock.timer(() => {
    ticks++;
    timer.arm(ticks * 100);
  });
  timer.arm(0);
  clock.warp(350);
  clock.fireDue();
  assert.equal(ticks, 4);
  assert.equal(clock.nextDeadline(), 400);
});

test("who arms an earlier deadline than all others is reported", () => {
  const clock = new MachineClock({ mode: "icount", monotonic: () => 0, startTime: 0 });
  const seen: number[] = [];
  clock.watchDeadline((deadline) => seen.push(deadline));
  const a = clock.timer(() => {});
  const b = clock.timer(() => {});
  a.arm(100);
  b.arm(200);
  b.arm(50);
  assert.deepEqual(seen, [100, 50]);
});

test("saved time goes on in another clock, of the same mode only", () => {
  const clock = new MachineClock({ mode: "icount", monotonic: () => 0, startTime: 777 });
  clock.resume();
  clock.warp(1234);
  const state = clock.save();
  const other = new MachineClock({ mode: "icount", monotonic: () => 0, startTime: 0 });
  other.restore(JSON.parse(JSON.stringify(state)));
  assert.equal(other.now(), 1234);
  assert.equal(other.wallTime(), 777 + 1234 / 1e6);
  const real = new MachineClock({ mode: "real", monotonic: () => 0, startTime: 0 });
  assert.throws(() => real.restore(state), StateError);
  assert.throws(() => other.restore({ ...state, version: 2 as 1 }), StateError);
});
