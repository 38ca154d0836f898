/** What `ringvisor doctor` and `--accel auto` want to know of /dev/kvm. */
import { KvmDevice } from "./device.js";

export interface CapabilityReport {
  apiVersion: number;
  /** Capabilities without which this VMM does not start. */
  missing: string[];
  /** What is lost without others. */
  reduced: string[];
}

/** Opens /dev/kvm and asks. Throws AcceleratorError ACCELERATOR_UNAVAILABLE where it cannot be opened. */
export function probeCapabilities(): CapabilityReport {
  const device = KvmDevice.openUnchecked();
  try {
    return { apiVersion: device.apiVersion(), missing: device.missingCapabilities(), reduced: [] };
  } finally {
    device.close();
  }
}
