/** Makes a container's control group. */
import { posix } from "node:path";
import { Cgroup, type CgroupPaths, neededOfV2, UNIFIED } from "./cgroup.js";
import { ControlFolder } from "./control-folder.js";
import type { CgroupMount, Hierarchy } from "./detect.js";
import { CgroupError, invalid } from "./errors.js";
import { type CgroupFiles, errnoOf, systemFiles } from "./files.js";
import { cgroupFolder, checkCgroupsPath } from "./paths.js";
import { processesIn } from "./processes.js";
import type { LinuxResources } from "./resources.js";
import { V1_CONTROLLERS } from "./v1/controllers.js";
import { makeV2Folder } from "./v2/folders.js";

export interface CreateOptions {
  /** The container's name: that of its cgroup when the configuration has no cgroupsPath. */
  readonly id: string;
  /**
   * The caller is not the host's root: hierarchies that it may not write to are done without unless a limit is asked
   * for there. Device rules are no such limit: a user namespace's processes cannot make devices.
   */
  readonly rootless?: boolean;
  readonly files?: CgroupFiles;
}

/**
 * Makes the cgroup in each hierarchy and sets the limits; the container's process enters by `addProcess` and, where
 * `deviceProgramFolder` says so, the caller attaches the device program before.
 * Nothing is left behind when it fails.
 * @param cgroupsPath `linux.cgroupsPath` of the configuration (see cgroupFolder)
 * @throws CgroupError that names the controller that cannot be had
 */
export function createCgroup(
  hierarchy: Hierarchy,
  cgroupsPath: string | undefined,
  resources: LinuxResources,
  options: CreateOptions,
): Cgroup {
  const { files = systemFiles, rootless = false } = options;
  const path = checkCgroupsPath(cgroupsPath || options.id);
  if (hierarchy.mode === "none" && !rootless) {
    throw new CgroupError("cgroup", "unavailable", "no cgroup hierarchy is mounted on this host");
  }
  const made: string[] = [];
  try {
    const paths = makeFolders(hierarchy, path, resources, { files, rootless, made });
    const cgroup = new Cgroup(paths, files);
    const keptDevices = paths.devices !== undefined || paths[UNIFIED] !== undefined;
    if (resources.devices && !keptDevices && !rootless) {
      throw new CgroupError(
        "devices",
        "unavailable",
        "device rules are asked for and this host has neither the v1 controller nor cgroup v2",
      );
    }
    cgroup.update(rootless ? { ...resources, devices: undefined } : resources);
    return cgroup;
  } catch (error) {
    for (const folder of made.reverse()) {
      try {
        files.rmdir(folder);
      } catch {
        // Somebody else uses it by now; the first error is the one to tell.
      }
    }
    throw error;
  }
}

interface Making {
  readonly files: CgroupFiles;
  readonly rootless: boolean;
  readonly made: string[];
}

function makeFolders(hierarchy: Hierarchy, path: string, resources: LinuxResources, making: Making): CgroupPaths {
  const paths: Record<string, string> = {};
  for (const [controller, mount] of hierarchy.v1) {
    const folder = tolerating(making, controllerAsks(controller, resources), () => {
      const made = makeV1Folder(controller, mount, path, making);
      prepare(controller, mount, made, resources, making);
      return made;
    });
    if (folder !== undefined) paths[controller] = folder;
  }
  const { unified } = hierarchy;
  if (unified) {
    const needed = neededOfV2(resources, hierarchy.v1);
    const folder = tolerating(making, needed.size > 0, () => {
      const target = cgroupFolder(unified, path, 2);
      checkUnused(target, making.files);
      makeV2Folder({
        files: making.files,
        mountPoint: unified.mountPoint,
        folder: target,
        needed,
        enableAll: hierarchy.mode === "v2",
        made: (each) => making.made.push(each),
      });
      return target;
    });
    if (folder !== undefined) paths[UNIFIED] = folder;
  }
  return paths;
}

/** Rootless, and nothing asked for: going without is right. */
function tolerating<T>({ rootless }: Making, isAsked: boolean, make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    const mayGoWithout = rootless && !isAsked && error instanceof CgroupError;
    if (mayGoWithout && (error.problem === "not-permitted" || error.problem === "busy")) return undefined;
    throw error;
  }
}

/** Device rules do not count: see CreateOptions.rootless. */
function controllerAsks(name: string, resources: LinuxResources): boolean {
  return name !== "devices" && (V1_CONTROLLERS.find((one) => one.name === name)?.isAsked(resources) ?? false);
}

function makeV1Folder(controller: string, mount: CgroupMount, path: string, { files, made }: Making): string {
  const folder = cgroupFolder(mount, path, 1);
  // Controllers that are mounted together: the first has made it.
  if (made.includes(folder)) return folder;
  checkUnused(folder, files);
  for (const each of between(mount.mountPoint, folder)) {
    try {
      files.mkdir(each);
      made.push(each);
    } catch (error) {
      if (errnoOf(error) === "EEXIST") continue;
      throw new ControlFolder(controller, posix.dirname(each), files).error(posix.basename(each), error);
    }
  }
  return folder;
}

/** Another container's cgroup would share its limits and be killed with this one. */
function checkUnused(folder: string, files: CgroupFiles): void {
  if (!files.exists(folder)) return;
  const processes = processesIn(files, folder, false);
  if (processes.length === 0) return;
  const some = processes.slice(0, 5).join(", ");
  throw invalid(
    "cgroup",
    `${folder} is in use already, by ${processes.length} processes (${some}): choose another cgroupsPath`,
  );
}

/** Folders from below the mount point down to the cgroup's. */
function between(mountPoint: string, folder: string): string[] {
  const components = posix.relative(mountPoint, folder).split("/");
  return components.map((_, index) => posix.join(mountPoint, ...components.slice(0, index + 1)));
}

function prepare(name: string, mount: CgroupMount, path: string, resources: LinuxResources, { files }: Making): void {
  const controller = V1_CONTROLLERS.find((one) => one.name === name);
  if (!controller?.prepare) return;
  const parents = [mount.mountPoint, ...between(mount.mountPoint, path).slice(0, -1)];
  const folders = parents.map((each) => new ControlFolder(name, each, files));
  controller.prepare(new ControlFolder(name, path, files), folders, resources);
}
