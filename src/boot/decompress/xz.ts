/**
 * The .xz container: streams of blocks with LZMA2, before it optionally the x86 filter for branches.
 * The .xz file format 1.2.0.
 */
import { LzmaDecoder } from "./lzma-decoder.js";
import { DecompressError, Output } from "./output.js";
import { undoX86Filter } from "./x86-filter.js";

const HEADER_MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];
const FOOTER_MAGIC = [0x59, 0x5a];
const CHECK_NONE = 0;
const CHECK_CRC32 = 1;
const CHECK_CRC64 = 4;
const CHECK_SHA256 = 10;
const CHECK_BYTES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];
const FILTER_X86 = 4;
const FILTER_LZMA2 = 0x21;

const CRC32_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let index = 0; index < bytes.length; index++) crc = (crc >>> 8) ^ CRC32_TABLE[(crc ^ bytes[index]) & 0xff];
  return ~crc >>> 0;
}

interface Block {
  readonly unpadded: number;
  readonly size: number;
}

/**
 * Checks CRC32 where the stream has it, as kernels do; other checks are not computed.
 *
 * @throws DecompressError
 */
export function xzDecompress(input: Uint8Array, limit: number): Uint8Array {
  const output = new Output(limit, input.length * 6);
  const reader = new XzReader(input, output);
  reader.stream();
  return output.result();
}

class XzReader {
  private at = 0;
  private readonly data: DataView;

  constructor(
    private readonly input: Uint8Array,
    private readonly output: Output,
  ) {
    this.data = new DataView(input.buffer, input.byteOffset, input.byteLength);
  }

  stream(): void {
    this.need(12);
    if (!this.matches(HEADER_MAGIC, 0)) throw new DecompressError("does not start as .xz does");
    const check = this.input[7];
    if (this.input[6] !== 0 || check > 15) throw new DecompressError("has unknown .xz stream flags");
    if (![CHECK_NONE, CHECK_CRC32, CHECK_CRC64, CHECK_SHA256].includes(check)) {
      throw new DecompressError(`has an unknown .xz check ${check}`);
    }
    this.checkCrc(6, 2, "stream header");
    this.at = 12;
    const blocks: Block[] = [];
    for (;;) {
      this.need(1);
      if (this.input[this.at] === 0) break;
      blocks.push(this.block(check));
    }
    const indexSize = this.index(blocks);
    this.need(12);
    const footer = this.at;
    if (!this.matches(FOOTER_MAGIC, footer + 10)) throw new DecompressError("does not end as .xz does");
    if (crc32(this.input.subarray(footer + 4, footer + 10)) !== this.data.getUint32(footer, true)) {
      throw new DecompressError("the .xz stream footer is damaged");
    }
    if (this.input[footer + 9] !== check || (this.data.getUint32(footer + 4, true) + 1) * 4 !== indexSize) {
      throw new DecompressError("the .xz stream footer contradicts the stream");
    }
    if (footer + 12 !== this.input.length) throw new DecompressError("has data behind the .xz stream");
  }

  private block(check: number): Block {
    const start = this.at;
    const headerBytes = (this.input[start] + 1) * 4;
    this.need(headerBytes);
    this.checkCrc(start, headerBytes - 4, "block header");
    const headerEnd = start + headerBytes - 4;
    const flags = this.input[start + 1];
    if (flags & 0x3c) throw new DecompressError("has unknown .xz block flags");
    this.at = start + 2;
    const compressed = flags & 0x40 ? this.integer(headerEnd) : null;
    const uncompressed = flags & 0x80 ? this.integer(headerEnd) : null;
    const filters: { id: number; properties: Uint8Array }[] = [];
    for (let count = (flags & 3) + 1; count > 0; count--) {
      const id = this.integer(headerEnd);
      const size = this.integer(headerEnd);
      if (this.at + size > headerEnd) throw new DecompressError("has a filter that runs over its block header");
      filters.push({ id, properties: this.input.subarray(this.at, this.at + size) });
      this.at += size;
    }
    const last = filters[filters.length - 1];
    const before = filters.slice(0, -1);
    if (last.id !== FILTER_LZMA2 || last.properties.length !== 1 || before.length > 1) {
      throw new DecompressError("uses .xz filters that Linux kernels do not");
    }
    if (before.some(({ id, properties }) => id !== FILTER_X86 || properties.length !== 0)) {
      throw new DecompressError("uses an .xz filter that Linux kernels do not");
    }
    this.at = start + headerBytes;
    const outputStart = this.output.length;
    const dataStart = this.at;
    this.lzma2(outputStart);
    const dataEnd = this.at;
    const size = this.output.length - outputStart;
    if (compressed !== null && compressed !== dataEnd - dataStart)
      throw new DecompressError("an .xz block's size is wrong");
    if (uncompressed !== null && uncompressed !== size) throw new DecompressError("an .xz block's size is wrong");
    while ((this.at - start) % 4 !== 0) this.zero("block padding");
    const bytes = this.output.bytes.subarray(outputStart, this.output.length);
    if (before.length > 0) undoX86Filter(bytes);
    this.need(CHECK_BYTES[check]);
    if (check === CHECK_CRC32 && crc32(bytes) !== this.data.getUint32(this.at, true)) {
      throw new DecompressError("the .xz data is damaged: its CRC32 is wrong");
    }
    this.at += CHECK_BYTES[check];
    return { unpadded: headerBytes + (dataEnd - dataStart) + CHECK_BYTES[check], size };
  }

  /** LZMA2 chunks until their end mark. */
  private lzma2(outputStart: number): void {
    const { input, output } = this;
    const decoder = new LzmaDecoder(output);
    decoder.dictionaryStart = outputStart;
    let needDictionary = true;
    let needProperties = true;
    let needState = true;
    for (;;) {
      this.need(1);
      const control = input[this.at++];
      if (control === 0) return;
      if (control >= 0xe0 || control === 1) {
        needDictionary = false;
        decoder.dictionaryStart = output.length;
      } else if (needDictionary) {
        throw new DecompressError("an LZMA2 stream does not start with a new dictionary");
      }
      if (control < 0x80) {
        if (control > 2) throw new DecompressError("has an unknown LZMA2 chunk");
        this.need(2);
        const size = this.data.getUint16(this.at) + 1;
        this.at += 2;
        this.need(size);
        output.append(input.subarray(this.at, this.at + size));
        this.at += size;
        continue;
      }
      this.need(4);
      const size = ((control & 0x1f) << 16) + this.data.getUint16(this.at) + 1;
      const compressed = this.data.getUint16(this.at + 2) + 1;
      this.at += 4;
      if (control >= 0xc0) {
        this.need(1);
        decoder.setProperties(input[this.at++]);
        needProperties = false;
      } else if (needProperties) {
        throw new DecompressError("an LZMA2 chunk lacks properties");
      }
      if (control >= 0xa0) {
        decoder.resetState();
        needState = false;
      } else if (needState) {
        throw new DecompressError("an LZMA2 chunk lacks a state");
      }
      this.need(compressed);
      decoder.start(input, this.at, this.at + compressed);
      decoder.decode(size, false);
      if (!decoder.finished) throw new DecompressError("an LZMA2 chunk ends wrongly");
      this.at += compressed;
    }
  }

  /** Checks the index against the blocks that were there; returns its size. */
  private index(blocks: readonly Block[]): number {
    const start = this.at++;
    if (this.integer(this.input.length) !== blocks.length) throw new DecompressError("the .xz index is wrong");
    for (const block of blocks) {
      const unpadded = this.integer(this.input.length);
      const size = this.integer(this.input.length);
      if (unpadded !== block.unpadded || size !== block.size) throw new DecompressError("the .xz index is wrong");
    }
    while ((this.at - start) % 4 !== 0) this.zero("index padding");
    this.need(4);
    this.checkCrc(start, this.at - start, "index");
    this.at += 4;
    return this.at - start;
  }

  /** A variable-length integer of up to 63 bits; beyond 53 it is out of range for us. */
  private integer(end: number): number {
    let value = 0;
    for (let shift = 0; shift < 49; shift += 7) {
      if (this.at >= end) throw new DecompressError("ends inside an .xz number");
      const byte = this.input[this.at++];
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new DecompressError("has an .xz number that is out of range");
  }

  private zero(what: string): void {
    this.need(1);
    if (this.input[this.at++] !== 0) throw new DecompressError(`has an .xz ${what} that is not zero`);
  }

  private need(count: number): void {
    if (this.at + count > this.input.length) throw new DecompressError("the .xz data ends too early");
  }

  private matches(magic: readonly number[], at: number): boolean {
    return magic.every((byte, index) => this.input[at + index] === byte);
  }

  private checkCrc(start: number, length: number, what: string): void {
    if (crc32(this.input.subarray(start, start + length)) !== this.data.getUint32(start + length, true)) {
      throw new DecompressError(`the .xz ${what} is damaged: its CRC32 is wrong`);
    }
  }
}
