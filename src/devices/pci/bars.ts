/**
 * Base address registers: how a function's windows get onto the ports and into memory. PCI Local Bus
 * Specification 3.0, 6.2.5 (base addresses) and 6.2.5.2 (expansion ROM).
 */
import type { BusDevice } from "../device.js";

export const COMMAND_IO = 1 << 0;
export const COMMAND_MEMORY = 1 << 1;
/** Offset of the first base address register, and of the expansion ROM's. */
const BAR0 = 0x10;
const ROM_BAR = 0x30;
const ROM_ENABLE = 1 << 0;

const FLAG_IO = 1 << 0;
const FLAG_64 = 1 << 2;
const FLAG_PREFETCHABLE = 1 << 3;
const SMALLEST = { io: 4, memory: 16, rom: 2048 } as const;
const LARGEST = { io: 256, memory: 2 ** 31, rom: 2 ** 24 } as const;
const FOUR_GIB = 2 ** 32;

/** Where windows can be put: a bus of the machine. Fixed windows answer before those that are put here. */
export interface AddressSpace {
  add(name: string, base: number, size: number, device: BusDevice, priority: number): { remove(): void };
}

/** A window that is memory and no registers: its owner shows it at `base`, or nowhere. */
export interface MemoryRegion {
  place(base: number | null): void;
}

export interface BarSpec {
  readonly kind: "io" | "memory";
  /** A power of two: ports 4 to 256, memory at least 16 bytes. */
  readonly size: number;
  readonly prefetchable?: boolean;
  /** 64 bits: takes the next register too. */
  readonly wide?: boolean;
  readonly target: BusDevice | MemoryRegion;
}

/** Configuration space as BARs need it. */
export interface ConfigSpace {
  read(offset: number, size: number): number;
  /** Sets a register's read-only bits. */
  set(offset: number, size: number, value: number): void;
  /** Makes bits writable. */
  allow(offset: number, size: number, mask: number): void;
}

export interface BarSurroundings {
  readonly ports: AddressSpace;
  readonly memory: AddressSpace;
  /** Whether accesses of these addresses reach the bus at all. */
  decodes(base: number, size: number): boolean;
}

/** What windows on the buses have below the board's own. */
const PRIORITY = 0;

interface Bar {
  readonly name: string;
  readonly offset: number;
  readonly kind: "io" | "memory" | "rom";
  readonly size: number;
  readonly wide: boolean;
  readonly target: BusDevice | MemoryRegion;
  /** Where it is now, or null. */
  base: number | null;
  window: { remove(): void } | null;
}

export class Bars {
  private readonly bars: Bar[] = [];
  private surroundings: BarSurroundings | null = null;

  constructor(
    private readonly name: string,
    private readonly config: ConfigSpace,
  ) {}

  /** @throws RangeError for an index or a size that no BAR can have */
  add(index: number, { kind, size, prefetchable = false, wide = false, target }: BarSpec): void {
    checkSize(kind, size);
    const offset = BAR0 + index * 4;
    const taken = this.bars.some((bar) => offset < bar.offset + (bar.wide ? 8 : 4) && bar.offset <= offset);
    if (!(index >= 0 && index + (wide ? 2 : 1) <= 6) || taken || (wide && kind === "io")) {
      throw new RangeError(`${this.name} cannot have a BAR ${index} like that`);
    }
    const flags = kind === "io" ? FLAG_IO : (wide ? FLAG_64 : 0) | (prefetchable ? FLAG_PREFETCHABLE : 0);
    this.config.set(offset, 4, flags);
    this.config.allow(offset, 4, FOUR_GIB - size);
    if (wide) this.config.allow(offset + 4, 4, FOUR_GIB - 1);
    this.push(`${this.name} BAR ${index}`, offset, kind, size, wide, target);
  }

  /** @throws RangeError for a size that no ROM can have */
  addRom(size: number, target: BusDevice): void {
    checkSize("rom", size);
    this.config.allow(ROM_BAR, 4, FOUR_GIB - size + ROM_ENABLE);
    this.push(`${this.name} ROM`, ROM_BAR, "rom", size, false, target);
  }

  connect(surroundings: BarSurroundings): void {
    this.surroundings = surroundings;
    this.update();
  }

  /** Whether a change of configuration space there can move a window. */
  concerns(offset: number, size: number): boolean {
    if (this.bars.length === 0) return false;
    return offset < ROM_BAR + 4 && (offset + size > BAR0 || (offset < 6 && offset + size > 4));
  }

  /** Moves the windows to where the registers say. */
  update(): void {
    const { surroundings } = this;
    if (surroundings === null) return;
    const moving = this.bars.filter((bar) => this.wanted(bar, surroundings) !== bar.base);
    // All go before any comes: guests exchange addresses.
    for (const bar of moving) if (bar.base !== null) this.move(bar, null, surroundings);
    for (const bar of moving) {
      const base = this.wanted(bar, surroundings);
      if (base !== null) this.move(bar, base, surroundings);
    }
  }

  private push(
    name: string,
    offset: number,
    kind: Bar["kind"],
    size: number,
    wide: boolean,
    target: Bar["target"],
  ): void {
    this.bars.push({ name, offset, kind, size, wide, target, base: null, window: null });
  }

  private wanted({ offset, kind, size, wide }: Bar, { decodes }: BarSurroundings): number | null {
    const command = this.config.read(0x04, 2);
    const low = this.config.read(offset, 4);
    if ((command & (kind === "io" ? COMMAND_IO : COMMAND_MEMORY)) === 0) return null;
    if (kind === "rom" && (low & ROM_ENABLE) === 0) return null;
    const base = low - (low % size) + (wide ? this.config.read(offset + 4, 4) * FOUR_GIB : 0);
    if (base === 0) return null;
    if (kind === "io") return base + size <= 0x10000 ? base : null;
    return decodes(base, size) ? base : null;
  }

  private move(bar: Bar, base: number | null, { ports, memory }: BarSurroundings): void {
    const { target } = bar;
    bar.window?.remove();
    bar.window = null;
    bar.base = base;
    if ("place" in target) target.place(base);
    else if (base !== null) {
      const space = bar.kind === "io" ? ports : memory;
      bar.window = space.add(bar.name, base, bar.size, target, PRIORITY);
    }
  }
}

function checkSize(kind: Bar["kind"], size: number): void {
  const power = Number.isInteger(Math.log2(size));
  if (!power || size < SMALLEST[kind] || size > LARGEST[kind]) {
    throw new RangeError(`a ${kind} window of ${size} bytes is no BAR`);
  }
}
