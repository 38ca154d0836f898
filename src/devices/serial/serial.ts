/**
 * A 16550A UART with FIFOs: National Semiconductor PC16550D data sheet. The line runs at the speed of
 * the backend: a byte written is on its way at once, and the divisor is kept without effect.
 *
 *     const serial = new Serial({ interrupt: router.line(4), clock, backend });
 *     ports.add("serial", 0x3f8, 8, serial);
 */
import type { BusDevice, CharBackend, ClockTimer, DeviceClock, InterruptLine, PlainData, Stateful } from "../device.js";
import { checkBoolean, checkNumber, checkNumbers, checkVersion } from "../state.js";

// Register offsets. With LCR.DLAB set, 0 and 1 are the divisor latch.
const DATA = 0;
const IER = 1;
const IIR_FCR = 2;
const LCR = 3;
const MCR = 4;
const LSR = 5;
const MSR = 6;
const SCR = 7;

const IER_RECEIVED = 1 << 0;
const IER_THRE = 1 << 1;
const IER_LINE_STATUS = 1 << 2;
const IER_MODEM_STATUS = 1 << 3;

const IIR_NONE = 0x01;
const IIR_MODEM_STATUS = 0x00;
const IIR_THRE = 0x02;
const IIR_RECEIVED = 0x04;
const IIR_LINE_STATUS = 0x06;
const IIR_TIMEOUT = 0x0c;
const IIR_FIFOS = 0xc0;

const FCR_ENABLE = 1 << 0;
const FCR_CLEAR_RECEIVER = 1 << 1;
const FCR_CLEAR_TRANSMITTER = 1 << 2;
const TRIGGER_LEVELS = [1, 4, 8, 14];

const LCR_BREAK = 1 << 6;
const LCR_DLAB = 1 << 7;

const MCR_DTR = 1 << 0;
const MCR_RTS = 1 << 1;
const MCR_OUT1 = 1 << 2;
const MCR_OUT2 = 1 << 3;
const MCR_LOOP = 1 << 4;

const LSR_DATA_READY = 1 << 0;
const LSR_OVERRUN = 1 << 1;
const LSR_BREAK = 1 << 4;
const LSR_THRE = 1 << 5;
const LSR_TEMT = 1 << 6;
const LSR_ERRORS = 0x1e;

const MSR_CTS = 1 << 4;
const MSR_DSR = 1 << 5;
const MSR_RI = 1 << 6;
const MSR_DCD = 1 << 7;

const FIFO_BYTES = 16;
/** Four characters of 10 bits at 115200 baud without a new one: the receive timeout. */
const TIMEOUT_NS = 347_000;
/** What waits on the host's side for room in the FIFO; beyond this the backend is too fast and bytes are lost. */
const MAX_WAITING = 1 << 20;
const VERSION = 1;

export interface SerialOptions {
  interrupt: InterruptLine;
  clock: DeviceClock;
  /** null: nothing is connected. */
  backend: CharBackend | null;
}

export class Serial implements BusDevice, Stateful<PlainData> {
  private readonly interrupt: InterruptLine;
  private readonly backend: CharBackend | null;
  private readonly timeout: ClockTimer;
  private readonly out = new Uint8Array(1);

  private ier = 0;
  private fcr = 0;
  private lcr = 0;
  private mcr = 0;
  private scr = 0;
  private divisor = 12;
  private lineErrors = 0;
  private modemDelta = 0;
  private thrPending = false;
  private timedOut = false;
  private received: number[] = [];
  /** Bytes from the backend that the FIFO has no room for yet. */
  private waiting: number[] = [];

  constructor({ interrupt, clock, backend }: SerialOptions) {
    this.interrupt = interrupt;
    this.backend = backend;
    this.timeout = clock.timer(() => {
      if (this.received.length > 0) {
        this.timedOut = true;
        this.update();
      }
    });
    this.clock = clock;
    backend?.onData((bytes) => this.receive(bytes));
  }
  private readonly clock: DeviceClock;

  read(offset: number, _size: number): number {
    switch (offset) {
      case DATA:
        return this.lcr & LCR_DLAB ? this.divisor & 0xff : this.readData();
      case IER:
        return this.lcr & LCR_DLAB ? this.divisor >> 8 : this.ier;
      case IIR_FCR: {
        const identification = this.identify();
        // Reading THRE's identification acknowledges it.
        if (identification === IIR_THRE) {
          this.thrPending = false;
          this.update();
        }
        return identification | (this.fcr & FCR_ENABLE ? IIR_FIFOS : 0);
      }
      case LCR:
        return this.lcr;
      case MCR:
        return this.mcr;
      case LSR: {
        const value = LSR_THRE | LSR_TEMT | this.lineErrors | (this.received.length > 0 ? LSR_DATA_READY : 0);
        this.lineErrors = 0;
        this.update();
        return value;
      }
      case MSR: {
        const value = this.modemLines() | this.modemDelta;
        this.modemDelta = 0;
        this.update();
        return value;
      }
      default:
        return this.scr;
    }
  }

  write(offset: number, _size: number, value: number): void {
    const byte = value & 0xff;
    switch (offset) {
      case DATA:
        if (this.lcr & LCR_DLAB) this.divisor = (this.divisor & 0xff00) | byte;
        else this.transmit(byte);
        break;
      case IER:
        if (this.lcr & LCR_DLAB) this.divisor = (this.divisor & 0xff) | (byte << 8);
        else {
          // Enabling THRE while the holding register is empty interrupts at once.
          if (byte & IER_THRE && !(this.ier & IER_THRE)) this.thrPending = true;
          this.ier = byte & 0x0f;
          this.update();
        }
        break;
      case IIR_FCR:
        this.writeFifoControl(byte);
        break;
      case LCR:
        if (byte & LCR_BREAK && !(this.lcr & LCR_BREAK) && this.mcr & MCR_LOOP) {
          this.lineErrors |= LSR_BREAK;
          this.push(0);
        }
        this.lcr = byte;
        break;
      case MCR: {
        const before = this.modemLines();
        this.mcr = byte & 0x1f;
        this.noteModemChange(before);
        this.update();
        break;
      }
      case SCR:
        this.scr = byte;
        break;
      default:
        // LSR and MSR are read-only.
        break;
    }
  }

  save(): PlainData {
    return {
      version: VERSION,
      ier: this.ier,
      fcr: this.fcr,
      lcr: this.lcr,
      mcr: this.mcr,
      scr: this.scr,
      divisor: this.divisor,
      lineErrors: this.lineErrors,
      modemDelta: this.modemDelta,
      thrPending: this.thrPending,
      timedOut: this.timedOut,
      received: [...this.received],
      waiting: [...this.waiting],
    };
  }

  restore(state: PlainData): void {
    const fields = checkVersion("serial", state, VERSION);
    const byte = (name: string) => checkNumber("serial", fields[name], 0xff, name);
    const next = {
      ier: byte("ier") & 0x0f,
      fcr: byte("fcr"),
      lcr: byte("lcr"),
      mcr: byte("mcr") & 0x1f,
      scr: byte("scr"),
      divisor: checkNumber("serial", fields.divisor, 0xffff, "divisor"),
      lineErrors: byte("lineErrors") & LSR_ERRORS,
      modemDelta: byte("modemDelta") & 0x0f,
      thrPending: checkBoolean("serial", fields.thrPending, "thrPending"),
      timedOut: checkBoolean("serial", fields.timedOut, "timedOut"),
      received: checkNumbers("serial", fields.received, FIFO_BYTES, 0xff, "received", false),
      waiting: checkNumbers("serial", fields.waiting, MAX_WAITING, 0xff, "waiting", false),
    };
    Object.assign(this, next);
    if (this.received.length > 0) this.timeout.arm(this.clock.now() + TIMEOUT_NS);
    this.update();
  }

  private get fifoLimit(): number {
    return this.fcr & FCR_ENABLE ? FIFO_BYTES : 1;
  }

  private receive(bytes: Uint8Array): void {
    if (this.mcr & MCR_LOOP) return;
    for (const byte of bytes) {
      if (this.received.length < this.fifoLimit && this.waiting.length === 0) this.push(byte);
      else if (this.waiting.length < MAX_WAITING) this.waiting.push(byte);
      else this.lineErrors |= LSR_OVERRUN;
    }
    this.update();
  }

  private push(byte: number): void {
    if (this.received.length >= this.fifoLimit) {
      this.lineErrors |= LSR_OVERRUN;
      return;
    }
    this.received.push(byte);
    this.timedOut = false;
    this.timeout.arm(this.clock.now() + TIMEOUT_NS);
  }

  private readData(): number {
    const byte = this.received.shift() ?? 0;
    this.timedOut = false;
    while (this.waiting.length > 0 && this.received.length < this.fifoLimit) this.push(this.waiting.shift() ?? 0);
    if (this.received.length === 0) this.timeout.cancel();
    else this.timeout.arm(this.clock.now() + TIMEOUT_NS);
    this.update();
    return byte;
  }

  private transmit(byte: number): void {
    if (this.mcr & MCR_LOOP) this.push(byte);
    else {
      this.out[0] = byte;
      this.backend?.write(this.out);
    }
    this.thrPending = true;
    this.update();
  }

  private writeFifoControl(value: number): void {
    const toggled = ((value ^ this.fcr) & FCR_ENABLE) !== 0;
    this.fcr = value & FCR_ENABLE ? value & 0xc9 : 0;
    if (toggled || value & FCR_CLEAR_RECEIVER) {
      this.received = [];
      this.timedOut = false;
      this.timeout.cancel();
    }
    if (toggled || value & FCR_CLEAR_TRANSMITTER) this.thrPending = true;
    while (this.waiting.length > 0 && this.received.length < this.fifoLimit) this.push(this.waiting.shift() ?? 0);
    this.update();
  }

  // A connected terminal asserts CTS, DSR and DCD; in loopback the outputs come back.
  private modemLines(): number {
    if (!(this.mcr & MCR_LOOP)) return MSR_CTS | MSR_DSR | MSR_DCD;
    return (
      (this.mcr & MCR_RTS ? MSR_CTS : 0) |
      (this.mcr & MCR_DTR ? MSR_DSR : 0) |
      (this.mcr & MCR_OUT1 ? MSR_RI : 0) |
      (this.mcr & MCR_OUT2 ? MSR_DCD : 0)
    );
  }

  private noteModemChange(before: number): void {
    const now = this.modemLines();
    const changed = (before ^ now) >> 4;
    // CTS, DSR and DCD set their delta on each change, RI when it falls.
    this.modemDelta |= changed & 0x0b;
    if (before & MSR_RI && !(now & MSR_RI)) this.modemDelta |= 0x04;
  }

  private identify(): number {
    if (this.ier & IER_LINE_STATUS && this.lineErrors) return IIR_LINE_STATUS;
    if (this.ier & IER_RECEIVED) {
      const level = this.fcr & FCR_ENABLE ? (TRIGGER_LEVELS[this.fcr >> 6] ?? 1) : 1;
      if (this.received.length >= level) return IIR_RECEIVED;
      if (this.timedOut && this.received.length > 0) return IIR_TIMEOUT;
    }
    if (this.ier & IER_THRE && this.thrPending) return IIR_THRE;
    if (this.ier & IER_MODEM_STATUS && this.modemDelta) return IIR_MODEM_STATUS;
    return IIR_NONE;
  }

  // OUT2 gates the interrupt on a PC's board.
  private update(): void {
    const enabled = (this.mcr & (MCR_OUT2 | MCR_LOOP)) === MCR_OUT2;
    this.interrupt.set(enabled && this.identify() !== IIR_NONE);
  }
}
