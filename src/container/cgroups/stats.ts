/** The "data" of an event of type "stats" as runc prints it, which containerd and others read. */

/** Counters are 64 bits wide: bigint, and written exactly by stringifyExactJson. */
export interface Stats {
  cpu: CpuStats;
  cpuset: CpusetStats;
  memory: MemoryStats;
  pids: { current?: bigint; limit?: bigint };
  blkio: BlkioStats;
  hugetlb: Record<string, { usage?: bigint; max?: bigint; failcnt: bigint }>;
  intel_rdt: Record<string, never>;
  network_interfaces: null;
}

export interface CpuStats {
  /** Nanoseconds. */
  usage: {
    total?: bigint;
    percpu?: bigint[];
    percpu_kernel?: bigint[];
    percpu_user?: bigint[];
    kernel: bigint;
    user: bigint;
  };
  throttling: { periods?: bigint; throttledPeriods?: bigint; throttledTime?: bigint };
  psi?: Pressure;
}

export interface CpusetStats {
  cpus?: number[];
  cpu_exclusive: bigint;
  mems?: number[];
  mem_hardwall: bigint;
  mem_exclusive: bigint;
  memory_migrate: bigint;
  memory_spread_page: bigint;
  memory_spread_slab: bigint;
  memory_pressure: bigint;
  sched_load_balance: bigint;
  sched_relax_domain_level: bigint;
}

/** Bytes. */
export interface MemoryUsage {
  limit: bigint;
  usage?: bigint;
  max?: bigint;
  failcnt: bigint;
}

export interface MemoryStats {
  cache?: bigint;
  usage: MemoryUsage;
  swap: MemoryUsage;
  kernel: MemoryUsage;
  kernelTCP: MemoryUsage;
  /** memory.stat as it is. */
  raw: Record<string, bigint>;
  psi?: Pressure;
}

export interface BlkioEntry {
  major?: number;
  minor?: number;
  op?: string;
  value?: bigint;
}

export interface BlkioStats {
  ioServiceBytesRecursive?: BlkioEntry[];
  ioServicedRecursive?: BlkioEntry[];
  ioQueueRecursive?: BlkioEntry[];
  ioServiceTimeRecursive?: BlkioEntry[];
  ioWaitTimeRecursive?: BlkioEntry[];
  ioMergedRecursive?: BlkioEntry[];
  ioTimeRecursive?: BlkioEntry[];
  sectorsRecursive?: BlkioEntry[];
  psi?: Pressure;
}

/** Pressure stall information: percentages, and microseconds in total. */
export interface Pressure {
  some: PressureLine;
  full: PressureLine;
}

export interface PressureLine {
  avg10: number;
  avg60: number;
  avg300: number;
  total: bigint;
}

export const UNLIMITED = (1n << 64n) - 1n;

export function emptyStats(): Stats {
  const usage = (): MemoryUsage => ({ limit: 0n, failcnt: 0n });
  return {
    cpu: { usage: { kernel: 0n, user: 0n }, throttling: {} },
    cpuset: {
      cpu_exclusive: 0n,
      mem_hardwall: 0n,
      mem_exclusive: 0n,
      memory_migrate: 0n,
      memory_spread_page: 0n,
      memory_spread_slab: 0n,
      memory_pressure: 0n,
      sched_load_balance: 0n,
      sched_relax_domain_level: 0n,
    },
    memory: { usage: usage(), swap: usage(), kernel: usage(), kernelTCP: usage(), raw: {} },
    pids: {},
    blkio: {},
    hugetlb: {},
    intel_rdt: {},
    network_interfaces: null,
  };
}

/** Lines of a name and a number. */
export function parseFlat(text: string): Record<string, bigint> {
  const found: Record<string, bigint> = {};
  for (const line of text.split("\n")) {
    const match = /^(\S+) (-?\d+)$/.exec(line.trim());
    if (match) found[match[1]!] = BigInt(match[2]!);
  }
  return found;
}

/** Undefined where the kernel keeps no account. */
export function parsePressure(text: string | undefined): Pressure | undefined {
  if (text === undefined) return undefined;
  const zero = (): PressureLine => ({ avg10: 0, avg60: 0, avg300: 0, total: 0n });
  const pressure: Pressure = { some: zero(), full: zero() };
  let found = false;
  for (const line of text.split("\n")) {
    const match = /^(some|full) avg10=([\d.]+) avg60=([\d.]+) avg300=([\d.]+) total=(\d+)$/.exec(line.trim());
    if (!match) continue;
    found = true;
    const [avg10, avg60, avg300] = match.slice(2, 5).map(Number);
    pressure[match[1] as "some" | "full"] = { avg10: avg10!, avg60: avg60!, avg300: avg300!, total: BigInt(match[5]!) };
  }
  return found ? pressure : undefined;
}

/** A list such as 0-3,7. */
export function parseList(text: string): number[] {
  return text.split(",").flatMap((part) => {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part.trim());
    if (!match) return [];
    const first = Number(match[1]);
    const last = Math.min(Number(match[2] ?? first), first + 65535);
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
  });
}
