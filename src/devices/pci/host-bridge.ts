/**
 * The q35 host bridge (82G33 MCH): function 00:00.0, and both ways to configuration space: ports
 * 0xcf8/0xcfc (PCI Local Bus Specification 3.2.2.3.2) and the memory window ECAM (PCI Express base
 * specification 7.2.2).
 */
import type { BusDevice, InterruptLine, PlainData, Stateful } from "../device.js";
import { dword, literal, object } from "../state-shape.js";
import type { BarSurroundings } from "./bars.js";
import { PciFunction } from "./config-space.js";

const PCIEXBAR = 0x60;
const PAM0 = 0x90;
const PAM_REGISTERS = 7;
const SMRAM = 0x9d;
const ADDRESS_ENABLE = 0x8000_0000;
const ONES = [0, 0xff, 0xffff, 0xffffff, 0xffffffff];

const PAM_READ = 1;
const PAM_WRITE = 2;

/** A part of the memory between 768 KiB and 1 MiB: accesses go to RAM, or to the ROM and the bus. */
export interface ShadowSegment {
  readonly base: number;
  readonly size: number;
  readonly readRam: boolean;
  readonly writeRam: boolean;
}

/** What the halves of the PAM registers control, in their order; the low half of the first is reserved. */
const SEGMENTS = [
  { register: 0, shift: 4, base: 0xf0000, size: 0x10000 },
  ...Array.from({ length: 12 }, (_, index) => ({
    register: 1 + (index >> 1),
    shift: (index & 1) * 4,
    base: 0xc0000 + index * 0x4000,
    size: 0x4000,
  })),
];

/** 8086:29c0. ECAM is enabled at the base that the board gives it. */
export class HostBridge extends PciFunction {
  /** @param shadowChanged the guest changed the PAM registers */
  constructor(
    ecamBase: number,
    private readonly shadowChanged: (segments: readonly ShadowSegment[]) => void = () => {},
  ) {
    super({ vendor: 0x8086, device: 0x29c0, classCode: 0x060000, subsystemVendor: 0x1af4, subsystem: 0x1100 });
    this.set(PCIEXBAR, 4, ecamBase + 1);
    // Where the window lies is the board's wiring: firmware may write what is there already.
    this.allow(PCIEXBAR, 1, 0x07);
    for (let index = 0; index < PAM_REGISTERS; index++) this.allow(PAM0 + index, 1, index === 0 ? 0x30 : 0x33);
    this.allow(SMRAM, 1, 0x78);
  }

  /** All of it is RAM, as firmware leaves it; for a machine without any. */
  openShadow(): void {
    for (let index = 0; index < PAM_REGISTERS; index++) this.set(PAM0 + index, 1, index === 0 ? 0x30 : 0x33);
  }

  protected override configChanged(offset: number, size: number): void {
    if (offset + size <= PAM0 || offset >= PAM0 + PAM_REGISTERS) return;
    this.shadowChanged(
      SEGMENTS.map(({ register, shift, base, size: bytes }) => {
        const bits = (this.config[PAM0 + register] ?? 0) >> shift;
        return { base, size: bytes, readRam: (bits & PAM_READ) !== 0, writeRam: (bits & PAM_WRITE) !== 0 };
      }),
    );
  }
}

const BUS_SHAPE = object({ version: literal(1), address: dword });

/** A bus of functions by device and function number, with the two windows that reach them. */
/** What a bus of no machine is connected to: its functions have no windows. */
const NOWHERE: PciSurroundings = {
  ports: { add: () => ({ remove: () => {} }) },
  memory: { add: () => ({ remove: () => {} }) },
  decodes: () => false,
  intx: () => ({ set: () => {} }),
};

export interface PciSurroundings extends BarSurroundings {
  /** The wire of a slot's INTx pin (0-3). */
  intx(slot: number, pin: number): InterruptLine;
}

export class PciBus implements Stateful<PlainData> {
  private readonly functions = new Map<number, PciFunction>();
  private address = 0;

  constructor(private readonly surroundings: PciSurroundings = NOWHERE) {}

  /** Ports 0xcf8-0xcff. */
  readonly ports: BusDevice = {
    read: (offset, size) => {
      if (offset < 4) return size === 4 && offset === 0 ? this.address : (ONES[size] ?? 0);
      return this.readConfig(this.selected(), offset - 4, size);
    },
    write: (offset, size, value) => {
      if (offset < 4) {
        // Only whole writes reach the address register.
        if (size === 4 && offset === 0) this.address = (value & 0x80fffffc) >>> 0;
      } else this.writeConfig(this.selected(), offset - 4, size, value);
    },
  };

  /** The ECAM window: bus, device, function and register are address bits 27-20, 19-15, 14-12 and 11-0. */
  readonly ecam: BusDevice = {
    read: (offset, size) => {
      const register = offset & 0xfff;
      const target = this.find(offset >>> 12);
      // Nothing has extended capabilities.
      if (register >= 256) return target === undefined ? ONES[size] : 0;
      return target?.read(register, size) ?? ONES[size];
    },
    write: (offset, size, value) => {
      if ((offset & 0xfff) < 256) this.find(offset >>> 12)?.write(offset & 0xff, size, value);
    },
  };

  add(device: number, fn: number, target: PciFunction): void {
    this.functions.set((device << 3) | fn, target);
    const { ports, memory, decodes, intx } = this.surroundings;
    target.connect({ ports, memory, decodes, intx: (pin) => intx(device, pin) });
  }

  save(): PlainData {
    return { version: 1, address: this.address };
  }

  check(state: unknown): void {
    BUS_SHAPE.parse(state, "pci bus");
  }

  restore(state: PlainData): void {
    this.address = BUS_SHAPE.parse(state, "pci bus").address;
  }

  // Bus, device and function as one number; -1 where the enable bit is clear.
  private selected(): number {
    return this.address & ADDRESS_ENABLE ? (this.address >>> 8) & 0xffff : -1;
  }

  private find(busDeviceFunction: number): PciFunction | undefined {
    return busDeviceFunction >= 0 && busDeviceFunction < 256 ? this.functions.get(busDeviceFunction) : undefined;
  }

  private readConfig(target: number, byte: number, size: number): number {
    return this.find(target)?.read((this.address & 0xfc) + byte, size) ?? ONES[size] ?? 0;
  }

  private writeConfig(target: number, byte: number, size: number, value: number): void {
    this.find(target)?.write((this.address & 0xfc) + byte, size, value);
  }
}
