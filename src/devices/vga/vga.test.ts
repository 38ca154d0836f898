import assert from "node:assert/strict";
import { test } from "node:test";
import { StateError } from "../device.js";
import { HostBridge, PciBus } from "../pci/host-bridge.js";
import { FakeClock } from "../testing/fake-clock.js";
import { checkAccesses, checkHostileStates, type Subject } from "../testing/properties.js";
import { screenRows, screenText, type TextImage } from "./screen-image.js";
import { romOfState, VBE_PORT_COUNT, VGA_PORT_COUNT, VGA_PORTS, VGA_WINDOW_BYTES, Vga } from "./vga.js";

const VIDEO_BYTES = 16 << 20;
const TEXT = 0x18000;

function create(options: { bytes?: Uint8Array; rom?: Uint8Array } = {}) {
  const { bytes = new Uint8Array(VIDEO_BYTES), rom = Uint8Array.of(0x55, 0xaa, 1) } = options;
  const clock = new FakeClock();
  const placed: (number | null)[] = [];
  const vga = new Vga({
    clock,
    memory: { bytes, written: () => {} },
    rom,
    placeMemory: (base) => placed.push(base),
  });
  const out = (port: number, value: number) => vga.ports.write(port - VGA_PORTS, 1, value);
  const inb = (port: number) => vga.ports.read(port - VGA_PORTS, 1);
  /** Index and data, as a word. */
  const set = (port: number, index: number, value: number) =>
    vga.ports.write(port - VGA_PORTS, 2, (value << 8) | index);
  const vbe = (index: number, value: number) => {
    vga.vbePorts.write(0, 2, index);
    vga.vbePorts.write(1, 2, value);
  };
  const readVbe = (index: number) => {
    vga.vbePorts.write(0, 2, index);
    return vga.vbePorts.read(1, 2);
  };
  return { vga, bytes, clock, placed, out, inb, set, vbe, readVbe };
}

/** A planar 16-colour mode: the window is 64 KiB at 0xa0000, nothing chained. */
function planar() {
  const parts = create();
  parts.vga.setTextMode();
  parts.set(0x3c4, 2, 0x0f);
  parts.set(0x3c4, 4, 0x06);
  parts.set(0x3ce, 5, 0x00);
  parts.set(0x3ce, 6, 0x05);
  return parts;
}

test("text: characters and attributes at 0xb8000 are on the screen, with the cursor", () => {
  const { vga, set } = create();
  vga.setTextMode();
  [..."Hi \xc9"].forEach((character, index) => {
    vga.window.write(TEXT + 160 + index * 2, 2, 0x1e00 | character.charCodeAt(0));
  });
  set(0x3d4, 0x0e, 0);
  set(0x3d4, 0x0f, 82);
  const image = vga.screen() as TextImage;
  assert.deepEqual([image.kind, image.columns, image.rows, image.blink], ["text", 80, 25, true]);
  assert.deepEqual(screenRows(image).slice(0, 3), ["", "Hi ╔", ""]);
  assert.equal(image.attributes[80], 0x1e);
  assert.equal(image.attributes[0], 0x07);
  assert.deepEqual(image.cursor, { column: 2, row: 1 });
  assert.equal(vga.window.read(TEXT + 162, 2), 0x1e69);
  set(0x3d4, 0x0a, 0x20);
  assert.equal((vga.screen() as TextImage).cursor, null);
  assert.equal(screenText(image).split("\n").length, 26);
});

test("text: the start address scrolls, and the memory wraps at the end of a plane", () => {
  const { vga, set } = create();
  vga.setTextMode();
  vga.window.write(TEXT + 80 * 2 * 3, 1, 0x41);
  set(0x3d4, 0x0c, 0);
  set(0x3d4, 0x0d, 240);
  assert.equal(screenRows(vga.screen() as TextImage)[0], "A");
  set(0x3d4, 0x0c, 0xff);
  set(0x3d4, 0x0d, 0xff);
  vga.window.write(TEXT, 1, 0x42);
  assert.equal(screenRows(vga.screen() as TextImage)[0].slice(1), "B");
});

test("the colour and the monochrome CRT controller are one, at the place that misc says", () => {
  const { out, inb, set } = create();
  out(0x3c2, 0x67);
  set(0x3d4, 0x0e, 0x12);
  assert.equal(inb(0x3d5), 0x12);
  assert.equal(inb(0x3b5), 0xff);
  out(0x3c2, 0x66);
  assert.equal(inb(0x3b5), 0x12);
  assert.equal(inb(0x3d5), 0xff);
  assert.equal(inb(0x3cc), 0x66);
});

test("CRT registers 0 to 7 are protected by bit 7 of register 0x11, all but line compare's bit", () => {
  const { out, inb, set } = create();
  out(0x3c2, 0x67);
  set(0x3d4, 0x01, 0x4f);
  set(0x3d4, 0x07, 0x00);
  set(0x3d4, 0x11, 0x80);
  set(0x3d4, 0x01, 0x00);
  set(0x3d4, 0x07, 0xff);
  out(0x3d4, 0x01);
  assert.equal(inb(0x3d5), 0x4f);
  out(0x3d4, 0x07);
  assert.equal(inb(0x3d5), 0x10);
});

test("the attribute controller takes index and data by one port; reading the status starts it anew", () => {
  const { out, inb } = create();
  out(0x3c2, 0x67);
  inb(0x3da);
  out(0x3c0, 0x10);
  out(0x3c0, 0xff);
  out(0x3c0, 0x31);
  inb(0x3da);
  out(0x3c0, 0x30);
  assert.equal(inb(0x3c1), 0xef);
  assert.equal(inb(0x3c0), 0x30);
});

test("the palette: three bytes an entry, six bits a byte, the index moves on", () => {
  const { out, inb, vbe } = create();
  out(0x3c8, 5);
  for (const value of [0xff, 0x01, 0x02, 0x11]) out(0x3c9, value);
  out(0x3c7, 5);
  assert.equal(inb(0x3c7), 3);
  assert.deepEqual([inb(0x3c9), inb(0x3c9), inb(0x3c9)], [0x3f, 1, 2]);
  assert.equal(inb(0x3c9), 0, "an entry that is written in part is not there yet");
  vbe(4, 0x20);
  out(0x3c8, 5);
  for (const value of [0xff, 0x80, 0x02]) out(0x3c9, value);
  out(0x3c7, 5);
  assert.equal(inb(0x3c9), 0xff, "eight bits, where VBE says so");
});

test("the status shows a beam that moves", () => {
  const { clock, out, inb } = create();
  out(0x3c2, 0x67);
  const seen = new Set<number>();
  for (let step = 0; step < 2000; step++) {
    seen.add(inb(0x3da));
    clock.advance(10_000);
  }
  assert.deepEqual([...seen].sort(), [0, 1, 9]);
});

test("write mode 0: rotation, set/reset, bit mask and the four functions", () => {
  const { vga, set, bytes } = planar();
  vga.window.write(0x10, 1, 0x81);
  assert.deepEqual([...bytes.subarray(0x40, 0x44)], [0x81, 0x81, 0x81, 0x81]);
  set(0x3c4, 2, 0b0101);
  set(0x3ce, 3, 1);
  vga.window.write(0x11, 1, 0x81);
  assert.deepEqual([...bytes.subarray(0x44, 0x48)], [0xc0, 0, 0xc0, 0]);
  set(0x3c4, 2, 0x0f);
  set(0x3ce, 3, 0);
  set(0x3ce, 0, 0b0010);
  set(0x3ce, 1, 0b0011);
  vga.window.write(0x12, 1, 0x55);
  assert.deepEqual([...bytes.subarray(0x48, 0x4c)], [0, 0xff, 0x55, 0x55]);
  set(0x3ce, 1, 0);
  set(0x3ce, 8, 0x0f);
  vga.window.read(0x10, 1);
  vga.window.write(0x10, 1, 0x3c);
  assert.equal(bytes[0x40], 0x8c, "the bit mask keeps what was read");
  set(0x3ce, 8, 0xff);
  for (const [logic, result] of [
    [1, 0x08],
    [2, 0xbe],
    [3, 0xb6],
  ] as const) {
    bytes.fill(0x8c, 0x40, 0x44);
    set(0x3ce, 3, logic << 3);
    vga.window.read(0x10, 1);
    vga.window.write(0x10, 1, 0x3a);
    assert.equal(bytes[0x40], result, `function ${logic}`);
  }
});

test("write mode 1 copies, mode 2 takes a colour, mode 3 a mask", () => {
  const { vga, set, bytes } = planar();
  bytes.set([1, 2, 3, 4], 0x100);
  set(0x3ce, 5, 1);
  vga.window.read(0x40, 1);
  vga.window.write(0x41, 1, 0xff);
  assert.deepEqual([...bytes.subarray(0x104, 0x108)], [1, 2, 3, 4]);
  set(0x3ce, 5, 2);
  set(0x3ce, 8, 0xf0);
  vga.window.write(0x42, 1, 0b1010);
  assert.deepEqual([...bytes.subarray(0x108, 0x10c)], [0x01, 0xf2, 0x03, 0xf4]);
  set(0x3ce, 5, 3);
  set(0x3ce, 8, 0xff);
  set(0x3ce, 0, 0b0001);
  vga.window.write(0x43, 1, 0x0f);
  assert.deepEqual([...bytes.subarray(0x10c, 0x110)], [0x0f, 0x00, 0x00, 0x00]);
});

test("read mode 0 takes a plane, read mode 1 compares colours", () => {
  const { vga, set, bytes } = planar();
  bytes.set([0xf0, 0xcc, 0xaa, 0x00], 0x80);
  set(0x3ce, 4, 2);
  assert.equal(vga.window.read(0x20, 1), 0xaa);
  set(0x3ce, 5, 8);
  set(0x3ce, 2, 0b0111);
  set(0x3ce, 7, 0b1111);
  assert.equal(vga.window.read(0x20, 1), 0b1000_0000);
  set(0x3ce, 7, 0b0001);
  assert.equal(vga.window.read(0x20, 1), 0xf0);
});

test("chain 4: the low address bits choose the plane", () => {
  const { vga, set, bytes } = planar();
  set(0x3c4, 4, 0x0e);
  vga.window.write(0x100, 4, 0x44332211);
  assert.deepEqual([...bytes.subarray(0x400, 0x404)], [0x11, 0x22, 0x33, 0x44]);
  assert.equal(vga.window.read(0x102, 1), 0x33);
});

test("the font is plane 2, and the window's place follows GR6", () => {
  const { vga, set, bytes } = planar();
  set(0x3c4, 2, 0b0100);
  vga.window.write(0x41 * 32 + 3, 1, 0x7e);
  assert.equal(bytes[(0x41 * 32 + 3) * 4 + 2], 0x7e);
  assert.equal(vga.window.read(TEXT, 1), 0xff, "no memory there in this mode");
  set(0x3ce, 6, 0x0d);
  assert.equal(vga.window.read(0, 1), 0xff);
  set(0x3ce, 6, 0x01);
  assert.notEqual(vga.window.read(TEXT, 1), 0xff);
});

test("VBE: identification, a mode, its limits, and memory byte by byte in banks", () => {
  const { vga, vbe, readVbe, bytes } = create();
  vga.setTextMode();
  assert.equal(readVbe(0), 0xb0c5);
  vbe(0, 0xb0c2);
  assert.equal(readVbe(0), 0xb0c2);
  vbe(0, 0x1234);
  assert.equal(readVbe(0), 0xb0c2);
  assert.equal(readVbe(10), 256, "16 MiB");
  vbe(4, 2);
  assert.deepEqual([readVbe(1), readVbe(2), readVbe(3)], [2560, 1600, 32]);
  vbe(4, 0);
  bytes.fill(0xee, 0, 1920 * 1200 * 4 + 1);
  vbe(1, 1920);
  vbe(2, 1200);
  vbe(3, 32);
  vbe(4, 0x41);
  assert.deepEqual(vga.screen(), { kind: "graphics", width: 1920, height: 1200, bitsPerPixel: 32 });
  assert.deepEqual([readVbe(6), readVbe(7)], [1920, Math.floor((16 << 20) / (1920 * 4))]);
  assert.deepEqual([bytes[0], bytes[1920 * 1200 * 4 - 1], bytes[1920 * 1200 * 4]], [0, 0, 0xee]);
  vbe(5, 2);
  vga.window.write(5, 1, 0x77);
  assert.equal(bytes[0x20005], 0x77);
  assert.equal(vga.window.read(5, 1), 0x77);
  vbe(6, 2048);
  vbe(8, 100);
  vbe(9, 60_000);
  assert.deepEqual([readVbe(6), readVbe(8), readVbe(9)], [2048, 100, 2048 - 1200]);
  vbe(4, 0);
  assert.equal(vga.screen().kind, "graphics");
  vga.setTextMode();
  assert.equal(vga.screen().kind, "text");
});

test("VBE: modes that cannot be are made ones that can", () => {
  const { vbe, readVbe } = create();
  vbe(1, 0xffff);
  vbe(2, 0xffff);
  vbe(3, 7);
  vbe(4, 0xc1);
  assert.deepEqual([readVbe(1), readVbe(2), readVbe(3)], [2560, 1600, 8]);
  vbe(3, 32);
  assert.deepEqual([readVbe(1), readVbe(2), readVbe(3)], [2560, 1600, 32]);
  vbe(6, 0xffff);
  assert.equal(readVbe(6), 2560, "a line that the memory does not hold so often");
});

test("the PCI function: video memory, registers and the option ROM where the BARs say", () => {
  const windows = new Map<string, { base: number; read(offset: number, size: number): number }>();
  const space = {
    add: (name: string, base: number, _size: number, device: { read(offset: number, size: number): number }) => {
      windows.set(name, { base, read: (offset, size) => device.read(offset, size) });
      return { remove: () => windows.delete(name) };
    },
  };
  const bus = new PciBus({ ports: space, memory: space, decodes: () => true, intx: () => ({ set: () => {} }) });
  const { vga, placed, vbe } = create();
  bus.add(0, 0, new HostBridge(0xb000_0000));
  bus.add(2, 0, vga.fn);
  const { fn } = vga;
  assert.equal(fn.read(0, 4), 0x1111_1234);
  assert.equal(fn.read(0x0a, 2), 0x0300);
  fn.write(0x10, 4, 0xffff_ffff);
  assert.equal(fn.read(0x10, 4), 0xff00_0008, "16 MiB, prefetchable");
  fn.write(0x18, 4, 0xffff_ffff);
  assert.equal(fn.read(0x18, 4), 0xffff_f000);
  fn.write(0x30, 4, 0xffff_fffe);
  assert.equal(fn.read(0x30, 4), 0xffff_f800);
  fn.write(0x10, 4, 0xe000_0000);
  fn.write(0x18, 4, 0xe100_0000);
  fn.write(0x30, 4, 0xe110_0001);
  assert.equal(windows.size, 0);
  fn.write(0x04, 2, 2);
  assert.deepEqual(placed, [0xe000_0000]);
  assert.equal(windows.get("vga BAR 2")?.base, 0xe100_0000);
  assert.equal(windows.get("vga ROM")?.read(0, 4), 0xff01_aa55);
  const registers = windows.get("vga BAR 2")!;
  assert.equal(registers.read(0x500, 2), 0xb0c5);
  vbe(1, 640);
  assert.equal(registers.read(0x502, 2), 640);
  assert.equal(registers.read(0x604, 4), 0x1e1e1e1e);
  fn.write(0x04, 2, 0);
  assert.deepEqual(placed, [0xe000_0000, null]);
  assert.equal(windows.size, 0);
});

function subject(): Subject {
  const { vga, clock, bytes } = create({ bytes: new Uint8Array(1 << 20), rom: new Uint8Array(0) });
  return {
    clock,
    device: {
      // The machine saves video memory; here it goes along.
      save: () =>
        ({ vga: vga.save(), bytes: [...bytes.subarray(0, 0x40000)], rest: [...bytes.subarray(0x40000)] }) as never,
      check: (state) => vga.check((state as { vga: unknown }).vga),
      restore: (state) => {
        const saved = state as never as { vga: never; bytes: number[]; rest: number[] };
        bytes.set(saved.bytes);
        bytes.set(saved.rest, 0x40000);
        vga.restore(saved.vga);
      },
    },
    windows: [
      { device: vga.ports, size: VGA_PORT_COUNT },
      { device: vga.vbePorts, size: VBE_PORT_COUNT },
      { device: vga.window, size: VGA_WINDOW_BYTES },
    ],
    observe: () => {
      const image = vga.screen();
      return image.kind === "text" ? [image.columns, image.rows, image.cursor] : image;
    },
  };
}

test("random accesses never throw, and a restored adapter goes on like the saved one", () => checkAccesses(subject, 4));

test("hostile states are refused whole", () => {
  checkHostileStates(() => {
    const { vga, clock } = create();
    return { clock, device: vga, windows: [], observe: () => null };
  });
});

test("a state belongs to an adapter with the same ROM, and tells it", () => {
  const state = create().vga.save();
  assert.deepEqual([...romOfState(state)], [0x55, 0xaa, 1]);
  assert.throws(() => create({ rom: new Uint8Array(4) }).vga.restore(state), StateError);
});
