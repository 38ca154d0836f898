import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../testing/fake-clock.js";
import { FakeLine } from "../testing/fake-line.js";
import { checkAccesses, checkHostileStates, type Subject } from "../testing/properties.js";
import { Hpet } from "./hpet.js";

const CONFIGURATION = 0x10;
const STATUS = 0x20;
const COUNTER = 0xf0;
const timer = (index: number, register: number): number => 0x100 + index * 0x20 + register;
const [CONFIG, COMPARATOR, FSB] = [0x00, 0x08, 0x10];
const TICK_NS = 10;

function create() {
  const clock = new FakeClock();
  const lines = new Map<number, FakeLine>();
  const line = (gsi: number): FakeLine => {
    const found = lines.get(gsi) ?? new FakeLine();
    lines.set(gsi, found);
    return found;
  };
  const sent: [number, number][] = [];
  const hpet = new Hpet({ lines: line, clock, msi: { send: (address, data) => sent.push([address, data]) } });
  const write = (offset: number, value: number): void => hpet.write(offset, 4, value);
  const read = (offset: number): number => hpet.read(offset, 4);
  return { clock, hpet, line, lines, sent, read, write };
}

test("capabilities: three timers, 64 bits, legacy replacement, 10 ns a tick", () => {
  const { read } = create();
  assert.equal(read(0), 0x8086_a201);
  assert.equal(read(4), 10_000_000);
});

test("the counter stands still until it is enabled, and keeps its value when disabled", () => {
  const { clock, read, write } = create();
  clock.advance(1000);
  assert.equal(read(COUNTER), 0);
  write(CONFIGURATION, 1);
  clock.advance(1000);
  assert.equal(read(COUNTER), 100);
  write(CONFIGURATION, 0);
  clock.advance(1000);
  assert.equal(read(COUNTER), 100);
  write(COUNTER, 0xffff_ffff);
  write(COUNTER + 4, 1);
  write(CONFIGURATION, 1);
  clock.advance(TICK_NS);
  assert.deepEqual([read(COUNTER), read(COUNTER + 4)], [0, 2]);
});

test("one shot: an edge when the counter reaches the comparator", () => {
  const { clock, line, write } = create();
  write(timer(0, CONFIG), (20 << 9) | 0x04);
  write(timer(0, COMPARATOR), 1000);
  write(timer(0, COMPARATOR) + 4, 0);
  write(CONFIGURATION, 1);
  clock.advance(999 * TICK_NS);
  assert.equal(line(20).edges, 0);
  clock.advance(TICK_NS);
  assert.equal(line(20).edges, 1);
  clock.advance(1e6);
  assert.equal(line(20).edges, 1);
});

test("periodic, as Linux programs it: comparator and period by two writes after SET_VALUE", () => {
  const { clock, line, write } = create();
  write(CONFIGURATION, 1);
  write(timer(0, CONFIG), (20 << 9) | 0x14c);
  write(timer(0, COMPARATOR), 100_000);
  write(timer(0, COMPARATOR), 100_000);
  clock.advance(10.5e6);
  assert.equal(line(20).edges, 10);
});

test("level: the status bit holds the line until it is cleared", () => {
  const { clock, line, read, write } = create();
  write(timer(1, CONFIG), (21 << 9) | 0x06);
  write(timer(1, COMPARATOR), 10);
  write(timer(1, COMPARATOR) + 4, 0);
  write(CONFIGURATION, 1);
  clock.advance(10 * TICK_NS);
  assert.deepEqual([read(STATUS), line(21).level], [2, true]);
  write(STATUS, 1);
  assert.equal(line(21).level, true);
  write(STATUS, 2);
  assert.deepEqual([read(STATUS), line(21).level], [0, false]);
});

test("legacy replacement: timers 0 and 1 take over interrupts 0 and 8, and the PIT and RTC are cut off", () => {
  const { clock, hpet, line, write } = create();
  const pitLine = new FakeLine();
  const pit = hpet.replaceable(pitLine);
  pit.set(true);
  assert.equal(pitLine.level, true);
  write(timer(0, CONFIG), 0x04);
  write(timer(0, COMPARATOR), 10);
  write(timer(0, COMPARATOR) + 4, 0);
  write(CONFIGURATION, 3);
  assert.equal(pitLine.level, false);
  clock.advance(10 * TICK_NS);
  assert.equal(line(0).edges, 1);
  write(CONFIGURATION, 1);
  assert.equal(pitLine.level, true);
});

test("a periodic comparator set by writes of 8 bytes, as a 64-bit program does it", () => {
  const { clock, read, write, line } = create();
  const wide = (offset: number, value: bigint) => {
    write(offset, Number(value & 0xffff_ffffn));
    write(offset + 4, Number(value >> 32n));
  };
  // Enabled, periodic, the next write sets the accumulator.
  write(timer(0, CONFIG), (20 << 9) | 0x4c);
  wide(timer(0, COMPARATOR), 2000n);
  wide(timer(0, COMPARATOR), 3000n);
  assert.deepEqual([read(timer(0, COMPARATOR)), read(timer(0, COMPARATOR) + 4)], [2000, 0]);
  write(CONFIGURATION, 1);
  clock.advance(2000 * TICK_NS);
  assert.equal(line(20).edges, 1);
  assert.deepEqual([read(timer(0, COMPARATOR)), read(timer(0, COMPARATOR) + 4)], [5000, 0]);
});

test("FSB delivery sends a message instead", () => {
  const { clock, sent, write } = create();
  write(timer(2, CONFIG), 0x4004);
  write(timer(2, FSB), 0x41);
  write(timer(2, FSB) + 4, 0xfee0_0000);
  write(timer(2, COMPARATOR), 10);
  write(timer(2, COMPARATOR) + 4, 0);
  write(CONFIGURATION, 1);
  clock.advance(10 * TICK_NS);
  assert.deepEqual(sent, [[0xfee0_0000, 0x41]]);
});

test("a period of one tick does not storm the host", () => {
  const { clock, line, write } = create();
  write(CONFIGURATION, 1);
  write(timer(0, CONFIG), (20 << 9) | 0x14c);
  write(timer(0, COMPARATOR), 1);
  write(timer(0, COMPARATOR), 1);
  clock.advance(1e7);
  assert.ok(line(20).edges <= 501);
});

function subject(): Subject {
  const { clock, hpet, lines, sent } = create();
  return {
    clock,
    device: hpet,
    windows: [{ device: hpet, size: 0x400 }],
    observe: () => [
      [...lines]
        .filter(([, { level }]) => level)
        .map(([gsi]) => gsi)
        .sort(),
      sent.splice(0),
    ],
  };
}

test("random accesses never throw, and a restored timer goes on like the saved one", () => checkAccesses(subject, 10));
test("hostile states are refused whole", () => checkHostileStates(subject));
