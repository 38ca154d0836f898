/** `linux.resources.unified`: v2's control files by their own names. */

import type { Resources } from "../../spec/config.js";
import { ControlFolder } from "../control-folder.js";
import { CgroupError, invalid } from "../errors.js";
import type { CgroupFiles } from "../files.js";

/** Limits among the files that belong to no controller. The others move, stop or kill processes. */
const CORE_LIMITS = ["cgroup.max.descendants", "cgroup.max.depth", "cgroup.pressure"];
const MAX_VALUE = 4096;

/** The controllers that the map's keys belong to. @throws CgroupError for keys that are no control file's name */
export function unifiedControllers(unified: Resources["unified"]): Set<string> {
  const controllers = new Set<string>();
  for (const [key, value] of Object.entries(unified ?? {})) {
    const match = /^([a-z0-9_]+)\.[A-Za-z0-9_.-]+$/.exec(key);
    if (!match) throw invalid("unified", `${JSON.stringify(key).slice(0, 200)} is not of the form CONTROLLER.FILE`);
    if (match[1] === "cgroup" && !CORE_LIMITS.includes(key)) throw invalid("unified", `${key} is not a limit`);
    if (typeof value !== "string" || value.length > MAX_VALUE)
      throw invalid("unified", `${key}'s value is no short text`);
    if (match[1] !== "cgroup") controllers.add(match[1]!);
  }
  return controllers;
}

/** @throws CgroupError that names the controller where it is not there */
export function setUnified(
  path: string,
  files: CgroupFiles,
  available: readonly string[],
  unified: Resources["unified"],
): void {
  for (const controller of unifiedControllers(unified)) {
    if (!available.includes(controller)) {
      throw new CgroupError(controller, "unavailable", `unified asks for it and ${path} does not have it`);
    }
  }
  for (const [key, value] of Object.entries(unified ?? {})) {
    const folder = new ControlFolder(key.slice(0, key.indexOf(".")), path, files);
    // Files with a line an entry take one line a write.
    for (const line of value.split("\n").filter((text) => text !== "")) folder.write(key, line);
    if (value === "") folder.write(key, "\n");
  }
}
