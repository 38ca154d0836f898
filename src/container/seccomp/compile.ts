import { ContainerError } from "../errors.js";
import type { LinuxSeccomp } from "../spec/seccomp.js";

/** What the stage hands to seccomp(2). */
export interface CompiledSeccomp {
  /** An array of `struct sock_filter`, 8 bytes each, little-endian. */
  readonly program: Uint8Array;
  /** SECCOMP_FILTER_FLAG_*, with NEW_LISTENER where `notify` is set. */
  readonly flags: number;
  /** Some rule notifies: seccomp(2) returns a descriptor that has to reach `listenerPath`. */
  readonly notify: boolean;
}

/**
 * Compiles a profile for programs of `architecture`, the host's (Node's `process.arch`: "x64", "arm64").
 *
 * @throws ContainerError `SPEC_INVALID` for an unknown action, flag, operator or architecture
 */
export function compileSeccomp(_seccomp: LinuxSeccomp, _architecture: string): CompiledSeccomp {
  throw new ContainerError("NOT_IMPLEMENTED", "linux.seccomp is not implemented yet");
}
