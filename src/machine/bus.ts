/**
 * One address space of registers: the ports, or memory-mapped I/O. Windows of devices lie in it; an
 * access that no window answers reads as all ones and writes nothing, as on a PC's bus.
 *
 * Where windows overlap, the one with the higher priority answers, and of equal ones the later. Who
 * answers the first byte gets the whole access if its window reaches that far, even where a smaller
 * window lies over the rest of it (port 0xcf9 over 0xcf8). Else it is done byte by byte.
 */
import type { BusDevice } from "../devices/device.js";

/** Priorities of windows. */
export const PRIORITY_BAR = 0;
export const PRIORITY_FIXED = 1;

export interface BusWindow {
  readonly name: string;
  readonly base: number;
  readonly size: number;
  readonly priority: number;
  /** Takes the window off the bus. */
  remove(): void;
}

interface Entry extends BusWindow {
  readonly end: number;
  readonly device: BusDevice;
  readonly order: number;
}

/** A part of the address space and who answers in it. */
interface Range {
  readonly base: number;
  readonly end: number;
  readonly entry: Entry;
}

export class Bus {
  private entries: Entry[] = [];
  /** The entries with overlaps resolved: sorted, disjoint. */
  private ranges: Range[] = [];
  private last: Range | null = null;
  private orders = 0;

  /** @param size bytes of the address space: 65536 for ports */
  constructor(private readonly size: number) {}

  /**
   * Puts a device's window on the bus. Offsets that the device sees count from `base`.
   *
   * @throws RangeError where the window is not inside the address space
   */
  add(name: string, base: number, size: number, device: BusDevice, priority = PRIORITY_FIXED): BusWindow {
    if (!(Number.isInteger(base) && Number.isInteger(size) && base >= 0 && size > 0 && base + size <= this.size)) {
      throw new RangeError(`window ${name} at 0x${base.toString(16)} of ${size} bytes is outside of the bus`);
    }
    const entry: Entry = {
      name,
      base,
      size,
      end: base + size,
      priority,
      device,
      order: this.orders++,
      remove: () => {
        this.entries = this.entries.filter((other) => other !== entry);
        this.resolve();
      },
    };
    this.entries.push(entry);
    this.resolve();
    return entry;
  }

  /** Takes all windows off the bus. */
  clear(): void {
    this.entries = [];
    this.resolve();
  }

  /** The windows as they were added, for the monitor. */
  windows(): readonly BusWindow[] {
    return this.entries;
  }

  /** `size` is 1, 2 or 4; the result is unsigned. */
  read(address: number, size: number): number {
    const entry = this.find(address);
    if (entry === null || address + size > entry.end) return this.readParts(address, size);
    return entry.device.read(address - entry.base, size) >>> 0;
  }

  write(address: number, size: number, value: number): void {
    const entry = this.find(address);
    if (entry === null || address + size > entry.end) this.writeParts(address, size, value);
    else entry.device.write(address - entry.base, size, value);
  }

  private find(address: number): Entry | null {
    const last = this.last;
    if (last !== null && address >= last.base && address < last.end) return last.entry;
    let low = 0;
    let high = this.ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.ranges[middle].end <= address) low = middle + 1;
      else high = middle;
    }
    const range = this.ranges[low];
    if (range === undefined || address < range.base) return null;
    this.last = range;
    return range.entry;
  }

  private readParts(address: number, size: number): number {
    let value = 0;
    for (let index = size - 1; index >= 0; index--) {
      const entry = this.find(address + index);
      const byte = entry === null ? 0xff : entry.device.read(address + index - entry.base, 1) & 0xff;
      value = ((value << 8) | byte) >>> 0;
    }
    return value;
  }

  private writeParts(address: number, size: number, value: number): void {
    for (let index = 0; index < size; index++) {
      const entry = this.find(address + index);
      entry?.device.write(address + index - entry.base, 1, (value >>> (index * 8)) & 0xff);
    }
  }

  /** Works out who answers where. */
  private resolve(): void {
    const bounds = [...new Set(this.entries.flatMap((entry) => [entry.base, entry.end]))].sort((a, b) => a - b);
    const ranges: Range[] = [];
    for (let index = 0; index + 1 < bounds.length; index++) {
      const base = bounds[index];
      const end = bounds[index + 1];
      const entry = this.top(base);
      if (entry === null) continue;
      const before = ranges[ranges.length - 1];
      if (before !== undefined && before.entry === entry && before.end === base) {
        ranges[ranges.length - 1] = { base: before.base, end, entry };
      } else {
        ranges.push({ base, end, entry });
      }
    }
    this.ranges = ranges;
    this.last = null;
  }

  private top(address: number): Entry | null {
    let best: Entry | null = null;
    for (const entry of this.entries) {
      if (address < entry.base || address >= entry.end) continue;
      const higher =
        best === null ||
        entry.priority > best.priority ||
        (entry.priority === best.priority && entry.order > best.order);
      if (higher) best = entry;
    }
    return best;
  }
}
