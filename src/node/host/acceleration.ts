/** The part of the probes that `--accel auto` needs: quick, because every `boot` does it. */
import type { HostView } from "./host-view.js";
import { type KvmCapabilities, type KvmFacts, probeKvm } from "./kvm.js";
import { type NativeCalls, probeNativeCalls } from "./native-calls.js";
import { probeSystem, type SystemFacts } from "./system.js";

/** What the choice of an accelerator depends on. */
export interface AccelerationFacts {
  system: SystemFacts;
  kvm: KvmFacts;
  nativeCalls: NativeCalls;
}

export interface AccelerationProbeOptions {
  /** Imports koffi. */
  loadNativeCalls: () => Promise<unknown>;
  /** Asks /dev/kvm by ioctls. Without it KVM is judged by what files and open(2) tell. */
  kvmCapabilities?: () => KvmCapabilities | Promise<KvmCapabilities>;
  /** Native code is loaded even where KVM would not be chosen. */
  thorough?: boolean;
}

/** A few files, and one open of /dev/kvm. */
export async function probeAcceleration(
  view: HostView,
  { loadNativeCalls, kvmCapabilities, thorough = false }: AccelerationProbeOptions,
): Promise<AccelerationFacts> {
  const system = probeSystem(view);
  const kvm = probeKvm(view, system.cpu.extension);
  if (!thorough && (kvm.device !== "open" || kvm.backing === "pvm")) {
    return { system, kvm, nativeCalls: { state: "untried" } };
  }
  const nativeCalls = await probeNativeCalls(loadNativeCalls);
  if (kvm.device !== "open" || nativeCalls.state !== "works" || kvmCapabilities === undefined) {
    return { system, kvm, nativeCalls };
  }
  try {
    return { system, kvm: { ...kvm, capabilities: await kvmCapabilities() }, nativeCalls };
  } catch (error) {
    const [message] = (error instanceof Error ? error.message : String(error)).split("\n");
    return { system, kvm: { ...kvm, device: "broken", error: message }, nativeCalls };
  }
}
