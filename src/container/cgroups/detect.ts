/** Finds which control group hierarchies a host has: v1, v2, or both side by side. */
import { CgroupError } from "./errors.js";
import { type CgroupFiles, systemFiles } from "./files.js";
import { type Membership, type MountEntry, parseMembership, parseMountInfo } from "./mount-table.js";

/** Where a hierarchy is mounted and where we are in it. */
export interface CgroupMount {
  readonly mountPoint: string;
  /** The cgroup that stands at the mount point. */
  readonly root: string;
  /** The cgroup that this process is in. */
  readonly own: string;
}

export interface Hierarchy {
  /** hybrid: v1 controllers, and a v2 hierarchy with what no v1 hierarchy has. */
  readonly mode: "none" | "v1" | "v2" | "hybrid";
  /** By controller, `name=systemd` included. Controllers that are mounted together have one mount. */
  readonly v1: ReadonlyMap<string, CgroupMount>;
  /** The v2 hierarchy and the controllers that it has at its mount point. */
  readonly unified?: CgroupMount & { readonly controllers: readonly string[] };
}

export interface DetectOptions {
  readonly files?: CgroupFiles;
  /** Where procfs is mounted. */
  readonly proc?: string;
  /** Where a host has its hierarchies; mounts elsewhere count when there are none here. */
  readonly root?: string;
}

/** @throws CgroupError when /proc cannot be read */
export function detect(options: DetectOptions = {}): Hierarchy {
  const { files = systemFiles, proc = "/proc", root = "/sys/fs/cgroup" } = options;
  const readProc = (name: string) => {
    try {
      return files.read(`${proc}/self/${name}`);
    } catch (error) {
      const detail = `${proc}/self/${name} cannot be read: ${(error as Error).message}`;
      throw new CgroupError("cgroup", "unavailable", detail, { cause: error });
    }
  };
  const memberships = parseMembership(readProc("cgroup"));
  const mounts = nearest(parseMountInfo(readProc("mountinfo")), root);
  const unifiedMount = mounts.find((mount) => mount.type === "cgroup2");
  const unifiedOwn = memberships.find(({ controllers }) => controllers.length === 0);
  // A v2 hierarchy at the root makes v1 mounts elsewhere somebody's private matter.
  const v1 = unifiedMount?.mountPoint === root ? new Map<string, CgroupMount>() : findV1(mounts, memberships);
  const unified =
    unifiedMount && unifiedOwn
      ? {
          mountPoint: unifiedMount.mountPoint,
          root: unifiedMount.root,
          own: unifiedOwn.path,
          controllers: readControllers(files, unifiedMount.mountPoint),
        }
      : undefined;
  const mode = unified ? (v1.size > 0 ? "hybrid" : "v2") : v1.size > 0 ? "v1" : "none";
  return { mode, v1, unified };
}

/** The cgroup mounts below `root`, or all when there is none: containers have binds of them all over a host. */
function nearest(entries: readonly MountEntry[], root: string): MountEntry[] {
  const all = entries.filter(({ type }) => type === "cgroup" || type === "cgroup2");
  const below = all.filter(({ mountPoint }) => mountPoint === root || mountPoint.startsWith(`${root}/`));
  return below.length > 0 ? below : all;
}

function findV1(mounts: readonly MountEntry[], memberships: readonly Membership[]): Map<string, CgroupMount> {
  const found = new Map<string, CgroupMount>();
  for (const { controllers, path } of memberships) {
    for (const controller of controllers) {
      const mount = mounts.find(({ type, superOptions }) => type === "cgroup" && superOptions.includes(controller));
      if (mount) found.set(controller, { mountPoint: mount.mountPoint, root: mount.root, own: path });
    }
  }
  return found;
}

/** None where the file cannot be read: limits are refused later, by name. */
export function readControllers(files: CgroupFiles, folder: string): string[] {
  try {
    return files.read(`${folder}/cgroup.controllers`).split(/\s+/).filter(Boolean);
  } catch {
    return [];
  }
}
