/** One 8259A interrupt controller. Intel 8259A data sheet (231468). Two of them make the PC's {@link Pic}. */
import { byte, flag, integer, list, literal, object, type StateOf } from "../state-shape.js";

const ICW1 = 1 << 4;
const ICW1_NEEDS_ICW4 = 1 << 0;
const ICW1_SINGLE = 1 << 1;
const ICW4_AUTO_EOI = 1 << 1;
const ICW4_SPECIAL_FULLY_NESTED = 1 << 4;
const OCW3 = 1 << 3;
const OCW3_READ_REGISTER = 1 << 1;
const OCW3_READ_ISR = 1 << 0;
const OCW3_POLL = 1 << 2;
const OCW3_SET_SPECIAL_MASK = 1 << 6;
const OCW3_SPECIAL_MASK = 1 << 5;

/** OCW2 commands: bits 7-5. */
const ROTATE_AUTO_EOI_CLEAR = 0;
const EOI = 1;
const SPECIFIC_EOI = 3;
const ROTATE_AUTO_EOI_SET = 4;
const ROTATE_EOI = 5;
const SET_PRIORITY = 6;
const ROTATE_SPECIFIC_EOI = 7;

/** What a chip reports when its request went away before the acknowledge. */
const SPURIOUS = 7;

export const I8259_SHAPE = object({
  version: literal(1),
  request: byte,
  service: byte,
  mask: byte,
  /** Input levels, as last seen. */
  lines: byte,
  /** ELCR: inputs that are level-triggered. */
  levelTriggered: byte,
  vectorBase: byte,
  /** The next ICW that the odd port expects: 2, 3, 4; 0 outside of an initialization. */
  expects: literal(0, 2, 3, 4),
  single: flag,
  needsIcw4: flag,
  autoEoi: flag,
  rotateOnAutoEoi: flag,
  specialFullyNested: flag,
  specialMask: flag,
  readService: flag,
  poll: flag,
  /** The input with the lowest priority; the next one has the highest. */
  lowest: integer(0, 7),
});

export const I8259_PAIR = list(I8259_SHAPE, 2);
export type I8259State = StateOf<typeof I8259_SHAPE>;

export class I8259 {
  state: I8259State = {
    version: 1,
    request: 0,
    service: 0,
    mask: 0,
    lines: 0,
    levelTriggered: 0,
    vectorBase: 0,
    expects: 0,
    single: false,
    needsIcw4: false,
    autoEoi: false,
    rotateOnAutoEoi: false,
    specialFullyNested: false,
    specialMask: false,
    readService: false,
    poll: false,
    lowest: 7,
  };

  /** @param cascadeInput the input of a master that a slave is on, or -1 */
  constructor(private readonly cascadeInput: number) {}

  setLine(input: number, level: boolean): void {
    const state = this.state;
    const bit = 1 << input;
    if (state.levelTriggered & bit) {
      if (level) state.request |= bit;
      else state.request &= ~bit;
    } else if (level && (state.lines & bit) === 0) {
      state.request |= bit;
    }
    if (level) state.lines |= bit;
    else state.lines &= ~bit;
  }

  setLevelTriggered(inputs: number): void {
    const state = this.state;
    state.levelTriggered = inputs;
    state.request = (state.request & ~inputs) | (state.lines & inputs);
  }

  /** The input that is to be served now, or -1: the highest request above everything in service. */
  pending(): number {
    const { request, mask, lowest, specialMask, specialFullyNested, service } = this.state;
    const requests = request & ~mask;
    if (requests === 0) return -1;
    // In special mask mode a masked level in service holds nobody back; in special fully nested mode the slave does not.
    let blocking = specialMask ? service & ~mask : service;
    if (specialFullyNested && this.cascadeInput >= 0) blocking &= ~(1 << this.cascadeInput);
    for (let step = 1; step <= 8; step++) {
      const input = (lowest + step) & 7;
      const bit = 1 << input;
      if (blocking & bit) {
        if (specialMask) continue;
        return -1;
      }
      if (requests & bit) return input;
    }
    return -1;
  }

  /** The acknowledge cycle: puts the pending input into service. Returns it, or -1 for a spurious interrupt. */
  acknowledge(): number {
    const input = this.pending();
    if (input < 0) return -1;
    const state = this.state;
    const bit = 1 << input;
    if (state.autoEoi) {
      if (state.rotateOnAutoEoi) state.lowest = input;
    } else {
      state.service |= bit;
    }
    if ((state.levelTriggered & bit) === 0) state.request &= ~bit;
    return input;
  }

  vector(input: number): number {
    return this.state.vectorBase | (input < 0 ? SPURIOUS : input);
  }

  read(offset: number): number {
    const state = this.state;
    if (state.poll) {
      state.poll = false;
      const input = this.acknowledge();
      return input < 0 ? SPURIOUS : 0x80 | input;
    }
    if (offset === 1) return state.mask;
    return state.readService ? state.service : state.request;
  }

  write(offset: number, value: number): void {
    if (offset === 1) this.writeData(value);
    else if (value & ICW1) this.initialize(value);
    else if (value & OCW3) this.writeOcw3(value);
    else this.writeOcw2(value >>> 5, value & 7);
  }

  private initialize(icw1: number): void {
    const state = this.state;
    // Bit 3, level triggering of all inputs, is the ELCR's business on a PC.
    state.request = state.lines & state.levelTriggered;
    state.service = 0;
    state.mask = 0;
    state.lowest = 7;
    state.autoEoi = false;
    state.rotateOnAutoEoi = false;
    state.specialFullyNested = false;
    state.specialMask = false;
    state.readService = false;
    state.poll = false;
    state.single = (icw1 & ICW1_SINGLE) !== 0;
    state.needsIcw4 = (icw1 & ICW1_NEEDS_ICW4) !== 0;
    state.expects = 2;
  }

  private writeData(value: number): void {
    const state = this.state;
    switch (state.expects) {
      case 0:
        state.mask = value;
        break;
      case 2:
        state.vectorBase = value & 0xf8;
        state.expects = state.single ? (state.needsIcw4 ? 4 : 0) : 3;
        break;
      case 3:
        // Which input the slave is on is wired on the board; ICW3 can only repeat it.
        state.expects = state.needsIcw4 ? 4 : 0;
        break;
      case 4:
        state.autoEoi = (value & ICW4_AUTO_EOI) !== 0;
        state.specialFullyNested = (value & ICW4_SPECIAL_FULLY_NESTED) !== 0;
        state.expects = 0;
        break;
    }
  }

  private writeOcw2(command: number, level: number): void {
    const state = this.state;
    switch (command) {
      case ROTATE_AUTO_EOI_CLEAR:
      case ROTATE_AUTO_EOI_SET:
        state.rotateOnAutoEoi = command === ROTATE_AUTO_EOI_SET;
        break;
      case EOI:
      case ROTATE_EOI: {
        const input = this.highestInService();
        if (input < 0) break;
        state.service &= ~(1 << input);
        if (command === ROTATE_EOI) state.lowest = input;
        break;
      }
      case SPECIFIC_EOI:
      case ROTATE_SPECIFIC_EOI:
        state.service &= ~(1 << level);
        if (command === ROTATE_SPECIFIC_EOI) state.lowest = level;
        break;
      case SET_PRIORITY:
        state.lowest = level;
        break;
    }
  }

  private writeOcw3(value: number): void {
    const state = this.state;
    if (value & OCW3_POLL) state.poll = true;
    if (value & OCW3_READ_REGISTER) state.readService = (value & OCW3_READ_ISR) !== 0;
    if (value & OCW3_SET_SPECIAL_MASK) state.specialMask = (value & OCW3_SPECIAL_MASK) !== 0;
  }

  /** What an unspecific EOI ends. In special mask mode masked levels are not touched by it. */
  private highestInService(): number {
    const { service, mask, specialMask, lowest } = this.state;
    const candidates = specialMask ? service & ~mask : service;
    for (let step = 1; step <= 8; step++) {
      const input = (lowest + step) & 7;
      if (candidates & (1 << input)) return input;
    }
    return -1;
  }
}
