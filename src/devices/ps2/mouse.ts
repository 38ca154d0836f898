/** A PS/2 mouse with three buttons, in stream mode. IBM PS/2 Hardware Interface Technical Reference, "Mouse". */
import { byte, flag, integer, list, literal, object, type StateOf } from "../state-shape.js";

const ACKNOWLEDGE = 0xfa;
const ERROR = 0xfc;
const SELF_TEST_PASSED = 0xaa;
/** A mouse without wheel. */
const DEVICE_ID = 0x00;

const SET_SCALING_1 = 0xe6;
const SET_SCALING_2 = 0xe7;
const SET_RESOLUTION = 0xe8;
const STATUS_REQUEST = 0xe9;
const SET_STREAM_MODE = 0xea;
const READ_DATA = 0xeb;
const RESET_WRAP_MODE = 0xec;
const SET_WRAP_MODE = 0xee;
const SET_REMOTE_MODE = 0xf0;
const IDENTIFY = 0xf2;
const SET_SAMPLE_RATE = 0xf3;
const ENABLE = 0xf4;
const DISABLE = 0xf5;
const SET_DEFAULTS = 0xf6;
const RESEND = 0xfe;
const RESET = 0xff;

const STATUS_SCALING = 1 << 4;
const STATUS_ENABLED = 1 << 5;
const STATUS_REMOTE = 1 << 6;

const PACKET_ALWAYS = 1 << 3;
const PACKET_X_SIGN = 1 << 4;
const PACKET_Y_SIGN = 1 << 5;

const DEFAULT_RATE = 100;
const DEFAULT_RESOLUTION = 2;
/** Packets wait until the host has read the ones before; movement adds up meanwhile. */
const BUFFER = 16;
/** Movement that one packet can hold. */
const MAX_MOVE = 255;
/** What adds up while nobody reads. */
const MAX_PENDING = 0xffff;

const buttons = integer(0, 7);
const movement = integer(-MAX_PENDING, MAX_PENDING);

export const MOUSE_SHAPE = object({
  version: literal(1),
  queue: list(byte, 0, BUFFER),
  last: list(byte, 0, BUFFER),
  enabled: flag,
  remote: flag,
  wrap: flag,
  scaling: flag,
  resolution: integer(0, 3),
  rate: byte,
  command: byte,
  buttons,
  reported: buttons,
  x: movement,
  y: movement,
});
export type MouseState = StateOf<typeof MOUSE_SHAPE>;

export class Mouse {
  private queue: number[] = [];
  private enabled = false;
  private remote = false;
  private wrap = false;
  private scaling = false;
  private resolution = DEFAULT_RESOLUTION;
  private rate = DEFAULT_RATE;
  private command = 0;
  private buttons = 0;
  private reported = 0;
  private x = 0;
  private y = 0;
  private last: number[] = [];

  /**
   * The mouse moved, or a button changed.
   *
   * @param dx to the right
   * @param dy upwards
   * @param buttons bits 0-2: left, right, middle
   */
  move(dx: number, dy: number, buttons: number): void {
    this.x = clamp(this.x + Math.trunc(dx), MAX_PENDING);
    this.y = clamp(this.y + Math.trunc(dy), MAX_PENDING);
    this.buttons = buttons & 7;
    this.stream();
  }

  take(): number | null {
    const value = this.queue.shift();
    if (this.queue.length === 0) this.stream();
    return value ?? null;
  }

  get waiting(): boolean {
    return this.queue.length > 0;
  }

  receive(value: number): void {
    if (this.wrap && value !== RESET && value !== RESET_WRAP_MODE) {
      this.answer(value);
      return;
    }
    if (this.command !== 0) {
      const { command } = this;
      this.command = 0;
      if (command === SET_RESOLUTION) this.resolution = value & 3;
      else this.rate = value;
      this.answer(ACKNOWLEDGE);
      return;
    }
    switch (value) {
      case SET_SCALING_1:
      case SET_SCALING_2:
        this.scaling = value === SET_SCALING_2;
        this.answer(ACKNOWLEDGE);
        break;
      case SET_RESOLUTION:
      case SET_SAMPLE_RATE:
        this.command = value;
        this.answer(ACKNOWLEDGE);
        break;
      case STATUS_REQUEST: {
        // The status has the buttons the other way round than a packet: left is bit 2.
        const buttons = ((this.buttons & 1) << 2) | ((this.buttons & 4) >> 1) | ((this.buttons & 2) >> 1);
        const modes =
          (this.scaling ? STATUS_SCALING : 0) | (this.enabled ? STATUS_ENABLED : 0) | (this.remote ? STATUS_REMOTE : 0);
        this.answer(ACKNOWLEDGE, buttons | modes, this.resolution, this.rate);
        break;
      }
      case SET_STREAM_MODE:
      case SET_REMOTE_MODE:
        this.remote = value === SET_REMOTE_MODE;
        this.forget();
        this.answer(ACKNOWLEDGE);
        break;
      case READ_DATA:
        this.answer(ACKNOWLEDGE, ...this.packet());
        break;
      case SET_WRAP_MODE:
      case RESET_WRAP_MODE:
        this.wrap = value === SET_WRAP_MODE;
        this.answer(ACKNOWLEDGE);
        break;
      case IDENTIFY:
        this.answer(ACKNOWLEDGE, DEVICE_ID);
        break;
      case ENABLE:
      case DISABLE:
        this.enabled = value === ENABLE;
        this.forget();
        this.answer(ACKNOWLEDGE);
        break;
      case SET_DEFAULTS:
        this.setDefaults();
        this.answer(ACKNOWLEDGE);
        break;
      case RESEND:
        this.queue = [...this.last];
        break;
      case RESET:
        this.setDefaults();
        this.answer(ACKNOWLEDGE, SELF_TEST_PASSED, DEVICE_ID);
        break;
      default:
        this.answer(ERROR);
    }
  }

  save(): MouseState {
    const { enabled, remote, wrap, scaling, resolution, rate, command, buttons, reported, x, y } = this;
    const modes = { enabled, remote, wrap, scaling, resolution, rate, command };
    return { version: 1, queue: [...this.queue], last: [...this.last], ...modes, buttons, reported, x, y };
  }

  /** Takes over a state of the shape. */
  restore({ version: _, ...state }: MouseState): void {
    Object.assign(this, state);
  }

  /** Sends a packet if there is something to tell and the host has read the last one. */
  private stream(): void {
    if (!this.enabled || this.remote || this.wrap || this.queue.length > 0) return;
    if (this.x === 0 && this.y === 0 && this.buttons === this.reported) return;
    this.queue = this.packet();
    this.last = [...this.queue];
  }

  private packet(): number[] {
    const dx = clamp(this.x, MAX_MOVE);
    const dy = clamp(this.y, MAX_MOVE);
    this.x -= dx;
    this.y -= dy;
    this.reported = this.buttons;
    const signs = (dx < 0 ? PACKET_X_SIGN : 0) | (dy < 0 ? PACKET_Y_SIGN : 0);
    return [PACKET_ALWAYS | signs | this.buttons, dx & 0xff, dy & 0xff];
  }

  /** Movement before a change of mode is not told. */
  private forget(): void {
    this.queue = [];
    this.x = 0;
    this.y = 0;
    this.reported = this.buttons;
  }

  private setDefaults(): void {
    this.forget();
    this.enabled = false;
    this.remote = false;
    this.wrap = false;
    this.scaling = false;
    this.resolution = DEFAULT_RESOLUTION;
    this.rate = DEFAULT_RATE;
    this.command = 0;
  }

  private answer(...bytes: number[]): void {
    if (this.queue.length + bytes.length > BUFFER) this.queue = [];
    this.queue.push(...bytes);
    this.last = bytes;
  }
}

function clamp(value: number, limit: number): number {
  return Math.min(Math.max(value, -limit), limit);
}
