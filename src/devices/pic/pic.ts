/**
 * Two cascaded 8259A interrupt controllers as a PC has them: Intel 8259A data sheet, and the ICH9's
 * edge/level control registers.
 *
 *     const pic = new Pic({ intr: { set: (level) => router.setIntr(level) } });
 *     ports.add("pic", 0x20, 2, pic.master); ports.add("pic", 0xa0, 2, pic.slave); ports.add("elcr", 0x4d0, 2, pic.elcr);
 */
import type { BusDevice, InterruptLine, PlainData, Stateful } from "../device.js";
import { checkBoolean, checkNumber, checkVersion } from "../state.js";

const ICW1 = 1 << 4;
const ICW1_ICW4 = 1 << 0;
const ICW1_SINGLE = 1 << 1;
const ICW1_LEVEL = 1 << 3;
const ICW4_AUTO_EOI = 1 << 1;
const ICW4_FULLY_NESTED = 1 << 4;
const OCW3 = 1 << 3;
const OCW3_POLL = 1 << 2;
const CASCADE = 2;
const VERSION = 1;

/** One 8259A. Inputs in `lines`; the output goes to `changed`. */
class Controller implements BusDevice {
  private irr = 0;
  private isr = 0;
  private imr = 0;
  private lines = 0;
  /** Level-triggered inputs, from ELCR. */
  level = 0;
  private allLevel = false;
  private base = 0;
  private init = 0; // the ICW that comes next, 0 when none
  private needIcw4 = false;
  private single = false;
  private autoEoi = false;
  private rotateAutoEoi = false;
  private specialNested = false;
  private specialMask = false;
  private lowest = 7; // the input with the lowest priority
  private readIsr = false;
  private polling = false;

  constructor(
    private readonly isMaster: boolean,
    private readonly changed: () => void,
  ) {}

  set(input: number, level: boolean): void {
    const mask = 1 << input;
    const levelTriggered = this.allLevel || (this.level & mask) !== 0;
    if (level) {
      if (levelTriggered || !(this.lines & mask)) this.irr |= mask;
      this.lines |= mask;
    } else {
      // An edge that fell again before it was served is lost, as on the chip.
      this.irr &= ~mask;
      this.lines &= ~mask;
    }
    this.changed();
  }

  /** Whether INT is asserted. */
  get output(): boolean {
    return this.pending() >= 0;
  }

  // The input to serve next, or -1.
  private pending(): number {
    const requests = this.irr & ~this.imr;
    if (requests === 0) return -1;
    const served = this.specialMask ? this.isr & ~this.imr : this.isr;
    for (let step = 1; step <= 8; step++) {
      const input = (this.lowest + step) & 7;
      const mask = 1 << input;
      if (requests & mask && !(this.specialMask && this.isr & mask)) {
        if (!(served & mask) || (this.specialNested && this.isMaster && input === CASCADE)) return input;
      }
      if (served & mask && !this.specialMask) {
        return this.specialNested && this.isMaster && input === CASCADE && requests & mask ? input : -1;
      }
    }
    return -1;
  }

  /** INTA: takes the request. The input, or 7 for a spurious one (which sets nothing in service). */
  acknowledge(): { input: number; vector: number } {
    const input = this.pending();
    if (input < 0) return { input: 7, vector: this.base | 7 };
    const mask = 1 << input;
    if (!(this.allLevel || this.level & mask)) this.irr &= ~mask;
    if (this.autoEoi) {
      if (this.rotateAutoEoi) this.lowest = input;
    } else this.isr |= mask;
    this.changed();
    return { input, vector: this.base | input };
  }

  read(offset: number): number {
    if (this.polling) {
      this.polling = false;
      const input = this.pending();
      if (input < 0) return 0;
      this.acknowledge();
      return 0x80 | input;
    }
    if (offset === 1) return this.imr;
    return this.readIsr ? this.isr : this.irr;
  }

  write(offset: number, _size: number, value: number): void {
    if (offset === 0) {
      if (value & ICW1) this.initialize(value);
      else if (value & OCW3) this.writeOcw3(value);
      else this.writeOcw2(value);
    } else if (this.init === 2) {
      this.base = value & 0xf8;
      this.init = this.single ? (this.needIcw4 ? 4 : 0) : 3;
    } else if (this.init === 3) {
      this.init = this.needIcw4 ? 4 : 0;
    } else if (this.init === 4) {
      this.autoEoi = (value & ICW4_AUTO_EOI) !== 0;
      this.specialNested = (value & ICW4_FULLY_NESTED) !== 0;
      this.init = 0;
    } else this.imr = value & 0xff;
    this.changed();
  }

  private initialize(value: number): void {
    this.init = 2;
    this.needIcw4 = (value & ICW1_ICW4) !== 0;
    this.single = (value & ICW1_SINGLE) !== 0;
    this.allLevel = (value & ICW1_LEVEL) !== 0;
    this.imr = 0;
    this.isr = 0;
    // Edge detection starts anew; levels are seen again.
    this.irr = this.lines & (this.allLevel ? 0xff : this.level);
    this.lowest = 7;
    this.autoEoi = false;
    this.rotateAutoEoi = false;
    this.specialNested = false;
    this.specialMask = false;
    this.readIsr = false;
    this.polling = false;
  }

  private writeOcw3(value: number): void {
    if (value & OCW3_POLL) this.polling = true;
    else if (value & 2) this.readIsr = (value & 1) !== 0;
    if (value & 0x40) this.specialMask = (value & 0x20) !== 0;
  }

  private writeOcw2(value: number): void {
    const input = value & 7;
    switch (value >> 5) {
      case 0:
        this.rotateAutoEoi = false;
        break;
      case 4:
        this.rotateAutoEoi = true;
        break;
      case 1:
      case 5: {
        const highest = this.highestServed();
        if (highest >= 0) {
          this.isr &= ~(1 << highest);
          if (value >> 5 === 5) this.lowest = highest;
        }
        break;
      }
      case 3:
        this.isr &= ~(1 << input);
        break;
      case 6:
        this.lowest = input;
        break;
      case 7:
        this.isr &= ~(1 << input);
        this.lowest = input;
        break;
      default:
        break;
    }
  }

  private highestServed(): number {
    for (let step = 1; step <= 8; step++) {
      const input = (this.lowest + step) & 7;
      if (this.isr & (1 << input) && !(this.specialMask && this.imr & (1 << input))) return input;
    }
    return -1;
  }

  save(): PlainData {
    return {
      irr: this.irr,
      isr: this.isr,
      imr: this.imr,
      lines: this.lines,
      level: this.level,
      base: this.base,
      init: this.init,
      lowest: this.lowest,
      allLevel: this.allLevel,
      needIcw4: this.needIcw4,
      single: this.single,
      autoEoi: this.autoEoi,
      rotateAutoEoi: this.rotateAutoEoi,
      specialNested: this.specialNested,
      specialMask: this.specialMask,
      readIsr: this.readIsr,
      polling: this.polling,
    };
  }

  /** The checked fields, taken by `apply`, so that both chips are checked before one changes. */
  check(state: PlainData | undefined): () => void {
    const fields = (state ?? {}) as { readonly [key: string]: PlainData };
    const next: Record<string, number | boolean> = {};
    const limits = { irr: 255, isr: 255, imr: 255, lines: 255, level: 255, base: 0xf8, init: 4, lowest: 7 };
    for (const [name, max] of Object.entries(limits)) next[name] = checkNumber("pic", fields[name], max, name);
    const switches = [
      "allLevel",
      "needIcw4",
      "single",
      "autoEoi",
      "rotateAutoEoi",
      "specialNested",
      "specialMask",
      "readIsr",
      "polling",
    ];
    for (const name of switches) next[name] = checkBoolean("pic", fields[name], name);
    return () => Object.assign(this, next);
  }
}

export class Pic implements Stateful<PlainData> {
  private readonly masterChip: Controller;
  private readonly slaveChip: Controller;
  readonly master: BusDevice;
  readonly slave: BusDevice;
  /** Ports 0x4d0 and 0x4d1: which inputs are level-triggered. 0, 1, 2, 8 and 13 cannot be. */
  readonly elcr: BusDevice;
  private settled = true;

  constructor(private readonly options: { intr: InterruptLine }) {
    this.masterChip = new Controller(true, () => this.update());
    this.slaveChip = new Controller(false, () => this.update());
    this.master = this.masterChip;
    this.slave = this.slaveChip;
    this.elcr = {
      read: (offset) => (offset === 0 ? this.masterChip.level : this.slaveChip.level),
      write: (offset, _size, value) => {
        if (offset === 0) this.masterChip.level = value & 0xf8;
        else this.slaveChip.level = value & 0xde;
      },
    };
  }

  /** Input 0-15; 2 is the cascade's own. */
  line(number: number): InterruptLine {
    if (number >= 8) return { set: (level) => this.slaveChip.set(number - 8, level) };
    return { set: (level) => number !== CASCADE && this.masterChip.set(number, level) };
  }

  /** The processor's acknowledge cycle: the vector. */
  acknowledge(): number {
    const { input, vector } = this.masterChip.acknowledge();
    return input === CASCADE ? this.slaveChip.acknowledge().vector : vector;
  }

  save(): PlainData {
    return { version: VERSION, master: this.masterChip.save(), slave: this.slaveChip.save() };
  }

  restore(state: PlainData): void {
    const fields = checkVersion("pic", state, VERSION);
    const takeMaster = this.masterChip.check(fields.master);
    const takeSlave = this.slaveChip.check(fields.slave);
    takeMaster();
    takeSlave();
    this.update();
  }

  private cascade = false;

  private update(): void {
    // The slave's output is an input of the master, whose change comes back here once.
    if (!this.settled) return;
    this.settled = false;
    const output = this.slaveChip.output;
    if (output !== this.cascade || output) {
      this.masterChip.set(CASCADE, false);
      if (output) this.masterChip.set(CASCADE, true);
      this.cascade = output;
    }
    this.settled = true;
    this.options.intr.set(this.masterChip.output);
  }
}
