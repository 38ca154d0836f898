import type { InterruptMessage } from "../vcpu/accelerator.js";

/** An edge of vector 0x40 for APIC id 0, but for the fields that are given. */
export function interruptMessage(fields: Partial<InterruptMessage>): InterruptMessage {
  return {
    destination: 0,
    destinationMode: "physical",
    deliveryMode: "fixed",
    vector: 0x40,
    triggerMode: "edge",
    level: true,
    shorthand: "none",
    ...fields,
  };
}
