/**
 * A PS/2 keyboard: the commands that drivers send, and its scan codes. IBM PS/2 Hardware Interface Technical
 * Reference, "Keyboard"; scan code sets 1 and 2 (3 is accepted as a choice and reported back, its codes are set 2's).
 */
import { byte, flag, integer, list, literal, object, type StateOf } from "../state-shape.js";

const ACKNOWLEDGE = 0xfa;
const RESEND = 0xfe;
const SELF_TEST_PASSED = 0xaa;
const ECHO = 0xee;
const IDENTITY = [0xab, 0x83];
const OVERRUN = 0x00;

const SET_LEDS = 0xed;
const SCAN_CODE_SET = 0xf0;
const IDENTIFY = 0xf2;
const SET_RATE = 0xf3;
const ENABLE = 0xf4;
const DISABLE = 0xf5;
const SET_DEFAULTS = 0xf6;
const RESET = 0xff;

const DEFAULT_RATE = 0x2b;
/** Bytes that wait for the host; a real keyboard has 16. Answers to commands find room behind them. */
const BUFFER = 16;
const BUFFER_WITH_ANSWERS = 24;

export const KEYBOARD_SHAPE = object({
  version: literal(1),
  queue: list(byte, 0, BUFFER_WITH_ANSWERS),
  enabled: flag,
  leds: integer(0, 7),
  rate: byte,
  set: integer(0, 3),
  command: byte,
  last: byte,
});
export type KeyboardState = StateOf<typeof KEYBOARD_SHAPE>;

export class Keyboard {
  private queue: number[] = [];
  private enabled = true;
  private leds = 0;
  private rate = DEFAULT_RATE;
  private set = 2;
  /** The command whose parameter comes next; 0 for none. */
  private command = 0;
  private last = 0;

  /** Caps, num and scroll lock lights: bits 2, 1, 0. */
  get lights(): number {
    return this.leds;
  }

  /** Scan codes of set 2, as pressing or releasing a key makes them. */
  type(codes: readonly number[]): void {
    if (!this.enabled) return;
    // A sequence that does not fit is replaced by one overrun code, so that no half of it is seen.
    if (this.queue.length + codes.length <= BUFFER) this.queue.push(...codes.map((code) => code & 0xff));
    else if (this.queue.length < BUFFER) this.queue.push(OVERRUN);
  }

  /** The next byte for the host, or null. */
  take(): number | null {
    const value = this.queue.shift();
    if (value === undefined) return null;
    this.last = value;
    return value;
  }

  get waiting(): boolean {
    return this.queue.length > 0;
  }

  /** A byte from the host: a command or its parameter. */
  receive(value: number): void {
    if (this.command !== 0 && value < SET_LEDS) {
      const { command } = this;
      this.command = 0;
      this.parameter(command, value);
      return;
    }
    this.command = 0;
    switch (value) {
      case SET_LEDS:
      case SCAN_CODE_SET:
      case SET_RATE:
        this.command = value;
        this.answer(ACKNOWLEDGE);
        break;
      case ECHO:
        this.answer(ECHO);
        break;
      case IDENTIFY:
        this.answer(ACKNOWLEDGE, ...IDENTITY);
        break;
      case ENABLE:
        this.enabled = true;
        this.queue = [];
        this.answer(ACKNOWLEDGE);
        break;
      case DISABLE:
      case SET_DEFAULTS:
        this.setDefaults();
        this.enabled = value === SET_DEFAULTS;
        this.answer(ACKNOWLEDGE);
        break;
      case RESEND:
        this.queue.unshift(this.last);
        break;
      case RESET:
        this.setDefaults();
        this.answer(ACKNOWLEDGE, SELF_TEST_PASSED);
        break;
      default:
        // Set 3's key settings are not supported: a keyboard asks for what it does not know again.
        this.answer(RESEND);
    }
  }

  save(): KeyboardState {
    const { queue, enabled, leds, rate, set, command, last } = this;
    return { version: 1, queue: [...queue], enabled, leds, rate, set, command, last };
  }

  /** Takes over a state of the shape. */
  restore({ version: _, ...state }: KeyboardState): void {
    Object.assign(this, state);
  }

  private parameter(command: number, value: number): void {
    if (command === SET_LEDS) {
      this.leds = value & 7;
      this.answer(ACKNOWLEDGE);
    } else if (command === SET_RATE) {
      this.rate = value & 0x7f;
      this.answer(ACKNOWLEDGE);
    } else if (value === 0) {
      this.answer(ACKNOWLEDGE, this.set);
    } else if (value <= 3) {
      this.set = value;
      this.answer(ACKNOWLEDGE);
    } else {
      this.answer(RESEND);
    }
  }

  private setDefaults(): void {
    this.queue = [];
    this.enabled = true;
    this.leds = 0;
    this.rate = DEFAULT_RATE;
    this.set = 2;
  }

  private answer(...bytes: number[]): void {
    if (this.queue.length + bytes.length <= BUFFER_WITH_ANSWERS) this.queue.push(...bytes);
  }
}
