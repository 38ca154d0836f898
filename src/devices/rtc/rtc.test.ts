import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../testing/fake-clock.js";
import { FakeLine } from "../testing/fake-line.js";
import { checkAccesses, checkHostileStates, type Subject } from "../testing/properties.js";
import { Rtc } from "./rtc.js";

const SECOND = 1e9;
const MIB = 2 ** 20;

function create(lowMemory = 512 * MIB, highMemory = 0) {
  const clock = new FakeClock(); // 2024-02-28 23:59:50, a Wednesday
  const line = new FakeLine();
  const rtc = new Rtc({ clock, interrupt: line, lowMemory, highMemory });
  const get = (index: number): number => {
    rtc.write(0, 1, index);
    return rtc.read(1, 1);
  };
  const set = (index: number, value: number): void => {
    rtc.write(0, 1, index);
    rtc.write(1, 1, value);
  };
  /** Hour, minute, second, weekday, day, month, year, century: as the registers show them. */
  const time = (): string =>
    [4, 2, 0, 6, 7, 8, 9, 0x32].map((index) => get(index).toString(16).padStart(2, "0")).join(" ");
  return { clock, line, rtc, get, set, time };
}

test("the time of day in BCD, through a leap day", () => {
  const { clock, time } = create();
  assert.equal(time(), "23 59 50 04 28 02 24 20");
  clock.advance(10 * SECOND);
  assert.equal(time(), "00 00 00 05 29 02 24 20");
});

test("binary and 12-hour formats", () => {
  const { get, set } = create();
  set(11, 0x06);
  assert.deepEqual([get(4), get(2), get(0)], [23, 59, 50]);
  set(11, 0x00);
  assert.equal(get(4), 0x91, "11 p.m.");
});

test("setting the time: updates stand still under SET and go on from what was written", () => {
  const { clock, get, set, time } = create();
  set(11, 0x82);
  for (const [index, value] of [
    [4, 0x12],
    [2, 0x34],
    [0, 0x56],
    [6, 0x02],
    [7, 0x31],
    [8, 0x12],
    [9, 0x99],
    [0x32, 0x19],
  ]) {
    set(index, value);
  }
  clock.advance(5 * SECOND);
  assert.equal(time(), "12 34 56 02 31 12 99 19");
  set(11, 0x02);
  clock.advance(5 * SECOND);
  assert.equal(time(), "12 35 01 02 31 12 99 19");
  assert.equal(get(11), 0x02);
});

test("a divider that leaves its reset updates half a second later", () => {
  const { clock, get, set } = create();
  set(10, 0x76);
  clock.advance(3 * SECOND);
  const before = get(0);
  set(10, 0x26);
  clock.advance(0.49 * SECOND);
  assert.equal(get(0), before);
  clock.advance(0.02 * SECOND);
  assert.notEqual(get(0), before);
});

test("UIP announces an update 244 microseconds before it", () => {
  const { clock, get } = create();
  clock.advanceTo(SECOND - 300_000);
  assert.equal(get(10) & 0x80, 0);
  clock.advanceTo(SECOND - 100_000);
  assert.equal(get(10) & 0x80, 0x80);
  clock.advanceTo(SECOND);
  assert.equal(get(10) & 0x80, 0);
});

test("the update interrupt: each second, until register C is read", () => {
  const { clock, line, get, set } = create();
  set(11, 0x12);
  clock.advance(SECOND);
  assert.equal(line.level, true);
  assert.equal(get(12) & 0xb0, 0x90);
  assert.equal(line.level, false);
  assert.equal(get(12), 0x00);
});

test("the periodic interrupt at 1024 Hz does not drift", () => {
  const { clock, line, get, set } = create();
  set(10, 0x26);
  set(11, 0x42);
  let ticks = 0;
  for (let step = 0; step < 2000; step++) {
    clock.advance(500_000);
    if (line.level) {
      ticks++;
      assert.equal(get(12) & 0xc0, 0xc0);
    }
  }
  assert.equal(ticks, 1024);
});

test("flags are set without their interrupts, for who polls", () => {
  const { clock, line, get } = create();
  clock.advance(1.5 * SECOND);
  assert.equal(get(12), 0x50);
  assert.equal(line.level, false);
});

test("the alarm: at a time, or with a part that matches always", () => {
  const { clock, line, get, set } = create();
  set(1, 0x05);
  set(3, 0x00);
  set(5, 0x00);
  set(11, 0x22);
  clock.advance(14.9 * SECOND);
  assert.equal(line.level, false);
  clock.advance(0.2 * SECOND);
  assert.equal(line.level, true, "00:00:05");
  assert.equal(get(12) & 0xa0, 0xa0);
  set(3, 0xff);
  set(5, 0xc0);
  clock.advance(61 * SECOND);
  assert.equal(line.level, true, "each minute at second 5");
});

test("an alarm that no time matches costs nothing", () => {
  const { clock, line, set } = create();
  set(1, 0x7f);
  set(11, 0x22);
  clock.advance(100_000 * SECOND);
  assert.equal(line.level, false);
});

test("the sizes of memory that firmware reads", () => {
  const { get } = create(3072 * MIB, 1024 * MIB);
  assert.equal(get(0x15) | (get(0x16) << 8), 640);
  assert.equal(get(0x30) | (get(0x31) << 8), 0xffff, "KiB above 1 MiB, at most 64 MiB");
  assert.equal((get(0x34) | (get(0x35) << 8)) * 64 * 1024, (3072 - 16) * MIB);
  assert.equal((get(0x5b) | (get(0x5c) << 8)) * 64 * 1024, 1024 * MIB);
});

test("CMOS memory keeps what is written, in both banks; register D says that the battery is good", () => {
  const { rtc, get, set } = create();
  set(0x40, 0x5a);
  rtc.write(2, 1, 0x40);
  rtc.write(3, 1, 0xa5);
  assert.deepEqual([get(0x40), rtc.read(3, 1), get(13)], [0x5a, 0xa5, 0x80]);
  rtc.write(0, 1, 0x80);
  assert.equal(rtc.nmiMasked, true);
});

function subject(): Subject {
  const { clock, line, rtc } = create();
  return { clock, device: rtc, windows: [{ device: rtc, size: 4 }], observe: () => line.level };
}

test("random accesses never throw, and a restored clock goes on like the saved one", () => checkAccesses(subject, 30));
test("hostile states are refused whole", () => checkHostileStates(subject));
