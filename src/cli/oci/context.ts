/** What every verb gets. */
import { ContainerError } from "../../container/errors.js";
import { inUserNamespace } from "../../container/lifecycle/host.js";
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
