/** The DSDT: what ACPI cannot tell by fixed tables. The board's devices, their resources, interrupt routing. */
import type { AcpiConfig } from "./acpi-tables.js";
import {
  type Aml,
  and,
  argument,
  busNumbers,
  byteFields,
  createDwordField,
  device,
  equal,
  fixedMemory,
  giveBack,
  hardwareId,
  integer,
  irq,
  local,
  memoryWindow,
  memoryWindow64,
  method,
  NOWHERE,
  name,
  operationRegion,
  or,
  otherwise,
  pack,
  path,
  ports,
  portWindow,
  resources,
  SPACE_PCI_CONFIG,
  scope,
  sharedInterrupts,
  store,
  uuid,
  when,
} from "./aml.js";
import { ECAM, ECAM_BYTES, HPET_BASE, PCI_MMIO, PCI_MMIO_END, VGA_HOLE, VGA_HOLE_END } from "./memory-map.js";

const PIRQ_NAMES = ["A", "B", "C", "D", "E", "F", "G", "H"];
const FIRST_PCI_GSI = 16;
/** ISA interrupts that a PCI interrupt may be routed to while the PICs are in use. */
const PIRQ_CHOICES = [5, 10, 11];
/** PIRQ routing registers of the LPC bridge: bit 7 disables, the low bits are the ISA interrupt. */
const PIRQ_DISABLED = 0x80;
/** What the host hands to the guest of PCI Express: nothing but the capability structure itself. */
const OSC_GRANTED = 0x10;
const PCI_HOST_UUID = "33db4d5b-1ff7-401c-9657-7441c03dd766";

function isaDevice(label: string, id: string, uid: number | null, ...descriptors: Aml[]): Aml {
  const terms = [name("_HID", hardwareId(id)), name("_CRS", resources(...descriptors))];
  if (uid !== null) terms.splice(1, 0, name("_UID", integer(uid)));
  return device(label, ...terms);
}

/** An interrupt link: a PIRQ that the PIC mode routes by a register of the LPC bridge. */
function interruptLink(index: number): Aml {
  const register = path(`\\_SB.PCI0.LPC.PRQ${PIRQ_NAMES[index]}`);
  return device(
    `LNK${PIRQ_NAMES[index]}`,
    name("_HID", hardwareId("PNP0C0F")),
    name("_UID", integer(index)),
    name("_PRS", resources(sharedInterrupts(...PIRQ_CHOICES))),
    method(
      "_STA",
      0,
      false,
      when(and(register, integer(PIRQ_DISABLED), NOWHERE), giveBack(integer(0x09))),
      giveBack(integer(0x0b)),
    ),
    method("_DIS", 0, false, or(register, integer(PIRQ_DISABLED), register)),
    method(
      "_CRS",
      0,
      true,
      name("BUF0", resources(sharedInterrupts(0))),
      createDwordField(path("BUF0"), 5, "IRQW"),
      store(and(register, integer(0x0f), NOWHERE), path("IRQW")),
      giveBack(path("BUF0")),
    ),
    method("_SRS", 1, true, createDwordField(argument(0), 5, "IRQW"), store(path("IRQW"), register)),
  );
}

function routing(config: AcpiConfig, target: (pirq: number) => [Aml, Aml]): Aml {
  // Local packages: a package holds at most 255 elements, 31 devices have 124 pins.
  const entries: Aml[] = [];
  for (let slot = 1; slot < 32; slot++) {
    for (let pin = 0; pin < 4; pin++) {
      const [source, index] = target(config.pirqOf(slot, pin));
      entries.push(pack(integer(slot * 0x10000 + 0xffff), integer(pin), source, index));
    }
  }
  return pack(...entries);
}

function pciHost(config: AcpiConfig): Aml {
  const { base, size } = config.pciMmio64;
  const apic = routing(config, (pirq) => [integer(0), integer(FIRST_PCI_GSI + pirq)]);
  const pic = routing(config, (pirq) => [path(`\\_SB.LNK${PIRQ_NAMES[pirq]}`), integer(0)]);
  return device(
    "PCI0",
    name("_HID", hardwareId("PNP0A08")),
    name("_CID", hardwareId("PNP0A03")),
    name("_SEG", integer(0)),
    name("_BBN", integer(0)),
    name("_UID", integer(0)),
    name(
      "_CRS",
      resources(
        busNumbers(0, 1),
        ports(0xcf8, 8),
        portWindow(0, 0xcf8),
        portWindow(0xd00, 0xf300),
        memoryWindow(VGA_HOLE, VGA_HOLE_END - VGA_HOLE, true),
        memoryWindow(PCI_MMIO, PCI_MMIO_END - PCI_MMIO),
        memoryWindow64(base, size),
      ),
    ),
    method(
      "_OSC",
      4,
      true,
      createDwordField(argument(3), 0, "CDW1"),
      when(
        equal(argument(0), uuid(PCI_HOST_UUID)),
        createDwordField(argument(3), 8, "CDW3"),
        store(path("CDW3"), local(0)),
        and(local(0), integer(OSC_GRANTED), path("CDW3")),
        // Bit 4: some of what was asked for was withheld.
        when(equal(path("CDW3"), local(0)), giveBack(argument(3))),
        or(path("CDW1"), integer(0x10), path("CDW1")),
      ),
      // Bit 2: a UUID that is not known.
      otherwise(or(path("CDW1"), integer(0x04), path("CDW1"))),
      giveBack(argument(3)),
    ),
    name("PRTA", apic),
    name("PRTP", pic),
    method("_PRT", 0, false, when(path("\\PICF"), giveBack(path("PRTA"))), giveBack(path("PRTP"))),
    device(
      "LPC",
      name("_ADR", integer(0x001f0000)),
      operationRegion("PIRQ", SPACE_PCI_CONFIG, 0x60, 0x0c),
      byteFields("PIRQ", ["PRQA", "PRQB", "PRQC", "PRQD", null, null, null, null, "PRQE", "PRQF", "PRQG", "PRQH"]),
      isaDevice("COM1", "PNP0501", 1, ports(0x3f8, 8), irq(4)),
      isaDevice("RTC", "PNP0B00", null, ports(0x70, 2), irq(8)),
      isaDevice("KBD", "PNP0303", null, ports(0x60, 1), ports(0x64, 1), irq(1)),
      isaDevice("MOU", "PNP0F13", null, irq(12)),
      isaDevice("TIMR", "PNP0100", null, ports(0x40, 4), irq(0)),
      isaDevice("SPKR", "PNP0800", null, ports(0x61, 1)),
    ),
  );
}

/** Registers that no other device claims, so that nothing else is put there. */
function boardResources(config: AcpiConfig): Aml {
  return isaDevice(
    "MRES",
    "PNP0C02",
    0,
    fixedMemory(ECAM, ECAM_BYTES),
    ports(config.pmBase, 0x80),
    ports(0x92, 1),
    ports(0xcf9, 1),
  );
}

/** The AML behind the DSDT's header. */
export function dsdtBody(config: AcpiConfig): Uint8Array {
  const processors: Aml[] = [];
  for (let id = 0; id < config.cpus; id++) {
    const label = `CP${id.toString(16).toUpperCase().padStart(2, "0")}`;
    processors.push(device(label, name("_HID", hardwareId("ACPI0007")), name("_UID", integer(id))));
  }
  const off = integer(config.softOffType);
  const suspended = integer(config.suspendType);
  return Uint8Array.from(
    [
      name("\\PICF", integer(0)),
      method("\\_PIC", 1, false, store(argument(0), path("\\PICF"))),
      name("\\_S3", pack(suspended, suspended, integer(0), integer(0))),
      name("\\_S5", pack(off, off, integer(0), integer(0))),
      scope(
        "\\_SB",
        ...processors,
        pciHost(config),
        ...PIRQ_NAMES.map((_, index) => interruptLink(index)),
        isaDevice("HPET", "PNP0103", 0, fixedMemory(HPET_BASE, 0x400)),
        device(
          "FWCF",
          name("_HID", hardwareId("QEMU0002")),
          name("_STA", integer(0x0b)),
          name("_CRS", resources(ports(0x510, 12))),
        ),
        boardResources(config),
      ),
    ].flat(),
  );
}
