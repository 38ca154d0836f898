/** `start`: lets the container's process run the user's program. */
import { closeSync, constants, openSync, readSync, unlinkSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { ContainerError } from "../errors.js";
import { isAlive } from "../state/process-identity.js";
import type { ContainerRecord, Store } from "../state/store.js";
import { tryHooks, type Warn } from "./hooks.js";
import { ociState } from "./state.js";
import { statusOf } from "./status.js";

const RETRY_MS = 1;

/** @throws ContainerError `WRONG_STATE` */
export async function startContainer(store: Store, record: ContainerRecord, warn: Warn): Promise<void> {
  const status = statusOf(store, record);
  if (status !== "created") {
    const words =
      status === "stopped"
        ? "cannot start a container that has stopped"
        : `cannot start a container in the ${status} state`;
    throw new ContainerError("WRONG_STATE", words);
  }
  const fifo = store.fifo(record.id);
  // Without O_NONBLOCK this would wait for ever for a process that dies just now.
  const fd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    await readByte(fd, store, record);
  } finally {
    closeSync(fd);
  }
  try {
    unlinkSync(fifo);
  } catch (error) {
    // delete has removed it with the rest.
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const config = store.loadConfig(record.id);
  if (config.hooks?.poststart) {
    await tryHooks("poststart", config.hooks.poststart, ociState(record, config, "running"), warn);
  }
}

async function readByte(fd: number, store: Store, record: ContainerRecord): Promise<void> {
  const byte = Buffer.alloc(1);
  for (;;) {
    try {
      if (readSync(fd, byte, 0, 1, null) === 1) return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
    }
    if (!isAlive(record.process!)) {
      throw new ContainerError("WRONG_STATE", "the container's process ended before it was started");
    }
    if (!store.hasFifo(record.id)) throw new ContainerError("WRONG_STATE", "somebody else has started the container");
    await delay(RETRY_MS);
  }
}
