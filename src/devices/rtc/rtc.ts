/**
 * The real-time clock and its CMOS memory: an MC146818 with a second bank of 128 bytes.
 * Motorola MC146818 data sheet; ICH9, 13.6.
 *
 *     const rtc = new Rtc({ clock, interrupt: line(8), lowMemory, highMemory });
 *     ports.add("rtc", 0x70, 4, rtc);
 *
 * The time is the machine's wall-clock time and an offset that the guest sets; registers are worked out when read.
 */
import { readBytes, writeBytes } from "../byte-registers.js";
import type { BusDevice, ClockTimer, DeviceClock, InterruptLine, Stateful } from "../device.js";
import {
  byte,
  count,
  finite,
  flag,
  integer,
  list,
  literal,
  milliseconds,
  nullable,
  object,
  type StateOf,
} from "../state-shape.js";
import { calendarOf, clampSeconds, MAX_SECONDS, secondsOf } from "./calendar.js";

/** Ports. */
const INDEX = 0;
const DATA = 1;
const UPPER_INDEX = 2;

const SECONDS = 0;
const SECONDS_ALARM = 1;
const MINUTES = 2;
const MINUTES_ALARM = 3;
const HOURS = 4;
const HOURS_ALARM = 5;
const WEEKDAY = 6;
const DAY = 7;
const MONTH = 8;
const YEAR = 9;
const REGISTER_A = 10;
const REGISTER_B = 11;
const REGISTER_C = 12;
const REGISTER_D = 13;
/** The PC's extension: the century, always where ACPI's FADT says. */
export const CMOS_CENTURY = 0x32;
const TIME_REGISTERS = [SECONDS, MINUTES, HOURS, WEEKDAY, DAY, MONTH, YEAR, CMOS_CENTURY];

const A_UPDATE_IN_PROGRESS = 1 << 7;
const A_DIVIDER = 0x70;
/** Divider values from here on hold the clock in reset; the others let it run. */
const A_DIVIDER_RESET = 0x60;
const A_RATE = 0x0f;

const B_SET = 1 << 7;
const B_PERIODIC = 1 << 6;
const B_ALARM = 1 << 5;
const B_UPDATE = 1 << 4;
const B_BINARY = 1 << 2;
const B_24_HOURS = 1 << 1;
const INTERRUPTS = B_PERIODIC | B_ALARM | B_UPDATE;

const C_INTERRUPT = 1 << 7;
const D_VALID = 1 << 7;

const PM = 0x80;
/** Alarm registers from here on match always. */
const ANY = 0xc0;
/** UIP announces an update this long before it. */
const UPDATE_NOTICE_MS = 0.244;
const OSCILLATOR = 32768;

/** CMOS bytes that firmware reads. */
const CMOS_EQUIPMENT = 0x14;
const CMOS_BASE_MEMORY = 0x15;
const CMOS_EXTENDED_MEMORY = 0x17;
const CMOS_EXTENDED_MEMORY_2 = 0x30;
const CMOS_MEMORY_ABOVE_16M = 0x34;
const CMOS_MEMORY_ABOVE_4G = 0x5b;
/** An FPU, no floppy, no display of the old kinds, a PS/2 mouse. */
const EQUIPMENT = 0x06;
const KIB = 1024;
const MIB = 1024 * KIB;

const SHAPE = object({
  version: literal(1),
  index: integer(0, 127),
  upperIndex: integer(0, 127),
  nmiMasked: flag,
  cmos: list(byte, 256),
  /** Milliseconds from the machine's wall-clock time to the RTC's; null while the clock is held. */
  offset: nullable(milliseconds),
  /** The part of a second that had passed when the clock was held; its registers are in `cmos` meanwhile. */
  heldFraction: integer(0, 999),
  /** Days by which the guest's weekday differs from the date's. */
  weekdayShift: integer(0, 6),
  /** Register C. */
  flags: byte,
  /** The second and the periodic tick up to which register C's flags are worked out. */
  seenSecond: milliseconds,
  seenTick: count,
  /** Clock time at which an interrupt is to be looked for, or null. */
  deadline: nullable(finite),
});
export type RtcState = StateOf<typeof SHAPE>;

export interface RtcOptions {
  clock: DeviceClock;
  /** ISA interrupt 8. */
  interrupt: InterruptLine;
  /** The alarm interrupt is raised. */
  alarm?(): void;
  /** RAM below 4 GiB and from 4 GiB on, in bytes: firmware reads their sizes from CMOS. */
  lowMemory: number;
  highMemory: number;
}

export class Rtc implements BusDevice, Stateful<RtcState> {
  private state: RtcState;
  /** The alarm interrupt is asserted. */
  private alarmed = false;
  private readonly timer: ClockTimer;

  constructor(private readonly options: RtcOptions) {
    this.timer = options.clock.timer(() => {
      this.state.deadline = null;
      this.update();
    });
    const cmos = new Array(256).fill(0);
    cmos[REGISTER_A] = 0x26;
    cmos[REGISTER_B] = B_24_HOURS;
    cmos[REGISTER_D] = D_VALID;
    cmos[CMOS_EQUIPMENT] = EQUIPMENT;
    this.state = {
      version: 1,
      index: 0,
      upperIndex: 0,
      nmiMasked: false,
      cmos,
      offset: 0,
      heldFraction: 0,
      weekdayShift: 0,
      flags: 0,
      seenSecond: 0,
      seenTick: 0,
      deadline: null,
    };
    this.state.seenSecond = this.second();
    this.writeMemorySizes();
  }

  /** The guest masks NMIs by bit 7 of the index port. */
  get nmiMasked(): boolean {
    return this.state.nmiMasked;
  }

  /** Sets a byte of the CMOS memory, as a set-up program would. Registers 0-13 and the century are the clock's. */
  setCmos(index: number, value: number): void {
    if (!(index > REGISTER_D && index < 256 && index !== CMOS_CENTURY)) throw new RangeError(`CMOS byte ${index}`);
    this.state.cmos[index] = value & 0xff;
  }

  read(offset: number, size: number): number {
    return readBytes(this, offset, size);
  }

  write(offset: number, size: number, value: number): void {
    writeBytes(this, offset, size, value);
  }

  readByte(offset: number): number {
    const { index, upperIndex, cmos } = this.state;
    // Index ports are write-only.
    if (offset === INDEX || offset === UPPER_INDEX) return 0xff;
    if (offset !== DATA) return cmos[128 + upperIndex];
    switch (index) {
      case REGISTER_A:
        return cmos[REGISTER_A] | (this.updateInProgress() ? A_UPDATE_IN_PROGRESS : 0);
      case REGISTER_C: {
        this.collect();
        const { flags } = this.state;
        this.state.flags = 0;
        this.update();
        return flags | (flags & cmos[REGISTER_B] & INTERRUPTS ? C_INTERRUPT : 0);
      }
      default:
        if (this.state.offset === null || !TIME_REGISTERS.includes(index)) return cmos[index];
        return this.timeRegister(index, this.second());
    }
  }

  writeByte(offset: number, value: number): void {
    const state = this.state;
    if (offset === INDEX) {
      state.index = value & 0x7f;
      state.nmiMasked = (value & 0x80) !== 0;
    } else if (offset === UPPER_INDEX) {
      state.upperIndex = value & 0x7f;
    } else if (offset !== DATA) {
      state.cmos[128 + state.upperIndex] = value;
    } else {
      this.writeRegister(state.index, value);
    }
  }

  save(): RtcState {
    return SHAPE.parse(this.state, "rtc");
  }

  check(state: unknown): void {
    SHAPE.parse(state, "rtc");
  }

  restore(state: RtcState): void {
    this.state = SHAPE.parse(state, "rtc");
    this.alarmed = (this.state.flags & this.state.cmos[REGISTER_B] & B_ALARM) !== 0;
    this.driveLine();
    this.arm(this.state.deadline);
  }

  private writeMemorySizes(): void {
    const { lowMemory, highMemory } = this.options;
    const put = (index: number, value: number, bytes: number): void => {
      for (let byte = 0; byte < bytes; byte++) this.setCmos(index + byte, Math.floor(value / 256 ** byte));
    };
    const extended = Math.min(Math.max(0, Math.floor((lowMemory - MIB) / KIB)), 0xffff);
    put(CMOS_BASE_MEMORY, 640, 2);
    put(CMOS_EXTENDED_MEMORY, extended, 2);
    put(CMOS_EXTENDED_MEMORY_2, extended, 2);
    put(CMOS_MEMORY_ABOVE_16M, Math.min(Math.max(0, Math.floor((lowMemory - 16 * MIB) / (64 * KIB))), 0xffff), 2);
    put(CMOS_MEMORY_ABOVE_4G, Math.floor(highMemory / (64 * KIB)), 3);
  }

  private writeRegister(index: number, value: number): void {
    const { cmos } = this.state;
    if (index === REGISTER_C || index === REGISTER_D) return;
    this.collect();
    if (index === REGISTER_A || index === REGISTER_B) {
      const wasHeld = this.held;
      const wasReset = (cmos[REGISTER_A] & A_DIVIDER) >= A_DIVIDER_RESET;
      if (index === REGISTER_A) cmos[index] = value & ~A_UPDATE_IN_PROGRESS;
      // Setting SET clears the update interrupt's enable.
      else cmos[index] = value & B_SET ? value & ~B_UPDATE : value;
      if (!wasHeld && this.held) this.hold();
      // A divider that leaves its reset makes the first update half a second later.
      if (wasHeld && !this.held) this.release(wasReset ? 500 : this.state.heldFraction);
      this.state.seenTick = this.periodicTick();
    } else {
      const runs = this.state.offset !== null && TIME_REGISTERS.includes(index);
      if (runs) this.setRunning(index, value);
      else cmos[index] = value;
    }
    this.update();
  }

  /** Updates stand still: by SET, or because the divider is in reset. */
  private get held(): boolean {
    const { cmos } = this.state;
    return (cmos[REGISTER_B] & B_SET) !== 0 || (cmos[REGISTER_A] & A_DIVIDER) >= A_DIVIDER_RESET;
  }

  /** The RTC's time in milliseconds since 1970, while it runs. */
  private milliseconds(): number {
    return this.options.clock.wallTime() + (this.state.offset ?? 0);
  }

  private second(): number {
    return clampSeconds(Math.floor(this.milliseconds() / 1000));
  }

  /** Stops the clock: from now on the registers are bytes that keep what is written. */
  private hold(): void {
    const { cmos } = this.state;
    const second = this.second();
    for (const index of TIME_REGISTERS) cmos[index] = this.timeRegister(index, second);
    this.state.heldFraction = Math.floor(this.milliseconds()) - Math.floor(this.milliseconds() / 1000) * 1000;
    this.state.offset = null;
  }

  /** Lets the clock run from what the registers say, `fraction` milliseconds into their second. */
  private release(fraction: number): void {
    const { cmos } = this.state;
    const seconds = secondsOf({
      second: this.decode(cmos[SECONDS]),
      minute: this.decode(cmos[MINUTES]),
      hour: this.decodeHour(cmos[HOURS]),
      day: this.decode(cmos[DAY]),
      month: this.decode(cmos[MONTH]),
      year: this.decode(cmos[CMOS_CENTURY]) * 100 + this.decode(cmos[YEAR]),
    });
    this.state.weekdayShift = (this.decode(cmos[WEEKDAY]) + 7 - calendarOf(seconds).weekday) % 7;
    this.state.offset = seconds * 1000 + fraction - this.options.clock.wallTime();
    this.state.seenSecond = this.second();
  }

  /** A write to a register of the running clock: it goes on from there. */
  private setRunning(index: number, value: number): void {
    this.hold();
    this.state.cmos[index] = value;
    this.release(this.state.heldFraction);
  }

  private updateInProgress(): boolean {
    if (this.state.offset === null) return false;
    const now = this.milliseconds();
    return 1000 - (now - Math.floor(now / 1000) * 1000) <= UPDATE_NOTICE_MS;
  }

  private timeRegister(index: number, second: number): number {
    const time = calendarOf(second);
    switch (index) {
      case SECONDS:
        return this.encode(time.second);
      case MINUTES:
        return this.encode(time.minute);
      case HOURS:
        return this.encodeHour(time.hour);
      case WEEKDAY:
        return this.encode(((time.weekday - 1 + this.state.weekdayShift) % 7) + 1);
      case DAY:
        return this.encode(time.day);
      case MONTH:
        return this.encode(time.month);
      case YEAR:
        return this.encode(time.year % 100);
      default:
        return this.encode(Math.floor(time.year / 100));
    }
  }

  private encode(value: number): number {
    if (this.state.cmos[REGISTER_B] & B_BINARY) return value;
    return (Math.floor(value / 10) << 4) | (value % 10);
  }

  private decode(value: number): number {
    if (this.state.cmos[REGISTER_B] & B_BINARY) return value;
    return (value >>> 4) * 10 + (value & 15);
  }

  private encodeHour(hour: number): number {
    if (this.state.cmos[REGISTER_B] & B_24_HOURS) return this.encode(hour);
    return this.encode(hour % 12 || 12) | (hour >= 12 ? PM : 0);
  }

  private decodeHour(value: number): number {
    if (this.state.cmos[REGISTER_B] & B_24_HOURS) return this.decode(value);
    return (this.decode(value & 0x7f) % 12) + (value & PM ? 12 : 0);
  }

  /** The periodic interrupt's period in ticks of the oscillator, or 0. */
  private periodicPeriod(): number {
    const { cmos } = this.state;
    const rate = cmos[REGISTER_A] & A_RATE;
    if (rate === 0 || (cmos[REGISTER_A] & A_DIVIDER) >= A_DIVIDER_RESET) return 0;
    // The two fastest rates do not exist with a 32 kHz crystal: they give those of rates 8 and 9.
    return 1 << ((rate <= 2 ? rate + 7 : rate) - 1);
  }

  /** Periods of the periodic interrupt since power-on. */
  private periodicTick(): number {
    const period = this.periodicPeriod();
    return period === 0 ? 0 : Math.floor(((this.options.clock.now() / 1e9) * OSCILLATOR) / period);
  }

  /** Brings register C's flags up to now. */
  private collect(): void {
    const state = this.state;
    const tick = this.periodicTick();
    if (tick !== state.seenTick) {
      state.flags |= B_PERIODIC;
      state.seenTick = tick;
    }
    if (this.held) return;
    const second = this.second();
    if (second <= state.seenSecond) return;
    state.flags |= B_UPDATE;
    const alarm = this.nextAlarm(state.seenSecond);
    if (alarm !== null && alarm <= second) state.flags |= B_ALARM;
    state.seenSecond = second;
  }

  /** The first second after `after` that the alarm registers match, or null. */
  private nextAlarm(after: number): number | null {
    const { cmos } = this.state;
    const wanted = (index: number, limit: number, value: number): number | null => {
      if (cmos[index] >= ANY) return -1;
      return value < limit ? value : null;
    };
    const second = wanted(SECONDS_ALARM, 60, this.decode(cmos[SECONDS_ALARM]));
    const minute = wanted(MINUTES_ALARM, 60, this.decode(cmos[MINUTES_ALARM]));
    const hour = wanted(HOURS_ALARM, 24, this.decodeHour(cmos[HOURS_ALARM]));
    if (second === null || minute === null || hour === null) return null;
    // Each step leaves a field that does not match for its next value: at most 24 hours, 60 minutes, 60 seconds.
    let candidate = after + 1;
    for (let step = 0; step < 256; step++) {
      const inDay = ((candidate % 86400) + 86400) % 86400;
      if (hour >= 0 && Math.floor(inDay / 3600) !== hour) candidate += 3600 - (inDay % 3600);
      else if (minute >= 0 && Math.floor((inDay % 3600) / 60) !== minute) candidate += 60 - (inDay % 60);
      else if (second >= 0 && inDay % 60 !== second) candidate++;
      else return candidate;
    }
    return null;
  }

  private update(): void {
    this.collect();
    const { flags, cmos, seenSecond, seenTick } = this.state;
    const enabled = cmos[REGISTER_B] & INTERRUPTS;
    this.driveLine();
    const alarmed = (flags & enabled & B_ALARM) !== 0;
    if (alarmed && !this.alarmed) this.options.alarm?.();
    this.alarmed = alarmed;
    // Timers only for what would raise an interrupt that is not pending yet.
    const wanted = enabled & ~flags;
    let deadline = Number.POSITIVE_INFINITY;
    const period = this.periodicPeriod();
    if (wanted & B_PERIODIC && period > 0) deadline = Math.ceil(((seenTick + 1) * period * 1e9) / OSCILLATOR);
    if (!this.held && wanted & (B_UPDATE | B_ALARM)) {
      const second = wanted & B_UPDATE ? seenSecond + 1 : this.nextAlarm(seenSecond);
      if (second !== null && second <= MAX_SECONDS) {
        const wait = second * 1000 - this.milliseconds();
        deadline = Math.min(deadline, this.options.clock.now() + Math.max(1, Math.ceil(wait * 1e6)));
      }
    }
    this.arm(deadline === Number.POSITIVE_INFINITY ? null : Math.max(deadline, this.options.clock.now() + 1));
  }

  private driveLine(): void {
    const { flags, cmos } = this.state;
    this.options.interrupt.set((flags & cmos[REGISTER_B] & INTERRUPTS) !== 0);
  }

  private arm(deadline: number | null): void {
    this.state.deadline = deadline;
    if (deadline === null) this.timer.cancel();
    else this.timer.arm(deadline);
  }
}
