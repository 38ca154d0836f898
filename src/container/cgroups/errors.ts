import { ContainerError } from "../errors.js";

/** Why a cgroup cannot be had: so that a caller can decide, where a rootless container goes on without. */
export type CgroupProblem =
  /** The configuration asks for something that no kernel could do. */
  | "invalid"
  /** This kernel or host does not have the controller or the file. */
  | "unavailable"
  /** The caller may not write there. */
  | "not-permitted"
  /** The kernel refuses the value or the state of the hierarchy forbids it. */
  | "refused"
  /** Processes are in the way. */
  | "busy";

/** A control group cannot be made, limited, entered or removed. The message names the controller. */
export class CgroupError extends ContainerError {
  /**
   * @param controller the controller as the kernel calls it; "cgroup" for what belongs to no controller
   * @param problem the kind of trouble
   * @param detail what is wrong, where, and what helps, as a phrase
   */
  constructor(
    readonly controller: string,
    readonly problem: CgroupProblem,
    readonly detail: string,
    options?: ErrorOptions,
  ) {
    super("CGROUP_FAILED", `cgroup controller ${controller}: ${detail}`.replace("controller cgroup: ", ""), options);
  }
}

/** A value of the configuration that cannot be written anywhere. */
export function invalid(controller: string, detail: string): CgroupError {
  return new CgroupError(controller, "invalid", detail);
}
