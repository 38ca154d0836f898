/**
 * The LZMA decoder proper: range coder, probability models, LZ77 output. Shared by the .lzma container
 * and by LZMA2 inside .xz. After the description in the LZMA SDK (lzma-specification.txt).
 */
import { DecompressError, type Output } from "./output.js";

const PROB_BITS = 11;
const PROB_INIT = 1 << (PROB_BITS - 1);
const MOVE_BITS = 5;
const TOP = 0x1000000;
const STATES = 12;
const MATCH_MIN = 2;
const END_MARKER = 0xffffffff;
const ALIGN_BITS = 4;
const FIRST_DISTANCE_MODEL = 4;
const END_DISTANCE_MODEL = 14;

/** Probabilities of one kind of length: choice, choice 2, low and mid by position, high. */
const LENGTH_LOW = 2;
const LENGTH_MID = LENGTH_LOW + (16 << 3);
const LENGTH_HIGH = LENGTH_MID + (16 << 3);
const LENGTH_PROBS = LENGTH_HIGH + 256;

export class LzmaDecoder {
  private literals = new Uint16Array(0);
  private readonly isMatch = new Uint16Array(STATES << 4);
  private readonly isRep = new Uint16Array(STATES);
  private readonly isRepG0 = new Uint16Array(STATES);
  private readonly isRepG1 = new Uint16Array(STATES);
  private readonly isRepG2 = new Uint16Array(STATES);
  private readonly isRep0Long = new Uint16Array(STATES << 4);
  private readonly slots = new Uint16Array(4 << 6);
  private readonly special = new Uint16Array(115);
  private readonly align = new Uint16Array(1 << ALIGN_BITS);
  private readonly matchLength = new Uint16Array(LENGTH_PROBS);
  private readonly repLength = new Uint16Array(LENGTH_PROBS);
  private lc = 0;
  private lpMask = 0;
  private pbMask = 0;
  private state = 0;
  private rep0 = 0;
  private rep1 = 0;
  private rep2 = 0;
  private rep3 = 0;

  private input: Uint8Array = new Uint8Array(0);
  private position = 0;
  private end = 0;
  private range = 0;
  private code = 0;
  /** Output position before which matches must not reach. */
  dictionaryStart = 0;

  constructor(private readonly output: Output) {}

  /** Sets lc, lp and pb from their byte. @throws DecompressError */
  setProperties(byte: number): void {
    if (byte >= 9 * 5 * 5) throw new DecompressError(`has impossible LZMA properties ${byte}`);
    this.lc = byte % 9;
    const lp = Math.floor(byte / 9) % 5;
    this.lpMask = (1 << lp) - 1;
    this.pbMask = (1 << Math.floor(byte / 45)) - 1;
    this.literals = new Uint16Array(0x300 << (this.lc + lp));
  }

  resetState(): void {
    const tables = [
      this.literals,
      this.isMatch,
      this.isRep,
      this.isRepG0,
      this.isRepG1,
      this.isRepG2,
      this.isRep0Long,
      this.slots,
      this.special,
      this.align,
      this.matchLength,
      this.repLength,
    ];
    for (const table of tables) table.fill(PROB_INIT);
    this.state = 0;
    this.rep0 = this.rep1 = this.rep2 = this.rep3 = 0;
  }

  /** Starts the range coder on `input` from `position` to `end`. */
  start(input: Uint8Array, position: number, end: number): void {
    if (position + 5 > end || input[position] !== 0) throw new DecompressError("an LZMA stream starts wrongly");
    this.input = input;
    this.end = end;
    this.range = 0xffffffff;
    this.code =
      ((input[position + 1] << 24) | (input[position + 2] << 16) | (input[position + 3] << 8) | input[position + 4]) >>>
      0;
    this.position = position + 5;
  }

  /** Whether the range coder is where a stream may end, and all of its input is used. */
  get finished(): boolean {
    return this.code === 0 && this.position === this.end;
  }

  /**
   * Decodes until `count` bytes are out (more only as far as the last match goes beyond, which is an error)
   * or, where allowed, an end marker.
   *
   * @returns whether the end marker came
   */
  decode(count: number, endMarkerAllowed: boolean): boolean {
    const { output } = this;
    const target = output.length + count;
    while (output.length < target) {
      const positionState = output.length & this.pbMask;
      if (this.bit(this.isMatch, (this.state << 4) + positionState) === 0) {
        this.literal();
        continue;
      }
      let length: number;
      if (this.bit(this.isRep, this.state) === 0) {
        this.rep3 = this.rep2;
        this.rep2 = this.rep1;
        this.rep1 = this.rep0;
        length = this.length(this.matchLength, positionState);
        this.state = this.state < 7 ? 7 : 10;
        this.rep0 = this.distance(length);
        if (this.rep0 === END_MARKER) {
          if (!endMarkerAllowed) throw new DecompressError("an end marker is where none may be");
          this.normalize();
          return true;
        }
      } else {
        if (output.length === this.dictionaryStart) throw new DecompressError("a repeated match has nothing before it");
        if (this.bit(this.isRepG0, this.state) === 0) {
          if (this.bit(this.isRep0Long, (this.state << 4) + positionState) === 0) {
            this.state = this.state < 7 ? 9 : 11;
            output.copyBack(this.rep0 + 1, 1, this.dictionaryStart);
            continue;
          }
        } else {
          let distance: number;
          if (this.bit(this.isRepG1, this.state) === 0) {
            distance = this.rep1;
          } else {
            if (this.bit(this.isRepG2, this.state) === 0) {
              distance = this.rep2;
            } else {
              distance = this.rep3;
              this.rep3 = this.rep2;
            }
            this.rep2 = this.rep1;
          }
          this.rep1 = this.rep0;
          this.rep0 = distance;
        }
        length = this.length(this.repLength, positionState);
        this.state = this.state < 7 ? 8 : 11;
      }
      length += MATCH_MIN;
      if (output.length + length > target) throw new DecompressError("a match runs over the end of its chunk");
      output.copyBack(this.rep0 + 1, length, this.dictionaryStart);
    }
    this.normalize();
    return false;
  }

  private literal(): void {
    const { output } = this;
    output.reserve(1);
    const bytes = output.bytes;
    const at = output.length;
    const previous = at > this.dictionaryStart ? bytes[at - 1] : 0;
    const base = 0x300 * (((at & this.lpMask) << this.lc) + (previous >> (8 - this.lc)));
    let symbol = 1;
    if (this.state >= 7) {
      if (this.rep0 + 1 > at - this.dictionaryStart) throw new DecompressError("a match points before the data");
      let matched = bytes[at - this.rep0 - 1];
      do {
        const matchBit = (matched >> 7) & 1;
        matched <<= 1;
        const bit = this.bit(this.literals, base + ((1 + matchBit) << 8) + symbol);
        symbol = (symbol << 1) | bit;
        if (matchBit !== bit) break;
      } while (symbol < 0x100);
    }
    symbol = this.walk(this.literals, base, symbol, 0x100);
    bytes[at] = symbol;
    output.length = at + 1;
    this.state = this.state < 4 ? 0 : this.state < 10 ? this.state - 3 : this.state - 6;
  }

  private length(probs: Uint16Array, positionState: number): number {
    if (this.bit(probs, 0) === 0) return this.tree(probs, LENGTH_LOW + (positionState << 3), 3);
    if (this.bit(probs, 1) === 0) return 8 + this.tree(probs, LENGTH_MID + (positionState << 3), 3);
    return 16 + this.tree(probs, LENGTH_HIGH, 8);
  }

  private distance(length: number): number {
    const slot = this.tree(this.slots, Math.min(length, 3) << 6, 6);
    if (slot < FIRST_DISTANCE_MODEL) return slot;
    const bits = (slot >> 1) - 1;
    const base = ((2 | (slot & 1)) << bits) >>> 0;
    if (slot < END_DISTANCE_MODEL) return base + this.reverseTree(this.special, base - slot, bits);
    return base + this.directBits(bits - ALIGN_BITS) * 16 + this.reverseTree(this.align, 0, ALIGN_BITS);
  }

  private tree(probs: Uint16Array, base: number, bits: number): number {
    const size = 1 << bits;
    return this.walk(probs, base, 1, size) - size;
  }

  /** Goes down a tree of bits until `symbol` has grown to `end`: `bit` in a loop, with the range coder in locals. */
  private walk(probs: Uint16Array, base: number, from: number, end: number): number {
    const { input } = this;
    let { range, code, position } = this;
    let symbol = from;
    while (symbol < end) {
      if (range < TOP) {
        if (position >= this.end) throw new DecompressError("the LZMA data ends too early");
        range = (range << 8) >>> 0;
        code = ((code << 8) | input[position++]) >>> 0;
      }
      const index = base + symbol;
      const prob = probs[index];
      const bound = (range >>> PROB_BITS) * prob;
      if (code < bound) {
        range = bound;
        probs[index] = prob + (((1 << PROB_BITS) - prob) >> MOVE_BITS);
        symbol <<= 1;
      } else {
        range -= bound;
        code -= bound;
        probs[index] = prob - (prob >> MOVE_BITS);
        symbol = (symbol << 1) | 1;
      }
    }
    this.range = range;
    this.code = code;
    this.position = position;
    return symbol;
  }

  private reverseTree(probs: Uint16Array, base: number, bits: number): number {
    let node = 1;
    let symbol = 0;
    for (let index = 0; index < bits; index++) {
      const bit = this.bit(probs, base + node);
      node = (node << 1) | bit;
      symbol |= bit << index;
    }
    return symbol;
  }

  private normalize(): void {
    if (this.range >= TOP) return;
    if (this.position >= this.end) throw new DecompressError("the LZMA data ends too early");
    this.range = (this.range << 8) >>> 0;
    this.code = ((this.code << 8) | this.input[this.position++]) >>> 0;
  }

  private bit(probs: Uint16Array, index: number): 0 | 1 {
    this.normalize();
    const prob = probs[index];
    const bound = (this.range >>> PROB_BITS) * prob;
    if (this.code < bound) {
      this.range = bound;
      probs[index] = prob + (((1 << PROB_BITS) - prob) >> MOVE_BITS);
      return 0;
    }
    this.range -= bound;
    this.code -= bound;
    probs[index] = prob - (prob >> MOVE_BITS);
    return 1;
  }

  /** Bits without a model. */
  private directBits(count: number): number {
    let { range, code, position } = this;
    let value = 0;
    for (let left = count; left > 0; left--) {
      if (range < TOP) {
        if (position >= this.end) throw new DecompressError("the LZMA data ends too early");
        range = (range << 8) >>> 0;
        code = ((code << 8) | this.input[position++]) >>> 0;
      }
      range >>>= 1;
      if (code >= range) {
        code -= range;
        value = (value << 1) | 1;
      } else {
        value <<= 1;
      }
    }
    this.range = range;
    this.code = code;
    this.position = position;
    return value;
  }
}
