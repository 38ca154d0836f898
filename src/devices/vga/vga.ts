/**
 * A VGA with the Bochs VBE extensions, as a PCI function: QEMU's and Bochs' standard adapter, 1234:1111, for which
 * there is an option ROM in Debian's seabios and a driver (bochs-drm) in Linux.
 *
 *     const vga = new Vga({ clock, memory: memory.video, rom, placeMemory });
 *     ports.add("vga", 0x3b0, 0x30, vga.ports); ports.add("vbe", 0x1ce, 4, vga.vbePorts);
 *     mmio.add("vga", 0xa0000, 0x20000, vga.window); pci.add(2, 0, vga.fn);
 *
 * BAR 0 is video memory, BAR 2 the registers in memory: VGA ports 0x3c0-0x3df at 0x400, the VBE registers at 0x500.
 * The legacy ports and the window answer always, whatever the function's command register says.
 */
import type { VideoMemory } from "../../guest-memory/guest-memory.js";
import { ByteWindow } from "../byte-registers.js";
import type { BusDevice, DeviceClock, PlainData, Stateful } from "../device.js";
import { PciFunction } from "../pci/config-space.js";
import { hexBytes, integer, literal, object, type Shape } from "../state-shape.js";
import { Planes } from "./planes.js";
import {
  AR_MODE,
  CR_CURSOR,
  CR_CURSOR_END,
  CR_CURSOR_START,
  CR_DISPLAY_END,
  CR_MAX_SCAN_LINE,
  CR_MODE,
  CR_OFFSET,
  CR_OVERFLOW,
  CR_START,
  CR_UNDERLINE,
  CR_VERTICAL_END,
  GR_MISC,
  MISC_GRAPHICS,
  MISC_WINDOW,
  MISC_WINDOW_A0000,
  REGISTERS_SHAPE,
  VgaRegisters,
} from "./registers.js";
import type { ScreenImage } from "./screen-image.js";
import { BLANK_ATTRIBUTE, BLANK_CHARACTER, TEXT_MODE } from "./text-mode.js";
import { VBE_SHAPE, Vbe } from "./vbe.js";

/** First port of `Vga.ports`. */
export const VGA_PORTS = 0x3b0;
export const VGA_PORT_COUNT = 0x30;
export const VBE_PORTS = 0x1ce;
export const VBE_PORT_COUNT = 4;
/** Bytes of `Vga.window`. */
export const VGA_WINDOW_BYTES = 0x20000;

const SMALLEST_ROM = 2048;
/** Bytes of an option ROM. */
export const LARGEST_ROM = 0x10000;
const REGISTER_BYTES = 0x1000;
// Offsets in BAR 2.
const REGISTER_PORTS = 0x400;
const REGISTER_PORTS_END = 0x420;
const REGISTER_VBE = 0x500;
const REGISTER_VBE_END = 0x516;
const REGISTER_EXTENSION = 0x600;
/** The extension block: its size, and the byte order of the frame buffer. */
const EXTENSION_BYTES = 8;
const LITTLE_ENDIAN = 0x1e1e1e1e;

const TEXT_BYTES = 0x8000;
const CURSOR_OFF = 1 << 5;
const AR_BLINK = 1 << 3;

const latches = integer(-(2 ** 31), 2 ** 31 - 1);
const SHAPE = object({
  version: literal(1),
  registers: REGISTERS_SHAPE,
  vbe: VBE_SHAPE,
  latches,
  /** The option ROM: a guest has seen it. */
  rom: hexBytes(0, LARGEST_ROM),
  pci: { parse: (value) => value as PlainData } satisfies Shape<PlainData>,
});

export interface VgaOptions {
  clock: DeviceClock;
  memory: VideoMemory;
  /** The option ROM, at most 64 KiB; empty for none. */
  rom: Uint8Array;
  /** Shows video memory at an address, or nowhere. */
  placeMemory(base: number | null): void;
}

export class Vga implements Stateful<PlainData> {
  readonly fn: PciFunction;
  readonly ports: BusDevice;
  readonly vbePorts: BusDevice;
  readonly window: BusDevice;
  private readonly registers: VgaRegisters;
  private readonly vbe: Vbe;
  private readonly planes: Planes;
  private readonly memory: VideoMemory;
  private readonly rom: Uint8Array;

  /** @throws RangeError for a ROM that is too large */
  constructor(options: VgaOptions) {
    const { memory } = options;
    if (options.rom.length > LARGEST_ROM) throw new RangeError(`a VGA's ROM has at most ${LARGEST_ROM} bytes`);
    this.memory = memory;
    this.rom = options.rom;
    this.vbe = new Vbe({
      memorySize: memory.bytes.length,
      clear: (size) => this.clear(size),
      changed: () => this.vbeChanged(),
    });
    this.registers = new VgaRegisters(
      options.clock,
      () => this.modeChanged(),
      () => this.vbe.wideDac,
    );
    const bank = { offset: 0, linear: false };
    this.planes = new Planes(memory, this.registers, () => {
      const { enabled, bankOffset, bitsPerPixel } = this.vbe;
      bank.offset = enabled ? bankOffset : 0;
      bank.linear = enabled && bitsPerPixel >= 8;
      return bank;
    });
    this.ports = new ByteWindow(
      (offset) => this.registers.read(VGA_PORTS + offset),
      (offset, value) => this.registers.write(VGA_PORTS + offset, value),
    );
    this.window = new ByteWindow(
      (offset) => this.planes.read(offset),
      (offset, value) => this.planes.write(offset, value),
    );
    this.vbePorts = this.makeVbePorts();
    this.fn = this.makeFunction(options.placeMemory);
  }

  /** Sets mode 3 with an empty screen, as firmware would: for a kernel that is booted without any. */
  setTextMode(): void {
    this.registers.setMode(TEXT_MODE);
    const { bytes, written } = this.memory;
    for (let at = 0; at < TEXT_BYTES; at += 2) {
      bytes[at * 4] = BLANK_CHARACTER;
      bytes[at * 4 + 1] = BLANK_ATTRIBUTE;
    }
    written(0, TEXT_BYTES * 4);
  }

  /** What a monitor shows: as if the picture were never blanked. */
  screen(): ScreenImage {
    const { vbe } = this;
    if (vbe.enabled) {
      return { kind: "graphics", width: vbe.width, height: vbe.height, bitsPerPixel: vbe.bitsPerPixel };
    }
    const { crtc, graphics, attribute } = this.registers;
    const columns = crtc[CR_DISPLAY_END] + 1;
    const overflow = crtc[CR_OVERFLOW];
    const lines = (crtc[CR_VERTICAL_END] | ((overflow & 2) << 7) | ((overflow & 0x40) << 3)) + 1;
    const maxScan = crtc[CR_MAX_SCAN_LINE];
    const lineHeight = ((maxScan & 0x1f) + 1) * (maxScan & 0x80 ? 2 : 1);
    if (graphics[GR_MISC] & MISC_GRAPHICS) {
      return { kind: "graphics", width: columns * 8, height: Math.floor(lines / lineHeight), bitsPerPixel: 4 };
    }
    const rows = Math.max(1, Math.floor(lines / lineHeight));
    const characters = new Uint8Array(rows * columns);
    const attributes = new Uint8Array(rows * columns);
    const start = (crtc[CR_START] << 8) | crtc[CR_START + 1];
    const stride = crtc[CR_OFFSET] * 2;
    const place = this.addressing();
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const at = place(start + row * stride + column) * 4;
        characters[row * columns + column] = this.memory.bytes[at];
        attributes[row * columns + column] = this.memory.bytes[at + 1];
      }
    }
    const blink = (attribute[AR_MODE] & AR_BLINK) !== 0;
    return {
      kind: "text",
      columns,
      rows,
      characters,
      attributes,
      blink,
      cursor: this.cursor(start, stride, columns, rows),
    };
  }

  save(): PlainData {
    return {
      version: 1,
      registers: this.registers.save(),
      vbe: this.vbe.save(),
      latches: this.planes.latches,
      rom: encode(this.rom),
      pci: this.fn.save(),
    };
  }

  check(state: unknown): void {
    this.parse(state);
  }

  /** The video memory is the machine's to restore. */
  restore(state: PlainData): void {
    const { registers, vbe, latches: latched, pci } = this.parse(state);
    this.registers.restore(registers);
    this.vbe.restore(vbe);
    this.planes.latches = latched;
    this.fn.restore(pci);
    this.modeChanged();
  }

  private parse(state: unknown) {
    const parsed = SHAPE.parse(state, "vga");
    literal(encode(this.rom)).parse(parsed.rom, "vga.rom");
    this.fn.check(parsed.pci);
    return parsed;
  }

  private modeChanged(): void {
    this.planes?.modeChanged();
  }

  /** A VBE mode is a graphics mode with the window at 0xa0000, and stays so until somebody sets another. */
  private vbeChanged(): void {
    const { graphics } = this.registers;
    if (this.vbe.enabled) graphics[GR_MISC] = (graphics[GR_MISC] & ~MISC_WINDOW) | MISC_WINDOW_A0000 | MISC_GRAPHICS;
    this.modeChanged();
  }

  private clear(size: number): void {
    const end = Math.min(size, this.memory.bytes.length);
    this.memory.bytes.fill(0, 0, end);
    this.memory.written(0, end);
  }

  /** From the CRT controller's counter to an offset in a plane: byte, word or doubleword addressing. */
  private addressing(): (counter: number) => number {
    const { crtc } = this.registers;
    if (crtc[CR_UNDERLINE] & 0x40) return (counter) => ((counter << 2) | ((counter >> 12) & 3)) & 0xffff;
    if (crtc[CR_MODE] & 0x40) return (counter) => counter & 0xffff;
    const wrap = crtc[CR_MODE] & 0x20 ? 15 : 13;
    return (counter) => ((counter << 1) | ((counter >> wrap) & 1)) & 0xffff;
  }

  private cursor(start: number, stride: number, columns: number, rows: number): { column: number; row: number } | null {
    const { crtc } = this.registers;
    const shape = crtc[CR_CURSOR_START];
    if (shape & CURSOR_OFF || (shape & 0x1f) > (crtc[CR_CURSOR_END] & 0x1f) || stride === 0) return null;
    const place = ((crtc[CR_CURSOR] << 8) | crtc[CR_CURSOR + 1]) - start;
    const row = Math.floor(place / stride);
    const column = place - row * stride;
    return place >= 0 && row < rows && column < columns ? { column, row } : null;
  }

  private makeVbePorts(): BusDevice {
    const { vbe } = this;
    // 16-bit registers: the index, and its data one byte behind or two.
    return {
      read: (offset, size) => {
        if (size === 1) return 0xff;
        return (offset === 0 ? vbe.readIndex() : vbe.readData()) + (size === 4 ? 0xffff_0000 : 0);
      },
      write: (offset, size, value) => {
        if (size !== 2) return;
        if (offset === 0) vbe.writeIndex(value & 0xffff);
        else vbe.writeData(value & 0xffff);
      },
    };
  }

  private makeFunction(placeMemory: VgaOptions["placeMemory"]): PciFunction {
    const fn = new PciFunction({
      name: "vga",
      vendor: 0x1234,
      device: 0x1111,
      classCode: 0x030000,
      revision: 2,
      subsystemVendor: 0x1af4,
      subsystem: 0x1100,
    });
    fn.bars.add(0, {
      kind: "memory",
      size: this.memory.bytes.length,
      prefetchable: true,
      target: { place: placeMemory },
    });
    fn.bars.add(2, { kind: "memory", size: REGISTER_BYTES, target: this.makeRegisterWindow() });
    if (this.rom.length > 0) {
      const { rom } = this;
      const size = Math.max(SMALLEST_ROM, 2 ** Math.ceil(Math.log2(rom.length)));
      fn.bars.addRom(
        size,
        new ByteWindow(
          (offset) => rom[offset] ?? 0xff,
          () => {},
        ),
      );
    }
    return fn;
  }

  private makeRegisterWindow(): BusDevice {
    const bytes = new ByteWindow(
      (offset) => this.readRegister(offset),
      (offset, value) => {
        if (isPort(offset)) this.registers.write(0x3c0 + offset - REGISTER_PORTS, value);
      },
    );
    return {
      read: (offset, size) => {
        if (size === 2 && isVbe(offset)) return this.vbe.read((offset - REGISTER_VBE) >> 1);
        return bytes.read(offset, size);
      },
      write: (offset, size, value) => {
        if (size === 2 && isVbe(offset)) this.vbe.write((offset - REGISTER_VBE) >> 1, value & 0xffff);
        else bytes.write(offset, size, value);
      },
    };
  }

  private readRegister(offset: number): number {
    if (isPort(offset)) return this.registers.read(0x3c0 + offset - REGISTER_PORTS);
    const at = offset - REGISTER_EXTENSION;
    if (at >= 0 && at < 4) return (EXTENSION_BYTES >> (at * 8)) & 0xff;
    if (at >= 4 && at < EXTENSION_BYTES) return (LITTLE_ENDIAN >> ((at - 4) * 8)) & 0xff;
    return 0;
  }
}

function isPort(offset: number): boolean {
  return offset >= REGISTER_PORTS && offset < REGISTER_PORTS_END;
}

function isVbe(offset: number): boolean {
  return offset >= REGISTER_VBE && offset < REGISTER_VBE_END && (offset & 1) === 0;
}

/** The option ROM of a saved state. @throws StateError */
export function romOfState(state: unknown): Uint8Array {
  const { rom } = SHAPE.parse(state, "vga");
  return Uint8Array.from({ length: rom.length / 2 }, (_, index) =>
    Number.parseInt(rom.slice(index * 2, index * 2 + 2), 16),
  );
}

function encode(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
