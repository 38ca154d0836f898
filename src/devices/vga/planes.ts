/**
 * The memory of a VGA as the window at 0xa0000 shows it: four planes with latches, odd/even and chain-4 addressing,
 * write modes 0 to 3 and read modes 0 and 1. IBM PS/2 Hardware Interface Technical Reference, "Video subsystem".
 *
 * The byte of plane p at offset n lies at 4n + p of video memory, so that one 32-bit word holds all four planes.
 */
import type { VideoMemory } from "../../guest-memory/guest-memory.js";
import {
  GR_BIT_MASK,
  GR_COLOR_CARE,
  GR_COLOR_COMPARE,
  GR_ENABLE_SET_RESET,
  GR_MISC,
  GR_MODE,
  GR_READ_MAP,
  GR_ROTATE,
  GR_SET_RESET,
  MEMORY_CHAIN4,
  MEMORY_NOT_ODD_EVEN,
  MISC_RAM_ENABLE,
  MODE_READ_ODD_EVEN,
  SR_MAP_MASK,
  SR_MEMORY_MODE,
  type VgaRegisters,
} from "./registers.js";

/** The parts of the window that GR_MISC bits 3-2 choose: offsets from 0xa0000. */
const WINDOWS = [
  { start: 0, end: 0x20000 },
  { start: 0, end: 0x10000 },
  { start: 0x10000, end: 0x18000 },
  { start: 0x18000, end: 0x20000 },
];
const PLANE_MASK = 0xffff;

/** 0 or 0xff for each of four planes. */
const EXPAND = Int32Array.from({ length: 16 }, (_, bits) =>
  [0, 1, 2, 3].reduce((word, plane) => word | (bits & (1 << plane) ? 0xff << (plane * 8) : 0), 0),
);

const repeat = (value: number) => Math.imul(value, 0x01010101);

/** Address bit 0 chooses the plane; bit 16 comes in its place. */
const oddEven = (at: number) => (at & ~1) | ((at >> 16) & 1);

export class Planes {
  /** What the last read took of all planes. */
  latches = 0;
  private readonly words: Int32Array;
  private start = 0;
  private end = 0;

  /**
   * @param bank what the window begins with, in bytes of a plane
   * @param linear the window shows video memory byte by byte from there
   */
  constructor(
    private readonly memory: VideoMemory,
    private readonly registers: VgaRegisters,
    private readonly bank: () => { offset: number; linear: boolean },
  ) {
    const { bytes } = memory;
    this.words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    this.modeChanged();
  }

  /** The window's registers changed. */
  modeChanged(): void {
    const { graphics, misc } = this.registers;
    const { start, end } = WINDOWS[(graphics[GR_MISC] >> 2) & 3];
    this.start = start;
    this.end = misc & MISC_RAM_ENABLE ? end : start;
  }

  /** @param offset from 0xa0000 */
  read(offset: number): number {
    if (offset < this.start || offset >= this.end) return 0xff;
    const { sequencer, graphics } = this.registers;
    const { offset: bank, linear } = this.bank();
    const at = offset - this.start;
    if (linear) return this.memory.bytes[bank + at] ?? 0xff;
    let plane = graphics[GR_READ_MAP] & 3;
    let byte = at;
    if (sequencer[SR_MEMORY_MODE] & MEMORY_CHAIN4) {
      plane = at & 3;
      byte = at & ~3;
    } else if (graphics[GR_MODE] & MODE_READ_ODD_EVEN) {
      plane = (plane & 2) | (at & 1);
      byte = oddEven(at);
    }
    this.latches = this.words[bank + (byte & PLANE_MASK)] ?? 0;
    if ((graphics[GR_MODE] & 0x08) === 0) return (this.latches >>> (plane * 8)) & 0xff;
    // Read mode 1: a bit for each pixel whose colour is the one to compare with, in the planes that count.
    const differs = (this.latches ^ EXPAND[graphics[GR_COLOR_COMPARE]]) & EXPAND[graphics[GR_COLOR_CARE]];
    return ~(differs | (differs >>> 8) | (differs >>> 16) | (differs >>> 24)) & 0xff;
  }

  write(offset: number, value: number): void {
    if (offset < this.start || offset >= this.end) return;
    const { sequencer } = this.registers;
    const { offset: bank, linear } = this.bank();
    const at = offset - this.start;
    if (linear) {
      if (bank + at < this.memory.bytes.length) {
        this.memory.bytes[bank + at] = value;
        this.memory.written(bank + at, 1);
      }
      return;
    }
    let planes = sequencer[SR_MAP_MASK];
    let byte = at;
    if (sequencer[SR_MEMORY_MODE] & MEMORY_CHAIN4) {
      planes &= 1 << (at & 3);
      byte = at & ~3;
    } else if ((sequencer[SR_MEMORY_MODE] & MEMORY_NOT_ODD_EVEN) === 0) {
      planes &= at & 1 ? 0b1010 : 0b0101;
      byte = oddEven(at);
    }
    const index = bank + (byte & PLANE_MASK);
    if (planes === 0 || index >= this.words.length) return;
    const mask = EXPAND[planes];
    this.words[index] = (this.words[index] & ~mask) | (this.combine(value) & mask);
    this.memory.written(index * 4, 4);
  }

  /** What a write of `value` makes of the four planes. */
  private combine(value: number): number {
    const { graphics } = this.registers;
    const rotation = graphics[GR_ROTATE] & 7;
    const rotated = ((value >> rotation) | (value << (8 - rotation))) & 0xff;
    let bitMask = graphics[GR_BIT_MASK];
    let data: number;
    switch (graphics[GR_MODE] & 3) {
      case 0: {
        const fixed = EXPAND[graphics[GR_ENABLE_SET_RESET]];
        data = (repeat(rotated) & ~fixed) | (EXPAND[graphics[GR_SET_RESET]] & fixed);
        break;
      }
      case 1:
        return this.latches;
      case 2:
        data = EXPAND[value & 0x0f];
        break;
      default:
        bitMask &= rotated;
        data = EXPAND[graphics[GR_SET_RESET]];
    }
    switch ((graphics[GR_ROTATE] >> 3) & 3) {
      case 1:
        data &= this.latches;
        break;
      case 2:
        data |= this.latches;
        break;
      case 3:
        data ^= this.latches;
        break;
    }
    const mask = repeat(bitMask);
    return (data & mask) | (this.latches & ~mask);
  }
}
