/**
 * The high precision event timer: IA-PC HPET specification 1.0a. A 64-bit counter of 100 MHz and three
 * comparators, with legacy replacement routing and FSB delivery.
 *
 *     mmio.add("hpet", 0xfed00000, 0x400, new Hpet({ lines: (gsi) => router.line(gsi), clock, msi: router }));
 */
import type { BusDevice, ClockTimer, DeviceClock, InterruptLine, MsiSink, PlainData, Stateful } from "../device.js";
import {
  dword,
  finite,
  flag,
  integer,
  list,
  literal,
  nullable,
  object,
  optional,
  time,
  wideText,
  word,
} from "../state-shape.js";

const CAPABILITIES = 0x000;
const CONFIGURATION = 0x010;
const INTERRUPT_STATUS = 0x020;
const COUNTER = 0x0f0;
const TIMERS = 0x100;
const TIMER_BYTES = 0x20;
const TIMER_CONFIGURATION = 0x00;
const TIMER_COMPARATOR = 0x08;
const TIMER_FSB = 0x10;

const TIMER_COUNT = 3;
/** 10 ns a tick, in femtoseconds. */
const PERIOD_FS = 10_000_000;
const NS_PER_TICK = 10;
const VENDOR = 0x8086;

const ENABLE = 1 << 0;
const LEGACY = 1 << 1;

const T_LEVEL = 1 << 1;
const T_ENABLE = 1 << 2;
const T_PERIODIC = 1 << 3;
const T_CAN_PERIODIC = 1 << 4;
const T_SIZE64 = 1 << 5;
const T_SET_VALUE = 1 << 6;
const T_32BIT = 1 << 8;
const T_ROUTE_SHIFT = 9;
const T_FSB_ENABLE = 1 << 14;
const T_CAN_FSB = 1 << 15;
/** A periodic comparator interrupts no more often than this, so that a guest cannot keep the host busy with it. */
const MIN_INTERVAL_NS = 20_000;
/** The high half of the counter read so soon after the low half is of the same read. */
const LATCH_NS = 1000;
const T_WRITABLE = T_LEVEL | T_ENABLE | T_PERIODIC | T_SET_VALUE | T_32BIT | (31 << T_ROUTE_SHIFT) | T_FSB_ENABLE;
/** GSIs that a comparator may be routed to: 20-23, which no ISA device has. */
const ROUTES = 0x00f00000;
const U64 = 2n ** 64n;

const SHAPE = object({
  version: literal(1),
  config: integer(0, ENABLE | LEGACY),
  status: integer(0, 2 ** TIMER_COUNT - 1),
  base: wideText,
  started: nullable(time),
  timers: list(
    object({
      config: word,
      comparator: wideText,
      period: wideText,
      fsbValue: dword,
      fsbAddress: dword,
      deadline: nullable(finite),
      highFollows: optional(flag),
    }),
    TIMER_COUNT,
  ),
});

interface Comparator {
  config: number;
  /** 64 bits. */
  comparator: bigint;
  period: bigint;
  fsbValue: number;
  fsbAddress: number;
  /** Clock time at which `timer` fires, or null. */
  deadline: number | null;
  /** A write of 8 bytes is under way: its low half went to the comparator, and its high half is to go there too. */
  highFollows: boolean;
  timer: ClockTimer;
}

export interface HpetOptions {
  /** A wire to a global system interrupt. */
  lines(gsi: number): InterruptLine;
  clock: DeviceClock;
  msi: MsiSink;
}

export class Hpet implements BusDevice, Stateful<PlainData> {
  private config = 0;
  private status = 0;
  /** Counter value while it stands still, or at `started`. */
  private base = 0n;
  /** Clock time at which counting began, or null. */
  private started: number | null = null;
  /** The counter when its low half was read, and when that was. */
  private latched = { value: 0n, at: Number.NEGATIVE_INFINITY };
  private readonly timers: Comparator[];
  private readonly wires = new Map<number, InterruptLine>();
  /** Lines of the PIT and the RTC, which legacy replacement cuts off. */
  private readonly replaced: { line: InterruptLine; level: boolean }[] = [];

  constructor(private readonly options: HpetOptions) {
    this.timers = Array.from({ length: TIMER_COUNT }, (_, index) => ({
      config: 0,
      comparator: U64 - 1n,
      period: 0n,
      fsbValue: 0,
      fsbAddress: 0,
      deadline: null,
      highFollows: false,
      timer: options.clock.timer(() => this.expire(index)),
    }));
  }

  /** The wire for the PIT or the RTC: it leads to `line` while legacy replacement is off. */
  replaceable(line: InterruptLine): InterruptLine {
    const wire = { line, level: false };
    this.replaced.push(wire);
    return {
      set: (level) => {
        wire.level = level;
        line.set(level && (this.config & LEGACY) === 0);
      },
    };
  }

  read(offset: number, size: number): number {
    const word = this.readWord(offset & ~3);
    const shift = (offset & 3) * 8;
    return size === 4 ? word >>> 0 : (word >>> shift) & (size === 2 ? 0xffff : 0xff);
  }

  write(offset: number, size: number, value: number): void {
    // The specification knows accesses of 4 and 8 bytes only.
    if (size !== 4 || offset & 3) return;
    const high = (offset & 4) !== 0;
    const at = offset & ~7;
    if (at === CONFIGURATION && !high) this.writeConfiguration(value);
    else if (at === INTERRUPT_STATUS && !high) this.clearStatus(value);
    else if (at === COUNTER) this.writeCounter(high, value);
    else if (at >= TIMERS) this.writeTimer(at, high, value);
  }

  save(): PlainData {
    return {
      version: 1,
      config: this.config,
      status: this.status,
      base: this.base.toString(),
      started: this.started,
      timers: this.timers.map(({ config, comparator, period, fsbValue, fsbAddress, deadline, highFollows }) => ({
        config,
        comparator: comparator.toString(),
        period: period.toString(),
        fsbValue,
        fsbAddress,
        deadline,
        ...(highFollows ? { highFollows } : {}),
      })),
    };
  }

  check(state: unknown): void {
    SHAPE.parse(state, "hpet");
  }

  restore(state: PlainData): void {
    const { config, status, base, started, timers } = SHAPE.parse(state, "hpet");
    Object.assign(this, { config, status, base: BigInt(base), started });
    for (const [index, saved] of timers.entries()) {
      const timer = this.timers[index];
      timer.config = saved.config & T_WRITABLE;
      timer.comparator = BigInt(saved.comparator);
      timer.period = BigInt(saved.period);
      timer.fsbValue = saved.fsbValue;
      timer.fsbAddress = saved.fsbAddress;
      timer.highFollows = saved.highFollows ?? false;
      this.setDeadline(timer, saved.deadline);
      if (timer.config & T_LEVEL) this.wire(index)?.set((status & (1 << index)) !== 0);
    }
    this.driveReplaced();
  }

  private counter(): bigint {
    if (this.started === null) return this.base;
    const ticks = BigInt(Math.floor((this.options.clock.now() - this.started) / NS_PER_TICK));
    return BigInt.asUintN(64, this.base + ticks);
  }

  private readWord(offset: number): number {
    const high = (offset & 4) !== 0;
    const half = (value: bigint) => Number(high ? (value >> 32n) & 0xffffffffn : value & 0xffffffffn);
    switch (offset & ~7) {
      case CAPABILITIES:
        return high ? PERIOD_FS : ((VENDOR << 16) | (1 << 15) | (1 << 13) | ((TIMER_COUNT - 1) << 8) | 1) >>> 0;
      case CONFIGURATION:
        return high ? 0 : this.config;
      case INTERRUPT_STATUS:
        return high ? 0 : this.status;
      case COUNTER: {
        // The halves of a read of 8 bytes belong together.
        const now = this.options.clock.now();
        if (high && now - this.latched.at <= LATCH_NS) return half(this.latched.value);
        if (!high) this.latched = { value: this.counter(), at: now };
        return half(this.counter());
      }
      default: {
        const index = Math.floor((offset - TIMERS) / TIMER_BYTES);
        const timer = offset >= TIMERS ? this.timers[index] : undefined;
        if (!timer) return 0;
        switch ((offset - TIMERS) & (TIMER_BYTES - 8)) {
          case TIMER_CONFIGURATION:
            return high ? ROUTES : timer.config | T_CAN_PERIODIC | T_SIZE64 | T_CAN_FSB;
          case TIMER_COMPARATOR:
            return half(timer.comparator);
          case TIMER_FSB:
            return high ? timer.fsbAddress : timer.fsbValue;
          default:
            return 0;
        }
      }
    }
  }

  private writeConfiguration(value: number): void {
    const enable = (value & ENABLE) !== 0;
    if (enable && this.started === null) this.started = this.options.clock.now();
    else if (!enable && this.started !== null) {
      this.base = this.counter();
      this.started = null;
    }
    this.config = value & (ENABLE | LEGACY);
    this.driveReplaced();
    for (let index = 0; index < TIMER_COUNT; index++) this.arm(index);
  }

  private driveReplaced(): void {
    for (const { line, level } of this.replaced) line.set(level && (this.config & LEGACY) === 0);
  }

  private writeCounter(high: boolean, value: number): void {
    // Meant to be written while it stands still; a running one goes on from the new value.
    this.latched.at = Number.NEGATIVE_INFINITY;
    const now = this.counter();
    this.base = high ? (now & 0xffffffffn) | (BigInt(value) << 32n) : (now & ~0xffffffffn) | BigInt(value);
    if (this.started !== null) this.started = this.options.clock.now();
    for (let index = 0; index < TIMER_COUNT; index++) this.arm(index);
  }

  private writeTimer(at: number, high: boolean, value: number): void {
    const index = Math.floor((at - TIMERS) / TIMER_BYTES);
    const timer = this.timers[index];
    if (!timer) return;
    switch ((at - TIMERS) & (TIMER_BYTES - 8)) {
      case TIMER_CONFIGURATION:
        if (high) return;
        this.wire(index)?.set(false);
        timer.config = value & T_WRITABLE;
        timer.highFollows = false;
        if (timer.config & T_32BIT) timer.comparator &= 0xffffffffn;
        this.arm(index);
        return;
      case TIMER_COMPARATOR: {
        const replace = (old: bigint) =>
          high ? (old & 0xffffffffn) | (BigInt(value) << 32n) : (old & ~0xffffffffn) | BigInt(value);
        if (timer.config & T_32BIT && high) return;
        const set = (timer.config & T_SET_VALUE) !== 0 || (high && timer.highFollows);
        if (!(timer.config & T_PERIODIC) || set) timer.comparator = replace(timer.comparator);
        if (timer.config & T_PERIODIC) timer.period = replace(timer.period);
        timer.highFollows = set && !high;
        timer.config &= ~T_SET_VALUE;
        this.arm(index);
        return;
      }
      case TIMER_FSB:
        if (high) timer.fsbAddress = value;
        else timer.fsbValue = value;
        return;
      default:
        return;
    }
  }

  private arm(index: number, earliest = 0): void {
    const timer = this.timers[index] as Comparator;
    if (this.started === null) {
      this.setDeadline(timer, null);
      return;
    }
    const narrow = (timer.config & T_32BIT) !== 0;
    const bits = narrow ? 32 : 64;
    const ahead = BigInt.asUintN(bits, timer.comparator - this.counter());
    // Further than half a century needs no timer.
    if (ahead > 2n ** 57n) this.setDeadline(timer, null);
    else {
      const ticks = Number(ahead === 0n ? 1n << BigInt(Math.min(bits, 57)) : ahead);
      this.setDeadline(timer, this.options.clock.now() + Math.max(ticks * NS_PER_TICK, earliest));
    }
  }

  private setDeadline(timer: Comparator, deadline: number | null): void {
    timer.deadline = deadline;
    if (deadline === null) timer.timer.cancel();
    else timer.timer.arm(deadline);
  }

  private expire(index: number): void {
    const timer = this.timers[index] as Comparator;
    timer.deadline = null;
    if (timer.config & T_ENABLE) this.interrupt(index, timer);
    if (timer.config & T_PERIODIC && timer.period > 0n) {
      const bits = timer.config & T_32BIT ? 32 : 64;
      const now = this.counter();
      // Periods that passed unnoticed are one interrupt.
      const behind = BigInt.asIntN(bits, now - timer.comparator);
      const missed = behind > 0n ? behind / timer.period : 0n;
      timer.comparator = BigInt.asUintN(bits, timer.comparator + timer.period * (missed + 1n));
    }
    this.arm(index, MIN_INTERVAL_NS);
  }

  private interrupt(index: number, timer: Comparator): void {
    if (timer.config & T_FSB_ENABLE) {
      this.options.msi.send(timer.fsbAddress, timer.fsbValue);
      return;
    }
    const wire = this.wire(index);
    if (timer.config & T_LEVEL) {
      this.status |= 1 << index;
      wire?.set(true);
    } else {
      wire?.set(true);
      wire?.set(false);
    }
  }

  private clearStatus(value: number): void {
    for (let index = 0; index < TIMER_COUNT; index++) {
      if (!(value & this.status & (1 << index))) continue;
      this.status &= ~(1 << index);
      this.wire(index)?.set(false);
    }
  }

  // With legacy replacement timers 0 and 1 are the PIT's and the RTC's interrupts.
  private wire(index: number): InterruptLine | null {
    const timer = this.timers[index] as Comparator;
    let gsi = (timer.config >> T_ROUTE_SHIFT) & 31;
    if (this.config & LEGACY && index < 2) gsi = index === 0 ? 0 : 8;
    else if (!(ROUTES & (1 << gsi))) return null;
    let wire = this.wires.get(gsi);
    if (!wire) {
      wire = this.options.lines(gsi);
      this.wires.set(gsi, wire);
    }
    return wire;
  }
}
