/** Control groups: which version, which controllers, and whether this process may make groups of its own. */
import type { HostView } from "./host-view.js";
import { words } from "./parse.js";

export interface CgroupFacts {
  /** `hybrid`: v1 hierarchies carry controllers and a v2 hierarchy exists beside them. */
  version: "none" | "v1" | "v2" | "hybrid";
  /** Controllers that a container's group could use, whether or not we may write there. */
  controllers: readonly string[];
  /** Of these, the ones in whose hierarchy this process may make groups below its own. */
  writable: readonly string[];
}

interface Hierarchy {
  mountPoint: string;
  /** Path inside the hierarchy that is mounted there. */
  root: string;
  version: 1 | 2;
  controllers: readonly string[];
}

/** See cgroups(7); mountinfo's fields are in proc_pid_mountinfo(5). */
export function probeCgroups(view: HostView): CgroupFacts {
  const own = parseOwnGroups(view.readText("/proc/self/cgroup"));
  const hierarchies = parseMounts(view.readText("/proc/self/mountinfo"));
  const controllers = new Set<string>();
  const writable = new Set<string>();
  for (const hierarchy of hierarchies) {
    const names = hierarchy.version === 1 ? hierarchy.controllers.filter((name) => !name.includes("=")) : [];
    const key = hierarchy.version === 2 ? "" : hierarchy.controllers.join(",");
    const folder = ownFolder(hierarchy, own.get(key) ?? "/");
    if (hierarchy.version === 2) names.push(...words(view.readText(`${folder}/cgroup.controllers`)));
    const mayWrite = view.isWritable(folder) && view.isWritable(`${folder}/cgroup.procs`);
    for (const name of names) {
      controllers.add(name);
      if (mayWrite) writable.add(name);
    }
  }
  const v1 = hierarchies.some((one) => one.version === 1);
  const v2 = hierarchies.some((one) => one.version === 2);
  return {
    version: v1 && v2 ? "hybrid" : v1 ? "v1" : v2 ? "v2" : "none",
    controllers: [...controllers].sort(),
    writable: [...writable].sort(),
  };
}

/** Path of this process by hierarchy: "cpu,cpuacct", "name=systemd", or "" for v2. */
function parseOwnGroups(text: string | null): Map<string, string> {
  const groups = new Map<string, string>();
  for (const line of (text ?? "").split("\n")) {
    const match = /^[0-9]+:([^:]*):(\/.*)$/.exec(line);
    if (match) groups.set(match[1], match[2]);
  }
  return groups;
}

function parseMounts(text: string | null): Hierarchy[] {
  const found: Hierarchy[] = [];
  for (const line of (text ?? "").split("\n")) {
    const [mount, source] = line.split(" - ");
    if (source === undefined) continue;
    const [type, , superOptions = ""] = source.split(" ");
    if (type !== "cgroup" && type !== "cgroup2") continue;
    const [, , , root, mountPoint] = mount.split(" ").map(unescapeOctal);
    if (root === undefined || mountPoint === undefined) continue;
    const version = type === "cgroup2" ? 2 : 1;
    // Beside the controllers stand options of the mount.
    const options = superOptions.split(",").filter((option) => !MOUNT_OPTIONS.has(option));
    found.push({ mountPoint, root, version, controllers: version === 1 ? options : [] });
  }
  return found;
}

const MOUNT_OPTIONS = new Set(["rw", "ro", "xattr", "noprefix", "clone_children", "cpuset_v2_mode", "favordynmods"]);

/** mountinfo writes space, tab, newline and backslash as octal. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 8)));
}

function ownFolder({ mountPoint, root }: Hierarchy, path: string): string {
  // In a container the mount may begin at the container's own group, which /proc/self/cgroup then repeats.
  const inside = root === "/" ? path : path === root || path.startsWith(`${root}/`) ? path.slice(root.length) : "/";
  return inside === "/" || inside === "" || inside.includes("..") ? mountPoint : `${mountPoint}${inside}`;
}
