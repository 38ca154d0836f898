/**
 * The real-time clock and its CMOS memory: Motorola MC146818 data sheet, 128 bytes in two banks as the
 * ICH9 has them. The time of day is the machine clock's wall time plus what the guest has set.
 *
 *     const rtc = new Rtc({ interrupt: router.line(8), clock, lowMemory, highMemory });
 *     ports.add("rtc", 0x70, 4, rtc);
 */
import type { BusDevice, ClockTimer, DeviceClock, InterruptLine, PlainData, Stateful } from "../device.js";
import { checkNumber, checkNumbers, checkVersion } from "../state.js";

const SECONDS = 0x00;
const SECONDS_ALARM = 0x01;
const MINUTES = 0x02;
const MINUTES_ALARM = 0x03;
const HOURS = 0x04;
const HOURS_ALARM = 0x05;
const DAY_OF_WEEK = 0x06;
const DAY_OF_MONTH = 0x07;
const MONTH = 0x08;
const YEAR = 0x09;
const REGISTER_A = 0x0a;
const REGISTER_B = 0x0b;
const REGISTER_C = 0x0c;
const REGISTER_D = 0x0d;
const CENTURY = 0x32;

const A_UIP = 1 << 7;
const B_SET = 1 << 7;
const B_PERIODIC = 1 << 6;
const B_ALARM = 1 << 5;
const B_UPDATE = 1 << 4;
const B_BINARY = 1 << 2;
const B_24_HOURS = 1 << 1;
const C_IRQ = 1 << 7;
const D_VALID = 1 << 7;
const ANY = 0xc0;

/** The update takes 244 microseconds before the second's end. */
const UPDATE_NS = 244_000;
const SECOND_NS = 1e9;
const VERSION = 1;

export interface RtcOptions {
  interrupt: InterruptLine;
  clock: DeviceClock;
  /** RAM below 4 GiB and from 4 GiB on, in bytes: firmware reads their sizes from CMOS. */
  lowMemory: number;
  highMemory: number;
}

export class Rtc implements BusDevice, Stateful<PlainData> {
  private index = 0;
  private upperIndex = 0;
  private memory: number[] = new Array(128).fill(0);
  private a = 0x26;
  private b = B_24_HOURS;
  private c = 0;
  /** Milliseconds between the clock's wall time and the time that the guest has set. */
  private shift = 0;
  /** While SET holds the registers, what they show (ms since 1970); null when they run. */
  private held: number | null = null;
  private readonly periodic: ClockTimer;
  private readonly second: ClockTimer;

  constructor(private readonly options: RtcOptions) {
    this.periodic = options.clock.timer(() => this.onPeriod());
    this.second = options.clock.timer(() => this.onSecond());
    this.writeMemorySizes();
    this.memory[0x0e] = 0;
    this.memory[0x0f] = 0;
    this.second.arm(this.nextSecond());
  }

  read(offset: number, _size: number): number {
    if (offset === 0 || offset === 2) return 0xff;
    if (offset === 3) return this.memory[this.upperIndex] ?? 0;
    return this.readRegister(this.index);
  }

  write(offset: number, _size: number, value: number): void {
    if (offset === 0) this.index = value & 0x7f;
    else if (offset === 2) this.upperIndex = value & 0x7f;
    else if (offset === 1) this.writeRegister(this.index, value & 0xff);
    else this.memory[this.upperIndex] = value & 0xff;
  }

  save(): PlainData {
    return {
      version: VERSION,
      index: this.index,
      upperIndex: this.upperIndex,
      memory: [...this.memory],
      a: this.a,
      b: this.b,
      c: this.c,
      shift: this.shift,
      held: this.held,
    };
  }

  restore(state: PlainData): void {
    const fields = checkVersion("rtc", state, VERSION);
    const milliseconds = (name: string) => {
      const value = fields[name];
      return value === null
        ? null
        : checkNumber("rtc", Math.abs(Number(value)), 8.64e15, name) * Math.sign(Number(value));
    };
    const next = {
      index: checkNumber("rtc", fields.index, 0x7f, "index"),
      upperIndex: checkNumber("rtc", fields.upperIndex, 0x7f, "upperIndex"),
      memory: checkNumbers("rtc", fields.memory, 128, 0xff, "memory"),
      a: checkNumber("rtc", fields.a, 0x7f, "a"),
      b: checkNumber("rtc", fields.b, 0xff, "b"),
      c: checkNumber("rtc", fields.c, 0xff, "c"),
      shift: milliseconds("shift") ?? 0,
      held: milliseconds("held"),
    };
    Object.assign(this, next);
    this.armPeriodic();
    this.second.arm(this.nextSecond());
    this.update();
  }

  /** What the registers show, in ms since 1970. */
  private time(): number {
    return this.held ?? this.options.clock.wallTime() + this.shift;
  }

  private nextSecond(): number {
    const { clock } = this.options;
    const into = (((this.time() % 1000) + 1000) % 1000) * 1e6;
    return clock.now() + SECOND_NS - into;
  }

  private encode(value: number): number {
    return this.b & B_BINARY ? value : (Math.floor(value / 10) << 4) | (value % 10);
  }

  private decode(value: number): number {
    return this.b & B_BINARY ? value : (value >> 4) * 10 + (value & 15);
  }

  private encodeHours(hours: number): number {
    if (this.b & B_24_HOURS) return this.encode(hours);
    return this.encode(hours % 12 === 0 ? 12 : hours % 12) | (hours >= 12 ? 0x80 : 0);
  }

  private decodeHours(value: number): number {
    if (this.b & B_24_HOURS) return this.decode(value);
    return (this.decode(value & 0x7f) % 12) + (value & 0x80 ? 12 : 0);
  }

  private readRegister(index: number): number {
    const date = new Date(this.time());
    switch (index) {
      case SECONDS:
        return this.encode(date.getUTCSeconds());
      case MINUTES:
        return this.encode(date.getUTCMinutes());
      case HOURS:
        return this.encodeHours(date.getUTCHours());
      case DAY_OF_WEEK:
        return this.encode(date.getUTCDay() + 1);
      case DAY_OF_MONTH:
        return this.encode(date.getUTCDate());
      case MONTH:
        return this.encode(date.getUTCMonth() + 1);
      case YEAR:
        return this.encode(date.getUTCFullYear() % 100);
      case CENTURY:
        return this.encode(Math.floor(date.getUTCFullYear() / 100));
      case REGISTER_A: {
        const updating = this.held === null && this.nextSecond() - this.options.clock.now() <= UPDATE_NS;
        return this.a | (updating ? A_UIP : 0);
      }
      case REGISTER_B:
        return this.b;
      case REGISTER_C: {
        const value = this.c;
        this.c = 0;
        this.update();
        return value;
      }
      case REGISTER_D:
        return D_VALID;
      default:
        return this.memory[index] ?? 0;
    }
  }

  private writeRegister(index: number, value: number): void {
    switch (index) {
      case SECONDS:
      case MINUTES:
      case HOURS:
      case DAY_OF_MONTH:
      case MONTH:
      case YEAR:
      case CENTURY:
        this.setTime(index, value);
        break;
      case DAY_OF_WEEK:
        // It follows from the date.
        break;
      case REGISTER_A:
        this.a = value & 0x7f;
        this.armPeriodic();
        break;
      case REGISTER_B: {
        const wasHeld = this.held !== null;
        this.b = value & B_SET ? value & ~B_UPDATE : value;
        if (value & B_SET && !wasHeld) this.held = this.time();
        else if (!(value & B_SET) && this.held !== null) {
          this.shift = this.held - this.options.clock.wallTime();
          this.held = null;
          this.second.arm(this.nextSecond());
        }
        this.armPeriodic();
        this.update();
        break;
      }
      case REGISTER_C:
      case REGISTER_D:
        break;
      default:
        this.memory[index] = value;
    }
  }

  private setTime(index: number, value: number): void {
    const date = new Date(this.time());
    const number = this.decode(value);
    if (index === SECONDS) date.setUTCSeconds(number % 60, 0);
    else if (index === MINUTES) date.setUTCMinutes(number % 60);
    else if (index === HOURS) date.setUTCHours(this.decodeHours(value) % 24);
    else if (index === DAY_OF_MONTH) date.setUTCDate(Math.min(Math.max(number, 1), 31));
    else if (index === MONTH) date.setUTCMonth((Math.max(number, 1) - 1) % 12);
    else if (index === YEAR) date.setUTCFullYear(Math.floor(date.getUTCFullYear() / 100) * 100 + (number % 100));
    else date.setUTCFullYear((number % 100) * 100 + (date.getUTCFullYear() % 100));
    if (this.held !== null) this.held = date.getTime();
    else this.shift += date.getTime() - this.time();
    this.second.arm(this.nextSecond());
  }

  // Rate selection of register A: 32768 >> (rate - 1) Hz, rates 1 and 2 are those of 8 and 9.
  private armPeriodic(): void {
    const rate = this.a & 15;
    if (rate === 0 || !(this.b & B_PERIODIC)) {
      this.periodic.cancel();
      return;
    }
    this.periodic.arm(this.options.clock.now() + this.period(rate));
  }

  private period(rate: number): number {
    const effective = rate < 3 ? rate + 7 : rate;
    return (SECOND_NS * 2 ** (effective - 1)) / 32768;
  }

  private onPeriod(): void {
    this.raise(B_PERIODIC);
    this.armPeriodic();
  }

  private onSecond(): void {
    if (this.held === null) {
      const alarm = (register: number, value: number, decode: (byte: number) => number) => {
        const byte = this.memory[register] ?? 0;
        return (byte & ANY) === ANY || decode(byte) === value;
      };
      const date = new Date(this.time() + 1);
      const plain = (byte: number) => this.decode(byte);
      const due =
        alarm(SECONDS_ALARM, date.getUTCSeconds(), plain) &&
        alarm(MINUTES_ALARM, date.getUTCMinutes(), plain) &&
        alarm(HOURS_ALARM, date.getUTCHours(), (byte) => this.decodeHours(byte));
      if (due) this.raise(B_ALARM);
      this.raise(B_UPDATE);
    }
    this.second.arm(Math.max(this.nextSecond(), this.options.clock.now() + 1e6));
  }

  // Flags of register C have the places of their enables in register B.
  private raise(flag: number): void {
    this.c |= flag;
    this.update();
  }

  private update(): void {
    const active = (this.c & this.b & (B_PERIODIC | B_ALARM | B_UPDATE)) !== 0;
    if (active) this.c |= C_IRQ;
    this.options.interrupt.set(active);
  }

  // Where firmware looks for the sizes of memory.
  private writeMemorySizes(): void {
    const { lowMemory, highMemory } = this.options;
    const put = (register: number, value: number, bytes: number) => {
      for (let byte = 0; byte < bytes; byte++) this.memory[register + byte] = Math.floor(value / 256 ** byte) & 0xff;
    };
    put(0x15, 640, 2);
    const extended = Math.min(0xffff, Math.max(0, Math.floor((lowMemory - 0x100000) / 1024)));
    put(0x17, extended, 2);
    put(0x30, extended, 2);
    put(0x34, Math.min(0xffff, Math.max(0, Math.floor((lowMemory - 0x1000000) / 0x10000))), 2);
    put(0x5b, Math.floor(highMemory / 0x10000), 3);
  }
}
