/** The configuration space of a PCI function: 256 bytes of registers, and which of their bits a guest may change. */
import type { InterruptLine, PlainData, Stateful } from "../device.js";
import { byte, list, literal, object } from "../state-shape.js";
import { type BarSurroundings, Bars } from "./bars.js";

export const CONFIG_BYTES = 256;

const COMMAND = 0x04;
const INTX_DISABLE = 1 << 10;
const STATUS = 0x06;
/** Status: an INTx interrupt is pending, whether the command register lets it out or not. */
const INTERRUPT_STATUS = 1 << 3;
const HAS_CAPABILITIES = 1 << 4;
const CAPABILITIES = 0x34;
const INTERRUPT_PIN = 0x3d;
/** Behind the header. */
const FIRST_CAPABILITY = 0x40;

const SHAPE = object({ version: literal(1), config: list(byte, CONFIG_BYTES) });

export interface PciIdentity {
  /** For people; default: vendor and device. */
  name?: string;
  vendor: number;
  device: number;
  /** Class, subclass, programming interface: 24 bits. */
  classCode: number;
  revision?: number;
  headerType?: number;
  subsystemVendor?: number;
  subsystem?: number;
  /** INTA-INTD as 1-4, or 0. */
  interruptPin?: number;
}

/** A PCI bus, as a function on it sees it. */
export interface FunctionSurroundings extends BarSurroundings {
  /** The wire of an INTx pin (0-3) of this function's slot. */
  readonly intx: (pin: number) => InterruptLine;
}

export class PciFunction implements Stateful<PlainData> {
  protected readonly config = new Uint8Array(CONFIG_BYTES);
  /** Bits that a guest's write changes. */
  protected readonly writable = new Uint8Array(CONFIG_BYTES);
  /** Bits that a written one clears. */
  protected readonly clearable = new Uint8Array(CONFIG_BYTES);
  readonly bars: Bars;
  private line: InterruptLine | null = null;
  private asserted = false;
  private capabilityEnd = FIRST_CAPABILITY;

  constructor(identity: PciIdentity) {
    this.set(0x00, 2, identity.vendor);
    this.set(0x02, 2, identity.device);
    this.set(0x08, 1, identity.revision ?? 0);
    this.set(0x09, 3, identity.classCode);
    this.set(0x0e, 1, identity.headerType ?? 0);
    this.set(0x2c, 2, identity.subsystemVendor ?? 0);
    this.set(0x2e, 2, identity.subsystem ?? 0);
    this.set(0x3d, 1, identity.interruptPin ?? 0);
    // Command: I/O, memory, bus master, parity, SERR, INTx disable. Cache line size, latency, interrupt line.
    this.allow(0x04, 2, 0x0547);
    this.allow(0x0c, 1, 0xff);
    this.allow(0x0d, 1, 0xff);
    this.allow(0x3c, 1, 0xff);
    for (let byte = 0; byte < 2; byte++) this.clearable[0x06 + byte] = (0xf900 >> (8 * byte)) & 0xff;
    this.bars = new Bars(identity.name ?? hex(identity.vendor, identity.device), {
      read: (offset, size) => this.read(offset, size),
      set: (offset, size, value) => this.set(offset, size, value),
      allow: (offset, size, mask) => this.allow(offset, size, mask),
    });
  }

  /** Puts the function on a bus. */
  connect(surroundings: FunctionSurroundings): void {
    const pin = this.config[INTERRUPT_PIN];
    this.line = pin === 0 ? null : surroundings.intx(pin - 1);
    this.bars.connect(surroundings);
    this.updateLine();
  }

  /** Asserts the function's INTx pin, or lets it go. */
  setInterrupt(level: boolean): void {
    this.asserted = level;
    this.updateLine();
  }

  /**
   * Adds a capability, whose registers follow its id and next pointer. The last added comes first in the list.
   *
   * @param bytes of all of it, with the two of the header
   * @returns its offset
   */
  addCapability(id: number, bytes: number): number {
    const offset = this.capabilityEnd;
    if (offset + bytes > CONFIG_BYTES) throw new RangeError(`capability ${id} does not fit`);
    this.capabilityEnd = (offset + bytes + 3) & ~3;
    this.set(offset, 1, id);
    this.set(offset + 1, 1, this.config[CAPABILITIES]);
    this.set(CAPABILITIES, 1, offset);
    this.config[STATUS] |= HAS_CAPABILITIES;
    return offset;
  }

  read(offset: number, size: number): number {
    let value = 0;
    for (let byte = size - 1; byte >= 0; byte--) value = value * 256 + (this.config[offset + byte] ?? 0xff);
    return value;
  }

  write(offset: number, size: number, value: number): void {
    for (let byte = 0; byte < size; byte++) {
      const at = offset + byte;
      if (at >= CONFIG_BYTES) break;
      const written = Math.floor(value / 256 ** byte) & 0xff;
      const mask = this.writable[at] ?? 0;
      const old = this.config[at] ?? 0;
      this.config[at] = ((old & ~mask) | (written & mask)) & ~(written & (this.clearable[at] ?? 0));
    }
    this.changed(offset, size);
  }

  save(): PlainData {
    return { version: 1, config: [...this.config] };
  }

  check(state: unknown): void {
    SHAPE.parse(state, "pci");
  }

  restore(state: PlainData): void {
    const { config: saved } = SHAPE.parse(state, "pci");
    // What a guest cannot have changed stays as the function was built.
    for (const [at, value] of saved.entries()) {
      const mask = this.writable[at] | this.clearable[at];
      this.config[at] = (this.config[at] & ~mask) | (value & mask);
    }
    this.changed(0, CONFIG_BYTES);
  }

  /** Sets a register to a value, whoever may write it. */
  set(offset: number, size: number, value: number): void {
    for (let byte = 0; byte < size; byte++) this.config[offset + byte] = Math.floor(value / 256 ** byte) & 0xff;
  }

  /** Makes bits of a register writable. */
  allow(offset: number, size: number, mask: number): void {
    for (let byte = 0; byte < size; byte++) this.writable[offset + byte] = Math.floor(mask / 256 ** byte) & 0xff;
  }

  private changed(offset: number, size: number): void {
    if (this.bars.concerns(offset, size)) this.bars.update();
    if (offset < STATUS && offset + size > COMMAND) this.updateLine();
    this.configChanged(offset, size);
  }

  private updateLine(): void {
    const status = this.config[STATUS] & ~INTERRUPT_STATUS;
    this.config[STATUS] = status | (this.asserted ? INTERRUPT_STATUS : 0);
    const command = this.config[COMMAND] | (this.config[COMMAND + 1] << 8);
    this.line?.set(this.asserted && (command & INTX_DISABLE) === 0);
  }

  /** Bytes of the configuration space have changed. */
  protected configChanged(_offset: number, _size: number): void {}
}

function hex(vendor: number, device: number): string {
  return [vendor, device].map((id) => id.toString(16).padStart(4, "0")).join(":");
}
