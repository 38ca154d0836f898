/** `delete`: what is left of a container, also of one whose creation was cut short. */
import { setTimeout as delay } from "node:timers/promises";
import { openCgroup } from "../cgroups/index.js";
import { ContainerError } from "../errors.js";
import type { Config } from "../spec/config.js";
import { isAlive } from "../state/process-identity.js";
import type { ContainerRecord, Store } from "../state/store.js";
import { tryHooks, type Warn } from "./hooks.js";
import { signalProcess } from "./kill.js";
import { ociState } from "./state.js";
import { statusOf } from "./status.js";

const SIGKILL = 9;
const RETRY_MS = 5;
/** A process that waits in the kernel (NFS, a broken disk) may take as long as it likes. */
const MAX_RETRIES = 2000;

/** Kills what is known to be the container's first process, and waits until it is gone. */
export async function killAndWait(record: ContainerRecord): Promise<void> {
  const { process } = record;
  if (process === null || !isAlive(process)) return;
  signalProcess(process.pid, SIGKILL);
  for (let tries = 0; isAlive(process); tries++) {
    if (tries === MAX_RETRIES) {
      throw new ContainerError("WRONG_STATE", `process ${process.pid} of ${record.id} does not die`);
    }
    await delay(RETRY_MS);
  }
}

/**
 * @param force kills a container that runs; no error for one that is not there
 * @throws ContainerError `WRONG_STATE` for one that runs, without `force`; `CONTAINER_NOT_FOUND`
 */
export async function deleteContainer(store: Store, id: string, force: boolean, warn: Warn): Promise<void> {
  if (!store.exists(id)) {
    if (force) return;
    throw new ContainerError("CONTAINER_NOT_FOUND", "container does not exist");
  }
  const record = store.tryLoad(id);
  if (record === null) {
    // Cut short before it wrote a state: there is nothing but the folder.
    if (!force) throw new ContainerError("CONTAINER_NOT_FOUND", "container does not exist");
    store.remove(id);
    return;
  }
  const status = statusOf(store, record);
  if (!force && status !== "stopped" && status !== "created") {
    throw new ContainerError("WRONG_STATE", `cannot delete container ${id} that is not stopped: ${status}`);
  }
  const cgroup = openCgroup(record.cgroup);
  if (cgroup.exists()) {
    // Before it had a process of its own, what is in the group is somebody else's.
    if (record.process !== null) await cgroup.kill(SIGKILL);
    await killAndWait(record);
    if (record.process !== null || cgroup.processes().length === 0) await cgroup.delete();
  } else await killAndWait(record);
  const config = loadSavedConfig(store, id);
  store.remove(id);
  if (config && record.process !== null) {
    await tryHooks("poststop", config.hooks?.poststop, ociState(record, config, "stopped"), warn);
  }
}

function loadSavedConfig(store: Store, id: string): Config | null {
  try {
    return store.loadConfig(id);
  } catch {
    return null;
  }
}
