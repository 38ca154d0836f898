/** `linux.seccomp` of config.json: a filter of system calls, as the container tools write it. */

export interface LinuxSeccomp {
  /** `SCMP_ACT_ERRNO` and so on. */
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  /** `SCMP_ARCH_X86_64` and so on; the first need not be the host's. */
  readonly architectures?: readonly string[];
  /** `SECCOMP_FILTER_FLAG_LOG` and so on. */
  readonly flags?: readonly string[];
  /** A Unix socket that gets the notification descriptor by SCM_RIGHTS, with the container's process state. */
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
  readonly syscalls?: readonly LinuxSyscall[];
}

export interface LinuxSyscall {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly LinuxSeccompArg[];
}

/** Values are unsigned 64-bit: config files hold them as JSON numbers; those beyond 2^53 come as BigInt. */
export interface LinuxSeccompArg {
  readonly index: number;
  readonly value: number | bigint;
  readonly valueTwo?: number | bigint;
  /** `SCMP_CMP_EQ` and so on. */
  readonly op: string;
}
