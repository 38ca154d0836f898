/** The state of a container as the specification's `state` operation and hooks have it. */
import type { Config } from "../spec/config.js";
import type { ContainerRecord, ContainerStatus } from "../state/store.js";

export interface OciState {
  readonly ociVersion: string;
  readonly id: string;
  readonly status: ContainerStatus;
  readonly pid?: number;
  readonly bundle: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

export function ociState(record: ContainerRecord, config: Config, status: ContainerStatus): OciState {
  const running = status !== "stopped" && record.process !== null;
  return {
    ociVersion: record.ociVersion,
    id: record.id,
    status,
    ...(running ? { pid: record.process!.pid } : {}),
    bundle: record.bundle,
    ...(config.annotations ? { annotations: config.annotations } : {}),
  };
}

/** What `state` and `list` print: the same, with what runc adds. */
export function describeContainer(record: ContainerRecord, config: Config, status: ContainerStatus) {
  return {
    ociVersion: record.ociVersion,
    id: record.id,
    pid: status === "stopped" ? 0 : (record.process?.pid ?? 0),
    status,
    bundle: record.bundle,
    rootfs: record.rootfs,
    created: record.created,
    ...(config.annotations ? { annotations: config.annotations } : {}),
    owner: record.owner === 0 ? "root" : String(record.owner),
  };
}
