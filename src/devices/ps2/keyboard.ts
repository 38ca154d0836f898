/**
 * A PS/2 keyboard: the commands that drivers send, and its scan codes. IBM PS/2 Hardware Interface Technical
 * Reference, "Keyboard"; scan code sets 1 and 2 (3 is accepted as a choice and reported back, its codes are set 2's).
 */
import type { ClockTimer, DeviceClock } from "../device.js";
import { byte, finite, flag, integer, list, literal, nullable, object, type StateOf } from "../state-shape.js";
import { translate } from "./scan-codes.js";

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
const RELEASE = 0xf0;
const EXTENDED = 0xe0;
/** Bytes that wait for the host; a real keyboard has 16. Answers to commands find room behind them. */
const BUFFER = 16;
const BUFFER_WITH_ANSWERS = 24;

export const KEYBOARD_SHAPE = object({
  version: literal(2),
  queue: list(byte, 0, BUFFER_WITH_ANSWERS),
  enabled: flag,
  leds: integer(0, 7),
  rate: byte,
  set: integer(0, 3),
  command: byte,
  last: byte,
  /** The make code of the key that is held and repeats; empty for none. */
  held: list(byte, 0, 2),
  repeatAt: nullable(finite),
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
  private held: readonly number[] = [];
  private repeatAt: number | null = null;
  private readonly timer: ClockTimer;

  /** @param arrived codes have come by themselves: a key that is held repeats */
  constructor(
    private readonly clock: DeviceClock,
    arrived: () => void,
  ) {
    this.timer = clock.timer(() => {
      this.type(this.held);
      this.armRepeat(this.period);
      arrived();
    });
  }

  /** Caps, num and scroll lock lights: bits 2, 1, 0. */
  get lights(): number {
    return this.leds;
  }

  /** Presses a key by its make code of set 2. It repeats until it is released or another one is pressed. */
  press(make: readonly number[]): void {
    this.type(make);
    this.held = [...make];
    this.armRepeat((((this.rate >> 5) & 3) + 1) * 250e6);
  }

  release(make: readonly number[]): void {
    if (this.held.join() === make.join()) this.letGo();
    this.type(releaseCodes(make));
  }

  /** Scan codes of set 2, as pressing and releasing keys makes them. */
  type(set2: readonly number[]): void {
    if (!this.enabled) return;
    const codes = this.set === 1 ? toSet1(set2) : set2;
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
    const { queue, enabled, leds, rate, set, command, last, held, repeatAt } = this;
    return { version: 2, queue: [...queue], enabled, leds, rate, set, command, last, held: [...held], repeatAt };
  }

  /** Takes over a state of the shape. */
  restore({ version: _, ...state }: KeyboardState): void {
    Object.assign(this, state);
    if (state.repeatAt === null) this.timer.cancel();
    else this.timer.arm(state.repeatAt);
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

  /** Time between two repetitions in ns: 33 ms to half a second, by bits 0-4 of the rate. */
  private get period(): number {
    return (8 + (this.rate & 7)) * 2 ** ((this.rate >> 3) & 3) * 4.17e6;
  }

  private armRepeat(delay: number): void {
    this.repeatAt = this.clock.now() + delay;
    this.timer.arm(this.repeatAt);
  }

  private letGo(): void {
    this.held = [];
    this.repeatAt = null;
    this.timer.cancel();
  }

  private setDefaults(): void {
    this.letGo();
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

/** What the release of a key sends, by its make code. */
export function releaseCodes(make: readonly number[]): number[] {
  return make[0] === EXTENDED ? [EXTENDED, RELEASE, ...make.slice(1)] : [RELEASE, ...make];
}

function toSet1(codes: readonly number[]): number[] {
  const result: number[] = [];
  let released = false;
  for (const each of codes) {
    const { code, released: next } = translate(each, released);
    released = next;
    if (code !== null) result.push(code);
  }
  return result;
}
