import assert from "node:assert/strict";
import { test } from "node:test";
import { loaderCommands } from "../devices/fw-cfg/acpi-loader.js";
import { type AcpiConfig, buildAcpiTables, relocateAcpiTables } from "./acpi-tables.js";
import * as aml from "./aml.js";

const config: AcpiConfig = {
  cpus: 3,
  pmBase: 0x600,
  softOffType: 7,
  suspendType: 5,
  vga: false,
  pciMmio64: { base: 0x100000000, size: 0x800000000 },
  pirqOf: (slot, pin) => (slot + pin) & 7,
};
const BASE = 0xe0040;

const sum = (bytes: Uint8Array) => bytes.reduce((total, byte) => total + byte, 0) & 0xff;
const text = (bytes: Uint8Array) => String.fromCharCode(...bytes);

/** Follows addresses from the RSDP as an operating system does. */
function walk(wide: boolean) {
  const { rsdp, tables } = relocateAcpiTables(buildAcpiTables(config), BASE);
  const at = (address: number) => {
    const data = new DataView(tables.buffer, address - BASE);
    return { data, bytes: tables.subarray(address - BASE, address - BASE + data.getUint32(4, true)) };
  };
  const pointer = new DataView(rsdp.buffer);
  const root = at(wide ? Number(pointer.getBigUint64(24, true)) : pointer.getUint32(16, true));
  const size = wide ? 8 : 4;
  const found = new Map<string, ReturnType<typeof at>>();
  for (let offset = 36; offset < root.bytes.length; offset += size) {
    const address = wide ? Number(root.data.getBigUint64(offset, true)) : root.data.getUint32(offset, true);
    const table = at(address);
    found.set(text(table.bytes.subarray(0, 4)), table);
  }
  return { rsdp, root, found, at };
}

test("RSDP, RSDT and XSDT lead to tables whose checksums are right", () => {
  for (const wide of [false, true]) {
    const { rsdp, root, found } = walk(wide);
    assert.equal(text(rsdp.subarray(0, 8)), "RSD PTR ");
    assert.equal(sum(rsdp.subarray(0, 20)), 0);
    assert.equal(sum(rsdp), 0);
    assert.equal(text(root.bytes.subarray(0, 4)), wide ? "XSDT" : "RSDT");
    assert.equal(sum(root.bytes), 0);
    assert.deepEqual([...found.keys()], ["FACP", "APIC", "HPET", "MCFG"]);
    for (const [signature, { bytes }] of found) assert.equal(sum(bytes), 0, signature);
  }
});

test("the FADT names the power management ports, the reset register, the FACS and the DSDT", () => {
  const { found, at } = walk(true);
  const { data } = found.get("FACP")!;
  assert.equal(data.getUint16(46, true), 9);
  assert.equal(data.getUint32(56, true), 0x600);
  assert.equal(data.getUint32(64, true), 0x604);
  assert.equal(data.getUint32(76, true), 0x608);
  assert.deepEqual([data.getUint8(116), Number(data.getBigUint64(120, true)), data.getUint8(128)], [1, 0xcf9, 6]);
  const facs = data.getUint32(36, true);
  assert.equal(text(at(facs).bytes.subarray(0, 4)), "FACS");
  assert.equal(facs % 64, 0);
  const dsdt = at(data.getUint32(40, true));
  assert.equal(text(dsdt.bytes.subarray(0, 4)), "DSDT");
  assert.equal(sum(dsdt.bytes), 0);
  assert.equal(Number(data.getBigUint64(140, true)), data.getUint32(40, true));
});

test("the MADT has every processor, the IOAPIC and the two overrides", () => {
  const { bytes } = walk(true).found.get("APIC")!;
  const entries: string[] = [];
  for (let at = 44; at < bytes.length; at += bytes[at + 1])
    entries.push(bytes.subarray(at, at + bytes[at + 1]).join(" "));
  assert.deepEqual(entries, [
    "0 8 0 0 1 0 0 0",
    "0 8 1 1 1 0 0 0",
    "0 8 2 2 1 0 0 0",
    "1 12 0 0 0 0 192 254 0 0 0 0",
    "2 10 0 0 2 0 0 0 0 0",
    "2 10 0 9 9 0 0 0 13 0",
    "4 6 255 0 0 1",
  ]);
});

test("firmware that follows the loader script gets the same tables", () => {
  const acpi = buildAcpiTables(config);
  const script = loaderCommands(acpi);
  const files: Record<string, Uint8Array> = {
    "etc/acpi/rsdp": acpi.rsdp.slice(),
    "etc/acpi/tables": acpi.tables.slice(),
  };
  const addresses: Record<string, number> = {};
  const nameAt = (offset: number) => text(script.subarray(offset, offset + 56)).replace(/\0+$/, "");
  for (let at = 0; at < script.length; at += 128) {
    const data = new DataView(script.buffer, at, 128);
    const bytes = files[nameAt(at + 4)];
    const view = new DataView(bytes.buffer);
    switch (data.getUint32(0, true)) {
      case 1:
        addresses[nameAt(at + 4)] = data.getUint8(64) === 2 ? 0xe0000 : BASE;
        break;
      case 2: {
        const offset = data.getUint32(116, true);
        const address = addresses[nameAt(at + 60)];
        if (data.getUint8(120) === 8)
          view.setBigUint64(offset, view.getBigUint64(offset, true) + BigInt(address), true);
        else view.setUint32(offset, view.getUint32(offset, true) + address, true);
        break;
      }
      case 3: {
        const start = data.getUint32(60, true);
        bytes[start] = -sum(
          bytes.subarray(data.getUint32(64, true), data.getUint32(64, true) + data.getUint32(68, true)),
        );
        break;
      }
      default:
        assert.fail("unknown command");
    }
  }
  const expected = relocateAcpiTables(acpi, BASE);
  assert.deepEqual(files["etc/acpi/rsdp"], expected.rsdp);
  assert.deepEqual(files["etc/acpi/tables"], expected.tables);
});

test("AML terms are encoded as the specification says", () => {
  assert.deepEqual(
    aml.path("\\_SB.PCI0"),
    [0x5c, 0x2e, ..."_SB_PCI0"].map((c) => (typeof c === "string" ? c.charCodeAt(0) : c)),
  );
  assert.deepEqual(aml.integer(0xab), [0x0a, 0xab]);
  assert.deepEqual(aml.integer(0x100000000), [0x0e, 0, 0, 0, 0, 1, 0, 0, 0]);
  assert.deepEqual(aml.hardwareId("PNP0A08"), [0x0c, 0x41, 0xd0, 0x0a, 0x08]);
  assert.deepEqual(aml.buffer([1, 2]), [0x11, 5, 0x0a, 2, 1, 2]);
  const long = aml.buffer(new Array(100).fill(0));
  assert.deepEqual(long.slice(0, 3), [0x11, 0x48, 0x06], "a length of two bytes: 104");
  assert.deepEqual(
    aml.uuid("33db4d5b-1ff7-401c-9657-7441c03dd766").slice(-16, -8),
    [0x5b, 0x4d, 0xdb, 0x33, 0xf7, 0x1f, 0x1c, 0x40],
  );
});
