/**
 * /dev/kvm: whether it is there, whether we may use it, and what stands behind it.
 *
 * Without VT-x or AMD-V a kernel can still offer /dev/kvm, by a module like `kvm_pvm`: it runs guests that were
 * made for it, and emulates the kernel of any other at about a million instructions a second.
 */
import type { FileStatus, HostView } from "./host-view.js";
import { groupName } from "./system.js";

/** What only ioctls of /dev/kvm tell. */
export interface KvmCapabilities {
  apiVersion: number;
  /** Names of capabilities without which the accelerator cannot work, and that this KVM lacks. */
  missing: readonly string[];
  /** The same for those that it can do without: "KVM_CAP_X: what is lost". */
  reduced: readonly string[];
}

export interface KvmFacts {
  /** `denied`: it exists and this process may not open it. `broken`: opening fails for another reason. */
  device: "absent" | "denied" | "broken" | "open";
  /** The system's error code, where opening failed. */
  error: string | null;
  /** The group whose members may open it; null where there is none but root's. */
  group: string | null;
  /** The permission bits let this process open it: where opening is denied all the same, a container forbids it. */
  permitted: boolean;
  /** KVM's modules, loaded or built in, by name: "kvm", "kvm_intel", "kvm_amd", "kvm_pvm". */
  modules: readonly string[];
  /**
   * What runs the guest's code: the processor's extension, the module without one, or null where neither is seen.
   * It is what the kernel shows, whether or not the device can be opened.
   */
  backing: "vmx" | "svm" | "pvm" | null;
  /** Null where they were not asked for, or cannot be. */
  capabilities: KvmCapabilities | null;
}

/** The version that every kernel since 2.6.22 answers (KVM_GET_API_VERSION). */
export const KVM_API_VERSION = 12;

const DEVICE = "/dev/kvm";
const MODULES = ["kvm", "kvm_intel", "kvm_amd", "kvm_pvm"] as const;

/** @param extension the one that the processor shows */
export function probeKvm(view: HostView, extension: "vmx" | "svm" | null): KvmFacts {
  const loaded = new Set((view.readText("/proc/modules") ?? "").split("\n").map((line) => line.split(" ")[0]));
  // Built-in modules with parameters have a folder too.
  const modules = MODULES.filter((name) => loaded.has(name) || view.status(`/sys/module/${name}`) !== null);
  const status = view.status(DEVICE);
  const error = status === null ? null : view.tryOpen(DEVICE);
  const device = status === null ? "absent" : error === null ? "open" : isDenial(error) ? "denied" : "broken";
  return {
    device,
    error,
    group: status === null ? null : openingGroup(view, status),
    permitted: status !== null && mayOpen(view, status),
    modules,
    backing: findBacking(modules, loaded, extension),
    capabilities: null,
  };
}

function isDenial(error: string): boolean {
  return error === "EACCES" || error === "EPERM";
}

function openingGroup(view: HostView, { mode, gid }: FileStatus): string | null {
  return (mode & 0o060) === 0o060 && gid !== 0 ? (groupName(view, gid) ?? String(gid)) : null;
}

function mayOpen(view: HostView, { mode, uid, gid }: FileStatus): boolean {
  const { process } = view;
  if (process.uid === 0) return true;
  if (process.uid === uid) return (mode & 0o600) === 0o600;
  if (process.gid === gid || process.groups.includes(gid)) return (mode & 0o060) === 0o060;
  return (mode & 0o006) === 0o006;
}

function findBacking(
  modules: readonly string[],
  loaded: ReadonlySet<string>,
  extension: "vmx" | "svm" | null,
): KvmFacts["backing"] {
  // One module at a time serves the device: a kvm_pvm that could be loaded is the one.
  if (loaded.has("kvm_pvm")) return "pvm";
  const vendor = extension === "vmx" ? "kvm_intel" : "kvm_amd";
  if (extension !== null && modules.includes(vendor)) return extension;
  if (modules.includes("kvm_pvm")) return "pvm";
  // A container may hide /sys and /proc/modules; the processor's flags are told everywhere.
  return modules.length === 0 ? extension : null;
}
