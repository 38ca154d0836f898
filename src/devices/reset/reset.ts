/** Ways to reset a PC and its fast A20 gate: port 0xcf9 (ICH9 13.7.5) and port 0x92 (ICH9 13.7.3). */
import type { BusDevice, PlainData, Stateful } from "../device.js";
import { integer, literal, object } from "../state-shape.js";
import { A20Gate } from "./a20-gate.js";

const RESET_CPU = 1 << 2;
const PORT92_INIT = 1 << 0;
const PORT92_A20 = 1 << 1;

const CONTROL_SHAPE = object({ version: literal(1), value: integer(0, 0x0e) });
const PORT92_SHAPE = object({ version: literal(1), value: integer(0, 3) });

/** 0xcf9: a rising edge of bit 2 resets. */
export class ResetControl implements BusDevice, Stateful<PlainData> {
  private value = 0;

  constructor(private readonly reset: () => void) {}

  read(): number {
    return this.value;
  }

  write(_offset: number, _size: number, value: number): void {
    const rose = value & RESET_CPU && !(this.value & RESET_CPU);
    this.value = value & 0x0e;
    if (rose) {
      this.value &= ~RESET_CPU;
      this.reset();
    }
  }

  save(): PlainData {
    return { version: 1, value: this.value };
  }

  check(state: unknown): void {
    CONTROL_SHAPE.parse(state, "reset");
  }

  restore(state: PlainData): void {
    this.value = CONTROL_SHAPE.parse(state, "reset").value;
  }
}

/** 0x92: bit 0 resets, bit 1 is the A20 gate. */
export class Port92 implements BusDevice, Stateful<PlainData> {
  /** Bit 0 alone: the gate is shared with the keyboard controller. */
  private value = 0;

  constructor(
    private readonly reset: () => void,
    private readonly a20 = new A20Gate(),
  ) {}

  read(): number {
    return this.value | (this.a20.open ? PORT92_A20 : 0);
  }

  write(_offset: number, _size: number, value: number): void {
    const rose = value & PORT92_INIT && !(this.value & PORT92_INIT);
    this.value = value & PORT92_INIT;
    this.a20.set((value & PORT92_A20) !== 0);
    if (rose) this.reset();
  }

  save(): PlainData {
    return { version: 1, value: this.read() };
  }

  check(state: unknown): void {
    PORT92_SHAPE.parse(state, "port 92");
  }

  restore(state: PlainData): void {
    const { value } = PORT92_SHAPE.parse(state, "port 92");
    this.value = value & PORT92_INIT;
    this.a20.set((value & PORT92_A20) !== 0);
  }
}
