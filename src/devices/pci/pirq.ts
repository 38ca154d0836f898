/**
 * The ICH9's way from INTx pins to interrupt controllers: pins of slots share the lines PIRQA to PIRQH, which lead to
 * pins 16 to 23 of the IOAPIC, and each to the ISA interrupt that its routing register in the LPC bridge names.
 */
import type { InterruptLine } from "../device.js";

export const PIRQ_COUNT = 8;
export const FIRST_PCI_GSI = 16;

export interface PirqOptions {
  /** A wire to a global system interrupt; below 16 an ISA interrupt. */
  line(gsi: number): InterruptLine;
  /** The PIRQ (0-7) of a slot's pin (0-3). */
  pirqOf(slot: number, pin: number): number;
  /** The ISA interrupt that the routing register names, or null. */
  route(pirq: number): number | null;
}

interface Pirq {
  readonly ioapic: InterruptLine;
  /** Who asserts it. */
  asserted: number;
  isa: { readonly irq: number; readonly line: InterruptLine } | null;
}

export class PirqRouter {
  private readonly pirqs: Pirq[];
  /** A wire is made once: the lines of a machine only become more. */
  private readonly isaLines = new Map<number, InterruptLine>();

  constructor(private readonly options: PirqOptions) {
    this.pirqs = Array.from({ length: PIRQ_COUNT }, (_, pirq) => ({
      ioapic: options.line(FIRST_PCI_GSI + pirq),
      asserted: 0,
      isa: null,
    }));
  }

  /** A wire for a pin (0-3) of a slot. */
  intx(slot: number, pin: number): InterruptLine {
    const number = this.options.pirqOf(slot, pin);
    let current = false;
    return {
      set: (level) => {
        if (level === current) return;
        current = level;
        this.pirqs[number].asserted += level ? 1 : -1;
        this.update(number);
      },
    };
  }

  /** The routing registers have changed. */
  routingChanged(): void {
    for (const [number, pirq] of this.pirqs.entries()) {
      const irq = this.options.route(number);
      if (irq === (pirq.isa?.irq ?? null)) continue;
      pirq.isa?.line.set(false);
      pirq.isa = irq === null ? null : { irq, line: this.isaLine(number, irq) };
      this.update(number);
    }
  }

  private isaLine(pirq: number, irq: number): InterruptLine {
    const key = pirq * 16 + irq;
    const line = this.isaLines.get(key) ?? this.options.line(irq);
    this.isaLines.set(key, line);
    return line;
  }

  private update(number: number): void {
    const { asserted, ioapic, isa } = this.pirqs[number];
    ioapic.set(asserted > 0);
    isa?.line.set(asserted > 0);
  }
}
