/**
 * The MSI capability: a function sends its interrupts as writes to an address. PCI Local Bus Specification 3.0, 6.8.1,
 * with a 64-bit address and without masking.
 */
import type { MsiSink } from "../device.js";
import type { PciFunction } from "./config-space.js";

const CAPABILITY_ID = 5;
const CAPABILITY_BYTES = 14;
// Offsets in the capability.
const CONTROL = 2;
const ADDRESS_LOW = 4;
const ADDRESS_HIGH = 8;
const DATA = 12;

const ENABLE = 1 << 0;
const ADDRESS_64 = 1 << 7;

export class MsiCapability {
  private readonly offset: number;

  /**
   * @param vectors how many the function asks for: 1, 2, 4, 8, 16 or 32
   * @throws RangeError for another number
   */
  constructor(
    private readonly fn: PciFunction,
    vectors: number,
    private readonly sink: MsiSink,
  ) {
    const capable = Math.log2(vectors);
    if (!Number.isInteger(capable) || capable < 0 || capable > 5) throw new RangeError(`MSI of ${vectors} vectors`);
    this.offset = fn.addCapability(CAPABILITY_ID, CAPABILITY_BYTES);
    fn.set(this.offset + CONTROL, 2, ADDRESS_64 | (capable << 1));
    // The enable bit, and how many vectors the guest gives.
    fn.allow(this.offset + CONTROL, 2, ENABLE | 0x70);
    fn.allow(this.offset + ADDRESS_LOW, 4, 0xffff_fffc);
    fn.allow(this.offset + ADDRESS_HIGH, 4, 0xffff_ffff);
    fn.allow(this.offset + DATA, 2, 0xffff);
  }

  /** The guest takes messages: INTx is not to be used. */
  get enabled(): boolean {
    return (this.control & ENABLE) !== 0;
  }

  /** Sends a vector; of those that the guest gave fewer of, the low ones. Nothing while MSI is off. */
  send(vector: number): void {
    if (!this.enabled) return;
    const { fn, offset } = this;
    // Beyond 4 GiB there is no local APIC.
    if (fn.read(offset + ADDRESS_HIGH, 4) !== 0) return;
    const given = 1 << ((this.control >> 4) & 7);
    const data = fn.read(offset + DATA, 2);
    this.sink.send(fn.read(offset + ADDRESS_LOW, 4), (data & ~(given - 1)) | (vector & (given - 1)));
  }

  private get control(): number {
    return this.fn.read(this.offset + CONTROL, 2);
  }
}
