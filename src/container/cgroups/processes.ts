/** The processes and the cgroups in a cgroup. */
import { ControlFolder } from "./control-folder.js";
import { type CgroupFiles, errnoOf } from "./files.js";

/** A container that may write its own cgroups can make many. */
const MAX_FOLDERS = 100_000;

/** A cgroup's folder and all below it, parents first. One that vanishes meanwhile is left out. */
export function foldersBelow(files: CgroupFiles, folder: string): string[] {
  const found = [folder];
  for (let index = 0; index < found.length && found.length < MAX_FOLDERS; index++) {
    try {
      for (const name of files.folders(found[index]!)) found.push(`${found[index]}/${name}`);
    } catch {
      // It is gone.
    }
  }
  return found;
}

/** @throws CgroupError when the list cannot be read for another reason than that the cgroup is gone */
export function processesIn(files: CgroupFiles, folder: string, recursive: boolean): number[] {
  const pids = new Set<number>();
  for (const each of recursive ? foldersBelow(files, folder) : [folder]) {
    try {
      for (const line of files.read(`${each}/cgroup.procs`).split("\n")) {
        // 0: a process of another PID namespace, which has no number here.
        if (Number(line) > 0) pids.add(Number(line));
      }
    } catch (error) {
      // EOPNOTSUPP: a threaded cgroup's processes are listed at its domain.
      if (!["ENOENT", "ENODEV", "EOPNOTSUPP"].includes(errnoOf(error))) {
        throw new ControlFolder("cgroup", each, files).error("cgroup.procs", error);
      }
    }
  }
  return [...pids];
}
