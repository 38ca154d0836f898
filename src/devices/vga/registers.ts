/**
 * The register files of a VGA, ports 0x3b0 to 0x3df: miscellaneous, sequencer, CRT controller, graphics controller,
 * attribute controller, palette. IBM PS/2 Hardware Interface Technical Reference, "Video subsystem".
 */
import type { DeviceClock } from "../device.js";
import { byte, flag, integer, list, object, type StateOf } from "../state-shape.js";

/** Bits that a register keeps, by index. */
const SEQUENCER_BITS = [0x03, 0x3d, 0x0f, 0x3f, 0x0e];
const GRAPHICS_BITS = [0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff];
const ATTRIBUTE_BITS = [...new Array(16).fill(0x3f), 0xef, 0xff, 0x3f, 0x0f, 0x0f];
const CRTC_REGISTERS = 25;
const PALETTE_BYTES = 768;

// Sequencer.
export const SR_MAP_MASK = 2;
export const SR_MEMORY_MODE = 4;
export const MEMORY_NOT_ODD_EVEN = 1 << 2;
export const MEMORY_CHAIN4 = 1 << 3;
// Graphics controller.
export const GR_SET_RESET = 0;
export const GR_ENABLE_SET_RESET = 1;
export const GR_COLOR_COMPARE = 2;
export const GR_ROTATE = 3;
export const GR_READ_MAP = 4;
export const GR_MODE = 5;
export const GR_MISC = 6;
export const GR_COLOR_CARE = 7;
export const GR_BIT_MASK = 8;
export const MODE_READ_ODD_EVEN = 1 << 4;
export const MISC_GRAPHICS = 1 << 0;
/** Which part of 0xa0000-0xbffff is answered, and the value for 64 KiB at its start. */
export const MISC_WINDOW = 0x0c;
export const MISC_WINDOW_A0000 = 0x04;
// CRT controller.
export const CR_DISPLAY_END = 0x01;
export const CR_OVERFLOW = 0x07;
export const CR_MAX_SCAN_LINE = 0x09;
export const CR_CURSOR_START = 0x0a;
export const CR_CURSOR_END = 0x0b;
export const CR_START = 0x0c;
export const CR_CURSOR = 0x0e;
const CR_RETRACE_END = 0x11;
export const CR_VERTICAL_END = 0x12;
export const CR_OFFSET = 0x13;
export const CR_UNDERLINE = 0x14;
export const CR_MODE = 0x17;
/** In CR_RETRACE_END: registers 0 to 7 are read-only, but for a bit of the overflow register. */
const CRTC_PROTECTED = 1 << 7;
const OVERFLOW_LINE_COMPARE = 1 << 4;
// Attribute controller.
export const AR_MODE = 0x10;
const ATTRIBUTE_INDEX_BITS = 0x3f;

const MISC_COLOR = 1 << 0;
export const MISC_RAM_ENABLE = 1 << 1;
// Input status 1.
const STATUS_NOT_DISPLAYING = 1 << 0;
const STATUS_RETRACE = 1 << 3;
/** A frame of 449 lines at 70 Hz, 400 of them visible; retrace takes two lines. */
const LINE_NS = 31_778;
const LINES = 449;
const VISIBLE_LINES = 400;
const RETRACE_LINE = 412;
/** The part of a line that shows picture: 640 of 800 pixels. */
const VISIBLE_PART = 0.8;

/** What reads of the DAC's state port tell: who set the index last. */
const DAC_READING = 3;
const DAC_WRITING = 0;

export const REGISTERS_SHAPE = object({
  misc: byte,
  feature: byte,
  sequencerIndex: byte,
  sequencer: list(byte, SEQUENCER_BITS.length),
  crtcIndex: byte,
  crtc: list(byte, CRTC_REGISTERS),
  graphicsIndex: byte,
  graphics: list(byte, GRAPHICS_BITS.length),
  attributeIndex: byte,
  attribute: list(byte, ATTRIBUTE_BITS.length),
  /** The next write to port 0x3c0 is data. */
  attributeData: flag,
  dacMask: byte,
  dacState: byte,
  dacReadIndex: byte,
  dacWriteIndex: byte,
  dacStep: integer(0, 2),
  dacLatch: list(byte, 3),
  palette: list(byte, PALETTE_BYTES),
});
export type RegistersState = StateOf<typeof REGISTERS_SHAPE>;

/** Values of all register files, for a mode that is set from outside. */
export interface ModeRegisters {
  readonly misc: number;
  readonly sequencer: readonly number[];
  readonly crtc: readonly number[];
  readonly graphics: readonly number[];
  readonly attribute: readonly number[];
  readonly palette: Uint8Array;
}

export class VgaRegisters {
  misc = 0;
  readonly sequencer = new Uint8Array(SEQUENCER_BITS.length);
  readonly crtc = new Uint8Array(CRTC_REGISTERS);
  readonly graphics = new Uint8Array(GRAPHICS_BITS.length);
  readonly attribute = new Uint8Array(ATTRIBUTE_BITS.length);
  /** Red, green and blue of each entry. */
  readonly palette = new Uint8Array(PALETTE_BYTES);
  private feature = 0;
  private sequencerIndex = 0;
  private crtcIndex = 0;
  private graphicsIndex = 0;
  private attributeIndex = 0;
  private attributeData = false;
  private dacMask = 0xff;
  private dacState = DAC_WRITING;
  private dacReadIndex = 0;
  private dacWriteIndex = 0;
  private dacStep = 0;
  private readonly dacLatch = new Uint8Array(3);

  /**
   * @param changed registers that decide how memory is reached were written
   * @param wideDac palette entries have 8 bits a colour
   */
  constructor(
    private readonly clock: DeviceClock,
    private readonly changed: () => void,
    private readonly wideDac: () => boolean,
  ) {}

  /** @param port 0x3b0 to 0x3df */
  read(port: number): number {
    const color = this.resolve(port);
    switch (color) {
      case 0x3c0:
        return this.attributeIndex;
      case 0x3c1:
        return this.attribute[this.attributeIndex & 0x1f] ?? 0;
      case 0x3c2:
        // Input status 0: a colour monitor answers to the DAC's comparison.
        return 0x10;
      case 0x3c3:
        return 0x01;
      case 0x3c4:
        return this.sequencerIndex;
      case 0x3c5:
        return this.sequencer[this.sequencerIndex] ?? 0;
      case 0x3c6:
        return this.dacMask;
      case 0x3c7:
        return this.dacState;
      case 0x3c8:
        return this.dacWriteIndex;
      case 0x3c9:
        return this.readPalette();
      case 0x3ca:
        return this.feature;
      case 0x3cc:
        return this.misc;
      case 0x3ce:
        return this.graphicsIndex;
      case 0x3cf:
        return this.graphics[this.graphicsIndex] ?? 0;
      case 0x3d4:
        return this.crtcIndex;
      case 0x3d5:
        return this.crtc[this.crtcIndex] ?? 0;
      case 0x3da:
        this.attributeData = false;
        return this.inputStatus();
      default:
        return 0xff;
    }
  }

  write(port: number, value: number): void {
    const color = this.resolve(port);
    switch (color) {
      case 0x3c0:
        this.writeAttribute(value);
        break;
      case 0x3c2:
        this.misc = value;
        this.changed();
        break;
      case 0x3c4:
        this.sequencerIndex = value & 0x07;
        break;
      case 0x3c5:
        if (this.sequencerIndex < SEQUENCER_BITS.length) {
          this.sequencer[this.sequencerIndex] = value & SEQUENCER_BITS[this.sequencerIndex];
          this.changed();
        }
        break;
      case 0x3c6:
        this.dacMask = value;
        break;
      case 0x3c7:
        this.dacReadIndex = value;
        this.dacStep = 0;
        this.dacState = DAC_READING;
        break;
      case 0x3c8:
        this.dacWriteIndex = value;
        this.dacStep = 0;
        this.dacState = DAC_WRITING;
        break;
      case 0x3c9:
        this.writePalette(value);
        break;
      case 0x3ce:
        this.graphicsIndex = value & 0x0f;
        break;
      case 0x3cf:
        if (this.graphicsIndex < GRAPHICS_BITS.length) {
          this.graphics[this.graphicsIndex] = value & GRAPHICS_BITS[this.graphicsIndex];
          this.changed();
        }
        break;
      case 0x3d4:
        this.crtcIndex = value;
        break;
      case 0x3d5:
        this.writeCrtc(value);
        break;
      case 0x3da:
        this.feature = value & 0x03;
        break;
    }
  }

  setMode({ misc, sequencer, crtc, graphics, attribute, palette }: ModeRegisters): void {
    this.misc = misc;
    this.sequencer.set(sequencer);
    this.crtc.set(crtc);
    this.graphics.set(graphics);
    this.attribute.set(attribute);
    this.palette.set(palette);
    // Bit 5: the palette belongs to the picture, and not to whoever sets it.
    this.attributeIndex = 0x20;
    this.changed();
  }

  save(): RegistersState {
    const { misc, feature, sequencerIndex, crtcIndex, graphicsIndex, attributeIndex, attributeData } = this;
    const { dacMask, dacState, dacReadIndex, dacWriteIndex, dacStep } = this;
    return {
      misc,
      feature,
      sequencerIndex,
      sequencer: [...this.sequencer],
      crtcIndex,
      crtc: [...this.crtc],
      graphicsIndex,
      graphics: [...this.graphics],
      attributeIndex,
      attribute: [...this.attribute],
      attributeData,
      dacMask,
      dacState,
      dacReadIndex,
      dacWriteIndex,
      dacStep,
      dacLatch: [...this.dacLatch],
      palette: [...this.palette],
    };
  }

  /** Takes over a state of the shape. */
  restore({ sequencer, crtc, graphics, attribute, dacLatch, palette, ...plain }: RegistersState): void {
    Object.assign(this, plain);
    this.sequencer.set(sequencer.map((value, index) => value & SEQUENCER_BITS[index]));
    this.crtc.set(crtc);
    this.graphics.set(graphics.map((value, index) => value & GRAPHICS_BITS[index]));
    this.attribute.set(attribute.map((value, index) => value & ATTRIBUTE_BITS[index]));
    this.dacLatch.set(dacLatch);
    this.palette.set(palette);
    this.changed();
  }

  /** A port by its colour name: the CRT controller is at 0x3b4 or 0x3d4, and the other place answers nothing. */
  private resolve(port: number): number {
    const block = port & 0x3f0;
    if (block === 0x3c0) return port;
    const color = (this.misc & MISC_COLOR) !== 0;
    if (color !== (block === 0x3d0)) return 0;
    const low = port & 0x0f;
    // The index and data ports repeat.
    if (low < 8) return 0x3d4 | (low & 1);
    return 0x3d0 | low;
  }

  private writeAttribute(value: number): void {
    if (!this.attributeData) {
      this.attributeIndex = value & ATTRIBUTE_INDEX_BITS;
    } else {
      const index = this.attributeIndex & 0x1f;
      if (index < ATTRIBUTE_BITS.length) this.attribute[index] = value & ATTRIBUTE_BITS[index];
    }
    this.attributeData = !this.attributeData;
  }

  private writeCrtc(value: number): void {
    const index = this.crtcIndex;
    if (index >= CRTC_REGISTERS) return;
    if (index <= CR_OVERFLOW && this.crtc[CR_RETRACE_END] & CRTC_PROTECTED) {
      if (index !== CR_OVERFLOW) return;
      this.crtc[index] = (this.crtc[index] & ~OVERFLOW_LINE_COMPARE) | (value & OVERFLOW_LINE_COMPARE);
      return;
    }
    this.crtc[index] = value;
  }

  private readPalette(): number {
    const value = this.palette[this.dacReadIndex * 3 + this.dacStep];
    if (++this.dacStep === 3) {
      this.dacStep = 0;
      this.dacReadIndex = (this.dacReadIndex + 1) & 0xff;
    }
    return value;
  }

  private writePalette(value: number): void {
    this.dacLatch[this.dacStep] = this.wideDac() ? value : value & 0x3f;
    if (++this.dacStep < 3) return;
    // All three parts take effect at once.
    this.palette.set(this.dacLatch, this.dacWriteIndex * 3);
    this.dacStep = 0;
    this.dacWriteIndex = (this.dacWriteIndex + 1) & 0xff;
  }

  /** Where the beam is: guests wait for it. */
  private inputStatus(): number {
    const position = (this.clock.now() / LINE_NS) % LINES;
    const line = Math.floor(position);
    const visible = line < VISIBLE_LINES && position - line < VISIBLE_PART;
    const retrace = line >= RETRACE_LINE && line < RETRACE_LINE + 2;
    return (visible ? 0 : STATUS_NOT_DISPLAYING) | (retrace ? STATUS_RETRACE : 0);
  }
}
