/**
 * Control groups: limits and accounting of a container's processes, on version 1, version 2 and hybrid hosts.
 * This file is the interface; `openCgroup` picks what the host has.
 */
import { ContainerError } from "../errors.js";
import type { Resources } from "../spec/config.js";

/** What `/sys/fs/cgroup` holds. Hybrid: version 1 controllers, and a version 2 hierarchy without any. */
export type CgroupVersion = "v1" | "v2" | "hybrid" | "none";

/** Where a container's groups are: saved in its state before they are made, so that a killed create can be cleaned up. */
export interface CgroupPaths {
  readonly version: CgroupVersion;
  /** Controller (v1; `""` is the unified hierarchy) to absolute folder under /sys/fs/cgroup. */
  readonly folders: Readonly<Record<string, string>>;
}

/** An eBPF program of type CGROUP_DEVICE: Node cannot call bpf(2), so the stage loads and attaches it. */
export interface DeviceProgram {
  /** `struct bpf_insn`, 8 bytes each. */
  readonly instructions: Uint8Array;
  /** The version 2 folder to attach it to. */
  readonly folder: string;
}

/** A snapshot of the counters, in the shape that runc's `events --stats` prints. */
export type CgroupStatistics = Readonly<Record<string, unknown>>;

export interface Cgroup {
  readonly paths: CgroupPaths;
  /** Makes the folders and sets the limits; null where no device program is needed. Idempotent. */
  create(resources: Resources): DeviceProgram | null;
  addProcess(pid: number): void;
  /** Sets what `resources` names, leaves the rest. */
  update(resources: Resources): DeviceProgram | null;
  /** Waits until every process is frozen. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  isFrozen(): boolean;
  statistics(): CgroupStatistics;
  /** Pids of this group and the groups under it. */
  processes(): number[];
  /** Sends `signal` to every process (SIGKILL by cgroup.kill where there is one, else freeze, kill, thaw). */
  kill(signal: number): Promise<void>;
  /** Resolves to the number of out-of-memory events so far. */
  outOfMemoryCount(): number;
  /** Removes the folders, with groups the container made under them; waits for dying processes. No error if gone. */
  delete(): Promise<void>;
}

/**
 * Finds where the container's groups are to be. Creates nothing.
 *
 * @param cgroupsPath `linux.cgroupsPath`: absolute is under the hierarchy's root, relative under the runtime's own
 *   group; absent means `/ID` under the runtime's own group as runc does it
 */
export function planCgroup(_cgroupsPath: string | undefined, _id: string): CgroupPaths {
  return { version: "none", folders: {} };
}

/** The container's groups by what its state says. */
export function openCgroup(_paths: CgroupPaths): Cgroup {
  throw new ContainerError("NOT_IMPLEMENTED", "control groups are not implemented yet");
}
