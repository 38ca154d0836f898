import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../testing/fake-clock.js";
import { FakeLine } from "../testing/fake-line.js";
import { checkAccesses, checkHostileStates, type Subject } from "../testing/properties.js";
import { PIT_FREQUENCY, Pit } from "./pit.js";

/** Time of a tick of the 1.193182 MHz clock, in whole nanoseconds. */
const tick = (number: number): number => Math.ceil((number * 1e9) / PIT_FREQUENCY);

function create() {
  const clock = new FakeClock();
  const line = new FakeLine();
  const pit = new Pit({ clock, interrupt: line });
  const control = (value: number): void => pit.write(3, 1, value);
  const load = (channel: number, count: number): void => {
    pit.write(channel, 1, count & 0xff);
    pit.write(channel, 1, count >>> 8);
  };
  const count = (channel: number): number => pit.read(channel, 1) | (pit.read(channel, 1) << 8);
  const out2 = (): boolean => (pit.port61.read(0, 1) & 0x20) !== 0;
  return { clock, line, pit, control, load, count, out2 };
}

test("mode 2 on counter 0 interrupts at the programmed rate", () => {
  const { clock, line, control, load } = create();
  control(0x34);
  load(0, 11932); // 100 Hz
  const before = line.edges;
  clock.advance(1_005_000_000);
  assert.equal(line.edges - before, 100);
});

test("mode 0 counts down once: low until zero, one tick after the load", () => {
  const { clock, line, control, load, count } = create();
  control(0x30);
  assert.equal(line.level, false);
  load(0, 1000);
  clock.advanceTo(tick(501));
  assert.equal(count(0), 500);
  clock.advanceTo(tick(1000));
  assert.equal(line.level, false);
  clock.advanceTo(tick(1001));
  assert.equal(line.level, true);
  clock.advanceTo(tick(1011));
  assert.equal(count(0), 0xfff6, "it counts on below zero");
  assert.equal(line.edges, 1);
});

test("Linux measures the TSC by counter 2 in mode 0: gate by port 0x61, output in bit 5", () => {
  const { clock, pit, control, load, out2 } = create();
  pit.port61.write(0, 1, 0x01);
  control(0xb0);
  load(2, 11932);
  assert.equal(out2(), false);
  clock.advanceTo(tick(11932));
  assert.equal(out2(), false);
  clock.advanceTo(tick(11933));
  assert.equal(out2(), true);
});

test("a low gate holds mode 0's count", () => {
  const { clock, pit, control, load, count } = create();
  pit.port61.write(0, 1, 0x01);
  control(0xb0);
  load(2, 1000);
  clock.advanceTo(tick(101));
  pit.port61.write(0, 1, 0x00);
  clock.advanceTo(tick(301));
  assert.equal(count(2), 900);
  pit.port61.write(0, 1, 0x01);
  clock.advanceTo(tick(401));
  assert.equal(count(2), 800);
});

test("mode 1 is triggered by the gate, as often as it rises", () => {
  const { clock, pit, control, load, out2 } = create();
  control(0xb2);
  load(2, 100);
  assert.equal(out2(), true);
  pit.port61.write(0, 1, 0x01);
  clock.advanceTo(tick(50));
  assert.equal(out2(), false);
  pit.port61.write(0, 1, 0x00);
  pit.port61.write(0, 1, 0x01);
  clock.advanceTo(tick(140));
  assert.equal(out2(), false, "triggered again at tick 50");
  clock.advanceTo(tick(151));
  assert.equal(out2(), true);
});

test("mode 2: low for the last tick of each cycle; a new count waits for the cycle's end", () => {
  const { clock, pit, control, load, count, out2 } = create();
  pit.port61.write(0, 1, 0x01);
  control(0xb4);
  load(2, 100);
  clock.advanceTo(tick(99));
  assert.deepEqual([count(2), out2()], [2, true]);
  clock.advanceTo(tick(100));
  assert.deepEqual([count(2), out2()], [1, false]);
  clock.advanceTo(tick(111));
  load(2, 50);
  assert.equal(count(2), 90, "the old count runs on");
  clock.advanceTo(tick(201));
  assert.equal(count(2), 50);
  clock.advanceTo(tick(251));
  assert.equal(count(2), 50, "and now the cycle is 50 long");
});

test("mode 3: a square wave that counts by two, an odd count with its high half one tick longer", () => {
  const { clock, pit, control, load, count, out2 } = create();
  pit.port61.write(0, 1, 0x01);
  control(0xb6);
  load(2, 5);
  const seen: [number, boolean][] = [];
  for (let index = 1; index <= 6; index++) {
    clock.advanceTo(tick(index));
    seen.push([count(2), out2()]);
  }
  assert.deepEqual(seen, [
    [4, true],
    [2, true],
    [0, true],
    [4, false],
    [2, false],
    [4, true],
  ]);
});

test("modes 4 and 5: one low tick when the count ends", () => {
  const { clock, pit, control, load, out2 } = create();
  pit.port61.write(0, 1, 0x01);
  control(0xb8);
  load(2, 10);
  clock.advanceTo(tick(10));
  assert.equal(out2(), true);
  clock.advanceTo(tick(11));
  assert.equal(out2(), false);
  clock.advanceTo(tick(12));
  assert.equal(out2(), true);
  control(0xba);
  load(2, 10);
  pit.port61.write(0, 1, 0x00);
  pit.port61.write(0, 1, 0x01);
  clock.advanceTo(tick(23));
  assert.equal(out2(), false);
});

test("BCD counts in decimal", () => {
  const { clock, control, load, count } = create();
  control(0x35);
  load(0, 0x1000);
  clock.advanceTo(tick(2));
  assert.equal(count(0), 0x0999);
});

test("a latched count stays until it is read; read-back latches status too", () => {
  const { clock, pit, control, load, count } = create();
  control(0x34);
  load(0, 1000);
  clock.advanceTo(tick(11));
  control(0x00);
  clock.advanceTo(tick(101));
  assert.equal(count(0), 990);
  assert.equal(count(0), 900);
  control(0xc2); // count and status of counter 0
  clock.advanceTo(tick(201));
  assert.equal(pit.read(0, 1), 0xb4, "output high, counting, both bytes, mode 2");
  assert.equal(count(0), 900);
});

test("null count shows that what was written is not counting yet", () => {
  const { pit, control, load } = create();
  control(0x34);
  control(0xe2);
  assert.equal(pit.read(0, 1) & 0x40, 0x40);
  load(0, 100);
  control(0xe2);
  assert.equal(pit.read(0, 1) & 0x40, 0x40, "loaded by the next tick");
});

test("port 0x61: refresh toggles, speaker bits read back", () => {
  const { clock, pit } = create();
  pit.port61.write(0, 1, 0x03);
  assert.equal(pit.port61.read(0, 1) & 0x0f, 0x03);
  const first = pit.port61.read(0, 1) & 0x10;
  clock.advance(15_085);
  assert.notEqual(pit.port61.read(0, 1) & 0x10, first);
});

test("the fastest rate that a guest can ask for does not storm the host", () => {
  const { clock, line, control, load } = create();
  control(0x34);
  load(0, 2);
  const before = line.edges;
  clock.advance(10_000_000);
  assert.ok(line.edges - before <= 500);
});

function subject(): Subject {
  const { clock, line, pit } = create();
  return {
    clock,
    device: pit,
    windows: [
      { device: pit, size: 4 },
      { device: pit.port61, size: 1 },
    ],
    observe: () => line.level,
  };
}

test("random accesses never throw, and a restored timer goes on like the saved one", () => checkAccesses(subject, 30));
test("hostile states are refused whole", () => checkHostileStates(subject));
