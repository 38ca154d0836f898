/** Makes a container's folders in the hierarchies of the host. */
import { posix } from "node:path";
import type { Resources } from "../spec/config.js";
import { ControlFolder } from "./control-folder.js";
import type { CgroupMount, Hierarchy } from "./detect.js";
import { CgroupError, invalid } from "./errors.js";
import { type CgroupFiles, errnoOf } from "./files.js";
import { UNIFIED, v1Name } from "./names.js";
import { processesIn } from "./processes.js";
import { V1_CONTROLLERS } from "./v1/controllers.js";
import { V2_CONTROLLERS } from "./v2/controllers.js";
import { makeV2Folder } from "./v2/folders.js";
import { unifiedControllers } from "./v2/unified.js";

export interface Making {
  readonly files: CgroupFiles;
  readonly rootless: boolean;
  /** Told of each folder that was made, parents first. */
  readonly made: string[];
}

/**
 * Makes the planned folders in each hierarchy, ready to be entered.
 * @throws CgroupError that names the controller that cannot be had
 */
export function makeFolders(
  hierarchy: Hierarchy,
  planned: Readonly<Record<string, string>>,
  resources: Resources,
  making: Making,
): void {
  for (const [controller, mount] of hierarchy.v1) {
    const folder = planned[controller];
    if (folder === undefined) continue;
    tolerating(making, controllerAsks(controller, resources), () => {
      makeV1Folder(controller, mount, folder, making);
      prepare(controller, mount, folder, resources, making);
    });
  }
  const { unified } = hierarchy;
  const folder = planned[UNIFIED];
  if (!unified || folder === undefined) return;
  const needed = neededOfV2(resources, hierarchy);
  tolerating(making, needed.size > 0, () => {
    checkUnused(folder, making.files);
    makeV2Folder({
      files: making.files,
      mountPoint: unified.mountPoint,
      folder,
      needed,
      enableAll: hierarchy.mode === "v2",
      made: (each) => making.made.push(each),
    });
  });
}

/** The controllers of the v2 hierarchy that have something to do. */
function neededOfV2(resources: Resources, { mode, v1 }: Hierarchy): Set<string> {
  const needed = mode === "v2" ? unifiedControllers(resources.unified) : new Set<string>();
  for (const controller of V2_CONTROLLERS) {
    if (!v1.has(v1Name(controller.name)) && controller.isAsked(resources)) needed.add(controller.name);
  }
  return needed;
}

/** Rootless, and nothing asked for: going without is right. */
function tolerating({ rootless }: Making, isAsked: boolean, make: () => void): void {
  try {
    make();
  } catch (error) {
    const mayGoWithout = rootless && !isAsked && error instanceof CgroupError;
    if (mayGoWithout && (error.problem === "not-permitted" || error.problem === "busy")) return;
    throw error;
  }
}

/** Device rules do not count: see CgroupOptions.rootless. */
function controllerAsks(name: string, resources: Resources): boolean {
  return name !== "devices" && (V1_CONTROLLERS.find((one) => one.name === name)?.isAsked(resources) ?? false);
}

function makeV1Folder(controller: string, mount: CgroupMount, folder: string, { files, made }: Making): void {
  // Controllers that are mounted together: the first has made it.
  if (made.includes(folder)) return;
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

function prepare(name: string, mount: CgroupMount, path: string, resources: Resources, { files }: Making): void {
  const controller = V1_CONTROLLERS.find((one) => one.name === name);
  if (!controller?.prepare) return;
  const parents = [mount.mountPoint, ...between(mount.mountPoint, path).slice(0, -1)];
  const folders = parents.map((each) => new ControlFolder(name, each, files));
  controller.prepare(new ControlFolder(name, path, files), folders, resources);
}
