import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../testing/fake-clock.js";
import { FakeLine } from "../testing/fake-line.js";
import { MemoryBackend } from "../testing/memory-backend.js";
import { checkAccesses, checkHostileStates, type Subject } from "../testing/properties.js";
import { Serial } from "./serial.js";

const [DATA, IER, IIR, LCR, MCR, LSR, MSR, SCRATCH] = [0, 1, 2, 3, 4, 5, 6, 7];
const FCR = IIR;
const CHARACTER_NS = (10 / 9600) * 1e9;

function create() {
  const clock = new FakeClock();
  const line = new FakeLine();
  const backend = new MemoryBackend();
  const serial = new Serial({ clock, interrupt: line, backend });
  const read = (register: number): number => serial.read(register, 1);
  const write = (register: number, value: number): void => serial.write(register, 1, value);
  return { clock, line, backend, serial, read, write };
}

/** As Linux sets a port up: FIFOs with trigger level 8, interrupt through to the bus, 9600 baud, 8N1. */
function open() {
  const port = create();
  port.write(LCR, 0x83);
  port.write(DATA, 12);
  port.write(IER, 0);
  port.write(LCR, 0x03);
  port.write(FCR, 0x87);
  port.write(MCR, 0x0b);
  return port;
}

test("what is written goes out at once, and the transmitter is empty again", () => {
  const { backend, read, write } = create();
  for (const letter of "hello") write(DATA, letter.charCodeAt(0));
  assert.equal(backend.text, "hello");
  assert.equal(read(LSR), 0x60);
});

test("a backend that keeps a buffer for itself sees each byte", () => {
  const kept: Uint8Array[] = [];
  const backend = { write: (bytes: Uint8Array) => kept.push(bytes), onData: () => {} };
  const serial = new Serial({ clock: new FakeClock(), interrupt: new FakeLine(), backend });
  serial.write(DATA, 1, 1);
  serial.write(DATA, 1, 2);
  assert.deepEqual(
    kept.map((bytes) => [...bytes]),
    [[1], [2]],
  );
});

test("a slow backend fills the transmitter's FIFO; the interrupt comes when it has drained", () => {
  const { backend, line, read, write } = open();
  write(IER, 0x02);
  read(IIR);
  backend.setWritable(false);
  write(DATA, 0x41);
  write(DATA, 0x42);
  assert.equal(read(LSR) & 0x60, 0);
  assert.equal(line.level, false);
  backend.setWritable(true);
  assert.equal(backend.text, "AB");
  assert.equal(line.level, true);
  assert.equal(read(IIR), 0xc2);
});

test("enabling the transmitter interrupt raises it; reading IIR acknowledges it", () => {
  const { line, read, write } = open();
  write(IER, 0x02);
  assert.equal(line.level, true);
  assert.equal(read(IIR), 0xc2);
  assert.equal(line.level, false);
  assert.equal(read(IIR), 0xc1);
  write(DATA, 0x41);
  assert.equal(line.level, true, "and again after each character");
});

test("the receiver interrupts at its trigger level, or after four characters of silence", () => {
  const { clock, backend, line, read, write } = open();
  write(IER, 0x01);
  backend.send("1234567");
  assert.equal(line.level, false);
  clock.advance(4 * CHARACTER_NS - 1000);
  assert.equal(line.level, false);
  clock.advance(2000);
  assert.equal(read(IIR), 0xcc, "timeout");
  assert.equal(read(DATA), 0x31);
  assert.equal(line.level, false, "a read ends it");
  backend.send("89");
  assert.equal(read(IIR), 0xc4, "eight characters are there");
});

test("without FIFOs one character interrupts and IIR's top bits are clear", () => {
  const { backend, line, read, write } = create();
  write(MCR, 0x08);
  write(IER, 0x01);
  backend.send("xy");
  assert.equal(line.level, true);
  assert.equal(read(IIR), 0x04);
  assert.deepEqual([read(DATA), read(DATA)], [0x78, 0x79]);
});

test("interrupts are told by priority: line status, data, transmitter, modem", () => {
  const { serial, backend, read, write } = open();
  write(IER, 0x0f);
  write(MCR, 0x1b); // loopback: CTS stays, OUT1 off, so that DCD and DSR do not change
  write(MCR, 0x1a); // DTR off: DSR changes
  write(MCR, 0x0b);
  serial.receiveBreak();
  backend.send("1234567");
  assert.equal(read(IIR), 0xc6);
  assert.equal(read(LSR) & 0x99, 0x99, "FIFO error, break and framing, data ready");
  assert.equal(read(IIR), 0xc4);
  for (let index = 0; index < 8; index++) read(DATA);
  assert.equal(read(IIR), 0xc2);
  assert.equal(read(IIR), 0xc0);
  assert.notEqual(read(MSR) & 0x0f, 0);
  assert.equal(read(IIR), 0xc1);
});

test("input waits while the FIFO is full, and the backend is asked to pause", () => {
  const { backend, read } = open();
  backend.send(Array.from({ length: 5000 }, (_, index) => index & 0xff));
  assert.equal(backend.paused, true);
  for (let index = 0; index < 5000; index++) assert.equal(read(DATA), index & 0xff);
  assert.equal(backend.paused, false);
  assert.equal(read(LSR) & 0x03, 0, "nothing left, nothing lost");
});

test("a backend that does not pause loses bytes with an overrun, and the device stays bounded", () => {
  const { serial, backend, read } = open();
  backend.send(new Array(100_000).fill(7));
  assert.equal(read(LSR) & 2, 2);
  assert.equal(serial.save().waiting.length + serial.save().received.length, 65536);
});

test("loopback connects outputs to inputs and cuts off the line and the interrupt", () => {
  const { backend, line, read, write } = open();
  write(MCR, 0x1f);
  assert.equal(read(MSR) & 0xf0, 0xf0);
  write(MCR, 0x10);
  assert.equal(read(MSR), 0x0f, "all four changed; RI counts as it ends");
  write(IER, 0x01);
  write(DATA, 0x5a);
  assert.equal(read(DATA), 0x5a);
  assert.equal(backend.text, "");
  backend.send("x");
  assert.equal(read(LSR) & 1, 0, "the line is cut off");
  write(MCR, 0x0b);
  assert.equal(read(DATA), 0x78, "but nothing is lost");
  assert.equal(line.level, false);
});

test("a break in loopback comes back as a break", () => {
  const { read, write } = open();
  write(MCR, 0x10);
  write(LCR, 0x43);
  assert.equal(read(LSR) & 0x19, 0x19);
  assert.equal(read(DATA), 0);
});

test("divisor latch, scratch register, and a port without a backend", () => {
  const { read, write } = open();
  write(LCR, 0x83);
  assert.deepEqual([read(DATA), read(IER)], [12, 0]);
  write(LCR, 0x03);
  write(SCRATCH, 0xa5);
  assert.equal(read(SCRATCH), 0xa5);
  const alone = new Serial({ clock: new FakeClock(), interrupt: new FakeLine(), backend: null });
  alone.write(DATA, 1, 0x41);
  assert.equal(alone.read(MSR, 1), 0);
});

function subject(): Subject {
  const { clock, serial, backend, line } = create();
  return {
    clock,
    device: serial,
    windows: [{ device: serial, size: 8 }],
    event: (choice) => {
      if (choice & 1) backend.send(Array.from({ length: choice % 40 }, (_, index) => index));
      else backend.setWritable((choice & 2) !== 0);
    },
    // The other end is part of the outside: a restored port has one that takes bytes.
    observe: () => line.level,
  };
}

test("hostile states are refused whole", () => checkHostileStates(subject));

test("random accesses never throw, and a restored port goes on like the saved one", () =>
  checkAccesses(() => {
    const port = subject();
    const { event } = port;
    return { ...port, event: (choice) => event?.(choice | 1) };
  }, 20));
