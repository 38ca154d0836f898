/**
 * The machine's ACPI tables: RSDP, RSDT, XSDT, FADT, FACS, DSDT, MADT, HPET, MCFG.
 * ACPI specification 6.5, chapter 5.2; PCI firmware specification 3.3, 4.1.2 (MCFG).
 *
 * They are built with offsets in the place of addresses. A machine that boots a kernel itself puts them at
 * an address; firmware gets them by fw_cfg (devices/fw-cfg/acpi-loader.ts) with commands that do the same.
 */
import { dsdtBody } from "./dsdt.js";
import { ECAM, HPET_BASE, IOAPIC_BASE, LAPIC_BASE } from "./memory-map.js";

/** What the tables say about the board. */
export interface AcpiConfig {
  cpus: number;
  /** First port of the power management registers: PM1a event, PM1a control at 4, PM timer at 8, GPE0 at 0x20. */
  pmBase: number;
  /** SLP_TYP for soft off. */
  softOffType: number;
  /** SLP_TYP for suspend to RAM. */
  suspendType: number;
  /** A VGA is there. */
  vga: boolean;
  /** Window for 64-bit BARs. */
  pciMmio64: { base: number; size: number };
  /** PIRQ number 0-7 (A-H) of an INTx pin (0-3) of a device on bus 0. PIRQ n is GSI 16 + n. */
  pirqOf(slot: number, pin: number): number;
}

export interface AcpiTables {
  /** The RSDP; its table addresses are offsets into `tables`. */
  readonly rsdp: Uint8Array;
  /** All others, one after the other; addresses in them are offsets too. Wants 64-byte alignment. */
  readonly tables: Uint8Array;
  readonly pointers: readonly Pointer[];
  /** Checksums to make after the pointers are right, in this order. */
  readonly checksums: readonly Checksum[];
}

interface Pointer {
  readonly file: "rsdp" | "tables";
  readonly offset: number;
  readonly size: 4 | 8;
}

interface Checksum {
  readonly file: "rsdp" | "tables";
  readonly offset: number;
  readonly start: number;
  readonly length: number;
}

const OEM_ID = "RINGVR";
const OEM_TABLE_ID = "RINGVISR";
const CREATOR_ID = "RNGV";
const HEADER_BYTES = 36;
const FACS_BYTES = 64;
const FADT_BYTES = 276;
const RSDP_BYTES = 36;

export const SCI_IRQ = 9;
const RESET_PORT = 0xcf9;
const RESET_VALUE = 0x06;

/** FADT flags. */
const WBINVD = 1 << 0;
const PROC_C1 = 1 << 2;
const SLP_BUTTON = 1 << 5;
const RTC_S4 = 1 << 7;
const RESET_REG_SUP = 1 << 10;
/** IA-PC boot architecture flags. */
const LEGACY_DEVICES = 1 << 0;
const HAS_8042 = 1 << 1;
const NO_VGA = 1 << 2;

/** A table under construction. */
class Writer {
  readonly bytes: Uint8Array;
  private readonly data: DataView;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.data = new DataView(this.bytes.buffer);
  }

  u8(offset: number, value: number): void {
    this.data.setUint8(offset, value);
  }
  u16(offset: number, value: number): void {
    this.data.setUint16(offset, value, true);
  }
  u32(offset: number, value: number): void {
    this.data.setUint32(offset, value, true);
  }
  u64(offset: number, value: number): void {
    this.data.setBigUint64(offset, BigInt(value), true);
  }
  text(offset: number, value: string): void {
    this.bytes.set(new TextEncoder().encode(value), offset);
  }
  /** Generic address structure of a port range, 5.2.3.2. */
  port(offset: number, address: number, bits: number, accessSize: number): void {
    this.bytes.set([1, bits, 0, accessSize], offset);
    this.u64(offset + 4, address);
  }
}

function table(signature: string, revision: number, size: number): Writer {
  const writer = new Writer(size);
  writer.text(0, signature);
  writer.u32(4, size);
  writer.u8(8, revision);
  writer.text(10, OEM_ID);
  writer.text(16, OEM_TABLE_ID);
  writer.u32(24, 1);
  writer.text(28, CREATOR_ID);
  writer.u32(32, 1);
  return writer;
}

function makeFacs(): Writer {
  const facs = new Writer(FACS_BYTES);
  facs.text(0, "FACS");
  facs.u32(4, FACS_BYTES);
  facs.u8(32, 2);
  return facs;
}

function makeDsdt(config: AcpiConfig): Writer {
  const body = dsdtBody(config);
  const dsdt = table("DSDT", 2, HEADER_BYTES + body.length);
  dsdt.bytes.set(body, HEADER_BYTES);
  return dsdt;
}

/** FADT 6.3; its pointers to FACS and DSDT come in `buildAcpiTables`. */
function makeFadt({ pmBase, vga }: AcpiConfig): Writer {
  const fadt = table("FACP", 6, FADT_BYTES);
  fadt.u16(46, SCI_IRQ);
  // No SMI command port: the machine is in ACPI mode from the start.
  fadt.u32(56, pmBase);
  fadt.u32(64, pmBase + 4);
  fadt.u32(76, pmBase + 8);
  fadt.u32(80, pmBase + 0x20);
  fadt.u8(88, 4);
  fadt.u8(89, 2);
  fadt.u8(91, 4);
  fadt.u8(92, 16);
  // Latencies that say: no C2, no C3.
  fadt.u16(96, 0xfff);
  fadt.u16(98, 0xfff);
  fadt.u8(108, 0x32);
  fadt.u16(109, LEGACY_DEVICES | HAS_8042 | (vga ? 0 : NO_VGA));
  fadt.u32(112, WBINVD | PROC_C1 | SLP_BUTTON | RTC_S4 | RESET_REG_SUP);
  fadt.port(116, RESET_PORT, 8, 1);
  fadt.u8(128, RESET_VALUE);
  fadt.u8(131, 3);
  fadt.port(148, pmBase, 32, 2);
  fadt.port(172, pmBase + 4, 16, 2);
  fadt.port(208, pmBase + 8, 32, 3);
  fadt.port(220, pmBase + 0x20, 128, 1);
  return fadt;
}

function makeMadt(cpus: number): Writer {
  const entries: number[][] = [];
  const u32 = (value: number) => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
  for (let id = 0; id < cpus; id++) entries.push([0, 8, id, id, ...u32(1)]);
  entries.push([1, 12, 0, 0, ...u32(IOAPIC_BASE), ...u32(0)]);
  // Interrupt source overrides: the timer is at pin 2; SCI is level-triggered, active high.
  entries.push([2, 10, 0, 0, ...u32(2), 0, 0]);
  entries.push([2, 10, 0, SCI_IRQ, ...u32(SCI_IRQ), 0x0d, 0]);
  // NMI is LINT1 of every processor.
  entries.push([4, 6, 0xff, 0, 0, 1]);
  const body = entries.flat();
  const madt = table("APIC", 5, HEADER_BYTES + 8 + body.length);
  madt.u32(36, LAPIC_BASE);
  // PC-AT compatible: the two 8259s are there.
  madt.u32(40, 1);
  madt.bytes.set(body, 44);
  return madt;
}

/** IA-PC HPET specification 1.0a, 3.2.4. */
function makeHpet(): Writer {
  const hpet = table("HPET", 1, 56);
  hpet.u32(36, 0x8086a201);
  hpet.u8(40, 0);
  hpet.u8(41, 64);
  hpet.u64(44, HPET_BASE);
  hpet.u16(53, 100);
  return hpet;
}

function makeMcfg(): Writer {
  const mcfg = table("MCFG", 1, 60);
  mcfg.u64(44, ECAM);
  // Bus 0 alone: no bridge leads to another, and guests look at every bus that is named here.
  mcfg.u8(54, 0);
  mcfg.u8(55, 0);
  return mcfg;
}

/** Where the FACS is in the tables. */
export const FACS_OFFSET = 0;

/** Builds all tables for a board. */
export function buildAcpiTables(config: AcpiConfig): AcpiTables {
  const pointers: Pointer[] = [];
  const checksums: Checksum[] = [];
  const placed: { writer: Writer; offset: number }[] = [];
  let end = 0;
  const place = (writer: Writer, hasChecksum = true): number => {
    const offset = end;
    placed.push({ writer, offset });
    if (hasChecksum) checksums.push({ file: "tables", offset: offset + 9, start: offset, length: writer.bytes.length });
    end = Math.ceil((offset + writer.bytes.length) / 16) * 16;
    return offset;
  };
  const facs = place(makeFacs(), false);
  const dsdt = place(makeDsdt(config));
  const fadtWriter = makeFadt(config);
  const fadt = place(fadtWriter);
  fadtWriter.u32(36, facs);
  fadtWriter.u32(40, dsdt);
  fadtWriter.u64(140, dsdt);
  pointers.push({ file: "tables", offset: fadt + 36, size: 4 });
  pointers.push({ file: "tables", offset: fadt + 40, size: 4 });
  pointers.push({ file: "tables", offset: fadt + 140, size: 8 });
  const roots = [fadt, place(makeMadt(config.cpus)), place(makeHpet()), place(makeMcfg())];

  const root = (signature: string, size: 4 | 8): number => {
    const writer = table(signature, 1, HEADER_BYTES + roots.length * size);
    const offset = place(writer);
    roots.forEach((address, index) => {
      const at = HEADER_BYTES + index * size;
      if (size === 8) writer.u64(at, address);
      else writer.u32(at, address);
      pointers.push({ file: "tables", offset: offset + at, size });
    });
    return offset;
  };
  const rsdt = root("RSDT", 4);
  const xsdt = root("XSDT", 8);

  const rsdp = new Writer(RSDP_BYTES);
  rsdp.text(0, "RSD PTR ");
  rsdp.text(9, OEM_ID);
  rsdp.u8(15, 2);
  rsdp.u32(16, rsdt);
  rsdp.u32(20, RSDP_BYTES);
  rsdp.u64(24, xsdt);
  pointers.push({ file: "rsdp", offset: 16, size: 4 }, { file: "rsdp", offset: 24, size: 8 });
  checksums.push({ file: "rsdp", offset: 8, start: 0, length: 20 }, { file: "rsdp", offset: 32, start: 0, length: 36 });

  const tables = new Uint8Array(end);
  for (const { writer, offset } of placed) tables.set(writer.bytes, offset);
  return { rsdp: rsdp.bytes, tables, pointers, checksums };
}

/** The tables as they are in memory with `tables` at guest-physical `base`: addresses and checksums right. */
export function relocateAcpiTables(acpi: AcpiTables, base: number): { rsdp: Uint8Array; tables: Uint8Array } {
  const files = { rsdp: acpi.rsdp.slice(), tables: acpi.tables.slice() };
  for (const { file, offset, size } of acpi.pointers) {
    const data = new DataView(files[file].buffer);
    if (size === 8) data.setBigUint64(offset, data.getBigUint64(offset, true) + BigInt(base), true);
    else data.setUint32(offset, data.getUint32(offset, true) + base, true);
  }
  for (const { file, offset, start, length } of acpi.checksums) {
    const bytes = files[file];
    bytes[offset] = 0;
    bytes[offset] = -bytes.subarray(start, start + length).reduce((sum, byte) => sum + byte, 0) & 0xff;
  }
  return files;
}
