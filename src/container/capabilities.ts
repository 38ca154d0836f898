/** Linux's capabilities: names and bits (include/uapi/linux/capability.h). */
import { readFileSync } from "node:fs";
import { ContainerError } from "./errors.js";
import type { Capabilities, Config } from "./spec/config.js";

/** In the order of their bits. */
export const CAPABILITIES: readonly string[] = [
  ...["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID"],
  ...["CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST"],
  ...["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO"],
  ...["CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE"],
  ...["CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE"],
  ...["CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM"],
  ...["CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE"],
];

/** The set as a mask of 64 bits. @throws ContainerError `SPEC_INVALID` for a name that is none */
export function capabilityMask(names: readonly string[]): bigint {
  let mask = 0n;
  for (const name of names) {
    const bit = CAPABILITIES.indexOf(name);
    if (bit < 0) throw new ContainerError("SPEC_INVALID", `unknown capability ${JSON.stringify(name)}`);
    mask |= 1n << BigInt(bit);
  }
  return mask;
}

/** Every capability up to the bit `last`. */
function maskUpTo(last: number): bigint {
  return (2n << BigInt(last)) - 1n;
}

/** What the host's kernel knows (/proc/sys/kernel/cap_last_cap), as a mask of 64 bits. */
export function kernelCapabilities(file = "/proc/sys/kernel/cap_last_cap"): bigint {
  const last = Number(readFileSync(file, "utf8").trim());
  if (!Number.isInteger(last) || last < 0 || last > 63) {
    throw new ContainerError("UNSUPPORTED_BY_HOST", `${file} does not hold the number of a capability`);
  }
  return maskUpTo(last);
}

/** The capabilities that this process may pass on: its own permitted set. */
export function ownCapabilities(file = "/proc/self/status"): bigint {
  const hex = /^CapPrm:\s*([0-9a-f]+)$/m.exec(readFileSync(file, "utf8"))?.[1];
  if (hex === undefined) throw new ContainerError("UNSUPPORTED_BY_HOST", `${file} has no line CapPrm`);
  return BigInt(`0x${hex}`);
}

export const CAPABILITY_SETS = ["bounding", "effective", "inheritable", "permitted", "ambient"] as const;
export type CapabilitySet = (typeof CAPABILITY_SETS)[number];

/** The five sets as masks of 64 bits. */
export interface CapabilityMasks extends Readonly<Record<CapabilitySet, bigint>> {
  /** Names that no set got, sorted: unknown ones, and known ones that are not available. */
  readonly ignored: readonly string[];
}

/**
 * The five sets of config.json. What cannot be granted is left out and named, for a warning: config.json may be
 * written for a newer kernel or a more privileged runtime (specification, "process.capabilities").
 *
 * @param available mask of what the container can get: kernelCapabilities() in a new user namespace, else
 *   ownCapabilities()
 */
export function capabilityMasks(capabilities: Capabilities, available: bigint): CapabilityMasks {
  const ignored = new Set<string>();
  const mask = (set: CapabilitySet) =>
    (capabilities[set] ?? []).reduce((bits, name) => {
      const index = CAPABILITIES.indexOf(name);
      const bit = index < 0 ? 0n : (1n << BigInt(index)) & available;
      if (bit === 0n) ignored.add(name);
      return bits | bit;
    }, 0n);
  const [bounding, effective, inheritable, permitted, ambient] = CAPABILITY_SETS.map(mask) as [
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  return { bounding, effective, inheritable, permitted, ambient, ignored: [...ignored].sort() };
}

/** What processes of this container can get: everything in a user namespace, else what the runtime has itself. */
export function grantableCapabilities({ linux }: Config): bigint {
  return linux?.namespaces?.some(({ type }) => type === "user") ? kernelCapabilities() : ownCapabilities();
}

/** What a runtime says of a process whose capabilities cannot all be granted; null where they can. */
export function capabilityWarning(config: Config, capabilities: Capabilities | undefined): string | null {
  const { ignored } = capabilityMasks(capabilities ?? {}, grantableCapabilities(config));
  return ignored.length === 0 ? null : `ignoring unknown or unavailable capabilities: [${ignored.join(" ")}]`;
}
