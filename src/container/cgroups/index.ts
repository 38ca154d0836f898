/**
 * Control groups: limits and accounting of a container's processes on hosts with cgroup v1, v2 or both, by writing to
 * cgroupfs. First `planCgroup`, then `openCgroup`, whatever is to be done: the plan is what a container's state keeps.
 */
import { Cgroup, type CgroupOptions, type CgroupPaths } from "./cgroup.js";
import { detect } from "./detect.js";
import { CgroupError } from "./errors.js";
import { UNIFIED } from "./names.js";
import { cgroupFolder, checkCgroupsPath } from "./paths.js";

export type { Cgroup, CgroupOptions, CgroupPaths, CgroupVersion, DeviceProgram } from "./cgroup.js";
export { CgroupError } from "./errors.js";
export { UNIFIED } from "./names.js";
export type { Stats } from "./stats.js";

/**
 * Where a container's cgroups are to be. Makes nothing.
 * @param cgroupsPath `linux.cgroupsPath` of the configuration: absolute below where each hierarchy is mounted,
 *   relative below our own cgroup (on v2 beside it); without one, the container's id, relative
 * @throws CgroupError for a path that leads out of where it is put
 */
export function planCgroup(cgroupsPath: string | undefined, id: string, options: CgroupOptions = {}): CgroupPaths {
  const path = checkCgroupsPath(cgroupsPath || id);
  const { mode, v1, unified } = options.hierarchy ?? detect({ files: options.files });
  const folders: Record<string, string> = {};
  for (const [controller, mount] of v1) folders[controller] = cgroupFolder(mount, path, 1);
  if (unified) folders[UNIFIED] = cgroupFolder(unified, path, 2);
  return { version: mode, folders };
}

/** The cgroup of a container by what its state says, whether it is made yet or not. @throws CgroupError */
export function openCgroup(paths: CgroupPaths, options: CgroupOptions = {}): Cgroup {
  for (const [controller, path] of Object.entries(paths.folders)) {
    if (typeof path !== "string" || !path.startsWith("/") || path.split("/").includes("..")) {
      const detail = `saved path ${JSON.stringify(path)} is no cgroup's folder`;
      throw new CgroupError(controller || "cgroup", "invalid", detail);
    }
  }
  return new Cgroup(paths, options);
}
