/** From `linux.cgroupsPath` to folders: config-linux.md, "Cgroups Path". */
import { posix } from "node:path";
import type { CgroupMount } from "./detect.js";
import { invalid } from "./errors.js";

const MAX_COMPONENT = 255;
const MAX_PATH = 4096;

/**
 * The path in normal form.
 * @throws CgroupError for one that leads upwards, is too long, or has characters that no cgroup's name may have
 */
export function checkCgroupsPath(path: string): string {
  const quoted = JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}...` : path);
  const refuse = (why: string) => invalid("cgroup", `cgroupsPath ${quoted} ${why}`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
  if (/[\x00-\x1f\x7f]/.test(path)) throw refuse("contains control characters");
  if (Buffer.byteLength(path) > MAX_PATH) throw refuse(`is longer than ${MAX_PATH} bytes`);
  const components = path.split("/").filter((component) => component !== "" && component !== ".");
  if (components.includes("..")) throw refuse('contains "..": it must stay where it is put');
  if (components.length === 0) throw refuse("names the root of the hierarchy, which is no container's own cgroup");
  const long = components.find((component) => Buffer.byteLength(component) > MAX_COMPONENT);
  if (long) throw refuse(`has a component longer than ${MAX_COMPONENT} bytes`);
  // mkdir would find the file of that name.
  if (components.some((component) => component === "tasks" || component.startsWith("cgroup."))) {
    throw refuse("has a component that is a control file's name");
  }
  return (path.startsWith("/") ? "/" : "") + components.join("/");
}

/**
 * Where a container's cgroup lies in one hierarchy.
 *
 * An absolute path counts from the mount point. A relative one counts from our own cgroup on v1 and from its
 * parent on v2, where a cgroup with processes in it can have no children with controllers.
 * @throws CgroupError when our own cgroup lies outside of what is mounted
 */
export function cgroupFolder(mount: CgroupMount, path: string, version: 1 | 2): string {
  if (path.startsWith("/")) return posix.join(mount.mountPoint, path);
  const own = posix.relative(mount.root, mount.own);
  if (own === ".." || own.startsWith("../")) {
    const detail = `our own cgroup ${mount.own} is outside of what is mounted at ${mount.mountPoint} (${mount.root}): use an absolute cgroupsPath`;
    throw invalid("cgroup", detail);
  }
  const base = version === 2 && own !== "" ? posix.dirname(own) : own;
  return posix.join(mount.mountPoint, base, path);
}
