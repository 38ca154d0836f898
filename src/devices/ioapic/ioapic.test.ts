import assert from "node:assert/strict";
import { test } from "node:test";
import { BROADCAST, type InterruptMessage } from "../../vcpu/accelerator.js";
import { FakeClock } from "../testing/fake-clock.js";
import { checkAccesses, checkHostileStates, type Subject } from "../testing/properties.js";
import { Ioapic } from "./ioapic.js";

const MASKED = 0x10000;
const LEVEL = 0x8000;
const REMOTE_IRR = 0x4000;

function create() {
  const messages: InterruptMessage[] = [];
  const absent = { value: false };
  const ioapic = new Ioapic({
    deliver: (message) => {
      messages.push(message);
      return !absent.value;
    },
  });
  const lines = Array.from({ length: 24 }, (_, pin) => ioapic.line(pin));
  const get = (index: number): number => {
    ioapic.write(0x00, 4, index);
    return ioapic.read(0x10, 4);
  };
  const set = (index: number, value: number): void => {
    ioapic.write(0x00, 4, index);
    ioapic.write(0x10, 4, value);
  };
  const route = (pin: number, low: number, high = 0): void => {
    set(0x11 + pin * 2, high);
    set(0x10 + pin * 2, low);
  };
  const entry = (pin: number): number => get(0x10 + pin * 2);
  return { ioapic, messages, lines, get, set, route, entry, absent };
}

test("identification: version 0x20 with 24 entries, all masked at power-on", () => {
  const { get, set, entry } = create();
  assert.equal(get(1), 0x0017_0020);
  set(0, 0x0500_0000);
  assert.equal(get(0), 0x0500_0000);
  assert.equal(entry(23), MASKED);
});

test("remote IRR is set by a local APIC that takes the message", () => {
  const { lines, route, entry, absent, messages } = create();
  absent.value = true;
  route(5, LEVEL | 0x51, 0x0700_0000);
  lines[5].set(true);
  assert.equal(entry(5) & REMOTE_IRR, 0);
  absent.value = false;
  route(5, LEVEL | 0x51);
  assert.equal(entry(5) & REMOTE_IRR, REMOTE_IRR);
  assert.equal(messages.length, 2);
});

test("destination ff is everybody, and a pin can carry an NMI, INIT or the PIC's interrupts", () => {
  const { lines, route, messages } = create();
  for (const [mode, name] of [
    [4, "nmi"],
    [5, "init"],
    [7, "extint"],
    [2, "smi"],
  ] as const) {
    route(6, mode << 8, 0xff00_0000);
    lines[6].set(true);
    lines[6].set(false);
    assert.deepEqual([messages.at(-1)?.deliveryMode, messages.at(-1)?.destination], [name, BROADCAST]);
  }
});

test("an edge becomes one message, to the destination and with the mode of its entry", () => {
  const { messages, lines, route } = create();
  route(4, 0x0931, 0x0300_0000); // vector 0x31, lowest priority, logical
  lines[4].set(true);
  lines[4].set(true);
  assert.deepEqual(messages, [
    {
      destination: 3,
      destinationMode: "logical",
      deliveryMode: "lowest",
      vector: 0x31,
      triggerMode: "edge",
      level: true,
      shorthand: "none",
    },
  ]);
  lines[4].set(false);
  lines[4].set(true);
  assert.equal(messages.length, 2);
});

test("an edge at a masked pin is lost", () => {
  const { messages, lines, route } = create();
  route(4, MASKED | 0x31);
  lines[4].set(true);
  route(4, 0x31);
  assert.equal(messages.length, 0);
});

test("a level waits for the EOI: remote IRR is set meanwhile", () => {
  const { ioapic, messages, lines, route, entry } = create();
  route(16, LEVEL | 0x41);
  lines[16].set(true);
  assert.equal(messages.length, 1);
  assert.equal(entry(16) & REMOTE_IRR, REMOTE_IRR);
  lines[16].set(false);
  lines[16].set(true);
  assert.equal(messages.length, 1);
  ioapic.endOfInterrupt(0x42);
  assert.equal(messages.length, 1, "somebody else's vector");
  ioapic.endOfInterrupt(0x41);
  assert.equal(messages.length, 2, "still asserted");
  lines[16].set(false);
  ioapic.write(0x40, 4, 0x41);
  assert.equal(entry(16) & REMOTE_IRR, 0, "the EOI register does the same");
  assert.equal(messages.length, 2);
});

test("unmasking an asserted level sends it", () => {
  const { messages, lines, route } = create();
  route(16, MASKED | LEVEL | 0x41);
  lines[16].set(true);
  assert.equal(messages.length, 0);
  route(16, LEVEL | 0x41);
  assert.equal(messages.length, 1);
});

test("remote IRR cannot be written; making the entry edge-triggered clears it", () => {
  const { lines, route, entry } = create();
  route(16, REMOTE_IRR | LEVEL | 0x41);
  assert.equal(entry(16) & REMOTE_IRR, 0);
  lines[16].set(true);
  route(16, MASKED | 0x41);
  assert.equal(entry(16), MASKED | 0x41);
});

function subject(): Subject {
  const { ioapic, messages, lines } = create();
  return {
    clock: new FakeClock(),
    device: ioapic,
    windows: [{ device: ioapic, size: 0x44 }],
    event: (choice) => {
      if (choice & 1) lines[choice % 24].set((choice & 64) !== 0);
      else ioapic.endOfInterrupt((choice >>> 1) & 0xff);
    },
    observe: () => messages.splice(0),
  };
}

test("random accesses never throw, and a restored chip goes on like the saved one", () => checkAccesses(subject, 20));
test("hostile states are refused whole", () => checkHostileStates(subject));
