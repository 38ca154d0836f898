/** What every verb gets. */
import { readFileSync } from "node:fs";
import { ContainerError } from "../../container/errors.js";
import { Store } from "../../container/state/store.js";
import type { Log } from "./log.js";

export interface Context {
  readonly store: Store;
  readonly log: Log;
}

/** A verb's module: what it takes and what it does. Its result is the exit code. */
export interface Verb {
  readonly usage: string;
  run(args: readonly string[], context: Context): Promise<number>;
}

/** Anything but the first one, whose map is everything to itself (user_namespaces(7)). */
function inUserNamespace(): boolean {
  try {
    return !/^\s*0\s+0\s+4294967295\s*$/.test(readFileSync("/proc/self/uid_map", "utf8"));
  } catch {
    return false;
  }
}

/** Where containers' states lie without `--root`. */
export function defaultRoot(): string {
  const folder = process.env.XDG_RUNTIME_DIR;
  // Rootless engines run us as root of their own user namespace, where /run is still the host's.
  const isRootOfHost = process.geteuid?.() === 0 && !(folder && inUserNamespace() && process.env.USER !== "root");
  if (isRootOfHost) return "/run/ringvisor";
  if (!folder) throw new ContainerError("USAGE", "XDG_RUNTIME_DIR is not set: name a folder with --root");
  return `${folder}/ringvisor`;
}

export function makeStore(root: string | undefined): Store {
  return new Store(root ?? defaultRoot());
}
