/** A cgroup file system in a temporary folder: new folders have the kernel's files, writes are kept in a list. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { type CgroupFiles, systemFiles } from "../files.js";

/** Files that the kernel makes in a new cgroup, by hierarchy (the folder's name below the root). */
export type Templates = Readonly<Record<string, Readonly<Record<string, string>>>>;

export const V1_TEMPLATES: Templates = {
  cpu: {
    "cpu.shares": "1024",
    "cpu.cfs_quota_us": "-1",
    "cpu.cfs_period_us": "100000",
    "cpu.cfs_burst_us": "0",
    "cpu.idle": "0",
    "cpu.rt_period_us": "1000000",
    "cpu.rt_runtime_us": "0",
    "cpu.stat": "nr_periods 4\nnr_throttled 3\nthrottled_time 12\n",
  },
  cpuacct: {
    "cpuacct.usage": "3000000000",
    "cpuacct.stat": "user 100\nsystem 200\n",
    "cpuacct.usage_all": "cpu user system\n0 1 2\n1 3 4\n",
    "cpuacct.usage_percpu": "3 7 \n",
  },
  cpuset: { "cpuset.cpus": "", "cpuset.mems": "" },
  memory: {
    "memory.limit_in_bytes": "9223372036854771712",
    "memory.memsw.limit_in_bytes": "9223372036854771712",
    "memory.soft_limit_in_bytes": "0",
    "memory.usage_in_bytes": "4096",
    "memory.max_usage_in_bytes": "8192",
    "memory.failcnt": "1",
    "memory.swappiness": "60",
    "memory.oom_control": "0",
    "memory.stat": "cache 11\nrss 22\n",
  },
  devices: { "devices.list": "a *:* rwm\n", "devices.allow": "", "devices.deny": "" },
  freezer: { "freezer.state": "THAWED" },
  blkio: {
    "blkio.bfq.weight": "100",
    "blkio.bfq.weight_device": "",
    "blkio.throttle.read_bps_device": "",
    "blkio.throttle.write_bps_device": "",
    "blkio.throttle.read_iops_device": "",
    "blkio.throttle.write_iops_device": "",
    "blkio.throttle.io_service_bytes_recursive": "8:0 Read 4096\n8:0 Write 512\nTotal 4608\n",
  },
  pids: { "pids.max": "max", "pids.current": "2" },
  hugetlb: { "hugetlb.2MB.limit_in_bytes": "", "hugetlb.2MB.rsvd.limit_in_bytes": "" },
  net_cls: { "net_cls.classid": "0" },
  net_prio: { "net_prio.ifpriomap": "" },
  rdma: { "rdma.max": "" },
  systemd: {},
};

export const V2_TEMPLATE: Readonly<Record<string, string>> = {
  "cgroup.type": "domain",
  "cgroup.subtree_control": "",
  "cgroup.events": "populated 0\nfrozen 0\n",
  "cgroup.freeze": "0",
  "cgroup.kill": "",
  "cgroup.max.depth": "max",
  "cpu.stat": "usage_usec 30\nuser_usec 10\nsystem_usec 20\nnr_periods 2\nnr_throttled 1\nthrottled_usec 5\n",
  "cpu.weight": "100",
  "cpu.max": "max 100000",
  "cpu.max.burst": "0",
  "cpu.idle": "0",
  "cpuset.cpus": "",
  "cpuset.mems": "",
  "cpuset.cpus.effective": "0-1",
  "cpuset.mems.effective": "0",
  "memory.max": "max",
  "memory.high": "max",
  "memory.low": "0",
  "memory.swap.max": "max",
  "memory.current": "4096",
  "memory.swap.current": "100",
  "memory.stat": "anon 1\nfile 2\n",
  "memory.events": "low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\n",
  "pids.max": "max",
  "pids.current": "3",
  "io.weight": "default 100",
  "io.max": "",
  "io.stat": "254:0 rbytes=4096 wbytes=512 rios=1 wios=2 dbytes=0 dios=0\n",
  "hugetlb.2MB.max": "max",
  "rdma.max": "",
};

const V2_CONTROLLERS = "cpuset cpu io memory hugetlb pids rdma";

export interface FakeHost {
  readonly root: string;
  readonly proc: string;
  readonly files: CgroupFiles;
  /** "FILE VALUE" of each write, with paths below the root. */
  readonly writes: string[];
  /** Replaces what the next writes to a file of this name do: throws the errno, or undefined to write. */
  refuse(name: string, errno: string, when?: (path: string, value: string) => boolean): void;
  [Symbol.dispose](): void;
}

export interface FakeHostOptions {
  /** v1 hierarchies by mount folder ("cpu,cpuacct" is one). */
  readonly v1?: readonly string[];
  /** Where the v2 hierarchy is: at the root ("") or below it. */
  readonly unified?: string;
  readonly controllers?: string;
  /** Our own cgroup. */
  readonly own?: string;
}

export function fakeHost({ v1 = [], unified, controllers = V2_CONTROLLERS, own = "/" }: FakeHostOptions): FakeHost {
  const base = mkdtempSync(join(tmpdir(), "ringvisor-cgroups-"));
  const root = join(base, "cgroup");
  const proc = join(base, "proc");
  mkdirSync(join(proc, "self"), { recursive: true });
  mkdirSync(root);
  const writes: string[] = [];
  const refusals: { name: string; errno: string; when: (path: string, value: string) => boolean }[] = [];
  const unifiedFolder = unified === undefined ? undefined : join(root, unified);

  const populate = (folder: string) => {
    const isUnified =
      unifiedFolder !== undefined &&
      `${folder}/`.startsWith(`${unifiedFolder}/`) &&
      !v1.some((name) => `${folder}/`.startsWith(`${join(root, name)}/`));
    const put = (name: string, text: string) => writeFileSync(join(folder, name), text);
    put("cgroup.procs", "");
    if (isUnified) {
      for (const [name, text] of Object.entries(V2_TEMPLATE)) put(name, text);
      const isTop = folder === unifiedFolder;
      put(
        "cgroup.controllers",
        isTop ? controllers : readFileSync(join(dirname(folder), "cgroup.subtree_control"), "utf8"),
      );
      if (isTop) rmSync(join(folder, "cgroup.type"));
      return;
    }
    const hierarchy = v1.find((name) => `${folder}/`.startsWith(`${join(root, name)}/`))!;
    for (const controller of hierarchy.split(",")) {
      for (const [name, text] of Object.entries(V1_TEMPLATES[controller] ?? {})) put(name, text);
    }
  };

  const errno = (code: string, path: string) => Object.assign(new Error(`${code}: ${path}`), { code });
  const files: CgroupFiles = {
    ...systemFiles,
    write(path, value) {
      const refusal = refusals.find(({ name, when }) => basename(path) === name && when(path, value));
      if (refusal) throw errno(refusal.errno, path);
      if (!existsSync(path)) throw errno("ENOENT", path);
      writes.push(`${path.slice(root.length + 1)} ${value}`);
      if (basename(path) === "cgroup.subtree_control") {
        const before = readFileSync(path, "utf8").split(" ").filter(Boolean);
        const added = value.split(" ").map((word) => word.slice(1));
        const enabled = [...new Set([...before, ...added])].join(" ");
        writeFileSync(path, enabled);
        for (const child of files.folders(dirname(path))) {
          const list = join(dirname(path), child, "cgroup.controllers");
          if (existsSync(list)) writeFileSync(list, enabled);
        }
      } else if (basename(path) === "cgroup.freeze") {
        writeFileSync(path, value);
        writeFileSync(join(dirname(path), "cgroup.events"), `populated 1\nfrozen ${value}\n`);
      } else {
        writeFileSync(path, value);
      }
    },
    mkdir(path) {
      const refusal = refusals.find(({ name, when }) => name === "mkdir" && when(path, ""));
      if (refusal) throw errno(refusal.errno, path);
      mkdirSync(path);
      populate(path);
    },
    rmdir(path) {
      if (!existsSync(path)) throw errno("ENOENT", path);
      if (files.folders(path).length > 0) throw errno("EBUSY", path);
      if (readFileSync(join(path, "cgroup.procs"), "utf8").trim() !== "") throw errno("EBUSY", path);
      rmSync(path, { recursive: true });
    },
  };

  const mountinfo: string[] = [];
  const membership: string[] = [];
  if (unified !== "") mountinfo.push(`30 20 0:25 / ${root} rw,relatime - tmpfs tmpfs rw,mode=755`);
  v1.forEach((name, index) => {
    mkdirSync(join(root, name));
    const option = name === "systemd" ? "name=systemd" : name;
    mountinfo.push(
      `${31 + index} 30 0:${30 + index} / ${join(root, name)} rw,relatime shared:${index} - cgroup cgroup rw,${option}`,
    );
    membership.push(`${index + 1}:${option}:${own}`);
    populate(join(root, name));
    if (name === "cpuset") {
      writeFileSync(join(root, name, "cpuset.cpus"), "0-1\n");
      writeFileSync(join(root, name, "cpuset.mems"), "0\n");
    }
  });
  if (unifiedFolder !== undefined) {
    mkdirSync(unifiedFolder, { recursive: true });
    mountinfo.push(`60 30 0:60 / ${unifiedFolder} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate`);
    membership.push(`0::${own}`);
    populate(unifiedFolder);
  }
  writeFileSync(join(proc, "self/mountinfo"), `${mountinfo.join("\n")}\n`);
  writeFileSync(join(proc, "self/cgroup"), `${membership.join("\n")}\n`);
  chmodSync(base, 0o700);
  return {
    root,
    proc,
    files,
    writes,
    refuse(name, code, when = () => true) {
      refusals.push({ name, errno: code, when });
    },
    [Symbol.dispose]: () => rmSync(base, { recursive: true, force: true }),
  };
}
