/**
 * The I/O APIC: Intel 82093AA data sheet, with the EOI register of version 0x20.
 *
 *     const ioapic = new Ioapic({ deliver: (message) => router.deliver(message) });
 *     mmio.add("ioapic", 0xfec00000, 0x1000, ioapic);
 */
import { BROADCAST, type InterruptMessage } from "../../vcpu/accelerator.js";
import type { BusDevice, InterruptLine, PlainData, Stateful } from "../device.js";
import { byte, dword, integer, list, literal, object } from "../state-shape.js";

const PINS = 24;
// Memory-mapped registers.
const IOREGSEL = 0x00;
const IOWIN = 0x10;
const EOI = 0x40;
// Indirect registers.
const ID = 0x00;
const VERSION_REGISTER = 0x01;
const ARBITRATION = 0x02;
const REDIRECTION = 0x10;
// Bits of a redirection entry's low half.
const REMOTE_IRR = 1 << 14;
const LEVEL = 1 << 15;
const MASKED = 1 << 16;
const LOGICAL = 1 << 11;
const LOW_WRITABLE = 0x1afff;

const DELIVERY_MODES = ["fixed", "lowest", "smi", "fixed", "nmi", "init", "fixed", "extint"] as const;

const SHAPE = object({
  version: literal(1),
  select: byte,
  id: byte,
  low: list(integer(0, 0x1ffff), PINS),
  high: list(dword, PINS),
  /** Levels of the input pins, a bit each. */
  pins: integer(0, 2 ** PINS - 1),
});

export interface IoapicOptions {
  /** Sends a message to the local APICs. False where none took it. */
  deliver(message: InterruptMessage): boolean;
  /** What a pin sends from now on; null: it is masked. */
  routed?(pin: number, message: InterruptMessage | null): void;
}

export class Ioapic implements BusDevice, Stateful<PlainData> {
  private select = 0;
  private id = 0;
  private low: number[] = new Array(PINS).fill(MASKED);
  private high: number[] = new Array(PINS).fill(0);
  /** Levels of the input pins, a bit each. */
  private pins = 0;

  constructor(private readonly options: IoapicOptions) {
    for (let pin = 0; pin < PINS; pin++) this.route(pin);
  }

  /** Input pin 0-23. Lines are active high whatever the entry's polarity bit says: the board has no inverters. */
  line(pin: number): InterruptLine {
    return { set: (level) => this.setPin(pin, level) };
  }

  read(offset: number, size: number): number {
    const value = this.readRegister(offset & ~3) >>> ((offset & 3) * 8);
    return size === 4 ? value : value & (size === 2 ? 0xffff : 0xff);
  }

  write(offset: number, _size: number, value: number): void {
    if (offset === IOREGSEL) this.select = value & 0xff;
    else if (offset === EOI) this.endOfInterrupt(value & 0xff);
    else if (offset === IOWIN) this.writeSelected(value);
  }

  /** A local APIC ended a level-triggered interrupt. A pin that is still asserted sends again. */
  endOfInterrupt(vector: number): void {
    for (let pin = 0; pin < PINS; pin++) {
      const entry = this.low[pin] ?? 0;
      if ((entry & 0xff) !== vector || !(entry & LEVEL) || !(entry & REMOTE_IRR)) continue;
      this.low[pin] = entry & ~REMOTE_IRR;
      this.serve(pin);
    }
  }

  save(): PlainData {
    return {
      version: 1,
      select: this.select,
      id: this.id,
      low: [...this.low],
      high: [...this.high],
      pins: this.pins,
    };
  }

  check(state: unknown): void {
    SHAPE.parse(state, "ioapic");
  }

  restore(state: PlainData): void {
    const { select, id, low, high, pins } = SHAPE.parse(state, "ioapic");
    Object.assign(this, { select, id, low, high, pins });
    for (let pin = 0; pin < PINS; pin++) this.route(pin);
  }

  private readRegister(offset: number): number {
    if (offset === IOREGSEL) return this.select;
    if (offset !== IOWIN) return 0;
    if (this.select === ID || this.select === ARBITRATION) return (this.id << 24) >>> 0;
    if (this.select === VERSION_REGISTER) return 0x20 | ((PINS - 1) << 16);
    const entry = this.select - REDIRECTION;
    if (entry < 0 || entry >= 2 * PINS) return 0;
    return ((entry & 1 ? this.high[entry >> 1] : this.low[entry >> 1]) ?? 0) >>> 0;
  }

  private writeSelected(value: number): void {
    if (this.select === ID) {
      this.id = (value >>> 24) & 0x0f;
      return;
    }
    const entry = this.select - REDIRECTION;
    if (entry < 0 || entry >= 2 * PINS) return;
    const pin = entry >> 1;
    if (entry & 1) {
      this.high[pin] = (value & 0xff000000) >>> 0;
      this.route(pin);
      return;
    }
    const old = this.low[pin] ?? 0;
    let low = (value & LOW_WRITABLE) | (old & REMOTE_IRR);
    // An edge-triggered entry has no remote IRR: Linux clears a stuck one by switching to edge and back.
    if (!(low & LEVEL)) low &= ~REMOTE_IRR;
    this.low[pin] = low;
    this.route(pin);
    if (low & LEVEL) this.serve(pin);
  }

  private route(pin: number): void {
    this.options.routed?.(pin, (this.low[pin] ?? 0) & MASKED ? null : this.message(pin));
  }

  private setPin(pin: number, level: boolean): void {
    const mask = 1 << pin;
    const rose = level && !(this.pins & mask);
    if (level) this.pins |= mask;
    else this.pins &= ~mask;
    const entry = this.low[pin] ?? 0;
    if (entry & LEVEL) {
      if (level) this.serve(pin);
    } else if (rose && !(entry & MASKED)) this.send(pin);
  }

  // A level-triggered pin sends while it is asserted and the last message was not ended.
  private serve(pin: number): void {
    const entry = this.low[pin] ?? 0;
    if (!(this.pins & (1 << pin)) || entry & (MASKED | REMOTE_IRR)) return;
    // First, because the end of the interrupt may come from inside; then back where no local APIC took it.
    this.low[pin] = entry | REMOTE_IRR;
    if (!this.send(pin)) this.low[pin] = (this.low[pin] ?? 0) & ~REMOTE_IRR;
  }

  private send(pin: number): boolean {
    return this.options.deliver(this.message(pin));
  }

  private message(pin: number): InterruptMessage {
    const entry = this.low[pin] ?? 0;
    const mode = DELIVERY_MODES[(entry >> 8) & 7] ?? "fixed";
    const destination = (this.high[pin] ?? 0) >>> 24;
    return {
      destination: destination === 0xff ? BROADCAST : destination,
      destinationMode: entry & LOGICAL ? "logical" : "physical",
      deliveryMode: mode,
      vector: entry & 0xff,
      triggerMode: entry & LEVEL ? "level" : "edge",
      level: true,
      shorthand: "none",
    };
  }
}
