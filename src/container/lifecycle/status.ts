import { openCgroup } from "../cgroups/index.js";
import { isAlive } from "../state/process-identity.js";
import type { ContainerRecord, ContainerStatus, Store } from "../state/store.js";

/** What a container is in now: its record says what was, the process what is. */
export function statusOf(store: Store, record: ContainerRecord): ContainerStatus {
  if (record.process === null || !isAlive(record.process)) {
    return record.phase === "creating" && record.process === null ? "creating" : "stopped";
  }
  if (record.phase === "creating") return "creating";
  if (store.hasFifo(record.id)) return "created";
  return openCgroup(record.cgroup).isFrozen() ? "paused" : "running";
}
