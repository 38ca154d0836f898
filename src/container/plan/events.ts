/** What a stage tells the runtime while it makes a container. */
export const EVENT = {
  /** The pid of the process that will be the container's. It waits for a byte: maps, control groups. */
  pid: 1,
  /** The pid of a process whose user namespace waits for the maps of an idmapped mount, in the plan's order. */
  idmap: 2,
  /** Everything is mounted, the old root still there: time for the hooks prestart and createRuntime. */
  runtimeHooks: 3,
  /** A tmpfs waits to be filled: the value is the descriptor of what it hides, then the same of the tmpfs. */
  copyUp: 4,
  /** The stage wants the container's state for hooks: as text, with the status that the value names. */
  state: 7,
  /** The stage wants what goes with the seccomp listener, as text. */
  seccompState: 8,
  /** Ready for `start`. */
  ready: 5,
  /** The wait status of the container's process, from a stage that stayed as its parent. */
  exited: 6,
} as const;

/** The values of `EVENT.state`. */
export const HOOK_STATUS = ["creating", "created"] as const;
