/** Exit codes of the command line. The debug-exit port adds the odd ones. */
export const EXIT = {
  POWER_OFF: 0,
  USAGE: 2,
  TIMEOUT: 124,
  OUR_FAILURE: 125,
  GUEST_CRASH: 126,
} as const;

/** What a signal's exit code is, as shells have it. */
export const SIGNAL_EXIT_BASE = 128;

/** The command line asks for something that is not a command, option or value. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly code = "USAGE";
}

/** The command line asks for something that belongs to Ringvisor and is not built yet. */
export class NotImplementedError extends Error {
  override readonly name = "NotImplementedError";
  readonly code = "NOT_IMPLEMENTED";
  constructor(readonly what: string) {
    super(`${what} is not implemented yet`);
  }
}
