/**
 * A 16550A serial port with its FIFOs. National Semiconductor PC16550D data sheet.
 *
 *     const serial = new Serial({ clock, interrupt: line(4), backend });
 *     ports.add("serial", 0x3f8, 8, serial);
 *
 * Characters leave at once, as fast as the backend takes them; the divisor only sets how long the receiver waits
 * before it reports a FIFO that is not full enough. Input beyond the FIFO waits in the device, as it would in the
 * sender under hardware flow control.
 */
import { readBytes, writeBytes } from "../byte-registers.js";
import type { BusDevice, CharBackend, ClockTimer, DeviceClock, InterruptLine, Stateful } from "../device.js";
import { byte, count, flag, list, literal, nullable, object, type StateOf, time, word } from "../state-shape.js";

/** Receiver buffer and transmitter holding register; with DLAB the divisor's low byte. */
const DATA = 0;
/** Interrupt enable; with DLAB the divisor's high byte. */
const IER = 1;
/** Read: interrupt identification. Write: FIFO control. */
const IIR_FCR = 2;
const LCR = 3;
const MCR = 4;
const LSR = 5;
const MSR = 6;
// The eighth register is the scratch byte.

const IER_RECEIVED = 1 << 0;
const IER_TRANSMITTER_EMPTY = 1 << 1;
const IER_LINE_STATUS = 1 << 2;
const IER_MODEM_STATUS = 1 << 3;
const IER_MASK = 0x0f;

/** IIR values, highest priority first. */
const IIR_LINE_STATUS = 0x06;
const IIR_RECEIVED = 0x04;
const IIR_TIMEOUT = 0x0c;
const IIR_TRANSMITTER_EMPTY = 0x02;
const IIR_MODEM_STATUS = 0x00;
const IIR_NONE = 0x01;
const IIR_FIFOS_ENABLED = 0xc0;

const FCR_ENABLE = 1 << 0;
const FCR_CLEAR_RECEIVER = 1 << 1;
const FCR_CLEAR_TRANSMITTER = 1 << 2;
/** Characters in the receiver FIFO that make an interrupt, by FCR bits 7-6. */
const TRIGGER_LEVELS = [1, 4, 8, 14];

const LCR_WORD_LENGTH = 0x03;
const LCR_STOP_BITS = 1 << 2;
const LCR_PARITY = 1 << 3;
const LCR_BREAK = 1 << 6;
const LCR_DLAB = 1 << 7;

const MCR_DTR = 1 << 0;
const MCR_RTS = 1 << 1;
const MCR_OUT1 = 1 << 2;
/** On a PC this output lets the interrupt through to the bus. */
const MCR_OUT2 = 1 << 3;
const MCR_LOOPBACK = 1 << 4;
const MCR_MASK = 0x1f;

const LSR_DATA_READY = 1 << 0;
const LSR_OVERRUN = 1 << 1;
const LSR_FRAMING = 1 << 3;
const LSR_BREAK = 1 << 4;
const LSR_HOLDING_EMPTY = 1 << 5;
const LSR_TRANSMITTER_EMPTY = 1 << 6;
const LSR_FIFO_ERROR = 1 << 7;

const MSR_CTS = 1 << 4;
const MSR_DSR = 1 << 5;
const MSR_RI = 1 << 6;
const MSR_DCD = 1 << 7;
const MSR_DELTA = 0x0f;
/** A terminal that is there and ready. */
const MSR_CONNECTED = MSR_CTS | MSR_DSR | MSR_DCD;

const FIFO_SIZE = 16;
/** The UART's clock is 1.8432 MHz, divided by 16 and by the divisor. */
const BASE_BAUD = 115200;
/** Above this many waiting bytes the backend is asked to pause, and to go on below the second. */
const INPUT_HIGH = 4096;
const INPUT_LOW = 1024;
/** A backend that does not pause loses bytes above this, with an overrun: host memory is not the guest's to fill. */
const INPUT_LIMIT = 65536;

const SHAPE = object({
  version: literal(1),
  interruptEnable: byte,
  fifoControl: byte,
  lineControl: byte,
  modemControl: byte,
  modemDelta: byte,
  scratch: byte,
  divisor: word,
  overrun: flag,
  /** Received characters in the low byte, their LSR error bits above it. */
  received: list(word, 0, FIFO_SIZE),
  transmit: list(byte, 0, FIFO_SIZE),
  /** The transmitter-empty interrupt is pending: it is an event, not a level. */
  transmitterEmpty: flag,
  timeout: flag,
  timeoutAt: nullable(time),
  /** Input that did not fit into the FIFO yet. */
  waiting: list(byte, 0, INPUT_LIMIT),
  /** Bytes lost because the backend did not pause. */
  lost: count,
});

export type SerialState = StateOf<typeof SHAPE>;

export interface SerialOptions {
  clock: DeviceClock;
  interrupt: InterruptLine;
  /** The other end; null for nothing connected. */
  backend: CharBackend | null;
}

export class Serial implements BusDevice, Stateful<SerialState> {
  private state: SerialState = {
    version: 1,
    interruptEnable: 0,
    fifoControl: 0,
    lineControl: 0,
    modemControl: 0,
    modemDelta: 0,
    scratch: 0,
    divisor: 12,
    overrun: false,
    received: [],
    transmit: [],
    transmitterEmpty: false,
    timeout: false,
    timeoutAt: null,
    waiting: [],
    lost: 0,
  };
  private readonly timer: ClockTimer;
  private paused = false;

  constructor(private readonly options: SerialOptions) {
    this.timer = options.clock.timer(() => {
      this.state.timeoutAt = null;
      this.state.timeout = this.state.received.length > 0;
      this.update();
    });
    options.backend?.onData((bytes) => this.receive(bytes));
    options.backend?.onWritable?.(() => {
      this.drain();
      this.update();
    });
  }

  read(offset: number, size: number): number {
    return readBytes(this, offset, size);
  }

  write(offset: number, size: number, value: number): void {
    writeBytes(this, offset, size, value);
  }

  readByte(offset: number): number {
    const state = this.state;
    const divisorAccess = (state.lineControl & LCR_DLAB) !== 0;
    switch (offset & 7) {
      case DATA:
        return divisorAccess ? state.divisor & 0xff : this.takeReceived();
      case IER:
        return divisorAccess ? state.divisor >>> 8 : state.interruptEnable;
      case IIR_FCR: {
        const cause = this.pendingInterrupt();
        if (cause === IIR_TRANSMITTER_EMPTY) {
          state.transmitterEmpty = false;
          this.update();
        }
        return cause | (this.fifos ? IIR_FIFOS_ENABLED : 0);
      }
      case LCR:
        return state.lineControl;
      case MCR:
        return state.modemControl;
      case LSR: {
        const status = this.lineStatus();
        state.overrun = false;
        if (state.received.length > 0) state.received[0] &= 0xff;
        this.update();
        return status;
      }
      case MSR: {
        const status = this.modemLines() | state.modemDelta;
        state.modemDelta = 0;
        this.update();
        return status;
      }
      default:
        return state.scratch;
    }
  }

  writeByte(offset: number, value: number): void {
    const state = this.state;
    const divisorAccess = (state.lineControl & LCR_DLAB) !== 0;
    switch (offset & 7) {
      case DATA:
        if (divisorAccess) state.divisor = (state.divisor & 0xff00) | value;
        else this.transmit(value);
        break;
      case IER:
        if (divisorAccess) {
          state.divisor = (state.divisor & 0xff) | (value << 8);
          break;
        }
        // Enabling the interrupt while the transmitter is empty raises it: drivers start their output with that.
        if (value & ~state.interruptEnable & IER_TRANSMITTER_EMPTY && state.transmit.length === 0) {
          state.transmitterEmpty = true;
        }
        state.interruptEnable = value & IER_MASK;
        break;
      case IIR_FCR:
        this.controlFifos(value);
        break;
      case LCR: {
        const breakStarts = (value & ~state.lineControl & LCR_BREAK) !== 0;
        state.lineControl = value;
        if (breakStarts && state.modemControl & MCR_LOOPBACK) this.receiveBreak();
        break;
      }
      case MCR: {
        const before = this.modemLines();
        state.modemControl = value & MCR_MASK;
        const changed = before ^ this.modemLines();
        state.modemDelta |= (changed & (MSR_CTS | MSR_DSR | MSR_DCD)) >>> 4;
        // The ring indicator counts when it ends.
        if (changed & before & MSR_RI) state.modemDelta |= MSR_RI >>> 4;
        this.refill();
        this.drain();
        break;
      }
      case LSR:
      case MSR:
        break; // Written by factory tests only.
      default:
        state.scratch = value;
    }
    this.update();
  }

  /** A break condition arrives on the line, as a terminal sends it for SysRq. */
  receiveBreak(): void {
    this.accept(0 | ((LSR_BREAK | LSR_FRAMING) << 8));
    this.update();
  }

  save(): SerialState {
    return SHAPE.parse(this.state, "serial");
  }

  check(state: unknown): void {
    SHAPE.parse(state, "serial");
  }

  restore(state: SerialState): void {
    this.state = SHAPE.parse(state, "serial");
    this.timer.cancel();
    if (this.state.timeoutAt !== null) this.timer.arm(this.state.timeoutAt);
    this.throttle();
    this.drain();
    this.update();
  }

  private get fifos(): boolean {
    return (this.state.fifoControl & FCR_ENABLE) !== 0;
  }

  private get capacity(): number {
    return this.fifos ? FIFO_SIZE : 1;
  }

  private get triggerLevel(): number {
    return this.fifos ? TRIGGER_LEVELS[this.state.fifoControl >>> 6] : 1;
  }

  private lineStatus(): number {
    const { received, transmit, overrun } = this.state;
    let status = overrun ? LSR_OVERRUN : 0;
    if (received.length > 0) status |= LSR_DATA_READY | (received[0] >>> 8);
    if (transmit.length === 0) status |= LSR_HOLDING_EMPTY | LSR_TRANSMITTER_EMPTY;
    if (this.fifos && received.some((character) => character > 0xff)) status |= LSR_FIFO_ERROR;
    return status;
  }

  /** MSR bits 7-4: the modem's lines, or in loopback the port's own outputs. */
  private modemLines(): number {
    const control = this.state.modemControl;
    if ((control & MCR_LOOPBACK) === 0) return this.options.backend === null ? 0 : MSR_CONNECTED;
    return (
      (control & MCR_RTS ? MSR_CTS : 0) |
      (control & MCR_DTR ? MSR_DSR : 0) |
      (control & MCR_OUT1 ? MSR_RI : 0) |
      (control & MCR_OUT2 ? MSR_DCD : 0)
    );
  }

  private pendingInterrupt(): number {
    const { interruptEnable, received, overrun, timeout, transmitterEmpty, modemDelta } = this.state;
    const error = overrun || (received.length > 0 && received[0] > 0xff);
    if (interruptEnable & IER_LINE_STATUS && error) return IIR_LINE_STATUS;
    if (interruptEnable & IER_RECEIVED && received.length >= this.triggerLevel) return IIR_RECEIVED;
    if (interruptEnable & IER_RECEIVED && timeout) return IIR_TIMEOUT;
    if (interruptEnable & IER_TRANSMITTER_EMPTY && transmitterEmpty) return IIR_TRANSMITTER_EMPTY;
    if (interruptEnable & IER_MODEM_STATUS && modemDelta & MSR_DELTA) return IIR_MODEM_STATUS;
    return IIR_NONE;
  }

  private update(): void {
    // In loopback the output pins are inactive, OUT2 among them.
    const gate = (this.state.modemControl & (MCR_OUT2 | MCR_LOOPBACK)) === MCR_OUT2;
    this.options.interrupt.set(gate && this.pendingInterrupt() !== IIR_NONE);
  }

  private controlFifos(value: number): void {
    const state = this.state;
    // A change of the enable bit empties both FIFOs; without it the other bits are not programmed.
    const toggled = ((value ^ state.fifoControl) & FCR_ENABLE) !== 0;
    if (toggled || value & FCR_CLEAR_RECEIVER) {
      state.received = [];
      this.stopTimeout();
    }
    if (toggled || value & FCR_CLEAR_TRANSMITTER) {
      if (state.transmit.length > 0) state.transmitterEmpty = true;
      state.transmit = [];
    }
    state.fifoControl = value & FCR_ENABLE ? value & 0xc9 : 0;
    this.refill();
  }

  private transmit(value: number): void {
    const state = this.state;
    state.transmitterEmpty = false;
    if (state.modemControl & MCR_LOOPBACK) {
      this.accept(value & (0xff >>> (3 - (state.lineControl & LCR_WORD_LENGTH))));
      state.transmitterEmpty = true;
      return;
    }
    // Written although full: in the holding register the last character stays, in the FIFO the first ones.
    if (state.transmit.length < this.capacity) state.transmit.push(value);
    else if (!this.fifos) state.transmit[0] = value;
    this.drain();
  }

  /** Hands the transmitter's characters to the backend as far as it takes them. */
  private drain(): void {
    const { backend } = this.options;
    const state = this.state;
    if (state.transmit.length === 0 || state.modemControl & MCR_LOOPBACK) return;
    if (backend !== null) {
      if (backend.writable !== undefined && !backend.writable()) return;
      backend.write(Uint8Array.from(state.transmit));
    }
    state.transmit = [];
    state.transmitterEmpty = true;
  }

  private receive(bytes: Uint8Array): void {
    const { waiting } = this.state;
    const room = INPUT_LIMIT - waiting.length;
    for (const value of bytes.subarray(0, room)) waiting.push(value);
    if (bytes.length > room) {
      this.state.lost += bytes.length - room;
      this.state.overrun = true;
    }
    this.refill();
    this.throttle();
    this.update();
  }

  /** Moves waiting input into the FIFO. In loopback the receiver is cut off from the line. */
  private refill(): void {
    const { waiting, received, modemControl } = this.state;
    if (waiting.length === 0 || modemControl & MCR_LOOPBACK) return;
    const moved = Math.min(this.capacity - received.length, waiting.length);
    if (moved <= 0) return;
    received.push(...waiting.splice(0, moved));
    this.startTimeout();
    this.throttle();
  }

  /** One character from the line itself, which does not wait. */
  private accept(character: number): void {
    const { received } = this.state;
    if (received.length < this.capacity) {
      received.push(character);
    } else {
      this.state.overrun = true;
      if (!this.fifos) received[0] = character;
    }
    this.startTimeout();
  }

  private takeReceived(): number {
    const { received } = this.state;
    const character = received.shift() ?? 0;
    this.stopTimeout();
    this.refill();
    if (received.length > 0) this.startTimeout();
    this.update();
    return character & 0xff;
  }

  /** The receiver reports what is in its FIFO after four character times without a new character or a read. */
  private startTimeout(): void {
    const state = this.state;
    if (!this.fifos || state.received.length >= this.triggerLevel) {
      this.timer.cancel();
      state.timeoutAt = null;
      return;
    }
    const { lineControl } = state;
    const bits =
      7 + (lineControl & LCR_WORD_LENGTH) + (lineControl & LCR_STOP_BITS ? 1 : 0) + (lineControl & LCR_PARITY ? 1 : 0);
    const baud = BASE_BAUD / (state.divisor || 1);
    state.timeoutAt = this.options.clock.now() + Math.ceil((4 * bits * 1e9) / baud);
    this.timer.arm(state.timeoutAt);
  }

  private stopTimeout(): void {
    this.timer.cancel();
    this.state.timeoutAt = null;
    this.state.timeout = false;
  }

  private throttle(): void {
    const { backend } = this.options;
    const waiting = this.state.waiting.length;
    if (!this.paused && waiting > INPUT_HIGH) {
      this.paused = true;
      backend?.pause?.();
    } else if (this.paused && waiting < INPUT_LOW) {
      this.paused = false;
      backend?.resume?.();
    }
  }
}
