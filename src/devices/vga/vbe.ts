/**
 * The Bochs VBE extensions ("dispi"): linear modes of any size up to the video memory's, set by 16-bit registers at
 * ports 0x1ce (index) and 0x1cf or 0x1d0 (data). Bochs, "VBE display API"; version 0xb0c5.
 */
import { list, object, type StateOf, word } from "../state-shape.js";

const ID = 0;
const XRES = 1;
const YRES = 2;
const BPP = 3;
const ENABLE = 4;
const BANK = 5;
const VIRT_WIDTH = 6;
const VIRT_HEIGHT = 7;
const X_OFFSET = 8;
const Y_OFFSET = 9;
const VIDEO_MEMORY_64K = 10;
const REGISTERS = 10;

const FIRST_ID = 0xb0c0;
const LAST_ID = 0xb0c5;

const ENABLED = 1 << 0;
const GET_CAPABILITIES = 1 << 1;
const DAC_8BIT = 1 << 5;
const NO_CLEAR = 1 << 7;
/** ENABLED, GET_CAPABILITIES, DAC_8BIT, LFB, NO_CLEAR. */
const ENABLE_BITS = 0xe3;

const MAX_WIDTH = 2560;
const MAX_HEIGHT = 1600;
const MAX_BPP = 32;
const DEPTHS = [4, 8, 15, 16, 24, 32];
const BANK_BYTES = 0x10000;

export const VBE_SHAPE = object({ index: word, registers: list(word, REGISTERS) });
export type VbeState = StateOf<typeof VBE_SHAPE>;

export interface VbeOptions {
  /** Bytes of video memory. */
  memorySize: number;
  /** A mode was switched on without NO_CLEAR: this many bytes from the start of video memory become 0. */
  clear(size: number): void;
  /** Another mode, or none. */
  changed(): void;
}

export class Vbe {
  private index = 0;
  private readonly registers = new Uint16Array(REGISTERS);

  constructor(private readonly options: VbeOptions) {
    this.registers[ID] = LAST_ID;
  }

  get enabled(): boolean {
    return (this.registers[ENABLE] & ENABLED) !== 0;
  }

  get width(): number {
    return this.registers[XRES];
  }

  get height(): number {
    return this.registers[YRES];
  }

  get bitsPerPixel(): number {
    return this.registers[BPP];
  }

  /** Entries of the palette have 8 bits a colour and not 6. */
  get wideDac(): boolean {
    return (this.registers[ENABLE] & DAC_8BIT) !== 0;
  }

  /** What the window at 0xa0000 begins with: bytes of video memory, or of each plane with 4 bits a pixel. */
  get bankOffset(): number {
    return this.registers[BANK] * BANK_BYTES;
  }

  readIndex(): number {
    return this.index;
  }

  writeIndex(value: number): void {
    this.index = value;
  }

  readData(): number {
    return this.read(this.index);
  }

  writeData(value: number): void {
    this.write(this.index, value);
  }

  /** Register `index`; those that are not there read as 0. */
  read(index: number): number {
    if (this.registers[ENABLE] & GET_CAPABILITIES) {
      if (index === XRES) return MAX_WIDTH;
      if (index === YRES) return MAX_HEIGHT;
      if (index === BPP) return MAX_BPP;
    }
    if (index === VIDEO_MEMORY_64K) return this.options.memorySize / BANK_BYTES;
    return this.registers[index] ?? 0;
  }

  write(index: number, value: number): void {
    const { registers } = this;
    switch (index) {
      case ID:
        if (value >= FIRST_ID && value <= LAST_ID) registers[ID] = value;
        break;
      case ENABLE:
        this.enable(value & ENABLE_BITS);
        break;
      case BANK: {
        const banks = this.options.memorySize / BANK_BYTES / (this.bitsPerPixel === 4 ? 4 : 1);
        registers[BANK] = value & (banks - 1);
        break;
      }
      case VIRT_HEIGHT:
        // Follows from the width and the memory.
        break;
      case XRES:
      case YRES:
      case BPP:
      case VIRT_WIDTH:
      case X_OFFSET:
      case Y_OFFSET:
        registers[index] = value;
        if (this.enabled) {
          this.fit();
          this.options.changed();
        }
        break;
    }
  }

  save(): VbeState {
    return { index: this.index, registers: [...this.registers] };
  }

  /** Takes over a state of the shape; what no write can have left is fitted. */
  restore({ index, registers }: VbeState): void {
    this.index = index;
    this.registers.set(registers);
    this.registers[ENABLE] &= ENABLE_BITS;
    if (!(this.registers[ID] >= FIRST_ID && this.registers[ID] <= LAST_ID)) this.registers[ID] = LAST_ID;
    this.registers[BANK] &= this.options.memorySize / BANK_BYTES - 1;
    if (this.enabled) this.fit();
  }

  private enable(value: number): void {
    const { registers } = this;
    const before = registers[ENABLE];
    registers[ENABLE] = value;
    if (value & ENABLED && !(before & ENABLED)) {
      registers[VIRT_WIDTH] = registers[XRES];
      registers[X_OFFSET] = 0;
      registers[Y_OFFSET] = 0;
      registers[BANK] = 0;
      this.fit();
      if (!(value & NO_CLEAR)) this.options.clear(this.lineBytes * registers[YRES]);
    } else if (value & ENABLED) {
      this.fit();
    } else {
      registers[BANK] = 0;
    }
    this.options.changed();
  }

  /** Bytes of a line in video memory, all planes together. */
  private get lineBytes(): number {
    const { registers } = this;
    return Math.max(1, Math.floor((registers[VIRT_WIDTH] * (registers[BPP] === 15 ? 16 : registers[BPP])) / 8));
  }

  /** Makes the registers a mode that the memory holds. */
  private fit(): void {
    const { registers } = this;
    const { memorySize } = this.options;
    if (!DEPTHS.includes(registers[BPP])) registers[BPP] = 8;
    const clamp = (value: number, max: number) => Math.min(Math.max(value, 8), max);
    registers[XRES] = clamp(registers[XRES] & ~7, MAX_WIDTH);
    registers[YRES] = clamp(registers[YRES], MAX_HEIGHT);
    registers[VIRT_WIDTH] = Math.max(registers[VIRT_WIDTH] & ~7, registers[XRES]);
    if (this.lineBytes * registers[YRES] > memorySize) registers[VIRT_WIDTH] = registers[XRES];
    const lines = Math.floor(memorySize / this.lineBytes);
    registers[VIRT_HEIGHT] = Math.min(lines, 0xffff);
    registers[YRES] = Math.min(registers[YRES], lines);
    registers[X_OFFSET] = Math.min(registers[X_OFFSET], registers[VIRT_WIDTH] - registers[XRES]);
    registers[Y_OFFSET] = Math.min(registers[Y_OFFSET], lines - registers[YRES]);
  }
}
