/** What this runtime can do: the specification's "Features" structure (features.md, features-linux.md). */
import { existsSync } from "node:fs";
import { CAPABILITIES } from "./capabilities.js";
import { planCgroup } from "./cgroups/index.js";
import { MOUNT_OPTION_NAMES } from "./mounts/options.js";
import { NAMESPACE_FILE } from "./plan/namespaces.js";
import { OCI_VERSION } from "./spec/default.js";

const HOOKS = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];
const ACTIONS = [
  ...["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD"],
  ...["SCMP_ACT_LOG", "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP"],
];
const OPERATORS = [
  ...["SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE"],
];
const FLAGS = [
  "SECCOMP_FILTER_FLAG_LOG",
  "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
  "SECCOMP_FILTER_FLAG_TSYNC",
  "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
];

export function features(): object {
  const { version } = planCgroup("/probe", "probe");
  return {
    ociVersionMin: "1.0.0",
    ociVersionMax: OCI_VERSION,
    hooks: HOOKS,
    mountOptions: MOUNT_OPTION_NAMES,
    linux: {
      namespaces: Object.keys(NAMESPACE_FILE).sort(),
      capabilities: CAPABILITIES,
      cgroup: {
        v1: version === "v1" || version === "hybrid",
        v2: version === "v2" || version === "hybrid",
        systemd: false,
        systemdUser: false,
        rdma: true,
      },
      seccomp: {
        enabled: true,
        actions: ACTIONS,
        operators: OPERATORS,
        archs: ["SCMP_ARCH_X32", "SCMP_ARCH_X86", "SCMP_ARCH_X86_64"],
        knownFlags: FLAGS,
        supportedFlags: FLAGS,
      },
      apparmor: { enabled: existsSync("/sys/kernel/security/apparmor") },
      selinux: { enabled: existsSync("/sys/fs/selinux") },
      intelRdt: { enabled: false },
      mountExtensions: { idmap: { enabled: true } },
    },
    potentiallyUnsafeConfigAnnotations: [],
  };
}
