/** What every verb gets. */
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

/** Where containers' states lie without `--root`. */
export function defaultRoot(): string {
  if (process.geteuid?.() === 0) return "/run/ringvisor";
  const folder = process.env.XDG_RUNTIME_DIR;
  if (!folder) throw new ContainerError("USAGE", "XDG_RUNTIME_DIR is not set: name a folder with --root");
  return `${folder}/ringvisor`;
}

export function makeStore(root: string | undefined): Store {
  return new Store(root ?? defaultRoot());
}
