import assert from "node:assert/strict";
import { test } from "node:test";
import { StateError } from "../device.js";
import { FakeClock } from "../testing/fake-clock.js";
import { FakeLine } from "../testing/fake-line.js";
import { checkAccesses, type Subject } from "../testing/properties.js";
import { PciFunction } from "./config-space.js";
import { HostBridge, PciBus } from "./host-bridge.js";
import { LpcBridge } from "./lpc.js";
import { MsiCapability } from "./msi.js";
import { PirqRouter } from "./pirq.js";

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

/** A function with one window of each kind, on a bus that notes what is where. */
function withBars(pin = 0) {
  const windows = new Map<string, string>();
  const space = (kind: string) => ({
    add: (name: string, base: number, size: number) => {
      windows.set(name, `${kind} ${base.toString(16)}+${size.toString(16)}`);
      return { remove: () => windows.delete(name) };
    },
  });
  const line = new FakeLine();
  const bus = new PciBus({
    ports: space("ports"),
    memory: space("memory"),
    decodes: (base) => base >= 0xc000_0000,
    intx: () => line,
  });
  const registers = { read: () => 0, write: () => {} };
  const fn = new PciFunction({ name: "f", vendor: 1, device: 2, classCode: 0, interruptPin: pin });
  fn.bars.add(0, { kind: "io", size: 32, target: registers });
  fn.bars.add(1, { kind: "memory", size: 4096, target: registers });
  fn.bars.add(2, { kind: "memory", size: 2 ** 16, wide: true, prefetchable: true, target: registers });
  fn.bars.addRom(8192, registers);
  bus.add(3, 0, fn);
  return { fn, windows, line, bus };
}

test("BARs: written ones tell the size; flags and the bits below it cannot be written", () => {
  const { fn } = withBars();
  for (let offset = 0x10; offset < 0x34; offset += 4) fn.write(offset, 4, 0xffff_ffff);
  assert.deepEqual(
    [0x10, 0x14, 0x18, 0x1c, 0x20, 0x30].map((offset) => fn.read(offset, 4)),
    [0xffff_ffe1, 0xffff_f000, 0xffff_000c, 0xffff_ffff, 0, 0xffff_e001],
  );
});

test("BARs: the command register and the ROM's enable bit put windows on the bus, and writes move them", () => {
  const { fn, windows } = withBars();
  fn.write(0x10, 4, 0xc000);
  fn.write(0x14, 4, 0xe000_1000);
  fn.write(0x18, 4, 0x10000);
  fn.write(0x1c, 4, 0x8);
  fn.write(0x30, 4, 0xe000_2000);
  assert.deepEqual([...windows.values()], []);
  fn.write(0x04, 1, 1);
  assert.deepEqual(Object.fromEntries(windows), { "f BAR 0": "ports c000+20" });
  fn.write(0x04, 1, 2);
  assert.deepEqual(Object.fromEntries(windows), {
    "f BAR 1": "memory e0001000+1000",
    "f BAR 2": "memory 800010000+10000",
  });
  fn.write(0x30, 1, 1);
  assert.equal(windows.get("f ROM"), "memory e0002000+2000");
  fn.write(0x16, 2, 0xf000);
  assert.equal(windows.get("f BAR 1"), "memory f0001000+1000");
  fn.write(0x14, 4, 0x1000);
  assert.equal(windows.get("f BAR 1"), undefined, "outside of what the bridge decodes");
});

test("BARs: a restored function has its windows where they were", () => {
  const first = withBars();
  first.fn.write(0x04, 2, 3);
  first.fn.write(0x10, 4, 0xc000);
  first.fn.write(0x14, 4, 0xe000_1000);
  const second = withBars();
  second.fn.restore(first.fn.save());
  assert.deepEqual([...second.windows], [...first.windows]);
  assert.equal(second.windows.size, 2);
});

test("BARs that no function can have are refused", () => {
  const registers = { read: () => 0, write: () => {} };
  const { fn } = withBars();
  for (const [index, spec] of [
    [3, { kind: "memory", size: 16 }],
    [6, { kind: "memory", size: 16 }],
    [5, { kind: "memory", size: 16, wide: true }],
    [4, { kind: "memory", size: 24 }],
    [4, { kind: "io", size: 512 }],
  ] as const) {
    assert.throws(() => fn.bars.add(index, { ...spec, target: registers }), RangeError);
  }
});

test("INTx: the pin, its status bit, and the command register that holds it back", () => {
  const { fn, line } = withBars(1);
  fn.setInterrupt(true);
  assert.equal(line.level, true);
  assert.equal(fn.read(0x06, 2) & 8, 8);
  fn.write(0x04, 2, 0x400);
  assert.equal(line.level, false);
  assert.equal(fn.read(0x06, 2) & 8, 8);
  fn.write(0x04, 2, 0);
  assert.equal(line.level, true);
  fn.setInterrupt(false);
  assert.equal(line.level, false);
  assert.equal(fn.read(0x06, 2) & 8, 0);
});

test("PIRQs: shared lines reach their IOAPIC pin, and the ISA interrupt that the LPC bridge names", () => {
  const lines = new Map<number, FakeLine>();
  const lpc: LpcBridge = new LpcBridge(0x600, () => router.routingChanged());
  const router: PirqRouter = new PirqRouter({
    line: (gsi) => {
      const line = lines.get(gsi) ?? new FakeLine();
      lines.set(gsi, line);
      return line;
    },
    pirqOf: (slot, pin) => (slot + pin) & 3,
    route: (pirq) => lpc.route(pirq),
  });
  const level = (gsi: number) => lines.get(gsi)?.level ?? false;
  const [one, two] = [router.intx(1, 0), router.intx(5, 0)];
  one.set(true);
  two.set(true);
  one.set(false);
  assert.equal(level(17), true);
  assert.equal(level(10), false);
  lpc.write(0x61, 1, 10);
  assert.equal(level(10), true);
  lpc.write(0x61, 1, 11);
  assert.deepEqual([level(10), level(11)], [false, true]);
  two.set(false);
  assert.deepEqual([level(17), level(11)], [false, false]);
});

test("capabilities are a list, the last one first", () => {
  const fn = new PciFunction({ vendor: 1, device: 2, classCode: 0 });
  assert.equal(fn.read(0x06, 2) & 0x10, 0);
  const one = fn.addCapability(5, 14);
  const two = fn.addCapability(9, 4);
  assert.equal(fn.read(0x06, 2) & 0x10, 0x10);
  assert.deepEqual([fn.read(0x34, 1), fn.read(two, 2), fn.read(one, 2)], [two, (one << 8) | 9, 5]);
  assert.throws(() => fn.addCapability(9, 200), RangeError);
});

test("MSI: nothing while it is off; then the guest's address, and its data with the vector in the low bits", () => {
  const sent: [number, number][] = [];
  const fn = new PciFunction({ vendor: 1, device: 2, classCode: 0 });
  const msi = new MsiCapability(fn, 4, { send: (address, data) => sent.push([address, data]) });
  const at = fn.read(0x34, 1);
  assert.equal(fn.read(at, 1), 5);
  assert.equal(fn.read(at + 2, 2), 0x84, "four vectors, a 64-bit address");
  fn.write(at + 4, 4, 0xfee0_1003);
  fn.write(at + 12, 2, 0x4051);
  msi.send(1);
  assert.deepEqual(sent, []);
  fn.write(at + 2, 2, 0x0021);
  assert.equal(msi.enabled, true);
  msi.send(2);
  msi.send(7);
  fn.write(at + 2, 2, 0x0001);
  msi.send(3);
  fn.write(at + 8, 4, 1);
  msi.send(0);
  assert.deepEqual(sent, [
    [0xfee0_1000, 0x4052],
    [0xfee0_1000, 0x4053],
    [0xfee0_1000, 0x4051],
  ]);
  assert.throws(() => new MsiCapability(fn, 3, { send: () => {} }), RangeError);
});
