/** What a mount of type "cgroup" in a container's configuration comes to: config.md, "Mounts"; cgroup_namespaces(7). */
import { posix } from "node:path";
import { type CgroupPaths, UNIFIED } from "./cgroup.js";
import type { CgroupMount, Hierarchy } from "./detect.js";
import { CgroupError } from "./errors.js";

/** Steps in order, for whoever carries out a container's mounts. Targets are paths inside the container. */
export type CgroupMountStep =
  | MountStep
  | { readonly kind: "mkdir"; readonly target: string }
  /** `value` is what the link contains. */
  | { readonly kind: "symlink"; readonly target: string; readonly value: string };

export interface MountStep {
  readonly kind: "mount";
  /** A host's folder for a bind, else a name without meaning. */
  readonly source: string;
  readonly target: string;
  readonly type: "tmpfs" | "cgroup" | "cgroup2" | "bind";
  /** As in a configuration: bind, remount, ro, nosuid and so on. */
  readonly options: readonly string[];
  /** For the file system. */
  readonly data: string;
  /** To be tried when the kernel refuses the mount with EPERM or EBUSY. */
  readonly fallback?: MountStep;
}

export interface CgroupMountRequest {
  readonly hierarchy: Hierarchy;
  /** The container's cgroup. */
  readonly paths: CgroupPaths;
  /** Of the mount in the configuration: an absolute path inside the container. */
  readonly destination: string;
  /** Of the mount in the configuration, flags only. */
  readonly options: readonly string[];
  /** The container has a cgroup namespace of its own, made when it was in its cgroup already. */
  readonly cgroupNamespace: boolean;
}

/**
 * The container sees its own cgroup at the destination and nothing above it: with a cgroup namespace by a mount of
 * the hierarchy, which begins at the namespace's root; without one by a bind of the cgroup's folder.
 * @throws CgroupError when the container has no cgroup
 */
export function planCgroupMounts(request: CgroupMountRequest): CgroupMountStep[] {
  const { hierarchy, paths } = request;
  if (Object.keys(paths).length === 0) {
    throw new CgroupError(
      "cgroup",
      "unavailable",
      `nothing to mount at ${request.destination}: the container has no cgroup`,
    );
  }
  return hierarchy.mode === "v2" ? [unifiedStep(request, request.destination)] : v1Steps(request);
}

function unifiedStep({ paths, options, cgroupNamespace }: CgroupMountRequest, target: string): MountStep {
  const bind: MountStep = bindStep(paths[UNIFIED]!, target, options);
  if (!cgroupNamespace) return bind;
  // A user namespace that does not own the cgroup namespace may not mount it.
  return { kind: "mount", source: "cgroup", target, type: "cgroup2", options, data: "", fallback: bind };
}

/** A small tmpfs with a folder a hierarchy, and a link for each controller that shares one. */
function v1Steps(request: CgroupMountRequest): CgroupMountStep[] {
  const { hierarchy, paths, destination, options, cgroupNamespace } = request;
  const writable = options.filter((option) => option !== "ro");
  const steps: CgroupMountStep[] = [
    {
      kind: "mount",
      source: "tmpfs",
      target: destination,
      type: "tmpfs",
      options: writable,
      data: "mode=755,size=64k",
    },
  ];
  const links: CgroupMountStep[] = [];
  for (const [mount, controllers] of groupByMount(hierarchy)) {
    const present = controllers.filter((controller) => paths[controller] !== undefined);
    if (present.length === 0) continue;
    const name = posix.basename(mount.mountPoint);
    const target = posix.join(destination, name);
    steps.push({ kind: "mkdir", target });
    const bind = bindStep(paths[present[0]!]!, target, options);
    const data = present
      .map((controller) => (controller.startsWith("name=") ? `none,${controller}` : controller))
      .join(",");
    steps.push(
      cgroupNamespace
        ? { kind: "mount", source: "cgroup", target, type: "cgroup", options, data, fallback: bind }
        : bind,
    );
    for (const controller of present) {
      if (controller === name || controller.startsWith("name=")) continue;
      links.push({ kind: "symlink", target: posix.join(destination, controller), value: name });
    }
  }
  if (hierarchy.unified && paths[UNIFIED] !== undefined) {
    const target = posix.join(destination, posix.basename(hierarchy.unified.mountPoint));
    steps.push({ kind: "mkdir", target }, unifiedStep(request, target));
  }
  steps.push(...links);
  if (options.includes("ro")) {
    steps.push({
      kind: "mount",
      source: "tmpfs",
      target: destination,
      type: "tmpfs",
      options: ["remount", ...options],
      data: "mode=755,size=64k",
    });
  }
  return steps;
}

function bindStep(source: string, target: string, options: readonly string[]): MountStep {
  return { kind: "mount", source, target, type: "bind", options: ["bind", ...options], data: "" };
}

function groupByMount(hierarchy: Hierarchy): [CgroupMount, string[]][] {
  const groups = new Map<string, [CgroupMount, string[]]>();
  for (const [controller, mount] of hierarchy.v1) {
    const group = groups.get(mount.mountPoint) ?? [mount, []];
    group[1].push(controller);
    groups.set(mount.mountPoint, group);
  }
  return [...groups.values()];
}
