/** What the kernel and this process's own confinement allow: capabilities, seccomp, security modules. */
import type { HostView } from "./host-view.js";
import { parseFields, words } from "./parse.js";

export interface SecurityFacts {
  /** Effective capability CAP_SYS_ADMIN: mounts and namespaces without a user namespace. */
  sysAdmin: boolean;
  /** Set-user-ID programs gain nothing, newuidmap among them. */
  noNewPrivileges: boolean;
  seccomp: {
    /** The kernel filters system calls by BPF programs. */
    filters: boolean;
    /** ... and hands them to a supervisor (SECCOMP_RET_USER_NOTIF). */
    notify: boolean;
    /** This process is under a filter itself, as in a container. */
    confined: boolean;
  };
  /** Active Linux security modules, as far as they are told. */
  modules: readonly string[];
}

/** Bit in the masks of /proc/self/status: capabilities(7). */
const CAP_SYS_ADMIN = 21n;

export function probeSecurity(view: HostView): SecurityFacts {
  const status = parseFields(view.readText("/proc/self/status"));
  const effective = status.get("CapEff") ?? "";
  const actions = words(view.readText("/proc/sys/kernel/seccomp/actions_avail"));
  return {
    sysAdmin: /^[0-9a-f]{1,16}$/i.test(effective) && ((BigInt(`0x${effective}`) >> CAP_SYS_ADMIN) & 1n) === 1n,
    noNewPrivileges: status.get("NoNewPrivs") === "1",
    seccomp: {
      filters: actions.includes("errno"),
      notify: actions.includes("user_notif"),
      confined: status.get("Seccomp") === "2",
    },
    modules: securityModules(view),
  };
}

/** From securityfs, or where it is not mounted from what AppArmor and SELinux show themselves. */
function securityModules(view: HostView): string[] {
  const list = view.readText("/sys/kernel/security/lsm");
  if (list !== null) return list.trim().split(",").filter(Boolean);
  const found: string[] = [];
  if (view.readText("/sys/module/apparmor/parameters/enabled")?.trim() === "Y") found.push("apparmor");
  if (view.readText("/sys/fs/selinux/enforce") !== null) found.push("selinux");
  return found;
}
