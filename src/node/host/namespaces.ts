/** Namespaces of the kernel, and whether this user may make a user namespace. See namespaces(7), user_namespaces(7). */
import type { HostView } from "./host-view.js";
import { findCommand, readNumber } from "./parse.js";

export interface SubordinateIds {
  /** How many ids /etc/subuid or /etc/subgid grants to this user. */
  count: number;
  /** newuidmap or newgidmap, which maps them; null where it is not in PATH or cannot gain the privilege. */
  helper: string | null;
}

export interface NamespaceFacts {
  /** Kinds that the kernel has, as /proc/self/ns names them: "mnt", "pid", "user"... */
  kinds: readonly string[];
  userNamespaces: {
    /** /proc/sys/user/max_user_namespaces; null where there is none. */
    maximum: number | null;
    /** Debian's switch kernel.unprivileged_userns_clone; null where the kernel has none. */
    unprivilegedClone: boolean | null;
    /** kernel.apparmor_restrict_unprivileged_userns; null where the kernel has none. */
    apparmorRestricted: boolean | null;
    /** unshare(1) was tried: true it made one, false it was refused, null it could not be run. */
    tried: boolean | null;
    /** What unshare(1) said. */
    refusal: string | null;
    /** How many user ids this process's own user namespace maps: all 2^32 - 1 of them outside of any. */
    mappedIds: number;
  };
  subuid: SubordinateIds;
  subgid: SubordinateIds;
}

export function probeNamespaces(view: HostView, user: { uid: number; name: string | null }): NamespaceFacts {
  const kinds = (view.list("/proc/self/ns") ?? []).filter((name) => !name.endsWith("_for_children")).sort();
  const attempt = kinds.includes("user") ? view.run("unshare", ["--user", "--map-root-user", "true"]) : null;
  return {
    kinds,
    userNamespaces: {
      maximum: readNumber(view, "/proc/sys/user/max_user_namespaces"),
      unprivilegedClone: readSwitch(view, "/proc/sys/kernel/unprivileged_userns_clone"),
      apparmorRestricted: readSwitch(view, "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
      tried: attempt === null ? null : attempt.code === 0,
      refusal: attempt === null || attempt.code === 0 ? null : attempt.stderr.split("\n")[0],
      mappedIds: countMappedIds(view),
    },
    subuid: probeSubordinateIds(view, user, "/etc/subuid", "newuidmap"),
    subgid: probeSubordinateIds(view, user, "/etc/subgid", "newgidmap"),
  };
}

function readSwitch(view: HostView, path: string): boolean | null {
  const value = readNumber(view, path);
  return value === null ? null : value !== 0;
}

export const ALL_IDS = 2 ** 32 - 1;

/** Lines are inside, outside, count: user_namespaces(7). */
function countMappedIds(view: HostView): number {
  const map = view.readText("/proc/self/uid_map");
  if (map === null) return ALL_IDS;
  return map.split("\n").reduce((sum, line) => sum + Number(/^\s*[0-9]+\s+[0-9]+\s+([0-9]+)$/.exec(line)?.[1] ?? 0), 0);
}

/** Lines are owner:first:count, the owner by name or id: subuid(5). */
function probeSubordinateIds(
  view: HostView,
  user: { uid: number; name: string | null },
  file: string,
  helper: string,
): SubordinateIds {
  let count = 0;
  for (const line of (view.readText(file) ?? "").split("\n")) {
    const match = /^([^:]+):([0-9]+):([0-9]+)$/.exec(line.trim());
    if (match && (match[1] === user.name || match[1] === String(user.uid))) count += Number(match[3]);
  }
  return { count, helper: findCommand(view, helper) };
}
