/**
 * The PC's pair of 8259A interrupt controllers: the slave's output is input 2 of the master.
 * Intel 8259A data sheet; the ELCR is described with the ICH9, 13.4.
 *
 *     const pic = new Pic({ intr: { set: (level) => router.setIntr(level) } });
 *     ports.add("pic", 0x20, 2, pic.master); ports.add("pic", 0xa0, 2, pic.slave); ports.add("elcr", 0x4d0, 2, pic.elcr);
 */
import { ByteWindow } from "../byte-registers.js";
import type { InterruptLine, Stateful } from "../device.js";
import { literal, object, type StateOf } from "../state-shape.js";
import { I8259, I8259_PAIR } from "./i8259.js";

const CASCADE_INPUT = 2;
/** Inputs that may be level-triggered. The timer, keyboard, cascade, RTC and FPU are edges for good. */
const ELCR_MASTER = 0xf8;
const ELCR_SLAVE = 0xde;

const SHAPE = object({ version: literal(1), chips: I8259_PAIR });
export type PicState = StateOf<typeof SHAPE>;

export class Pic implements Stateful<PicState> {
  /** Ports 0x20-0x21. */
  readonly master: ByteWindow;
  /** Ports 0xa0-0xa1. */
  readonly slave: ByteWindow;
  /** Ports 0x4d0-0x4d1. */
  readonly elcr: ByteWindow;
  private readonly first = new I8259(CASCADE_INPUT);
  private readonly second = new I8259(-1);

  /** @param options `intr` is the wire to the processor's INTR, or LINT0 */
  constructor(private readonly options: { intr: InterruptLine }) {
    this.master = this.chipWindow(this.first);
    this.slave = this.chipWindow(this.second);
    this.elcr = new ByteWindow(
      (offset) => (offset === 0 ? this.first : this.second).state.levelTriggered,
      (offset, value) => {
        if (offset === 0) this.first.setLevelTriggered(value & ELCR_MASTER);
        else this.second.setLevelTriggered(value & ELCR_SLAVE);
        this.update();
      },
    );
  }

  /** Input 0-15. Input 2 is taken by the slave: what is set there has no effect. */
  line(number: number): InterruptLine {
    if (!(Number.isInteger(number) && number >= 0 && number < 16))
      throw new RangeError(`the PIC has no input ${number}`);
    if (number === CASCADE_INPUT) return { set: () => {} };
    const chip = number < 8 ? this.first : this.second;
    return {
      set: (level) => {
        chip.setLine(number & 7, level);
        this.update();
      },
    };
  }

  /** The interrupt acknowledge cycle. Returns the vector; that of input 7 or 15 where the request went away. */
  acknowledge(): number {
    const input = this.first.acknowledge();
    if (input !== CASCADE_INPUT) {
      this.update();
      return this.first.vector(input);
    }
    const vector = this.second.vector(this.second.acknowledge());
    this.cascadeEdge();
    return vector;
  }

  save(): PicState {
    return SHAPE.parse({ version: 1, chips: [this.first.state, this.second.state] }, "pic");
  }

  check(state: unknown): void {
    SHAPE.parse(state, "pic");
  }

  restore(state: PicState): void {
    const { chips } = SHAPE.parse(state, "pic");
    [this.first.state, this.second.state] = chips;
    this.options.intr.set(this.first.pending() >= 0);
  }

  private chipWindow(chip: I8259): ByteWindow {
    return new ByteWindow(
      (offset) => {
        const value = chip.read(offset);
        this.cascadeEdge();
        return value;
      },
      (offset, value) => {
        chip.write(offset, value);
        this.cascadeEdge();
      },
    );
  }

  /** After an acknowledge or an EOI the slave's output falls and rises again if it has more: an edge for the master. */
  private cascadeEdge(): void {
    this.first.setLine(CASCADE_INPUT, false);
    this.update();
  }

  private update(): void {
    this.first.setLine(CASCADE_INPUT, this.second.pending() >= 0);
    this.options.intr.set(this.first.pending() >= 0);
  }
}
