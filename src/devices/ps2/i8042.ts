/**
 * The 8042 keyboard controller with its two PS/2 ports. IBM PS/2 Hardware Interface Technical Reference,
 * "Keyboard and auxiliary device controller".
 *
 *     const ps2 = new I8042({ clock, keyboardInterrupt: line(1), mouseInterrupt: line(12), reset });
 *     ports.add("ps2", 0x60, 1, ps2.data); ports.add("ps2", 0x64, 1, ps2.command);
 */
import type { BusDevice, DeviceClock, InterruptLine, PlainData, Stateful } from "../device.js";
import { A20Gate } from "../reset/a20-gate.js";
import { byte, flag, integer, list, literal, object } from "../state-shape.js";
import { KEYBOARD_SHAPE, Keyboard } from "./keyboard.js";
import { MOUSE_SHAPE, Mouse } from "./mouse.js";
import { translate } from "./scan-codes.js";

// The status register.
const STATUS_OUTPUT_FULL = 1 << 0;
const STATUS_SYSTEM = 1 << 2;
/** The last write went to the command port. */
const STATUS_COMMAND = 1 << 3;
/** The keyboard lock is open. */
const STATUS_UNLOCKED = 1 << 4;
const STATUS_FROM_MOUSE = 1 << 5;

// The command byte, which is byte 0 of the controller's memory.
const KEYBOARD_INTERRUPT = 1 << 0;
const MOUSE_INTERRUPT = 1 << 1;
const SYSTEM = 1 << 2;
const KEYBOARD_DISABLED = 1 << 4;
const MOUSE_DISABLED = 1 << 5;
const TRANSLATE = 1 << 6;

// Controller commands.
const READ_MEMORY = 0x20;
const READ_MEMORY_END = 0x3f;
const WRITE_MEMORY = 0x60;
const WRITE_MEMORY_END = 0x7f;
const DISABLE_MOUSE = 0xa7;
const ENABLE_MOUSE = 0xa8;
const TEST_MOUSE = 0xa9;
const SELF_TEST = 0xaa;
const TEST_KEYBOARD = 0xab;
const DISABLE_KEYBOARD = 0xad;
const ENABLE_KEYBOARD = 0xae;
const READ_INPUT_PORT = 0xc0;
const READ_OUTPUT_PORT = 0xd0;
const WRITE_OUTPUT_PORT = 0xd1;
const WRITE_KEYBOARD_OUTPUT = 0xd2;
const WRITE_MOUSE_OUTPUT = 0xd3;
const WRITE_MOUSE = 0xd4;
const DISABLE_A20 = 0xdd;
const ENABLE_A20 = 0xdf;
const PULSE_OUTPUT = 0xf0;

const SELF_TEST_PASSED = 0x55;
const PORT_TEST_PASSED = 0x00;
/** The input port: not locked, no manufacturing jumper. */
const INPUT_PORT = 0xb0;
// The output port.
const OUTPUT_NOT_RESET = 1 << 0;
const OUTPUT_A20 = 1 << 1;
const OUTPUT_KEYBOARD_FULL = 1 << 4;
const OUTPUT_MOUSE_FULL = 1 << 5;

const MEMORY_BYTES = 32;

/** Who put the byte into the output buffer. */
type Source = "controller" | "keyboard" | "mouse";
const SOURCES: readonly Source[] = ["controller", "keyboard", "mouse"];

const SHAPE = object({
  version: literal(1),
  memory: list(byte, MEMORY_BYTES),
  output: byte,
  full: flag,
  /** Index in SOURCES. */
  source: integer(0, SOURCES.length - 1),
  pending: byte,
  commandLast: flag,
  a20: flag,
  released: flag,
  keyboard: KEYBOARD_SHAPE,
  mouse: MOUSE_SHAPE,
});

export interface I8042Options {
  clock: DeviceClock;
  /** ISA interrupt 1. */
  keyboardInterrupt: InterruptLine;
  /** ISA interrupt 12. */
  mouseInterrupt: InterruptLine;
  /** The processor's reset line was pulsed. */
  reset(): void;
  /** Shared with port 0x92. */
  a20?: A20Gate;
}

export class I8042 implements Stateful<PlainData> {
  readonly keyboard: Keyboard;
  readonly mouse = new Mouse();
  /** Port 0x60. */
  readonly data: BusDevice;
  /** Port 0x64: status and commands. */
  readonly command: BusDevice;
  private readonly memory = new Uint8Array(MEMORY_BYTES);
  private output = 0;
  private full = false;
  private source: Source = "controller";
  /** The command whose parameter comes next by port 0x60; 0 for none. */
  private pending = 0;
  private commandLast = false;
  private readonly a20: A20Gate;
  /** A release prefix has gone into the translation. */
  private released = false;

  constructor(private readonly options: I8042Options) {
    this.a20 = options.a20 ?? new A20Gate();
    this.keyboard = new Keyboard(options.clock, () => this.fill());
    this.memory[0] = KEYBOARD_DISABLED | MOUSE_DISABLED | TRANSLATE;
    this.data = {
      read: () => this.readData(),
      write: (_offset, _size, value) => this.writeData(value & 0xff),
    };
    this.command = {
      read: () => this.status(),
      write: (_offset, _size, value) => this.writeCommand(value & 0xff),
    };
  }

  /** Turns the keyboard's port on, as firmware leaves it: for a kernel that is booted without any and only polls. */
  enableKeyboard(): void {
    this.memory[0] = MOUSE_DISABLED | TRANSLATE | SYSTEM;
  }

  /** Scan codes of set 2 from the keyboard. */
  type(codes: readonly number[]): void {
    this.keyboard.type(codes);
    this.fill();
  }

  /** Presses or releases a key by its make code of set 2; one that is held repeats. */
  key(make: readonly number[], pressed: boolean): void {
    if (pressed) this.keyboard.press(make);
    else this.keyboard.release(make);
    this.fill();
  }

  /** See {@link Mouse.move}. */
  moveMouse(dx: number, dy: number, buttons: number): void {
    this.mouse.move(dx, dy, buttons);
    this.fill();
  }

  save(): PlainData {
    const { output, full, source, pending, commandLast, released } = this;
    return {
      version: 1,
      memory: [...this.memory],
      output,
      full,
      source: SOURCES.indexOf(source),
      pending,
      commandLast,
      a20: this.a20.open,
      released,
      keyboard: this.keyboard.save(),
      mouse: this.mouse.save(),
    };
  }

  check(state: unknown): void {
    SHAPE.parse(state, "ps2");
  }

  restore(state: PlainData): void {
    const { memory, source, keyboard, mouse, a20, version: _, ...next } = SHAPE.parse(state, "ps2");
    this.memory.set(memory);
    Object.assign(this, next, { source: SOURCES[source] });
    this.a20.set(a20);
    this.keyboard.restore(keyboard);
    this.mouse.restore(mouse);
    this.update();
  }

  private status(): number {
    return (
      STATUS_UNLOCKED |
      (this.full ? STATUS_OUTPUT_FULL : 0) |
      (this.full && this.source === "mouse" ? STATUS_FROM_MOUSE : 0) |
      (this.memory[0] & SYSTEM ? STATUS_SYSTEM : 0) |
      (this.commandLast ? STATUS_COMMAND : 0)
    );
  }

  private readData(): number {
    // An empty buffer shows its last byte again.
    const value = this.output;
    this.full = false;
    this.update();
    this.fill();
    return value;
  }

  private writeData(value: number): void {
    this.commandLast = false;
    const { pending } = this;
    this.pending = 0;
    if (pending >= WRITE_MEMORY && pending <= WRITE_MEMORY_END) {
      this.memory[pending - WRITE_MEMORY] = value;
    } else if (pending === WRITE_OUTPUT_PORT) {
      this.a20.set((value & OUTPUT_A20) !== 0);
      if ((value & OUTPUT_NOT_RESET) === 0) this.options.reset();
    } else if (pending === WRITE_KEYBOARD_OUTPUT) {
      this.put(value, "keyboard");
    } else if (pending === WRITE_MOUSE_OUTPUT) {
      this.put(value, "mouse");
    } else if (pending === WRITE_MOUSE) {
      this.memory[0] &= ~MOUSE_DISABLED;
      this.mouse.receive(value);
    } else {
      // A byte for the keyboard turns its port on.
      this.memory[0] &= ~KEYBOARD_DISABLED;
      this.keyboard.receive(value);
    }
    this.update();
    this.fill();
  }

  private writeCommand(value: number): void {
    this.commandLast = true;
    this.pending = 0;
    if (value >= READ_MEMORY && value <= READ_MEMORY_END) {
      this.put(this.memory[value - READ_MEMORY], "controller");
    } else if (value >= WRITE_MEMORY && value <= WRITE_MEMORY_END) {
      this.pending = value;
    } else if (value >= PULSE_OUTPUT) {
      // Bits 0-3 at zero pulse their line of the output port; bit 0's is the processor's reset.
      if ((value & OUTPUT_NOT_RESET) === 0) this.options.reset();
    } else {
      this.execute(value);
    }
    this.update();
    this.fill();
  }

  private execute(command: number): void {
    switch (command) {
      case DISABLE_MOUSE:
        this.memory[0] |= MOUSE_DISABLED;
        break;
      case ENABLE_MOUSE:
        this.memory[0] &= ~MOUSE_DISABLED;
        break;
      case TEST_MOUSE:
      case TEST_KEYBOARD:
        this.put(PORT_TEST_PASSED, "controller");
        break;
      case SELF_TEST:
        this.memory[0] |= SYSTEM;
        this.put(SELF_TEST_PASSED, "controller");
        break;
      case DISABLE_KEYBOARD:
        this.memory[0] |= KEYBOARD_DISABLED;
        break;
      case ENABLE_KEYBOARD:
        this.memory[0] &= ~KEYBOARD_DISABLED;
        break;
      case READ_INPUT_PORT:
        this.put(INPUT_PORT, "controller");
        break;
      case READ_OUTPUT_PORT: {
        const full = this.full ? (this.source === "mouse" ? OUTPUT_MOUSE_FULL : OUTPUT_KEYBOARD_FULL) : 0;
        this.put(OUTPUT_NOT_RESET | (this.a20.open ? OUTPUT_A20 : 0) | full, "controller");
        break;
      }
      case WRITE_OUTPUT_PORT:
      case WRITE_KEYBOARD_OUTPUT:
      case WRITE_MOUSE_OUTPUT:
      case WRITE_MOUSE:
        this.pending = command;
        break;
      case DISABLE_A20:
      case ENABLE_A20:
        this.a20.set(command === ENABLE_A20);
        break;
      default:
        // The controller ignores what it does not know.
        break;
    }
  }

  /** Moves the next byte of a device into the output buffer once it is empty. The keyboard goes first. */
  private fill(): void {
    while (!this.full && (this.memory[0] & KEYBOARD_DISABLED) === 0 && this.keyboard.waiting) {
      this.fromKeyboard(this.keyboard.take() ?? 0);
    }
    if (!this.full && (this.memory[0] & MOUSE_DISABLED) === 0 && this.mouse.waiting) {
      this.put(this.mouse.take() ?? 0, "mouse");
    }
  }

  private fromKeyboard(value: number): void {
    if ((this.memory[0] & TRANSLATE) === 0) {
      this.put(value, "keyboard");
      return;
    }
    const { code, released } = translate(value, this.released);
    this.released = released;
    if (code !== null) this.put(code, "keyboard");
  }

  private put(value: number, source: Source): void {
    this.output = value;
    this.full = true;
    this.source = source;
    this.update();
  }

  private update(): void {
    const { keyboardInterrupt, mouseInterrupt } = this.options;
    const mouse = this.source === "mouse";
    keyboardInterrupt.set(this.full && !mouse && (this.memory[0] & KEYBOARD_INTERRUPT) !== 0);
    mouseInterrupt.set(this.full && mouse && (this.memory[0] & MOUSE_INTERRUPT) !== 0);
  }
}
