/**
 * The firmware configuration device: named items that firmware, and a few kernels and test programs, read. Its
 * interface is documented with QEMU (docs/specs/fw_cfg); the signature is the one that stock firmware looks for.
 *
 *     const fwCfg = new FwCfg({ memory });
 *     ports.add("fw-cfg", 0x510, 12, fwCfg);
 *     fwCfg.addInteger(FW_CFG_CPU_COUNT, 2, cpus);
 *     fwCfg.addFile("etc/acpi/tables", tables);
 */
import type { GuestMemory } from "../../guest-memory/guest-memory.js";
import type { BusDevice, PlainData, Stateful } from "../device.js";
import { dmaRead, dmaWrite } from "../dma/guest-dma.js";
import { byte, dword, list, literal, object, word } from "../state-shape.js";

/** Bytes of the port window: selector, data, and the DMA address at 4. */
export const FW_CFG_PORTS = 12;

// Items with fixed keys.
export const FW_CFG_RAM_SIZE = 0x03;
export const FW_CFG_NO_GRAPHICS = 0x04;
export const FW_CFG_CPU_COUNT = 0x05;
export const FW_CFG_KERNEL_ADDRESS = 0x07;
export const FW_CFG_KERNEL_SIZE = 0x08;
export const FW_CFG_INITRD_ADDRESS = 0x0a;
export const FW_CFG_INITRD_SIZE = 0x0b;
export const FW_CFG_MAX_CPUS = 0x0f;
export const FW_CFG_KERNEL_DATA = 0x11;
export const FW_CFG_INITRD_DATA = 0x12;
export const FW_CFG_COMMAND_LINE_ADDRESS = 0x13;
export const FW_CFG_COMMAND_LINE_SIZE = 0x14;
export const FW_CFG_COMMAND_LINE_DATA = 0x15;
export const FW_CFG_SETUP_ADDRESS = 0x16;
export const FW_CFG_SETUP_SIZE = 0x17;
export const FW_CFG_SETUP_DATA = 0x18;
const SIGNATURE = 0x00;
const ID = 0x01;
const FILE_DIRECTORY = 0x19;
const FIRST_FILE = 0x20;
/** Keys above this are for the writing and the architecture's variants, which nothing here has. */
const MAX_KEY = 0x3fff;

const ID_TRADITIONAL = 1 << 0;
const ID_DMA = 1 << 1;

// Port offsets.
const SELECTOR = 0;
const DATA = 1;
const DMA_HIGH = 4;
const DMA_LOW = 8;

// The DMA control word.
const DMA_ERROR = 1 << 0;
const DMA_READ = 1 << 1;
const DMA_SKIP = 1 << 2;
const DMA_SELECT = 1 << 3;
const DMA_WRITE = 1 << 4;
const DMA_REQUEST_BYTES = 16;
/** What the address registers read as. */
const DMA_SIGNATURE = new TextEncoder().encode("QEMU CFG");

const FILE_NAME_BYTES = 56;
const DIRECTORY_ENTRY_BYTES = 64;

const SHAPE = object({ version: literal(1), key: word, offset: dword, dmaAddress: list(byte, 8) });

export interface FwCfgOptions {
  memory: GuestMemory;
}

export class FwCfg implements BusDevice, Stateful<PlainData> {
  private readonly items = new Map<number, Uint8Array>();
  private readonly files: { name: string; key: number; size: number }[] = [];
  private key = 0;
  private offset = 0;
  /** The address registers as bytes, which are in big-endian order. */
  private readonly dmaAddress = new Uint8Array(8);

  constructor(private readonly options: FwCfgOptions) {
    this.add(SIGNATURE, new TextEncoder().encode("QEMU"));
    this.addInteger(ID, 4, ID_TRADITIONAL | ID_DMA);
    this.writeDirectory();
  }

  /** Sets an item with a fixed key. */
  add(key: number, bytes: Uint8Array): void {
    if (!Number.isInteger(key) || key < 0 || key > MAX_KEY) throw new RangeError(`fw_cfg has no key ${key}`);
    this.items.set(key, bytes);
  }

  /** Sets an item to a little-endian integer of `size` bytes. */
  addInteger(key: number, size: 2 | 4 | 8, value: number): void {
    this.add(
      key,
      Uint8Array.from({ length: size }, (_, index) => Math.floor(value / 256 ** index) & 0xff),
    );
  }

  /** Adds a file to the directory. Names have at most 55 bytes; the order of calls decides the keys. */
  addFile(name: string, bytes: Uint8Array): void {
    const encoded = new TextEncoder().encode(name);
    if (encoded.length >= FILE_NAME_BYTES || this.files.some((file) => file.name === name)) {
      throw new RangeError(`fw_cfg cannot take a file named ${name}`);
    }
    const key = FIRST_FILE + this.files.length;
    this.files.push({ name, key, size: bytes.length });
    this.add(key, bytes);
    this.writeDirectory();
  }

  read(offset: number, size: number): number {
    let value = 0;
    for (let index = 0; index < size; index++) value += this.readByte(offset + index) * 256 ** index;
    return value;
  }

  write(offset: number, size: number, value: number): void {
    if (offset === SELECTOR) {
      if (size === 2) this.select(value & 0xffff);
      return;
    }
    if (offset < DMA_HIGH) return;
    for (let index = 0; index < size; index++) {
      const at = offset + index - DMA_HIGH;
      if (at < this.dmaAddress.length) this.dmaAddress[at] = (value >>> (index * 8)) & 0xff;
    }
    // The write that completes the low half starts the transfer.
    if (offset === DMA_LOW && size === 4) this.transfer();
  }

  save(): PlainData {
    return { version: 1, key: this.key, offset: this.offset, dmaAddress: [...this.dmaAddress] };
  }

  check(state: unknown): void {
    SHAPE.parse(state, "fw_cfg");
  }

  /** Takes over the guest's place in the items; the items themselves are the machine's to add again. */
  restore(state: PlainData): void {
    const { key, offset, dmaAddress } = SHAPE.parse(state, "fw_cfg");
    this.key = key;
    this.offset = offset;
    this.dmaAddress.set(dmaAddress);
  }

  private select(key: number): void {
    this.key = key;
    this.offset = 0;
  }

  private readByte(offset: number): number {
    if (offset >= DMA_HIGH) return DMA_SIGNATURE[offset - DMA_HIGH] ?? 0xff;
    if (offset !== DATA) return 0;
    const item = this.items.get(this.key);
    // Behind its end an item reads as zeros.
    if (item === undefined || this.offset >= item.length) return 0;
    return item[this.offset++];
  }

  /** The request in guest memory: control, length and address, all big-endian. Its control word tells the result. */
  private transfer(): void {
    const { memory } = this.options;
    const at = readBig(this.dmaAddress, 0, 8);
    this.dmaAddress.fill(0);
    const request = dmaRead(memory, at, DMA_REQUEST_BYTES);
    if (request === null) return;
    const control = readBig(request, 0, 4);
    const length = readBig(request, 4, 4);
    const address = readBig(request, 8, 8);
    if (control & DMA_SELECT) this.select(control >>> 16);
    let done = true;
    const item = this.items.get(this.key) ?? new Uint8Array(0);
    if (control & DMA_READ) {
      const bytes = item.subarray(Math.min(this.offset, item.length), Math.min(this.offset + length, item.length));
      done = dmaWrite(memory, address, bytes, length);
      if (done) this.skip(item, length);
    } else if (control & DMA_WRITE) {
      // All items are read-only.
      done = false;
    } else if (control & DMA_SKIP) {
      this.skip(item, length);
    }
    dmaWrite(memory, at, Uint8Array.from([0, 0, 0, done ? 0 : DMA_ERROR]));
  }

  private skip(item: Uint8Array, length: number): void {
    this.offset = Math.min(this.offset + length, Math.max(this.offset, item.length));
  }

  /** The directory: a count, then size, key and name of each file; numbers are big-endian. */
  private writeDirectory(): void {
    const bytes = new Uint8Array(4 + this.files.length * DIRECTORY_ENTRY_BYTES);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, this.files.length);
    for (const [index, { name, key, size }] of this.files.entries()) {
      const at = 4 + index * DIRECTORY_ENTRY_BYTES;
      view.setUint32(at, size);
      view.setUint16(at + 4, key);
      bytes.set(new TextEncoder().encode(name), at + 8);
    }
    this.items.set(FILE_DIRECTORY, bytes);
  }
}

function readBig(bytes: Uint8Array, offset: number, size: number): number {
  let value = 0;
  for (let index = 0; index < size; index++) value = value * 256 + bytes[offset + index];
  return value;
}
