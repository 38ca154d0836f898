/** File systems that containers' root folders are put together with. */
import type { HostView } from "./host-view.js";
import { isAtLeast } from "./parse.js";

export interface FileSystemFacts {
  /** `loadable`: the module is installed and not loaded yet; mounting loads it. */
  overlay: "present" | "loadable" | "absent";
  /** A user namespace may mount it: Linux 5.11 and later. */
  overlayRootless: boolean;
  /** /dev/fuse can be opened. */
  fuse: boolean;
}

export function probeFileSystems(view: HostView, kernel: string | null): FileSystemFacts {
  const known = (view.readText("/proc/filesystems") ?? "").split("\n").map((line) => line.split("\t")[1]);
  const overlay = known.includes("overlay") ? "present" : hasModule(view, kernel) ? "loadable" : "absent";
  return {
    overlay,
    overlayRootless: overlay !== "absent" && kernel !== null && isAtLeast(kernel, [5, 11]),
    fuse: view.status("/dev/fuse") !== null && view.tryOpen("/dev/fuse") === null,
  };
}

/** Modules are installed plain or compressed. */
function hasModule(view: HostView, kernel: string | null): boolean {
  if (kernel === null) return false;
  const names = view.list(`/lib/modules/${kernel}/kernel/fs/overlayfs`) ?? [];
  return names.some((name) => /^overlay\.ko(\.|$)/.test(name));
}
