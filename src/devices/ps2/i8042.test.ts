import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../testing/fake-clock.js";
import { FakeLine } from "../testing/fake-line.js";
import { checkAccesses, checkHostileStates, type Subject } from "../testing/properties.js";
import { I8042 } from "./i8042.js";

function create() {
  const keyboardLine = new FakeLine();
  const mouseLine = new FakeLine();
  const resets = { count: 0 };
  const clock = new FakeClock();
  const ps2 = new I8042({
    clock,
    keyboardInterrupt: keyboardLine,
    mouseInterrupt: mouseLine,
    reset: () => resets.count++,
  });
  const data = (value: number): void => ps2.data.write(0, 1, value);
  const command = (value: number): void => ps2.command.write(0, 1, value);
  const status = (): number => ps2.command.read(0, 1);
  /** All that waits, as a driver drains it. */
  const drain = (): number[] => {
    const bytes: number[] = [];
    while (status() & 1) bytes.push(ps2.data.read(0, 1));
    return bytes;
  };
  return { ps2, clock, keyboardLine, mouseLine, resets, data, command, status, drain };
}

test("the controller's self-test and port tests pass", () => {
  const { command, drain, status } = create();
  command(0xaa);
  assert.equal(status() & 4, 4, "the system flag");
  assert.deepEqual(drain(), [0x55]);
  command(0xab);
  assert.deepEqual(drain(), [0x00]);
  command(0xa9);
  assert.deepEqual(drain(), [0x00]);
});

test("the command byte reads back", () => {
  const { command, data, drain } = create();
  command(0x60);
  data(0x47);
  command(0x20);
  assert.deepEqual(drain(), [0x47]);
});

test("Linux finds the auxiliary port by a byte that comes back as the mouse's", () => {
  const { command, data, status, ps2 } = create();
  command(0xd3);
  data(0x5a);
  assert.equal(status() & 0x21, 0x21);
  assert.equal(ps2.data.read(0, 1), 0x5a);
  assert.equal(status() & 1, 0);
});

test("keyboard: reset, identify, lights, scan code set", () => {
  const { command, data, drain, ps2 } = create();
  command(0x60);
  data(0x00); // no translation: answers come as the keyboard sends them
  data(0xff);
  assert.deepEqual(drain(), [0xfa, 0xaa]);
  data(0xf2);
  assert.deepEqual(drain(), [0xfa, 0xab, 0x83]);
  data(0xed);
  assert.deepEqual(drain(), [0xfa]);
  data(0x02);
  assert.deepEqual(drain(), [0xfa]);
  assert.equal(ps2.keyboard.lights, 2);
  data(0xf0);
  data(0x00);
  assert.deepEqual(drain(), [0xfa, 0xfa, 0x02]);
  data(0xee);
  assert.deepEqual(drain(), [0xee]);
  data(0xf7);
  assert.deepEqual(drain(), [0xfe], "a command that is not known");
});

test("keys arrive translated to set 1, with an interrupt each byte", () => {
  const { ps2, command, data, keyboardLine } = create();
  command(0x60);
  data(0x41);
  command(0xae);
  ps2.type([0x1c, 0xf0, 0x1c, 0xe0, 0x75]); // A pressed, A released, cursor up
  assert.equal(keyboardLine.level, true);
  const bytes: number[] = [];
  while (keyboardLine.level) bytes.push(ps2.data.read(0, 1));
  assert.deepEqual(bytes, [0x1e, 0x9e, 0xe0, 0x48]);
  assert.equal(keyboardLine.edges, 4);
});

test("a disabled port keeps its bytes until it is enabled", () => {
  const { ps2, command, status, drain } = create();
  command(0xad);
  ps2.type([0x1c]);
  assert.equal(status() & 1, 0);
  command(0xae);
  assert.deepEqual(drain(), [0x1e]);
});

test("a keyboard that nobody reads reports an overrun instead of half a key", () => {
  const { ps2, command, data, drain } = create();
  command(0x60);
  data(0x00);
  for (let key = 0; key < 30; key++) ps2.type([0xe0, 0x75]);
  const bytes = drain();
  assert.equal(bytes.at(-1), 0x00);
  assert.ok(bytes.length <= 18);
});

test("mouse: reset, identify, movement in packets", () => {
  const { ps2, command, data, drain, mouseLine } = create();
  const mouse = (value: number): number[] => {
    command(0xd4);
    data(value);
    return drain();
  };
  command(0x60);
  data(0x02);
  assert.deepEqual(mouse(0xff), [0xfa, 0xaa, 0x00]);
  assert.deepEqual(mouse(0xf2), [0xfa, 0x00]);
  ps2.moveMouse(5, 5, 0);
  assert.deepEqual(drain(), [], "silent until it is enabled");
  assert.deepEqual(mouse(0xf4), [0xfa]);
  ps2.moveMouse(3, -2, 1);
  assert.equal(mouseLine.level, true);
  assert.deepEqual(drain(), [0x29, 0x03, 0xfe]);
  ps2.moveMouse(300, 0, 0);
  assert.deepEqual(drain(), [0x08, 255, 0, 0x08, 45, 0], "what does not fit one packet follows in the next");
  assert.deepEqual(mouse(0xe9), [0xfa, 0x20, 2, 100], "status, resolution, rate");
});

test("the reset line: by pulse and by the output port", () => {
  const { command, data, resets } = create();
  command(0xfe);
  assert.equal(resets.count, 1);
  command(0xff);
  assert.equal(resets.count, 1, "0xff pulses no line");
  command(0xd1);
  data(0xfe);
  assert.equal(resets.count, 2);
});

test("A20 reads back through the output port", () => {
  const { command, data, drain } = create();
  command(0xd1);
  data(0x01);
  command(0xd0);
  assert.equal(drain()[0] & 2, 0);
  command(0xdf);
  command(0xd0);
  assert.equal(drain()[0] & 2, 2);
});

test("a key that is held repeats after the delay, at the rate that the guest has set, until it is released", () => {
  const { ps2, clock, command, data, drain } = create();
  command(0x60);
  data(0x40);
  data(0xf3);
  data(0x20); // half a second, then 30 a second
  drain();
  ps2.key([0x1c], true);
  clock.advance(499e6);
  assert.deepEqual(drain(), [0x1e]);
  clock.advance(2e6);
  assert.deepEqual(drain(), [0x1e]);
  clock.advance(32e6);
  assert.deepEqual(drain(), []);
  clock.advance(2e6);
  assert.deepEqual(drain(), [0x1e]);
  ps2.key([0xe0, 0x75], true);
  clock.advance(501e6);
  assert.deepEqual(drain(), [0xe0, 0x48, 0xe0, 0x48], "the last key repeats");
  ps2.key([0x1c], false);
  clock.advance(34e6);
  assert.deepEqual(drain(), [0x9e, 0xe0, 0x48]);
  ps2.key([0xe0, 0x75], false);
  clock.advance(2e9);
  assert.deepEqual(drain(), [0xe0, 0xc8]);
});

test("scan code set 1, where the guest asks for it and the controller does not translate", () => {
  const { ps2, command, data, drain } = create();
  command(0x60);
  data(0x00);
  data(0xf0);
  data(0x01);
  drain();
  ps2.type([0x1c, 0xf0, 0x1c, 0xe0, 0x75, 0xe0, 0xf0, 0x75]);
  assert.deepEqual(drain(), [0x1e, 0x9e, 0xe0, 0x48, 0xe0, 0xc8]);
});

function subject(): Subject {
  const { ps2, clock, keyboardLine, mouseLine } = create();
  return {
    clock,
    device: ps2,
    windows: [
      { device: ps2.data, size: 1 },
      { device: ps2.command, size: 1 },
    ],
    event: (choice) => {
      if (choice & 1) ps2.type([(choice >>> 1) & 0xff, (choice >>> 9) & 0xff]);
      else if (choice & 2) ps2.key([(choice >>> 4) & 0x7f], (choice & 4) !== 0);
      else ps2.moveMouse(((choice >>> 4) & 0x3ff) - 512, ((choice >>> 14) & 0x3ff) - 512, choice >>> 24);
    },
    observe: () => [keyboardLine.level, mouseLine.level],
  };
}

test("random accesses never throw, and a restored device goes on like the saved one", () => checkAccesses(subject, 20));
test("hostile states are refused whole", () => checkHostileStates(subject));
