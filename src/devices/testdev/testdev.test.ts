import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../testing/fake-clock.js";
import { FakeLine } from "../testing/fake-line.js";
import { checkAccesses, checkHostileStates, type Subject } from "../testing/properties.js";
import { TESTDEV_LINES, TESTDEV_MEMORY_BYTES, TestDevice } from "./testdev.js";

test("data ports read back at any width, little-endian", () => {
  const { data } = new TestDevice({ line: () => new FakeLine() });
  data.write(0, 4, 0x12345678);
  assert.equal(data.read(0, 1), 0x78);
  assert.equal(data.read(2, 2), 0x1234);
  data.write(1, 1, 0xaa);
  assert.equal(data.read(0, 4), 0x1234aa78);
});

test("memory reads back", () => {
  const { memory } = new TestDevice({ line: () => new FakeLine() });
  memory.write(0x123, 4, 0xdeadbeef);
  assert.equal(memory.read(0x124, 2), 0xadbe);
});

test("interrupt ports set their lines", () => {
  const lines = Array.from({ length: TESTDEV_LINES }, () => new FakeLine());
  const { interrupts } = new TestDevice({ line: (gsi) => lines[gsi] });
  interrupts.write(14, 1, 1);
  assert.deepEqual([lines[14].level, lines[15].level], [true, false]);
  interrupts.write(14, 1, 0);
  assert.equal(lines[14].level, false);
});

test("a page to flush is handed on", () => {
  const flushed: number[] = [];
  const { flush } = new TestDevice({ line: () => new FakeLine(), flushPage: (gpa) => flushed.push(gpa) });
  flush.write(0, 4, 0x8000_3000);
  assert.deepEqual(flushed, [0x8000_3000]);
});

function subject(): Subject {
  const lines = Array.from({ length: TESTDEV_LINES }, () => new FakeLine());
  const device = new TestDevice({ line: (gsi) => lines[gsi] });
  return {
    clock: new FakeClock(),
    device,
    windows: [
      { device: device.data, size: 4 },
      { device: device.flush, size: 4 },
      { device: device.interrupts, size: TESTDEV_LINES },
      { device: device.memory, size: TESTDEV_MEMORY_BYTES },
    ],
    observe: () => lines.map(({ level }) => level),
  };
}

test("random accesses never throw, and a restored device goes on like the saved one", () => checkAccesses(subject, 3));
test("hostile states are refused whole", () => checkHostileStates(subject));
