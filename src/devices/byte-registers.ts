/** Windows of 8-bit registers. As on the ISA bus, a wider access becomes one access a byte, low byte first. */
import type { BusDevice } from "./device.js";

export interface ByteRegisters {
  readByte(offset: number): number;
  writeByte(offset: number, value: number): void;
}

export function readBytes(registers: ByteRegisters, offset: number, size: number): number {
  if (size === 1) return registers.readByte(offset);
  let value = 0;
  for (let index = 0; index < size; index++) value |= registers.readByte(offset + index) << (index * 8);
  return value >>> 0;
}

export function writeBytes(registers: ByteRegisters, offset: number, size: number, value: number): void {
  for (let index = 0; index < size; index++) registers.writeByte(offset + index, (value >>> (index * 8)) & 0xff);
}

/** A window of a device that has several. */
export class ByteWindow implements BusDevice {
  constructor(
    private readonly readRegister: (offset: number) => number,
    private readonly writeRegister: (offset: number, value: number) => void,
  ) {}

  readByte(offset: number): number {
    return this.readRegister(offset);
  }

  writeByte(offset: number, value: number): void {
    this.writeRegister(offset, value);
  }

  read(offset: number, size: number): number {
    return readBytes(this, offset, size);
  }

  write(offset: number, size: number, value: number): void {
    writeBytes(this, offset, size, value);
  }
}
