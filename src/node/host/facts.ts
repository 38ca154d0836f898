/** All that the probes find, as one plain value. */
import { type AccelerationFacts, type AccelerationProbeOptions, probeAcceleration } from "./acceleration.js";
import { type CgroupFacts, probeCgroups } from "./cgroups.js";
import { type FileSystemFacts, probeFileSystems } from "./filesystems.js";
import type { HostView } from "./host-view.js";
import { type NamespaceFacts, probeNamespaces } from "./namespaces.js";
import { type NodeFacts, probeNode, type WasmHost } from "./node.js";
import { probeSecurity, type SecurityFacts } from "./security.js";

export interface HostFacts extends AccelerationFacts {
  node: NodeFacts;
  namespaces: NamespaceFacts;
  cgroups: CgroupFacts;
  security: SecurityFacts;
  fileSystems: FileSystemFacts;
}

export interface ProbeOptions extends Omit<AccelerationProbeOptions, "thorough"> {
  /** Null where the host has no WebAssembly. */
  wasm: WasmHost | null;
}

/** Runs unshare(1) once; see `HostView` for what else probes do. */
export async function probeHost(view: HostView, { wasm, ...options }: ProbeOptions): Promise<HostFacts> {
  const acceleration = await probeAcceleration(view, { ...options, thorough: true });
  const { user, kernel } = acceleration.system;
  return {
    ...acceleration,
    node: probeNode(view, wasm),
    namespaces: probeNamespaces(view, user),
    cgroups: probeCgroups(view),
    security: probeSecurity(view),
    fileSystems: probeFileSystems(view, kernel),
  };
}
