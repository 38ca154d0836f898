/** `--isolation chroot`: the oldest form, a root of its own and nothing else, which says what it leaves open. */
import type { Config } from "../spec/config.js";

/** What a container of namespaces has and one of chroot(2) has not. */
const NOT_ISOLATED = [
  ["processes", "it sees and can signal the host's"],
  ["network", "it uses the host's interfaces and ports"],
  ["mounts", "none are made: no /proc, /sys, /dev or volumes but what the root file system holds"],
  ["IPC, host name and clocks", "they are the host's"],
  ["users", "its root is the host's root, less the capabilities that it does not get"],
  ["the root itself", "a process with CAP_SYS_CHROOT gets out of it"],
] as const;

export function describeChroot(): string {
  const lines = NOT_ISOLATED.map(([what, why]) => `  ${what}: ${why}`);
  return `--isolation chroot isolates the file system's root alone. Not isolated:\n${lines.join("\n")}`;
}

/** The configuration without what needs namespaces. Limits, capabilities, seccomp, user and rlimits stay. */
export function withChrootAlone(config: Config): Config {
  const { resources, cgroupsPath, seccomp, personality } = config.linux ?? {};
  return {
    ...config,
    mounts: [],
    hostname: undefined,
    domainname: undefined,
    linux: { resources, cgroupsPath, seccomp, personality, namespaces: [] },
  };
}
