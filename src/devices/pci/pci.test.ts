import assert from "node:assert/strict";
import { test } from "node:test";
import { StateError } from "../device.js";
import { FakeClock } from "../testing/fake-clock.js";
import { checkAccesses, type Subject } from "../testing/properties.js";
import { HostBridge, PciBus } from "./host-bridge.js";
import { LpcBridge } from "./lpc.js";

const ECAM = 0xb000_0000;

function create() {
  const bus = new PciBus();
  const bridge = new HostBridge(ECAM);
  const lpc = new LpcBridge(0x600);
  bus.add(0, 0, bridge);
  bus.add(0x1f, 0, lpc);
  const select = (slot: number, register: number): void =>
    bus.ports.write(0, 4, (0x8000_0000 | (slot << 11) | register) >>> 0);
  const read = (slot: number, register: number, size: number): number => {
    select(slot, register & ~3);
    return bus.ports.read(4 + (register & 3), size);
  };
  const write = (slot: number, register: number, size: number, value: number): void => {
    select(slot, register & ~3);
    bus.ports.write(4 + (register & 3), size, value);
  };
  return { bus, bridge, lpc, read, write };
}

test("the board's two functions are found by mechanism #1; the rest of the slots is empty", () => {
  const { read } = create();
  assert.equal(read(0, 0, 4), 0x29c0_8086);
  assert.equal(read(0, 0x0a, 2), 0x0600, "host bridge");
  assert.equal(read(0x1f, 0, 4), 0x2918_8086);
  assert.equal(read(0x1f, 0x0a, 2), 0x0601, "ISA bridge");
  assert.equal(read(0x1f, 0x0e, 1), 0x80, "more functions may be there");
  assert.equal(read(5, 0, 4), 0xffff_ffff);
  assert.equal(read(0x1f, 0x42, 2), 0x0000);
});

test("only whole dwords reach the address register, and without its enable bit nobody answers", () => {
  const { bus } = create();
  bus.ports.write(0, 4, 0x8000_0003);
  assert.equal(bus.ports.read(0, 4), 0x8000_0000);
  bus.ports.write(0, 1, 0xff);
  assert.equal(bus.ports.read(0, 4), 0x8000_0000);
  bus.ports.write(0, 4, 0);
  assert.equal(bus.ports.read(4, 4), 0xffff_ffff);
});

test("ECAM shows the same registers", () => {
  const { bus } = create();
  assert.equal(bus.ecam.read(0, 4), 0x29c0_8086);
  assert.equal(bus.ecam.read(0x1f << 15, 2), 0x8086);
  assert.equal(bus.ecam.read(1 << 20, 4), 0xffff_ffff, "bus 1 is not there");
  assert.equal(bus.ecam.read(0x100, 4), 0, "no extended capabilities");
});

test("identification cannot be written; the command register and the interrupt line can", () => {
  const { read, write } = create();
  write(0, 0, 4, 0);
  write(0, 4, 2, 0xffff);
  write(0, 0x3c, 1, 0x0a);
  assert.equal(read(0, 0, 4), 0x29c0_8086);
  assert.equal(read(0, 4, 2), 0x0547);
  assert.equal(read(0, 0x3c, 1), 0x0a);
});

test("LPC: PMBASE says where the power management is; PIRQs are routed by their registers", () => {
  const { lpc, read, write } = create();
  assert.equal(read(0x1f, 0x40, 4), 0x601);
  assert.equal(lpc.route(0), null);
  write(0x1f, 0x60, 1, 0x0b);
  write(0x1f, 0x69, 1, 0x0a);
  assert.deepEqual([lpc.route(0), lpc.route(5)], [11, 10]);
  write(0x1f, 0x60, 1, 0x80);
  assert.equal(lpc.route(0), null);
});

test("firmware finds its PAM registers and the ECAM base", () => {
  const { read, write } = create();
  assert.equal(read(0, 0x60, 4), ECAM + 1);
  write(0, 0x90, 1, 0x30);
  assert.equal(read(0, 0x90, 1), 0x30);
});

test("a hostile state cannot make another function of it, and one of the wrong length is refused", () => {
  const { bridge, read } = create();
  bridge.restore({ version: 1, config: new Array(256).fill(0xff) });
  assert.equal(read(0, 0, 4), 0x29c0_8086);
  assert.throws(() => bridge.restore({ version: 1, config: [1, 2, 3] }), StateError);
});

function subject(): Subject {
  const { bus, bridge, lpc } = create();
  const parts = { bus, bridge, lpc };
  return {
    clock: new FakeClock(),
    device: {
      save: () => ({ bus: bus.save(), bridge: bridge.save(), lpc: lpc.save() }),
      check: (state) => {
        for (const [name, part] of Object.entries(parts)) part.check((state as Record<string, never>)[name]);
      },
      restore: (state) => {
        for (const [name, part] of Object.entries(parts)) part.restore((state as Record<string, never>)[name]);
      },
    },
    windows: [
      { device: bus.ports, size: 8 },
      { device: bus.ecam, size: 0x1000 },
      {
        device: {
          read: (o, s) => bus.ecam.read(0xf8000 + o, s),
          write: (o, s, v) => bus.ecam.write(0xf8000 + o, s, v),
        },
        size: 0x100,
      },
    ],
    observe: () => null,
  };
}

test("random accesses never throw, and a restored bus goes on like the saved one", () => checkAccesses(subject, 10));
