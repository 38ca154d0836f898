/** The ICH9's LPC bridge, function 00:1f.0: PMBASE, ACPI control and the routing of PCI interrupts. */
import { PciFunction } from "./config-space.js";

const PMBASE = 0x40;
const ACPI_CONTROL = 0x44;
const PIRQ_A = 0x60;
const PIRQ_E = 0x68;
const RCBA = 0xf0;
const PIRQ_DISABLED = 0x80;

export class LpcBridge extends PciFunction {
  /** @param routingChanged the guest changed the PIRQ routing registers */
  constructor(
    pmBase: number,
    private readonly routingChanged: () => void = () => {},
  ) {
    super({
      vendor: 0x8086,
      device: 0x2918,
      classCode: 0x060100,
      revision: 2,
      headerType: 0x80,
      subsystemVendor: 0x1af4,
      subsystem: 0x1100,
    });
    this.set(0x04, 2, 0x0007);
    this.set(PMBASE, 4, pmBase | 1);
    this.set(ACPI_CONTROL, 1, 0x80);
    this.allow(ACPI_CONTROL, 1, 0x87);
    for (let pin = 0; pin < 4; pin++) {
      this.set(PIRQ_A + pin, 1, PIRQ_DISABLED);
      this.set(PIRQ_E + pin, 1, PIRQ_DISABLED);
      this.allow(PIRQ_A + pin, 1, 0x8f);
      this.allow(PIRQ_E + pin, 1, 0x8f);
    }
    this.allow(RCBA, 4, 0xffffc001);
  }

  protected override configChanged(offset: number, size: number): void {
    if (offset < PIRQ_E + 4 && offset + size > PIRQ_A) this.routingChanged();
  }

  /** The ISA interrupt that PIRQ 0-7 (A-H) is routed to, or null. */
  route(pirq: number): number | null {
    const value = this.config[pirq < 4 ? PIRQ_A + pirq : PIRQ_E + pirq - 4] ?? PIRQ_DISABLED;
    return value & PIRQ_DISABLED ? null : value & 15;
  }
}
