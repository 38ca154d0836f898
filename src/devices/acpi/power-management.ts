/**
 * ACPI fixed hardware of the ICH9: PM1a event and control, PM timer, GPE0. ACPI specification chapter 4.
 * The machine is in ACPI mode from power-on.
 *
 *     ports.add("acpi pm", 0x600, 0x80, new PowerManagement({ sci: router.line(9), clock, powerOff }));
 */
import type { BusDevice, ClockTimer, DeviceClock, InterruptLine, PlainData, Stateful } from "../device.js";
import { byte, dword, flag, list, literal, object, optional, word } from "../state-shape.js";

// Offsets from PMBASE.
const PM1_ENABLE = 0x02;
const PM1_CONTROL = 0x04;
const PM_TIMER = 0x08;
const GPE0 = 0x20;
const GPE0_BYTES = 16;
const SMI_ENABLE = 0x30;

const TIMER_STATUS = 1 << 0;
const GLOBAL_STATUS = 1 << 5;
const POWER_BUTTON = 1 << 8;
const RTC_STATUS = 1 << 10;
const WAKE_STATUS = 1 << 15;
const STATUS_BITS = TIMER_STATUS | GLOBAL_STATUS | POWER_BUTTON | RTC_STATUS | WAKE_STATUS;

const SCI_ENABLE = 1 << 0;
const SLEEP_ENABLE = 1 << 13;
/** SLP_TYP of S5 and S3, as the DSDT's _S5 and _S3 objects say. */
export const SLEEP_TYPE_S5 = 0;
export const SLEEP_TYPE_S3 = 1;

/** SMIs by the command port are "on" for good: firmware reads from it that SMM is not to be set up. */
const APMC_ENABLE = 1 << 5;

const TIMER_HERTZ = 3_579_545;
/** 24 bits, as the FADT says; the status follows bit 23. */
const TIMER_MODULUS = 2 ** 24;
const CARRY_TICKS = 2 ** 23;

const SHAPE = object({
  version: literal(1),
  status: word,
  enable: word,
  control: word,
  smiEnable: dword,
  gpe: list(byte, GPE0_BYTES),
  /** The machine is in S3. */
  asleep: optional(flag),
});

export interface PowerManagementOptions {
  sci: InterruptLine;
  clock: DeviceClock;
  powerOff(): void;
  /** S3: everything but RAM, the real-time clock and these registers loses its power. */
  suspend(): void;
  /** Ends S3. */
  wake(): void;
}

export class PowerManagement implements BusDevice, Stateful<PlainData> {
  private status = 0;
  private enable = 0;
  private control = SCI_ENABLE;
  private smiEnable = APMC_ENABLE;
  private gpe: number[] = new Array(GPE0_BYTES).fill(0);
  private asleep = false;
  private readonly timer: ClockTimer;

  constructor(private readonly options: PowerManagementOptions) {
    this.timer = options.clock.timer(() => {
      this.status |= TIMER_STATUS;
      this.update();
    });
    this.timer.arm(this.nextCarry());
  }

  /** A general-purpose event, 0 to 63, happens. */
  raiseGpe(number: number): void {
    this.gpe[number >>> 3] |= 1 << (number & 7);
    this.update();
  }

  /** The power button is pressed. It wakes the machine always. */
  powerButton(): void {
    this.status |= POWER_BUTTON;
    this.wake();
    this.update();
  }

  /** The real-time clock raises its alarm interrupt. */
  rtcAlarm(): void {
    this.status |= RTC_STATUS;
    if (this.enable & RTC_STATUS) this.wake();
    this.update();
  }

  private wake(): void {
    if (!this.asleep) return;
    this.asleep = false;
    this.status |= WAKE_STATUS;
    this.options.wake();
  }

  read(offset: number, size: number): number {
    if (offset >= PM_TIMER && offset < PM_TIMER + 4) return this.slice(this.count(), offset - PM_TIMER, size);
    let value = 0;
    for (let byte = 0; byte < size; byte++) value += this.readByte(offset + byte) * 256 ** byte;
    return value;
  }

  write(offset: number, size: number, value: number): void {
    // Byte by byte, the control register's high byte (which sleeps) last.
    for (let byte = 0; byte < size; byte++) this.writeByte(offset + byte, Math.floor(value / 256 ** byte) & 0xff);
  }

  save(): PlainData {
    const { status, enable, control, smiEnable, gpe, asleep } = this;
    return { version: 1, status, enable, control, smiEnable, gpe: [...gpe], ...(asleep ? { asleep } : {}) };
  }

  check(state: unknown): void {
    SHAPE.parse(state, "acpi pm");
  }

  restore(state: PlainData): void {
    const { status, enable, control, smiEnable, gpe, asleep = false } = SHAPE.parse(state, "acpi pm");
    Object.assign(this, { status, enable, control, smiEnable, gpe, asleep });
    if (status & TIMER_STATUS) this.timer.cancel();
    else this.timer.arm(this.nextCarry());
    this.update();
  }

  private slice(value: number, offset: number, size: number): number {
    const shifted = Math.floor(value / 256 ** offset);
    return size === 4 ? shifted : shifted % 256 ** size;
  }

  private count(): number {
    return Math.floor((this.options.clock.now() * TIMER_HERTZ) / 1e9) % TIMER_MODULUS;
  }

  // TMR_STS is set when bit 23 changes.
  private nextCarry(): number {
    const ticks = Math.floor((this.options.clock.now() * TIMER_HERTZ) / 1e9);
    const next = (Math.floor(ticks / CARRY_TICKS) + 1) * CARRY_TICKS;
    return Math.ceil((next * 1e9) / TIMER_HERTZ);
  }

  private readByte(offset: number): number {
    if (offset < PM1_ENABLE) return (this.status >> (8 * offset)) & 0xff;
    if (offset < PM1_CONTROL) return (this.enable >> (8 * (offset - PM1_ENABLE))) & 0xff;
    if (offset < PM1_CONTROL + 2) return (this.control >> (8 * (offset - PM1_CONTROL))) & 0xff;
    if (offset >= GPE0 && offset < GPE0 + GPE0_BYTES) return this.gpe[offset - GPE0] ?? 0;
    if (offset >= SMI_ENABLE && offset < SMI_ENABLE + 4) return (this.smiEnable >>> (8 * (offset - SMI_ENABLE))) & 0xff;
    return 0;
  }

  private writeByte(offset: number, byte: number): void {
    const place = (base: number, old: number) => {
      const shift = 8 * (offset - base);
      return (old & ~(0xff << shift)) | (byte << shift);
    };
    if (offset < PM1_ENABLE) {
      // Written ones clear.
      this.status &= ~((byte << (8 * offset)) & STATUS_BITS);
      if (!(this.status & TIMER_STATUS)) this.timer.arm(this.nextCarry());
    } else if (offset < PM1_CONTROL) this.enable = place(PM1_ENABLE, this.enable);
    else if (offset < PM1_CONTROL + 2) {
      const value = place(PM1_CONTROL, this.control);
      this.control = (value & ~SLEEP_ENABLE) | SCI_ENABLE;
      if (value & SLEEP_ENABLE) this.sleep((value >> 10) & 7);
    } else if (offset >= GPE0 && offset < GPE0 + GPE0_BYTES) {
      const index = offset - GPE0;
      // The first half is status (written ones clear), the second enable.
      this.gpe[index] = index < GPE0_BYTES / 2 ? (this.gpe[index] ?? 0) & ~byte : byte;
    } else if (offset >= SMI_ENABLE && offset < SMI_ENABLE + 4)
      this.smiEnable = (place(SMI_ENABLE, this.smiEnable) | APMC_ENABLE) >>> 0;
    this.update();
  }

  private sleep(type: number): void {
    if (type === SLEEP_TYPE_S5) this.options.powerOff();
    // What would wake the machine is there already: it does not fall asleep.
    else if (type === SLEEP_TYPE_S3 && !(this.status & this.enable & (POWER_BUTTON | RTC_STATUS))) {
      this.asleep = true;
      this.options.suspend();
    }
  }

  private update(): void {
    const half = GPE0_BYTES / 2;
    const event = this.gpe.some((bits, index) => index < half && (bits & this.gpe[index + half]) !== 0);
    this.options.sci.set(event || (this.status & this.enable & STATUS_BITS) !== 0);
  }
}
