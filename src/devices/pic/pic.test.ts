import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../testing/fake-clock.js";
import { FakeLine } from "../testing/fake-line.js";
import { checkAccesses, checkHostileStates, type Subject } from "../testing/properties.js";
import { Pic } from "./pic.js";

const EOI = 0x20;

/** Both chips as a PC's firmware sets them up: vectors 0x20 and 0x28, nothing masked. */
function create({ icw4 = 0x01 } = {}) {
  const intr = new FakeLine();
  const pic = new Pic({ intr });
  const lines = Array.from({ length: 16 }, (_, input) => pic.line(input));
  for (const [chip, base, cascade] of [
    [pic.master, 0x20, 0x04],
    [pic.slave, 0x28, 0x02],
  ] as const) {
    chip.write(0, 1, 0x11);
    chip.write(1, 1, base);
    chip.write(1, 1, cascade);
    chip.write(1, 1, icw4);
    chip.write(1, 1, 0x00);
  }
  const raise = (input: number): void => lines[input].set(true);
  const pulse = (input: number): void => {
    lines[input].set(true);
    lines[input].set(false);
  };
  return { pic, intr, lines, raise, pulse };
}

test("an edge interrupts once, with its vector", () => {
  const { pic, intr, raise } = create();
  raise(1);
  assert.equal(intr.level, true);
  assert.equal(pic.acknowledge(), 0x21);
  assert.equal(intr.level, false);
  pic.master.write(0, 1, EOI);
  assert.equal(intr.level, false, "the line is still high, but there was no new edge");
});

test("a pulse is remembered until it is acknowledged", () => {
  const { pic, intr, pulse } = create();
  pulse(0);
  assert.equal(intr.level, true);
  assert.equal(pic.acknowledge(), 0x20);
});

test("priority: input 0 first, and nothing below what is in service", () => {
  const { pic, intr, raise } = create();
  raise(3);
  assert.equal(pic.acknowledge(), 0x23);
  raise(4);
  assert.equal(intr.level, false);
  raise(1);
  assert.equal(pic.acknowledge(), 0x21);
  pic.master.write(0, 1, EOI); // ends 1
  assert.equal(intr.level, false);
  pic.master.write(0, 1, EOI); // ends 3
  assert.equal(pic.acknowledge(), 0x24);
});

test("the slave's interrupts pass through input 2, at its priority", () => {
  const { pic, intr, raise } = create();
  raise(10);
  raise(3);
  assert.equal(pic.acknowledge(), 0x2a);
  assert.equal(intr.level, false, "3 waits behind 2");
  pic.slave.write(0, 1, EOI);
  pic.master.write(0, 1, EOI);
  assert.equal(pic.acknowledge(), 0x23);
});

test("two of the slave's inputs come one after the other", () => {
  const { pic, intr, raise } = create();
  raise(12);
  raise(14);
  assert.equal(pic.acknowledge(), 0x2c);
  pic.slave.write(0, 1, EOI);
  pic.master.write(0, 1, EOI);
  assert.equal(intr.level, true);
  assert.equal(pic.acknowledge(), 0x2e);
});

test("special fully nested mode lets a higher input of the slave through", () => {
  const { pic, intr, raise } = create({ icw4: 0x11 });
  raise(12);
  assert.equal(pic.acknowledge(), 0x2c);
  raise(9);
  assert.equal(intr.level, true);
  assert.equal(pic.acknowledge(), 0x29);
});

test("masks hold a request back without losing it", () => {
  const { pic, intr, raise } = create();
  pic.master.write(1, 1, 0x02);
  raise(1);
  assert.equal(intr.level, false);
  assert.equal(pic.master.read(0, 1), 0x02, "the request shows in IRR");
  pic.master.write(1, 1, 0x00);
  assert.equal(intr.level, true);
});

test("spurious interrupts: input 7, and 15 with only the master's cascade in service", () => {
  const { pic, raise } = create();
  assert.equal(pic.acknowledge(), 0x27);
  pic.master.write(0, 1, 0x0b);
  assert.equal(pic.master.read(0, 1), 0x00, "nothing is in service");
  raise(9);
  pic.slave.write(1, 1, 0xff);
  assert.equal(pic.acknowledge(), 0x2f);
  assert.equal(pic.master.read(0, 1), 0x04);
  pic.slave.write(0, 1, 0x0b);
  assert.equal(pic.slave.read(0, 1), 0x00);
});

test("level-triggered inputs, by the ELCR, interrupt for as long as they are asserted", () => {
  const { pic, intr, lines } = create();
  pic.elcr.write(0, 1, 0xff);
  pic.elcr.write(1, 1, 0xff);
  assert.deepEqual([pic.elcr.read(0, 1), pic.elcr.read(1, 1)], [0xf8, 0xde]);
  lines[5].set(true);
  assert.equal(pic.acknowledge(), 0x25);
  pic.master.write(0, 1, EOI);
  assert.equal(intr.level, true, "still asserted");
  lines[5].set(false);
  assert.equal(intr.level, false);
});

test("an ELCR write takes an asserted line up at once", () => {
  const { pic, intr, lines } = create();
  pic.master.write(1, 1, 0x20);
  lines[5].set(true);
  pic.acknowledge();
  pic.master.write(0, 1, 0x11);
  pic.master.write(1, 1, 0x20);
  pic.master.write(1, 1, 0x04);
  pic.master.write(1, 1, 0x01);
  assert.equal(intr.level, false, "initialization forgets edges");
  pic.elcr.write(0, 1, 0x20);
  assert.equal(intr.level, true);
});

test("automatic EOI leaves nothing in service", () => {
  const { pic, intr, raise } = create({ icw4: 0x03 });
  raise(1);
  raise(4);
  assert.equal(pic.acknowledge(), 0x21);
  assert.equal(intr.level, true);
  assert.equal(pic.acknowledge(), 0x24);
});

test("rotation: the input just served becomes the lowest", () => {
  const { pic, raise } = create();
  raise(1);
  pic.acknowledge();
  pic.master.write(0, 1, 0xa0); // rotate on unspecific EOI
  raise(0);
  raise(3);
  assert.equal(pic.acknowledge(), 0x23, "3 is above 0 now");
  pic.master.write(0, 1, 0x63); // specific EOI
  pic.master.write(0, 1, 0xc7); // set priority: 7 lowest again
  assert.equal(pic.acknowledge(), 0x20);
});

test("special mask mode: a masked input in service holds nobody back", () => {
  const { pic, intr, raise } = create();
  raise(1);
  pic.acknowledge();
  raise(4);
  assert.equal(intr.level, false);
  pic.master.write(1, 1, 0x02);
  pic.master.write(0, 1, 0x68);
  assert.equal(intr.level, true);
  assert.equal(pic.acknowledge(), 0x24);
});

test("polling acknowledges by a read", () => {
  const { pic, intr, raise } = create();
  raise(6);
  pic.master.write(0, 1, 0x0c);
  assert.equal(pic.master.read(0, 1), 0x86);
  assert.equal(intr.level, false);
  pic.master.write(0, 1, 0x0c);
  assert.equal(pic.master.read(0, 1) & 0x80, 0);
});

function subject(): Subject {
  const { pic, intr, lines } = create();
  return {
    clock: new FakeClock(),
    device: pic,
    windows: [
      { device: pic.master, size: 2 },
      { device: pic.slave, size: 2 },
      { device: pic.elcr, size: 2 },
    ],
    event: (choice) => {
      if (choice & 1) lines[(choice >>> 1) & 15].set((choice & 32) !== 0);
      else pic.acknowledge();
    },
    observe: () => intr.level,
  };
}

test("random accesses never throw, and a restored pair goes on like the saved one", () => checkAccesses(subject, 30));
test("hostile states are refused whole", () => checkHostileStates(subject));
