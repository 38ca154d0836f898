/** Ways to reset a PC and its fast A20 gate: port 0xcf9 (ICH9 13.7.5) and port 0x92 (ICH9 13.7.3). */
import type { BusDevice, PlainData, Stateful } from "../device.js";
import { checkNumber, checkVersion } from "../state.js";

const RESET_CPU = 1 << 2;
const PORT92_INIT = 1 << 0;
const PORT92_A20 = 1 << 1;

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

  restore(state: PlainData): void {
    this.value = checkNumber("reset", checkVersion("reset", state, 1).value, 0x0e, "value");
  }
}

/** 0x92: bit 0 resets, bit 1 is the A20 gate, which this board keeps open whatever it says. */
export class Port92 implements BusDevice, Stateful<PlainData> {
  private value = PORT92_A20;

  constructor(private readonly reset: () => void) {}

  read(): number {
    return this.value;
  }

  write(_offset: number, _size: number, value: number): void {
    const rose = value & PORT92_INIT && !(this.value & PORT92_INIT);
    this.value = value & (PORT92_INIT | PORT92_A20);
    if (rose) this.reset();
  }

  save(): PlainData {
    return { version: 1, value: this.value };
  }

  restore(state: PlainData): void {
    this.value = checkNumber("port 92", checkVersion("port 92", state, 1).value, 3, "value");
  }
}
