/** What a container's mount of type "cgroup" shows it: config.md, "Mounts"; cgroup_namespaces(7). */
import { posix } from "node:path";
import type { CgroupPaths } from "./cgroup.js";
import { detect, type Hierarchy } from "./detect.js";
import { UNIFIED } from "./names.js";

/** A hierarchy as a container sees it: a folder of its mount, or on v2 the mount itself. */
export interface CgroupMount {
  /** Folder under the container's mount: `memory`, `cpu,cpuacct`, `systemd`, `unified`. */
  readonly name: string;
  readonly unified: boolean;
  /** v1: what mount(2) takes to name the hierarchy. */
  readonly data: string;
  /** v1: those that share the hierarchy; each but one of the name itself gets a link. */
  readonly controllers: readonly string[];
  /** The container's cgroup on the host: to be bound where the container has no cgroup namespace. */
  readonly folder: string;
}

/** A hierarchy without a cgroup of the container's is left out. */
export function cgroupMounts(paths: CgroupPaths, hierarchy: Hierarchy = detect()): CgroupMount[] {
  const found = new Map<string, { folder: string; controllers: string[] }>();
  for (const [controller, { mountPoint }] of hierarchy.v1) {
    const folder = paths.folders[controller];
    if (folder === undefined) continue;
    const group = found.get(mountPoint) ?? { folder, controllers: [] };
    group.controllers.push(controller);
    found.set(mountPoint, group);
  }
  const mounts: CgroupMount[] = [...found].map(([mountPoint, { folder, controllers }]) => ({
    name: posix.basename(mountPoint),
    unified: false,
    data: controllers.map((controller) => (controller.startsWith("name=") ? `none,${controller}` : controller)).join(),
    controllers: controllers.filter((controller) => !controller.startsWith("name=")),
    folder,
  }));
  const folder = paths.folders[UNIFIED];
  if (hierarchy.unified && folder !== undefined) {
    const name = posix.basename(hierarchy.unified.mountPoint);
    mounts.push({ name, unified: true, data: "", controllers: [], folder });
  }
  return mounts;
}
