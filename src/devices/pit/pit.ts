/**
 * The 8254 interval timer and port 0x61 of a PC: Intel 8254 data sheet. Counters are not ticked: each
 * follows from the clock time at which it was loaded.
 *
 *     const pit = new Pit({ interrupt: router.line(0), clock });
 *     ports.add("pit", 0x40, 4, pit); ports.add("port 61", 0x61, 1, pit.port61);
 */
import type { BusDevice, ClockTimer, DeviceClock, InterruptLine, PlainData, Stateful } from "../device.js";
import { StateError } from "../device.js";
import { checkBoolean, checkNumber, checkTime, checkVersion } from "../state.js";

const HERTZ = 1_193_182;
const NS_PER_TICK = 1e9 / HERTZ;
const PORT61_GATE = 1 << 0;
const PORT61_SPEAKER = 1 << 1;
const PORT61_REFRESH = 1 << 4;
const PORT61_OUT2 = 1 << 5;
/** Refresh toggles every 15 microseconds. */
const REFRESH_NS = 15_085;
const VERSION = 1;

class Channel {
  mode = 0;
  bcd = false;
  access = 3; // 1 low byte, 2 high byte, 3 low then high
  gate = true;
  /** The count that was written; 0 stands for the largest. */
  count = 0;
  /** Clock time at which counting began, or null while it does not count. */
  start: number | null = null;
  private writeLow: number | null = null;
  private readHigh = false;
  private latched: number | null = null;
  private status: number | null = null;
  private nullCount = true;

  constructor(
    private readonly clock: DeviceClock,
    private readonly changed: () => void,
  ) {}

  get period(): number {
    if (this.count !== 0) return this.count;
    return this.bcd ? 10000 : 0x10000;
  }

  /** Ticks since the count was loaded. */
  elapsed(): number {
    return this.start === null ? 0 : Math.floor((this.clock.now() - this.start) / NS_PER_TICK);
  }

  /** The output pin now. */
  output(): boolean {
    const { mode } = this;
    if (this.start === null) return mode !== 0;
    const ticks = this.elapsed();
    const period = this.period;
    switch (mode) {
      case 0:
      case 1:
        return ticks >= period;
      case 2:
        return ticks % period !== period - 1;
      case 3:
        return ticks % period < Math.ceil(period / 2);
      default:
        return ticks !== period;
    }
  }

  /** Clock time of the next rising edge of the output, or null. */
  nextRise(): number | null {
    if (this.start === null) return null;
    const ticks = this.elapsed();
    const period = this.period;
    if (this.mode === 2 || this.mode === 3) {
      return this.start + Math.ceil((Math.floor(ticks / period) + 1) * period * NS_PER_TICK);
    }
    const end = this.mode >= 4 ? period + 1 : period;
    return ticks < end ? this.start + Math.ceil(end * NS_PER_TICK) : null;
  }

  private value(): number {
    const period = this.period;
    const ticks = this.elapsed();
    let value: number;
    if (this.mode === 2) value = period - (ticks % period);
    else if (this.mode === 3) value = period - ((2 * ticks) % period);
    else value = period - ticks;
    const range = this.bcd ? 10000 : 0x10000;
    value = ((value % range) + range) % range;
    return this.bcd ? toBcd(value) : value;
  }

  setGate(level: boolean): void {
    const rose = level && !this.gate;
    this.gate = level;
    if (this.mode === 1 || this.mode === 5) {
      if (rose) this.begin();
    } else if (this.mode === 2 || this.mode === 3) {
      if (!level) this.start = null;
      else if (rose) this.begin();
    } else if (!level && this.start !== null) {
      this.paused = this.elapsed();
      this.start = null;
    } else if (rose && !this.nullCount) {
      this.start = this.clock.now() - this.paused * NS_PER_TICK;
    }
    this.changed();
  }
  private paused = 0;

  private begin(): void {
    this.start = this.clock.now();
    this.nullCount = false;
    this.paused = 0;
  }

  control(value: number): void {
    this.access = (value >> 4) & 3;
    this.mode = (value >> 1) & 7;
    if (this.mode > 5) this.mode -= 4;
    this.bcd = (value & 1) !== 0;
    this.start = null;
    this.writeLow = null;
    this.readHigh = false;
    this.latched = null;
    this.status = null;
    this.nullCount = true;
    this.paused = 0;
    this.changed();
  }

  latchCount(): void {
    this.latched ??= this.value();
  }

  latchStatus(): void {
    this.status ??=
      (this.output() ? 0x80 : 0) |
      (this.nullCount ? 0x40 : 0) |
      (this.access << 4) |
      (this.mode << 1) |
      (this.bcd ? 1 : 0);
  }

  read(): number {
    if (this.status !== null) {
      const status = this.status;
      this.status = null;
      return status;
    }
    const value = this.latched ?? this.value();
    if (this.access === 1 || this.access === 2) {
      this.latched = null;
      return this.access === 1 ? value & 0xff : value >> 8;
    }
    if (!this.readHigh) {
      // Both halves of an unlatched read come from the count at each read, as on the chip.
      this.readHigh = true;
      return value & 0xff;
    }
    this.readHigh = false;
    this.latched = null;
    return value >> 8;
  }

  write(value: number): void {
    if (this.access === 1) this.loadCount(value);
    else if (this.access === 2) this.loadCount(value << 8);
    else if (this.writeLow === null) {
      this.writeLow = value;
      // Mode 0 stops counting at the first byte.
      if (this.mode === 0) this.start = null;
      this.changed();
    } else {
      const low = this.writeLow;
      this.writeLow = null;
      this.loadCount(low | (value << 8));
    }
  }

  private loadCount(raw: number): void {
    this.count = this.bcd ? fromBcd(raw) : raw;
    const triggered = this.mode === 1 || this.mode === 5;
    this.paused = 0;
    if (!triggered && this.gate) this.begin();
    else this.nullCount = false;
    this.changed();
  }

  save(): PlainData {
    return {
      mode: this.mode,
      bcd: this.bcd,
      access: this.access,
      gate: this.gate,
      count: this.count,
      start: this.start,
      paused: this.paused,
      writeLow: this.writeLow,
      readHigh: this.readHigh,
      latched: this.latched,
      status: this.status,
      nullCount: this.nullCount,
    };
  }

  check(state: PlainData | undefined): () => void {
    const fields = (state ?? {}) as { readonly [key: string]: PlainData };
    const optional = (name: string, max: number) =>
      fields[name] === null ? null : checkNumber("pit", fields[name], max, name);
    const next = {
      mode: checkNumber("pit", fields.mode, 5, "mode"),
      bcd: checkBoolean("pit", fields.bcd, "bcd"),
      access: checkNumber("pit", fields.access, 3, "access"),
      gate: checkBoolean("pit", fields.gate, "gate"),
      count: checkNumber("pit", fields.count, 0xffff, "count"),
      start: checkTime("pit", fields.start, "start"),
      paused: checkTime("pit", fields.paused, "paused") ?? 0,
      writeLow: optional("writeLow", 0xff),
      readHigh: checkBoolean("pit", fields.readHigh, "readHigh"),
      latched: optional("latched", 0xffff),
      status: optional("status", 0xff),
      nullCount: checkBoolean("pit", fields.nullCount, "nullCount"),
    };
    return () => Object.assign(this, next);
  }
}

export class Pit implements BusDevice, Stateful<PlainData> {
  readonly port61: BusDevice;
  private readonly channels: readonly Channel[];
  private readonly timer: ClockTimer;
  private speaker = false;

  constructor(private readonly options: { interrupt: InterruptLine; clock: DeviceClock }) {
    const { clock } = options;
    this.timer = clock.timer(() => this.update());
    this.channels = [0, 1, 2].map((index) => new Channel(clock, () => index === 0 && this.update()));
    this.channel(2).gate = false;
    this.port61 = {
      read: () =>
        (this.channel(2).gate ? PORT61_GATE : 0) |
        (this.speaker ? PORT61_SPEAKER : 0) |
        (Math.floor(clock.now() / REFRESH_NS) & 1 ? PORT61_REFRESH : 0) |
        (this.channel(2).output() ? PORT61_OUT2 : 0),
      write: (_offset, _size, value) => {
        this.speaker = (value & PORT61_SPEAKER) !== 0;
        this.channel(2).setGate((value & PORT61_GATE) !== 0);
      },
    };
  }

  read(offset: number, _size: number): number {
    // The control word cannot be read.
    return offset === 3 ? 0 : this.channel(offset).read();
  }

  write(offset: number, _size: number, value: number): void {
    if (offset !== 3) {
      this.channel(offset).write(value & 0xff);
      return;
    }
    const select = (value >> 6) & 3;
    if (select === 3) {
      for (let index = 0; index < 3; index++) {
        if (!(value & (2 << index))) continue;
        if (!(value & 0x20)) this.channel(index).latchCount();
        if (!(value & 0x10)) this.channel(index).latchStatus();
      }
    } else if ((value & 0x30) === 0) this.channel(select).latchCount();
    else this.channel(select).control(value & 0xff);
  }

  save(): PlainData {
    return { version: VERSION, speaker: this.speaker, channels: this.channels.map((channel) => channel.save()) };
  }

  restore(state: PlainData): void {
    const fields = checkVersion("pit", state, VERSION);
    const speaker = checkBoolean("pit", fields.speaker, "speaker");
    const saved = fields.channels;
    if (!Array.isArray(saved) || saved.length !== 3) throw new StateError("pit: channels are not three");
    const takes = this.channels.map((channel, index) => channel.check(saved[index] as PlainData));
    for (const take of takes) take();
    this.speaker = speaker;
    this.update();
  }

  private channel(index: number): Channel {
    return this.channels[index] as Channel;
  }

  // Channel 0's output is IRQ 0. A mode 2 pulse is a tick low: the edge is what counts.
  private update(): void {
    const channel = this.channel(0);
    const { interrupt, clock } = this.options;
    const periodic = channel.mode === 2 || channel.mode === 3;
    if (periodic && channel.start !== null) {
      if (this.lastRise !== null && clock.now() >= this.lastRise) {
        interrupt.set(false);
        interrupt.set(true);
      }
    } else interrupt.set(channel.output());
    const next = channel.nextRise();
    this.lastRise = next;
    if (next === null) this.timer.cancel();
    else this.timer.arm(next);
  }
  private lastRise: number | null = null;
}

function toBcd(value: number): number {
  return Number.parseInt(String(value % 10000), 16);
}

function fromBcd(raw: number): number {
  return ((raw >> 12) & 15) * 1000 + ((raw >> 8) & 15) * 100 + ((raw >> 4) & 15) * 10 + (raw & 15);
}
