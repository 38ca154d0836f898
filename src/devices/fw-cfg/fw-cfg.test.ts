import assert from "node:assert/strict";
import { test } from "node:test";
import { GuestMemory, RAM_OFFSET, ROM_OFFSET } from "../../guest-memory/guest-memory.js";
import { FakeClock } from "../testing/fake-clock.js";
import { checkAccesses, checkHostileStates, type Subject } from "../testing/properties.js";
import { loaderCommands } from "./acpi-loader.js";
import { FW_CFG_CPU_COUNT, FW_CFG_PORTS, FW_CFG_RAM_SIZE, FwCfg } from "./fw-cfg.js";

const RAM = 0x1_0000;
const ROM = 0xf_0000;

const memory = new GuestMemory(RAM);
memory.setSlots([
  { gpa: 0, size: RAM, offset: RAM_OFFSET, readonly: false },
  { gpa: ROM, size: 0x1000, offset: ROM_OFFSET, readonly: true },
]);

function create(): FwCfg {
  const fwCfg = new FwCfg({ memory });
  fwCfg.addInteger(FW_CFG_RAM_SIZE, 8, RAM);
  fwCfg.addInteger(FW_CFG_CPU_COUNT, 2, 2);
  fwCfg.addFile("etc/first", Uint8Array.from([1, 2, 3, 4, 5]));
  fwCfg.addFile("etc/second", new TextEncoder().encode("second"));
  return fwCfg;
}

function readItem(fwCfg: FwCfg, key: number, length: number): number[] {
  fwCfg.write(0, 2, key);
  return Array.from({ length }, () => fwCfg.read(1, 1));
}

/** Asks for a transfer as SeaBIOS does: the request at 0x800, its address in two big-endian writes. */
function transfer(fwCfg: FwCfg, control: number, length: number, address: number): number {
  const request = new DataView(new ArrayBuffer(16));
  request.setUint32(0, control);
  request.setUint32(4, length);
  request.setBigUint64(8, BigInt(address));
  memory.write(0x800, new Uint8Array(request.buffer));
  fwCfg.write(4, 4, 0);
  fwCfg.write(8, 4, 0x0008_0000); // 0x800 in big-endian order
  return new DataView(memory.view(0x800, 4).slice().buffer).getUint32(0);
}

test("firmware finds the signature and the features by the two ports", () => {
  const fwCfg = create();
  assert.deepEqual(
    readItem(fwCfg, 0x00, 4),
    [..."QEMU"].map((letter) => letter.charCodeAt(0)),
  );
  assert.deepEqual(readItem(fwCfg, 0x01, 4), [3, 0, 0, 0]);
  assert.deepEqual(readItem(fwCfg, FW_CFG_CPU_COUNT, 2), [2, 0]);
  assert.deepEqual(
    readItem(fwCfg, FW_CFG_RAM_SIZE, 9),
    [0, 0, 1, 0, 0, 0, 0, 0, 0],
    "and behind its end an item is zeros",
  );
  assert.deepEqual(readItem(fwCfg, 0x1234, 2), [0, 0], "no such item");
});

test("the directory names the files, in big-endian numbers", () => {
  const fwCfg = create();
  const directory = Uint8Array.from(readItem(fwCfg, 0x19, 4 + 2 * 64));
  const view = new DataView(directory.buffer);
  assert.equal(view.getUint32(0), 2);
  assert.equal(view.getUint32(4), 5, "size of the first file");
  const key = view.getUint16(8);
  assert.equal(new TextDecoder().decode(directory.subarray(12, 12 + 9)), "etc/first");
  assert.deepEqual(readItem(fwCfg, key, 5), [1, 2, 3, 4, 5]);
});

test("DMA selects, skips and reads", () => {
  const fwCfg = create();
  const select = (0x20 << 16) | 0x08;
  assert.equal(fwCfg.read(4, 4), 0x554d4551, "the address registers read as 'QEMU CFG'");
  assert.equal(transfer(fwCfg, select | 0x04, 2, 0), 0, "select and skip two bytes");
  memory.fill(0x2000, 16, 0xff);
  assert.equal(transfer(fwCfg, 0x02, 8, 0x2000), 0);
  assert.deepEqual([...memory.view(0x2000, 9)], [3, 4, 5, 0, 0, 0, 0, 0, 0xff], "padded with zeros");
});

test("DMA to what is not memory, and writing an item, fail with the error bit; ROM is not written", () => {
  const fwCfg = create();
  const select = (0x20 << 16) | 0x08;
  assert.equal(transfer(fwCfg, select | 0x02, 4, 0x8000_0000), 1);
  assert.equal(transfer(fwCfg, select | 0x02, 0xffff_ffff, 0x2000), 1);
  assert.equal(transfer(fwCfg, select | 0x02, 4, 2 ** 63), 1);
  assert.equal(transfer(fwCfg, select | 0x10, 4, 0x2000), 1);
  assert.equal(transfer(fwCfg, select | 0x02, 4, ROM), 0);
  assert.deepEqual([...memory.view(ROM, 4)], [0, 0, 0, 0]);
});

test("a file name that is too long, or there already, is refused", () => {
  const fwCfg = create();
  assert.throws(() => fwCfg.addFile("x".repeat(56), new Uint8Array(1)), RangeError);
  assert.throws(() => fwCfg.addFile("etc/first", new Uint8Array(1)), RangeError);
});

test("the ACPI loader's commands: allocate both files, then pointers, then checksums", () => {
  const commands = loaderCommands({
    rsdp: new Uint8Array(36),
    tables: new Uint8Array(64),
    pointers: [{ file: "rsdp", offset: 16, size: 4 }],
    checksums: [{ file: "rsdp", offset: 8, start: 0, length: 20 }],
  });
  const view = new DataView(commands.buffer);
  const name = (at: number): string => new TextDecoder().decode(commands.subarray(at, commands.indexOf(0, at)));
  assert.equal(commands.length, 4 * 128);
  assert.deepEqual(
    [view.getUint32(0, true), name(4), view.getUint32(60, true), commands[64]],
    [1, "etc/acpi/rsdp", 16, 2],
  );
  const pointer = 2 * 128;
  assert.deepEqual(
    [view.getUint32(pointer, true), name(pointer + 4), name(pointer + 60), view.getUint32(pointer + 116, true)],
    [2, "etc/acpi/rsdp", "etc/acpi/tables", 16],
  );
  assert.equal(commands[pointer + 120], 4);
  const checksum = 3 * 128;
  assert.deepEqual(
    [60, 64, 68].map((at) => view.getUint32(checksum + at, true)),
    [8, 0, 20],
  );
});

function subject(): Subject {
  const fwCfg = create();
  return {
    clock: new FakeClock(),
    device: fwCfg,
    windows: [{ device: fwCfg, size: FW_CFG_PORTS }],
    observe: () => null,
  };
}

test("random accesses never throw, and a restored device goes on like the saved one", () => checkAccesses(subject, 5));
test("hostile states are refused whole", () => checkHostileStates(subject));
