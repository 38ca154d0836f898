/** What went wrong with a container, for programs; the message is for people. */
export type ContainerErrorCode =
  /** config.json is not what the specification asks for. */
  | "SPEC_INVALID"
  /** The specification has it, this runtime does not. */
  | "NOT_IMPLEMENTED"
  /** The host's kernel or set-up lacks what the configuration asks for. */
  | "UNSUPPORTED_BY_HOST"
  | "CONTAINER_EXISTS"
  | "CONTAINER_NOT_FOUND"
  /** The container is in a state in which the verb makes no sense. */
  | "WRONG_STATE"
  /** A file or folder that the verb needs cannot be used. */
  | "FILE"
  /** A system call of the stage failed: the container could not be made. */
  | "STAGE_FAILED"
  | "CGROUP_FAILED"
  | "HOOK_FAILED"
  /** A wrong command line. */
  | "USAGE";

/** Everything that container/ throws on purpose. */
export class ContainerError extends Error {
  override readonly name = "ContainerError";
  constructor(
    readonly code: ContainerErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
