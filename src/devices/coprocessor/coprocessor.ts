/**
 * What a PC has between the processor's x87 error pins and its interrupt controller, for software that leaves CR0.NE
 * clear: FERR# raises IRQ 13, whose handler writes port 0xf0. That lowers the interrupt, and asserts IGNNE# until the
 * error is cleared, so that the handler itself may use x87. Intel SDM vol. 1 appendix D.2; ICH9 13.7 (port F0).
 */
import type { BusDevice, InterruptLine, PlainData, Stateful } from "../device.js";
import { flag, literal, object } from "../state-shape.js";

const SHAPE = object({ version: literal(1), asserted: flag });
/** Port 0xf1 reset the 80287; it does the same here. */
const CLEAR = 0;
const RESET = 1;

export class Coprocessor implements BusDevice, Stateful<PlainData> {
  private asserted = false;

  /**
   * @param options.interrupt IRQ 13
   * @param options.ignore asserts IGNNE# of the processor; it falls by itself when the error is cleared
   */
  constructor(private readonly options: { interrupt: InterruptLine; ignore: () => void }) {}

  /** FERR# falls: an x87 error waits. */
  error(): void {
    this.set(true);
  }

  read(): number {
    return 0xff;
  }

  write(offset: number): void {
    if (offset !== CLEAR && offset !== RESET) return;
    this.set(false);
    this.options.ignore();
  }

  save(): PlainData {
    return { version: 1, asserted: this.asserted };
  }

  check(state: unknown): void {
    SHAPE.parse(state, "coprocessor");
  }

  restore(state: PlainData): void {
    this.set(SHAPE.parse(state, "coprocessor").asserted);
  }

  private set(level: boolean): void {
    this.asserted = level;
    this.options.interrupt.set(level);
  }
}
