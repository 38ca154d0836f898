/** The accelerator on /dev/kvm. */
import type { GuestMemory } from "../../guest-memory/guest-memory.js";
import type { Accelerator } from "../../vcpu/accelerator.js";
import { limitModel } from "../../vcpu/cpu-model.js";
import { KvmDevice } from "./device.js";
import { installKickHandler } from "./libc.js";
import { KvmVm } from "./vm.js";

export interface KvmAccelerator extends Accelerator {
  /** Ticks a second of this host's TSC, which its guests have unless the host can scale. Asked of a VM made for it. */
  readonly tscFrequency: number;
  /** Closes /dev/kvm. VMs that are open stay so. */
  close(): void;
}

/**
 * Opens /dev/kvm.
 *
 * @throws AcceleratorError ACCELERATOR_UNAVAILABLE with what the host lacks and the remedy
 */
export function createKvm(): KvmAccelerator {
  const device = KvmDevice.open();
  try {
    installKickHandler();
    const features = device.supportedFeatures();
    return {
      name: "kvm",
      parallel: true,
      get tscFrequency() {
        return device.tscFrequency();
      },
      offer: (model) => limitModel(model, features),
      createVm: (memory: GuestMemory) => new KvmVm(device, memory),
      close: () => device.close(),
    };
  } catch (error) {
    device.close();
    throw error;
  }
}
