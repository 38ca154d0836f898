/** The operating system, the processor, and who runs Ringvisor. */
import type { HostView } from "./host-view.js";
import { parseFields, words } from "./parse.js";

export interface SystemFacts {
  /** As `process.platform` and `process.arch` have them. */
  platform: string;
  arch: string;
  /** The distribution by its own name, or null. */
  distribution: string | null;
  /** The kernel's release, or null where it is no Linux. */
  kernel: string | null;
  user: { uid: number; name: string | null };
  cpu: {
    model: string | null;
    /** Logical processors. */
    count: number;
    /** The virtualization extension that the processor shows. */
    extension: "vmx" | "svm" | null;
    /** The processor says that it is itself a virtual one. */
    virtual: boolean;
  };
  /** Bytes of RAM, or null. */
  memory: number | null;
}

export function probeSystem(view: HostView): SystemFacts {
  const cpu = parseFields(view.readText("/proc/cpuinfo"));
  const flags = new Set(words(cpu.get("flags")));
  const kilobytes = /^([0-9]+) kB$/.exec(parseFields(view.readText("/proc/meminfo")).get("MemTotal") ?? "");
  const { platform, arch, uid } = view.process;
  return {
    platform,
    arch,
    distribution: /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(view.readText("/etc/os-release") ?? "")?.[1] ?? null,
    kernel: view.readText("/proc/sys/kernel/osrelease")?.trim() ?? null,
    user: { uid, name: userName(view, uid) },
    cpu: {
      model: cpu.get("model name") ?? null,
      count: countCpus(view),
      extension: flags.has("vmx") ? "vmx" : flags.has("svm") ? "svm" : null,
      virtual: flags.has("hypervisor"),
    },
    memory: kilobytes === null ? null : Number(kilobytes[1]) * 1024,
  };
}

export function userName(view: HostView, uid: number): string | null {
  return nameOfId(view.readText("/etc/passwd"), uid);
}

export function groupName(view: HostView, gid: number): string | null {
  return nameOfId(view.readText("/etc/group"), gid);
}

/** /etc/passwd and /etc/group both have name:password:id. */
function nameOfId(text: string | null, id: number): string | null {
  for (const line of (text ?? "").split("\n")) {
    const [name, , number] = line.split(":");
    if (name !== "" && number === String(id)) return name;
  }
  return null;
}

/** From a list of ranges like "0-3,8": /proc/cpuinfo is long on large hosts. */
function countCpus(view: HostView): number {
  let count = 0;
  for (const range of (view.readText("/sys/devices/system/cpu/online") ?? "").trim().split(",")) {
    const match = /^([0-9]+)(?:-([0-9]+))?$/.exec(range);
    if (match) count += Number(match[2] ?? match[1]) - Number(match[1]) + 1;
  }
  return Math.max(count, 1);
}
