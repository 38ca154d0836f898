/** The configuration space of a PCI function: 256 bytes of registers, and which of their bits a guest may change. */
import type { PlainData, Stateful } from "../device.js";
import { byte, list, literal, object } from "../state-shape.js";

export const CONFIG_BYTES = 256;

const SHAPE = object({ version: literal(1), config: list(byte, CONFIG_BYTES) });

export interface PciIdentity {
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

export class PciFunction implements Stateful<PlainData> {
  protected readonly config = new Uint8Array(CONFIG_BYTES);
  /** Bits that a guest's write changes. */
  protected readonly writable = new Uint8Array(CONFIG_BYTES);
  /** Bits that a written one clears. */
  protected readonly clearable = new Uint8Array(CONFIG_BYTES);

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
    this.configChanged(offset, size);
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
    this.configChanged(0, CONFIG_BYTES);
  }

  /** Sets a register to a value, whoever may write it. */
  protected set(offset: number, size: number, value: number): void {
    for (let byte = 0; byte < size; byte++) this.config[offset + byte] = Math.floor(value / 256 ** byte) & 0xff;
  }

  /** Makes bits of a register writable. */
  protected allow(offset: number, size: number, mask: number): void {
    for (let byte = 0; byte < size; byte++) this.writable[offset + byte] = Math.floor(mask / 256 ** byte) & 0xff;
  }

  /** Bytes of the configuration space have changed. */
  protected configChanged(_offset: number, _size: number): void {}
}
