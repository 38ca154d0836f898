/** An invented host: an ordinary Linux machine with everything, which tests then take things away from. */
import type { FileStatus, HostProcess, HostView } from "../host-view.js";

export interface FakeHost {
  process?: Partial<HostProcess>;
  /** Contents by path; null removes a file of the ordinary host. Folders come from the paths. */
  files?: Record<string, string | null>;
  devices?: Record<string, (Partial<FileStatus> & { openError?: string }) | undefined>;
  /** Paths that this process may write; a prefix counts for all below. */
  writable?: readonly string[];
  /** unshare(1)'s answer; null: there is none. */
  unshare?: { code: number; stderr: string } | null;
}

const CGROUP_V2_MOUNT = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
const NAMESPACES = [
  "cgroup",
  "ipc",
  "mnt",
  "net",
  "pid",
  "pid_for_children",
  "time",
  "time_for_children",
  "user",
  "uts",
];

const ORDINARY_FILES: Record<string, string> = {
  "/etc/os-release": 'NAME="Debian GNU/Linux"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
  "/etc/passwd": "root:x:0:0:root:/root:/bin/bash\nada:x:1000:1000::/home/ada:/bin/bash\n",
  "/etc/group": "root:x:0:\nkvm:x:104:\nada:x:1000:\n",
  "/etc/subuid": "ada:100000:65536\n",
  "/etc/subgid": "1000:100000:65536\n",
  "/proc/sys/kernel/osrelease": "6.1.0-18-amd64\n",
  "/proc/cpuinfo": "processor\t: 0\nmodel name\t: Example CPU @ 2 GHz\nflags\t\t: fpu vme vmx sse2\n\nprocessor\t: 1\n",
  "/proc/meminfo": "MemTotal:        8388608 kB\nMemFree: 1 kB\n",
  "/sys/devices/system/cpu/online": "0-3\n",
  "/proc/modules": "kvm_intel 368640 0 - Live 0x0\nkvm 1146880 1 kvm_intel, Live 0x0\n",
  "/proc/sys/user/max_user_namespaces": "31000\n",
  "/proc/self/uid_map": "         0          0 4294967295\n",
  "/proc/self/cgroup": "0::/user.slice/session.scope\n",
  "/proc/self/mountinfo": `22 27 0:21 / /proc rw - proc proc rw\n${CGROUP_V2_MOUNT}`,
  "/sys/fs/cgroup/user.slice/session.scope/cgroup.controllers": "cpuset cpu io memory pids\n",
  "/sys/fs/cgroup/user.slice/session.scope/cgroup.procs": "1\n",
  "/proc/self/status": "Name:\tnode\nCapEff:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t0\n",
  "/proc/sys/kernel/seccomp/actions_avail": "kill_process kill_thread trap errno user_notif trace log allow\n",
  "/sys/kernel/security/lsm": "lockdown,capability,landlock,yama,apparmor",
  "/proc/filesystems": "nodev\tsysfs\n\text4\nnodev\toverlay\n",
  "/usr/bin/newuidmap": "",
  "/usr/bin/newgidmap": "",
  ...Object.fromEntries(NAMESPACES.map((name) => [`/proc/self/ns/${name}`, ""])),
};

/** Of the user ada, in the group kvm, unless told otherwise. */
export function fakeHost(changes: FakeHost = {}): HostView {
  const files = new Map(Object.entries({ ...ORDINARY_FILES, ...changes.files }).filter(([, text]) => text !== null));
  const devices: FakeHost["devices"] = { "/dev/kvm": {}, "/dev/fuse": { mode: 0o666, gid: 0 }, ...changes.devices };
  const writable = changes.writable ?? ["/sys/fs/cgroup/user.slice"];
  return {
    process: {
      platform: "linux",
      arch: "x64",
      uid: 1000,
      gid: 1000,
      groups: [104, 1000],
      nodeVersion: "22.12.0",
      v8Version: "12.4.254.21-node.21",
      path: "/usr/local/bin:/usr/bin",
      ...changes.process,
    },
    readText: (path) => files.get(path) ?? null,
    list(path) {
      const prefix = `${path}/`;
      const names = [...files.keys()]
        .filter((file) => file.startsWith(prefix))
        .map((file) => file.slice(prefix.length));
      return names.length === 0 ? null : [...new Set(names.map((name) => name.split("/")[0]))];
    },
    status(path) {
      const device = devices[path];
      if (device !== undefined) {
        const { kind = "character-device", mode = 0o660, uid = 0, gid = 104 } = device;
        return { kind, mode, uid, gid };
      }
      const kind = files.has(path) ? "file" : this.list(path) === null ? null : "folder";
      return kind === null ? null : { kind, mode: 0o755, uid: 0, gid: 0 };
    },
    isWritable: (path) => writable.some((prefix) => path === prefix || path.startsWith(`${prefix}/`)),
    tryOpen: (path) => (devices[path] === undefined ? "ENOENT" : (devices[path].openError ?? null)),
    run: () => (changes.unshare === undefined ? { code: 0, stderr: "" } : changes.unshare),
  };
}

/** Changes that take a device away. */
export function withoutDevice(path: string): Pick<FakeHost, "devices"> {
  return { devices: { [path]: undefined } };
}

/** /proc/self/status of a process with all capabilities. */
export const ROOT_STATUS = "Name:\tnode\nCapEff:\t000001ffffffffff\nNoNewPrivs:\t0\nSeccomp:\t0\n";

export const ROOT: FakeHost["process"] = { uid: 0, gid: 0, groups: [0] };

export const cpuinfo = (flags: string) => `processor\t: 0\nmodel name\t: Example\nflags\t\t: ${flags}\n`;
