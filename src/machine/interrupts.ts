/**
 * Interrupt routing: from device lines and messages to the interrupt controllers and the vCPUs.
 *
 * A global system interrupt (GSI) below 16 is an ISA interrupt: it goes to the PIC and to the IOAPIC,
 * where the timer's line 0 is at pin 2, as the MADT's override says. GSIs 16-23 are the IOAPIC's alone.
 * The IOAPIC's pin 0 is the PIC's INTR, as MP specification 1.4 has it for virtual wires through the IOAPIC.
 */
import type { InterruptLine, MsiSink } from "../devices/device.js";
import { BROADCAST, type InterruptMessage, type Vcpu } from "../vcpu/accelerator.js";

/** Pins of the IOAPIC. */
export const GSI_COUNT = 24;
const ISA_COUNT = 16;
const TIMER_IRQ = 0;
const TIMER_GSI = 2;

const DELIVERY_MODES = ["fixed", "lowest", "smi", "fixed", "nmi", "init", "startup", "extint"] as const;

/** What routing needs of the PIC and the IOAPIC. */
export interface InterruptController {
  /** An input line by number. */
  line(number: number): InterruptLine;
}

/** The line of a GSI that several devices share: asserted while one of them asserts it. */
class SharedLine {
  private asserted = 0;

  constructor(private readonly targets: readonly InterruptLine[]) {}

  source(): InterruptLine {
    let current = false;
    return {
      set: (level) => {
        if (level === current) return;
        current = level;
        this.asserted += level ? 1 : -1;
        if (this.asserted === (level ? 1 : 0)) for (const target of this.targets) target.set(level);
      },
    };
  }
}

export class InterruptRouter implements MsiSink {
  private readonly vcpus: Vcpu[] = [];
  private lines: SharedLine[] = [];
  private intrPin: InterruptLine | null = null;
  private sink: ((message: InterruptMessage) => boolean) | null = null;

  /** The vCPUs in the order of their ids. */
  attach(vcpu: Vcpu): void {
    this.vcpus.push(vcpu);
  }

  /** Messages go to an accelerator that finds their targets itself. */
  setSink(sink: ((message: InterruptMessage) => boolean) | undefined): void {
    this.sink = sink ?? null;
  }

  /** Wires the GSIs to the controllers of the board. Lines handed out before stay with the old ones. */
  connect(pic: InterruptController, ioapic: InterruptController): void {
    this.lines = Array.from({ length: GSI_COUNT }, (_, gsi) => {
      const targets: InterruptLine[] = [];
      if (gsi < ISA_COUNT && gsi !== TIMER_GSI) targets.push(pic.line(gsi));
      if (gsi === TIMER_IRQ) targets.push(ioapic.line(TIMER_GSI));
      else if (gsi !== TIMER_GSI) targets.push(ioapic.line(gsi));
      return new SharedLine(targets);
    });
    this.intrPin = ioapic.line(TIMER_IRQ);
  }

  /** A new wire to GSI `gsi`; an ISA interrupt has the GSI of its number here. */
  line(gsi: number): InterruptLine {
    const shared = this.lines[gsi];
    if (shared === undefined) throw new RangeError(`GSI ${gsi} is not one of ${GSI_COUNT}`);
    return shared.source();
  }

  /** The PIC's INTR wire, which goes to LINT0 of the bootstrap processor and to the IOAPIC. */
  setIntr(level: boolean): void {
    this.intrPin?.set(level);
    this.vcpus[0]?.setExtInt(level);
  }

  /** A message-signalled interrupt. Intel SDM 3A 11.11. */
  send(address: number, data: number): void {
    // Bits 11-5 are the high bits of a 15-bit destination, as guests use them that know of it.
    const destination = ((address >>> 12) & 0xff) | (((address >>> 5) & 0x7f) << 8);
    this.deliver({
      destination: destination === 0xff ? BROADCAST : destination,
      destinationMode: address & 4 ? "logical" : "physical",
      deliveryMode: DELIVERY_MODES[(data >>> 8) & 7],
      vector: data & 0xff,
      triggerMode: data & 0x8000 ? "level" : "edge",
      level: (data & 0x8000) === 0 || (data & 0x4000) !== 0,
      shorthand: "none",
    });
  }

  /**
   * Hands a message to the local APICs that it is for.
   *
   * @param from id of the sending vCPU; -1 for a device
   * @returns whether one took it
   */
  deliver(message: InterruptMessage, from = -1): boolean {
    if (this.sink !== null) return this.sink(message);
    const targets = this.vcpus.filter((vcpu) => {
      switch (message.shorthand) {
        case "self":
          return vcpu.id === from;
        case "all":
          return true;
        case "others":
          return vcpu.id !== from;
        default:
          return vcpu.matches(message);
      }
    });
    if (message.deliveryMode === "lowest") {
      const order = targets.map((vcpu) => ({ vcpu, priority: vcpu.priority() }));
      order.sort((a, b) => a.priority - b.priority || a.vcpu.id - b.vcpu.id);
      return order.some(({ vcpu }) => vcpu.interrupt(message));
    }
    let taken = false;
    for (const vcpu of targets) if (vcpu.interrupt(message)) taken = true;
    return taken;
  }
}
