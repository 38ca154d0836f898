/**
 * `linux.resources` of a container's configuration: config-linux.md of the OCI runtime specification 1.2,
 * sections "Control groups" and below. Names and units are the specification's.
 */
export interface LinuxResources {
  /** Rules in order; without any, nothing is allowed beyond what the caller adds. */
  readonly devices?: readonly DeviceRule[];
  readonly memory?: MemoryResources;
  readonly cpu?: CpuResources;
  readonly pids?: { readonly limit: number };
  readonly blockIO?: BlockIoResources;
  readonly hugepageLimits?: readonly { readonly pageSize: string; readonly limit: number }[];
  readonly network?: NetworkResources;
  readonly rdma?: Readonly<Record<string, RdmaLimit>>;
  /** cgroup v2 alone: a file's name to what is written there. */
  readonly unified?: Readonly<Record<string, string>>;
}

/** Allows or denies access to device nodes. */
export interface DeviceRule {
  readonly allow: boolean;
  /** a: all devices (the default), c or u: character, b: block, p: pipe (which no cgroup controls). */
  readonly type?: "a" | "c" | "b" | "u" | "p";
  /** Without it, all. */
  readonly major?: number;
  readonly minor?: number;
  /** Of r (read), w (write) and m (mknod). */
  readonly access?: string;
}

/** Bytes; -1 is no limit, 0 leaves a value as it is. */
export interface MemoryResources {
  readonly limit?: number;
  readonly reservation?: number;
  /** Memory and swap together. */
  readonly swap?: number;
  /** Gone from kernels since 5.16: accepted and without effect, as in runc. */
  readonly kernel?: number;
  readonly kernelTCP?: number;
  /** 0 to 100; v1 alone. */
  readonly swappiness?: number;
  /** v1 alone. */
  readonly disableOOMKiller?: boolean;
  readonly useHierarchy?: boolean;
  /** Refuses a limit below what is in use, instead of reclaiming or killing. */
  readonly checkBeforeUpdate?: boolean;
}

export interface CpuResources {
  /** Relative weight as cgroup v1 counts it: 2 to 262144. */
  readonly shares?: number;
  /** Microseconds in each period; -1 is no limit. */
  readonly quota?: number;
  /** Microseconds that a quota may exceed its period by. */
  readonly burst?: number;
  /** Microseconds. */
  readonly period?: number;
  readonly realtimeRuntime?: number;
  readonly realtimePeriod?: number;
  /** A list as the kernel writes it: 0-3,7. */
  readonly cpus?: string;
  readonly mems?: string;
  /** 1: scheduled when nothing else runs. */
  readonly idle?: number;
}

export interface BlockIoResources {
  /** 10 to 1000. */
  readonly weight?: number;
  readonly leafWeight?: number;
  readonly weightDevice?: readonly WeightDevice[];
  readonly throttleReadBpsDevice?: readonly ThrottleDevice[];
  readonly throttleWriteBpsDevice?: readonly ThrottleDevice[];
  readonly throttleReadIOPSDevice?: readonly ThrottleDevice[];
  readonly throttleWriteIOPSDevice?: readonly ThrottleDevice[];
}

export interface WeightDevice {
  readonly major: number;
  readonly minor: number;
  readonly weight?: number;
  readonly leafWeight?: number;
}

export interface ThrottleDevice {
  readonly major: number;
  readonly minor: number;
  /** Bytes or operations a second; 0 is no limit. */
  readonly rate: number;
}

/** v1 alone. */
export interface NetworkResources {
  readonly classID?: number;
  readonly priorities?: readonly { readonly name: string; readonly priority: number }[];
}

export interface RdmaLimit {
  readonly hcaHandles?: number;
  readonly hcaObjects?: number;
}
