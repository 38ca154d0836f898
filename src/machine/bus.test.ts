import assert from "node:assert/strict";
import { test } from "node:test";
import type { BusDevice } from "../devices/device.js";
import { Bus, PRIORITY_BAR } from "./bus.js";

/** Remembers writes and answers reads with its letter's byte repeated. */
class Probe implements BusDevice {
  readonly log: string[] = [];
  constructor(readonly byte: number) {}
  read(offset: number, size: number): number {
    this.log.push(`r${size}@${offset}`);
    return (this.byte * 0x01010101) % 2 ** (8 * size);
  }
  write(offset: number, size: number, value: number): void {
    this.log.push(`w${size}@${offset}=${value.toString(16)}`);
  }
}

test("an access reaches the window it lies in, with an offset from its base", () => {
  const bus = new Bus(0x10000);
  const a = new Probe(0x11);
  const b = new Probe(0x22);
  bus.add("a", 0x60, 1, a);
  bus.add("b", 0x3f8, 8, b);
  assert.equal(bus.read(0x60, 1), 0x11);
  bus.write(0x3fb, 1, 0x83);
  assert.equal(bus.read(0x3f8, 4), 0x22222222);
  assert.deepEqual(a.log, ["r1@0"]);
  assert.deepEqual(b.log, ["w1@3=83", "r4@0"]);
});

test("nobody reads as all ones", () => {
  const bus = new Bus(0x10000);
  assert.equal(bus.read(0x80, 1), 0xff);
  assert.equal(bus.read(0x80, 2), 0xffff);
  assert.equal(bus.read(0xffff, 4), 0xffffffff);
  bus.write(0xffff, 4, 1);
});

test("an access over the end of a window is done by bytes", () => {
  const bus = new Bus(0x10000);
  const a = new Probe(0x11);
  const b = new Probe(0x22);
  bus.add("a", 0x70, 2, a);
  bus.add("b", 0x72, 1, b);
  assert.equal(bus.read(0x71, 4), 0xffff2211);
  bus.write(0x70, 4, 0x44332211);
  assert.deepEqual(a.log, ["r1@1", "w1@0=11", "w1@1=22"]);
  assert.deepEqual(b.log, ["r1@0", "w1@0=33"]);
});

test("a small window over a large one gets its own accesses, the large one those that start before", () => {
  const bus = new Bus(0x10000);
  const config = new Probe(0x11);
  const reset = new Probe(0x22);
  bus.add("config address", 0xcf8, 4, config);
  bus.add("reset control", 0xcf9, 1, reset);
  bus.write(0xcf8, 4, 0x80000000);
  bus.write(0xcf9, 1, 6);
  assert.deepEqual(config.log, ["w4@0=80000000"]);
  assert.deepEqual(reset.log, ["w1@0=6"]);
});

test("fixed windows win over BARs, and removing a window uncovers what is below", () => {
  const bus = new Bus(2 ** 52);
  const bar = new Probe(0x11);
  const fixed = new Probe(0x22);
  const window = bus.add("hpet", 0xfed00000, 0x400, fixed);
  bus.add("bar", 0xfed00000, 0x1000, bar, PRIORITY_BAR);
  assert.equal(bus.read(0xfed00000, 4), 0x22222222);
  assert.equal(bus.read(0xfed00400, 4), 0x11111111);
  window.remove();
  assert.equal(bus.read(0xfed00000, 4), 0x11111111);
  assert.throws(() => bus.add("beyond", 2 ** 52 - 1, 2, bar), RangeError);
});
