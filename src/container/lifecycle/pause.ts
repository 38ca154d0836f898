/** `pause` and `resume`. */
import { openCgroup } from "../cgroups/index.js";
import { ContainerError } from "../errors.js";
import type { ContainerRecord, Store } from "../state/store.js";
import { statusOf } from "./status.js";

/** @throws ContainerError `WRONG_STATE`; CgroupError */
export async function pauseContainer(store: Store, record: ContainerRecord): Promise<void> {
  const status = statusOf(store, record);
  if (status !== "running" && status !== "created") {
    throw new ContainerError("WRONG_STATE", `container not running or created: ${status}`);
  }
  await openCgroup(record.cgroup).freeze();
}

/** @throws ContainerError `WRONG_STATE`; CgroupError */
export async function resumeContainer(store: Store, record: ContainerRecord): Promise<void> {
  if (statusOf(store, record) !== "paused") throw new ContainerError("WRONG_STATE", "container not paused");
  await openCgroup(record.cgroup).thaw();
}
