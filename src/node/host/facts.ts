/** All that the probes find, as one plain value. */
import { type CgroupFacts, probeCgroups } from "./cgroups.js";
import { type FileSystemFacts, probeFileSystems } from "./filesystems.js";
import type { HostView } from "./host-view.js";
import { type KvmCapabilities, type KvmFacts, probeKvm } from "./kvm.js";
import { type NamespaceFacts, probeNamespaces } from "./namespaces.js";
import { type NativeCalls, type NodeFacts, probeNativeCalls, probeNode, type WasmHost } from "./node.js";
import { probeSecurity, type SecurityFacts } from "./security.js";
import { probeSystem, type SystemFacts } from "./system.js";

/** What the choice of an accelerator depends on. */
export interface AccelerationFacts {
  system: SystemFacts;
  kvm: KvmFacts;
  nativeCalls: NativeCalls;
}

export interface HostFacts extends AccelerationFacts {
  node: NodeFacts;
  namespaces: NamespaceFacts;
  cgroups: CgroupFacts;
  security: SecurityFacts;
  fileSystems: FileSystemFacts;
}

export interface ProbeOptions {
  wasm: WasmHost | null;
  /** Imports koffi. */
  loadNativeCalls: () => Promise<unknown>;
  /** Asks /dev/kvm by ioctls. Without it KVM is judged by what files and open(2) tell. */
  kvmCapabilities?: () => KvmCapabilities | Promise<KvmCapabilities>;
}

/** The quick part: a few files, and one open of /dev/kvm. Native code is loaded only where KVM would be chosen. */
export async function probeAcceleration(
  view: HostView,
  options: Pick<ProbeOptions, "loadNativeCalls" | "kvmCapabilities">,
): Promise<AccelerationFacts> {
  const system = probeSystem(view);
  const kvm = probeKvm(view, system.cpu.extension);
  if (kvm.device !== "open" || kvm.backing === "pvm") return { system, kvm, nativeCalls: { state: "untried" } };
  return withNativeCalls({ system, kvm }, options);
}

async function withNativeCalls(
  { system, kvm }: Omit<AccelerationFacts, "nativeCalls">,
  options: Pick<ProbeOptions, "loadNativeCalls" | "kvmCapabilities">,
): Promise<AccelerationFacts> {
  const nativeCalls = await probeNativeCalls(options.loadNativeCalls);
  if (kvm.device !== "open" || nativeCalls.state !== "works" || options.kvmCapabilities === undefined) {
    return { system, kvm, nativeCalls };
  }
  return { system, kvm: { ...kvm, capabilities: await options.kvmCapabilities() }, nativeCalls };
}

/** Everything; it also runs unshare(1) once. */
export async function probeHost(view: HostView, options: ProbeOptions): Promise<HostFacts> {
  const system = probeSystem(view);
  const { user, kernel } = system;
  return {
    ...(await withNativeCalls({ system, kvm: probeKvm(view, system.cpu.extension) }, options)),
    node: probeNode(view, options.wasm),
    namespaces: probeNamespaces(view, user),
    cgroups: probeCgroups(view),
    security: probeSecurity(view),
    fileSystems: probeFileSystems(view, kernel),
  };
}
