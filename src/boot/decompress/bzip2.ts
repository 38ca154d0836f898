/** bzip2: Burrows-Wheeler blocks with Huffman coding. There is no specification; the format is bzip2 1.0's. */
import { DecompressError, Output } from "./output.js";

const BLOCK_MAGIC = 0x314159265359;
const END_MAGIC = 0x177245385090;
const GROUP_SYMBOLS = 50;
const MAX_CODE_LENGTH = 20;
const RUN_A = 0;
const RUN_B = 1;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte << 24;
  for (let bit = 0; bit < 8; bit++) value = value & 0x80000000 ? (value << 1) ^ 0x04c11db7 : value << 1;
  return value >>> 0;
});

class BitReader {
  private bits = 0;
  private available = 0;

  constructor(
    private readonly input: Uint8Array,
    public position: number,
  ) {}

  /** `count` bits, at most 24. */
  read(count: number): number {
    while (this.available < count) {
      if (this.position >= this.input.length) throw new DecompressError("the bzip2 data ends too early");
      this.bits = ((this.bits << 8) | this.input[this.position++]) & 0xffffffff;
      this.available += 8;
    }
    this.available -= count;
    return (this.bits >>> this.available) & ((1 << count) - 1);
  }

  read48(): number {
    return this.read(24) * 0x1000000 + this.read(24);
  }

  alignToByte(): void {
    this.available -= this.available % 8;
    this.position -= this.available / 8;
    this.available = 0;
  }
}

/** One Huffman code: for each length the first code and where its symbols start. */
interface HuffmanTable {
  readonly limits: Int32Array;
  readonly offsets: Int32Array;
  readonly symbols: Uint16Array;
}

/** @throws DecompressError */
export function bzip2Decompress(input: Uint8Array, limit: number): Uint8Array {
  const output = new Output(limit, input.length * 5);
  const level = input[3] - 0x30;
  if (!(level >= 1 && level <= 9)) throw new DecompressError("has an unknown bzip2 block size");
  const bits = new BitReader(input, 4);
  const block = new Uint32Array(level * 100_000);
  let combined = 0;
  for (;;) {
    const magic = bits.read48();
    if (magic === END_MAGIC) break;
    if (magic !== BLOCK_MAGIC) throw new DecompressError("has a bzip2 block without its magic");
    const stored = (bits.read(16) * 0x10000 + bits.read(16)) >>> 0;
    if (bits.read(1)) throw new DecompressError("uses bzip2's old randomized blocks");
    const crc = writeBlock(block, readBlock(bits, block), output);
    if (crc !== stored) throw new DecompressError("the bzip2 data is damaged: its CRC is wrong");
    combined = (((combined << 1) | (combined >>> 31)) ^ crc) >>> 0;
  }
  const stored = (bits.read(16) * 0x10000 + bits.read(16)) >>> 0;
  if (stored !== combined) throw new DecompressError("the bzip2 data is damaged: its CRC is wrong");
  bits.alignToByte();
  if (bits.position !== input.length) throw new DecompressError("has data behind the bzip2 stream");
  return output.result();
}

/** Decodes symbols into `block` (the last column); returns their number and the row of the original text. */
function readBlock(bits: BitReader, block: Uint32Array): { count: number; origin: number } {
  const origin = bits.read(24);
  const used: number[] = [];
  const groups = bits.read(16);
  for (let group = 0; group < 16; group++) {
    if (!(groups & (0x8000 >> group))) continue;
    const members = bits.read(16);
    for (let index = 0; index < 16; index++) if (members & (0x8000 >> index)) used.push(group * 16 + index);
  }
  if (used.length === 0) throw new DecompressError("has a bzip2 block without symbols");
  const tableCount = bits.read(3);
  if (tableCount < 2 || tableCount > 6) throw new DecompressError(`has ${tableCount} bzip2 tables in a block`);
  const selectors = readSelectors(bits, tableCount);
  const alphabet = used.length + 2;
  const tables = Array.from({ length: tableCount }, () => readTable(bits, alphabet));

  const endOfBlock = alphabet - 1;
  const recent = Uint8Array.from(used);
  let count = 0;
  let run = 0;
  let runBit = 1;
  const flushRun = () => {
    if (run === 0) return;
    if (count + run > block.length) throw new DecompressError("a bzip2 block is longer than its header says");
    block.fill(recent[0], count, count + run);
    count += run;
    run = 0;
    runBit = 1;
  };
  for (let group = 0; ; group++) {
    if (group >= selectors.length) throw new DecompressError("a bzip2 block has no end");
    const table = tables[selectors[group]];
    for (let index = 0; index < GROUP_SYMBOLS; index++) {
      const symbol = readSymbol(bits, table);
      if (symbol === RUN_A || symbol === RUN_B) {
        run += runBit << symbol;
        runBit <<= 1;
        if (run > block.length) throw new DecompressError("a bzip2 run is too long");
        continue;
      }
      flushRun();
      if (symbol === endOfBlock) {
        if (origin >= count) throw new DecompressError("a bzip2 block's origin is out of range");
        return { count, origin };
      }
      const value = recent[symbol - 1];
      recent.copyWithin(1, 0, symbol - 1);
      recent[0] = value;
      if (count >= block.length) throw new DecompressError("a bzip2 block is longer than its header says");
      block[count++] = value;
    }
  }
}

function readSelectors(bits: BitReader, tableCount: number): Uint8Array {
  const count = bits.read(15);
  if (count === 0) throw new DecompressError(`has ${count} bzip2 selectors`);
  const order = Uint8Array.from({ length: tableCount }, (_, index) => index);
  const selectors = new Uint8Array(count);
  for (let index = 0; index < count; index++) {
    let rank = 0;
    while (bits.read(1)) if (++rank >= tableCount) throw new DecompressError("a bzip2 selector is out of range");
    const table = order[rank];
    order.copyWithin(1, 0, rank);
    order[0] = table;
    selectors[index] = table;
  }
  return selectors;
}

function readTable(bits: BitReader, alphabet: number): HuffmanTable {
  const lengths = new Uint8Array(alphabet);
  let length = bits.read(5);
  for (let symbol = 0; symbol < alphabet; symbol++) {
    for (;;) {
      if (length < 1 || length > MAX_CODE_LENGTH) throw new DecompressError("a bzip2 code length is out of range");
      if (!bits.read(1)) break;
      length += bits.read(1) ? -1 : 1;
    }
    lengths[symbol] = length;
  }
  const limits = new Int32Array(MAX_CODE_LENGTH + 2).fill(-1);
  const offsets = new Int32Array(MAX_CODE_LENGTH + 2);
  const symbols = new Uint16Array(alphabet);
  let code = 0;
  let filled = 0;
  for (let size = 1; size <= MAX_CODE_LENGTH; size++) {
    offsets[size] = filled - code;
    for (let symbol = 0; symbol < alphabet; symbol++) {
      if (lengths[symbol] !== size) continue;
      symbols[filled++] = symbol;
      code++;
    }
    if (code > 2 ** size) throw new DecompressError("a bzip2 code is over-full");
    limits[size] = code - 1;
    code <<= 1;
  }
  return { limits, offsets, symbols };
}

function readSymbol(bits: BitReader, table: HuffmanTable): number {
  let code = 0;
  for (let size = 1; size <= MAX_CODE_LENGTH; size++) {
    code = (code << 1) | bits.read(1);
    if (code <= table.limits[size]) {
      const index = code + table.offsets[size];
      if (index >= 0 && index < table.symbols.length) return table.symbols[index];
      break;
    }
  }
  throw new DecompressError("a bzip2 code has no symbol");
}

/** Undoes the transform and the run-length coding before it; returns the block's CRC. */
function writeBlock(block: Uint32Array, { count, origin }: { count: number; origin: number }, output: Output): number {
  const starts = new Uint32Array(257);
  for (let index = 0; index < count; index++) starts[(block[index] & 0xff) + 1]++;
  for (let byte = 0; byte < 256; byte++) starts[byte + 1] += starts[byte];
  // The upper 24 bits of an entry say which one follows it.
  for (let index = 0; index < count; index++) block[starts[block[index] & 0xff]++] |= index << 8;

  let crc = 0xffffffff;
  let entry = block[origin];
  let last = -1;
  let repeats = 0;
  for (let index = 0; index < count; index++) {
    entry = block[entry >>> 8];
    const byte = entry & 0xff;
    if (repeats === 4) {
      output.reserve(byte);
      output.bytes.fill(last, output.length, output.length + byte);
      output.length += byte;
      for (let more = byte; more > 0; more--) crc = (crc << 8) ^ CRC_TABLE[((crc >>> 24) ^ last) & 0xff];
      repeats = 0;
      last = -1;
      continue;
    }
    repeats = byte === last ? repeats + 1 : 1;
    last = byte;
    output.reserve(1);
    output.bytes[output.length++] = byte;
    crc = (crc << 8) ^ CRC_TABLE[((crc >>> 24) ^ byte) & 0xff];
  }
  return ~crc >>> 0;
}
