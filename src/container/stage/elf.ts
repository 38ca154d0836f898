/** A static ELF for x86-64 (ELF-64 object file format; System V ABI, AMD64 supplement): one segment of code, one of data. */

export const CODE_ADDRESS = 0x400000;
export const DATA_ADDRESS = 0x10000000;
const PAGE = 0x1000;
const HEADER_SIZE = 64;
const PROGRAM_HEADER_SIZE = 56;
const SEGMENTS = 3;
/** Code follows the headers in the file, and so in memory. */
export const CODE_START = CODE_ADDRESS + HEADER_SIZE + SEGMENTS * PROGRAM_HEADER_SIZE;

const PT_LOAD = 1;
const PT_GNU_STACK = 0x6474e551;
const READ = 4;
const WRITE = 2;
const EXECUTE = 1;

/**
 * @param code runs at CODE_START
 * @param data lies at DATA_ADDRESS
 * @param zeroed bytes after the data that start as zero
 */
export function makeElf(code: Uint8Array, data: Uint8Array, zeroed: number): Uint8Array {
  const codeSize = HEADER_SIZE + SEGMENTS * PROGRAM_HEADER_SIZE + code.length;
  const dataOffset = Math.ceil(codeSize / PAGE) * PAGE;
  const file = new Uint8Array(dataOffset + data.length);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true); // ET_EXEC
  view.setUint16(18, 62, true); // EM_X86_64
  view.setUint32(20, 1, true);
  view.setBigUint64(24, BigInt(CODE_START), true);
  view.setBigUint64(32, BigInt(HEADER_SIZE), true);
  view.setUint16(52, HEADER_SIZE, true);
  view.setUint16(54, PROGRAM_HEADER_SIZE, true);
  view.setUint16(56, SEGMENTS, true);
  const segment = (index: number, type: number, flags: number, fields: number[]) => {
    const at = HEADER_SIZE + index * PROGRAM_HEADER_SIZE;
    view.setUint32(at, type, true);
    view.setUint32(at + 4, flags, true);
    fields.forEach((value, field) => {
      view.setBigUint64(at + 8 + field * 8, BigInt(value), true);
    });
  };
  segment(0, PT_LOAD, READ | EXECUTE, [0, CODE_ADDRESS, CODE_ADDRESS, codeSize, codeSize, PAGE]);
  const dataFields = [dataOffset, DATA_ADDRESS, DATA_ADDRESS, data.length, data.length + zeroed, PAGE];
  segment(1, PT_LOAD, READ | WRITE, dataFields);
  segment(2, PT_GNU_STACK, READ | WRITE, [0, 0, 0, 0, 0, 16]);
  file.set(code, CODE_START - CODE_ADDRESS);
  file.set(data, dataOffset);
  return file;
}
