/**
 * One counter of an 8254. Intel 8254 data sheet (231164), "Mode definitions".
 *
 * Nothing ticks: count and output follow from the number of the clock's tick at which counting began. A tick is a
 * whole number since power-on. Mode 0, 1, 4, 5 count once and then wrap around; 2 and 3 are periodic.
 */
import { flag, integer, nullable, object, type StateOf, count as wide, word } from "../state-shape.js";

const ACCESS_LOW = 1;
const ACCESS_BOTH = 3;

export const COUNTER_SHAPE = object({
  mode: integer(0, 5),
  bcd: flag,
  access: integer(1, 3),
  gate: flag,
  /** The count that runs, 1 to 65536 (10000 in BCD); null before the first one was written. */
  count: nullable(integer(1, 0x10000)),
  /** Tick of the count's load; in modes 1 and 5 of the trigger. Null: not loaded, or not triggered yet. */
  start: nullable(wide),
  /** Ticks counted when a low gate stopped the counter; null while it counts. */
  stopped: nullable(wide),
  /** Mode 3: the half-cycle that began at `start` is the low one. */
  startsLow: flag,
  /** A count that waits for the end of the running cycle (2, 3) or for a trigger (1, 5). */
  next: nullable(integer(1, 0x10000)),
  /** Modes 2 and 3: the tick at which `next` is loaded. */
  due: nullable(wide),
  /** The low byte of a two-byte write, before its high byte comes. */
  writtenLow: nullable(integer(0, 0xff)),
  /** The next read of a two-byte access gives the high byte. */
  readHigh: flag,
  latchedCount: nullable(word),
  latchedStatus: nullable(integer(0, 0xff)),
});
export type CounterState = StateOf<typeof COUNTER_SHAPE>;

export class Counter {
  state: CounterState;

  constructor(gate: boolean) {
    this.state = {
      mode: 0,
      bcd: false,
      access: ACCESS_BOTH,
      gate,
      count: null,
      start: null,
      stopped: null,
      startsLow: false,
      next: null,
      due: null,
      writtenLow: null,
      readHigh: false,
      latchedCount: null,
      latchedStatus: null,
    };
  }

  /** A control word for this counter: bits 5-0. Counting stops until a count is written. */
  control(value: number): void {
    const mode = (value >>> 1) & 7;
    const state = this.state;
    state.bcd = (value & 1) !== 0;
    // Modes 2 and 3 have a second encoding each.
    state.mode = mode > 5 ? mode & 3 : mode;
    state.access = (value >>> 4) & 3;
    state.count = null;
    state.start = null;
    state.stopped = null;
    state.startsLow = false;
    state.next = null;
    state.due = null;
    state.writtenLow = null;
    state.readHigh = false;
    state.latchedCount = null;
    state.latchedStatus = null;
  }

  write(value: number, tick: number): void {
    const state = this.state;
    this.settle(tick);
    if (state.access === ACCESS_BOTH) {
      if (state.writtenLow === null) {
        state.writtenLow = value;
        // The first byte stops mode 0 at once.
        if (state.mode === 0 && state.start !== null) {
          state.count = null;
          state.start = null;
          state.stopped = null;
        }
        return;
      }
      this.load((value << 8) | state.writtenLow, tick);
      state.writtenLow = null;
    } else {
      this.load(state.access === ACCESS_LOW ? value : value << 8, tick);
    }
  }

  read(tick: number): number {
    const state = this.state;
    if (state.latchedStatus !== null) {
      const status = state.latchedStatus;
      state.latchedStatus = null;
      return status;
    }
    const value = state.latchedCount ?? this.visibleCount(tick);
    if (state.access !== ACCESS_BOTH) {
      state.latchedCount = null;
      return state.access === ACCESS_LOW ? value & 0xff : value >>> 8;
    }
    if (!state.readHigh) {
      state.readHigh = true;
      return value & 0xff;
    }
    state.readHigh = false;
    state.latchedCount = null;
    return value >>> 8;
  }

  /** A second latch before the first was read has no effect. */
  latchCount(tick: number): void {
    this.state.latchedCount ??= this.visibleCount(tick);
  }

  latchStatus(tick: number): void {
    const state = this.state;
    if (state.latchedStatus !== null) return;
    const out = this.out(tick);
    // Null count: what was written is not in the counter yet.
    const nullCount = state.count === null || state.next !== null || (state.start !== null && state.start > tick);
    state.latchedStatus =
      (out ? 0x80 : 0) | (nullCount ? 0x40 : 0) | (state.access << 4) | (state.mode << 1) | (state.bcd ? 1 : 0);
  }

  setGate(gate: boolean, tick: number): void {
    const state = this.state;
    if (gate === state.gate) return;
    this.settle(tick);
    state.gate = gate;
    switch (state.mode) {
      case 0:
      case 4:
        if (state.start === null) break;
        if (!gate) {
          state.stopped ??= this.elapsed(tick);
        } else if (state.stopped !== null) {
          state.start = Math.max(0, tick - state.stopped);
          state.stopped = null;
        }
        break;
      case 1:
      case 5:
        // A rising gate is the trigger.
        if (gate && (state.next ?? state.count) !== null) this.begin(state.next ?? state.count!, tick + 1);
        break;
      default:
        // A low gate holds the output high; the rising one starts the cycle from its beginning.
        if (state.count === null) break;
        if (!gate) {
          state.stopped = 0;
          state.due = null;
        } else this.begin(state.next ?? state.count, tick + 1);
    }
  }

  /** The output's level. */
  out(tick: number): boolean {
    this.settle(tick);
    return this.level(tick);
  }

  /** The first tick after `tick` at which the output rises, or null if it will not by itself. */
  nextRise(tick: number): number | null {
    this.settle(tick);
    const { mode, count, start, stopped, startsLow, next, due } = this.state;
    if (count === null || start === null || stopped !== null) return null;
    if (mode === 0 || mode === 1) return start + count > tick ? start + count : null;
    if (mode >= 4) return start + count + 1 > tick ? start + count + 1 : null;
    if (next !== null && due !== null) {
      // The output rises where the new count is loaded, or in mode 3 perhaps a half-cycle of the new count later.
      return mode === 2 || this.level(due) ? due : due + (next >>> 1);
    }
    const rise = start + (mode === 3 && startsLow ? count >>> 1 : count);
    if (rise > tick) return rise;
    return rise + (Math.floor((tick - rise) / count) + 1) * count;
  }

  /** The counting element, as a read or a latch sees it. */
  private visibleCount(tick: number): number {
    this.settle(tick);
    const { mode, bcd, count, start } = this.state;
    if (count === null || start === null) return 0;
    const elapsed = this.elapsed(tick);
    let value: number;
    if (mode === 2) {
      value = count - (elapsed % count);
    } else if (mode === 3) {
      // Counts down by two in each half-cycle; an odd count loads one less, and stays at 0 for a tick of the high half.
      const position = elapsed % count;
      const half = this.firstHalf();
      value = (count & ~1) - 2 * (position < half ? position : position - half);
    } else {
      const modulus = bcd ? 10000 : 0x10000;
      value = (((count - elapsed) % modulus) + modulus) % modulus;
    }
    return bcd ? toBcd(value % 10000) : value & 0xffff;
  }

  private load(written: number, tick: number): void {
    const state = this.state;
    let count = state.bcd ? fromBcd(written) || 10000 : written || 0x10000;
    switch (state.mode) {
      case 0:
      case 4:
        // The clock tick after the write loads the counter.
        this.begin(count, tick + 1);
        if (!state.gate) state.stopped = 0;
        break;
      case 1:
      case 5:
        state.next = count;
        break;
      default:
        // 1 is not a legal count in the periodic modes.
        count = Math.max(count, 2);
        if (state.count === null || state.start === null) {
          this.begin(count, tick + 1);
          if (!state.gate) state.stopped = 0;
        } else {
          state.next = count;
          state.due = state.stopped === null ? this.boundary(tick) : null;
        }
    }
  }

  /** The end of the running cycle of mode 2, or half-cycle of mode 3. */
  private boundary(tick: number): number {
    const count = this.state.count!;
    const start = this.state.start!;
    if (tick < start) return start;
    const cycle = start + Math.floor((tick - start) / count) * count;
    const half = cycle + this.firstHalf();
    return this.state.mode === 3 && tick < half ? half : cycle + count;
  }

  /** Ticks of the first half-cycle of mode 3: the high half of an odd count is the longer one. */
  private firstHalf(): number {
    const { count, startsLow } = this.state;
    return startsLow ? count! >>> 1 : (count! + 1) >>> 1;
  }

  private elapsed(tick: number): number {
    const { start, stopped } = this.state;
    return stopped ?? Math.max(0, tick - start!);
  }

  private level(tick: number): boolean {
    const { mode, count, start, stopped, startsLow } = this.state;
    if (count === null || start === null) return mode !== 0;
    const elapsed = this.elapsed(tick);
    switch (mode) {
      case 0:
      case 1:
        return elapsed >= count;
      case 2:
        return stopped !== null || elapsed % count !== count - 1;
      case 3:
        return stopped !== null || elapsed % count < this.firstHalf() !== startsLow;
      default:
        return elapsed !== count;
    }
  }

  /** Takes a waiting count over once its time has come. */
  private settle(tick: number): void {
    const { next, due, mode } = this.state;
    if (next === null || due === null || tick < due) return;
    const startsLow = mode === 3 && !this.level(due);
    this.begin(next, due);
    this.state.startsLow = startsLow;
  }

  private begin(count: number, start: number): void {
    const state = this.state;
    state.count = count;
    state.start = start;
    state.stopped = null;
    state.startsLow = false;
    state.next = null;
    state.due = null;
  }
}

function fromBcd(value: number): number {
  return (value >>> 12) * 1000 + ((value >>> 8) & 15) * 100 + ((value >>> 4) & 15) * 10 + (value & 15);
}

function toBcd(value: number): number {
  const digit = (divisor: number): number => Math.floor(value / divisor) % 10;
  return (digit(1000) << 12) | (digit(100) << 8) | (digit(10) << 4) | digit(1);
}
