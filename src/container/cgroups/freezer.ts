/** Stops all processes of a cgroup at once: cgroup-v1/freezer-subsystem.rst; cgroup-v2.rst, "cgroup.freeze". */
import { setTimeout as delay } from "node:timers/promises";
import type { ControlFolder } from "./control-folder.js";
import { CgroupError } from "./errors.js";

const PAUSE_MS = 2;
/** Together some ten seconds. */
const MAX_ATTEMPTS = 2500;
/** A v1 freezer can be stuck on a process that another one keeps from stopping: letting go helps. */
const THAW_EVERY = 50;

export interface Freezer {
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  isFrozen(): boolean;
}

export function v1Freezer(folder: ControlFolder): Freezer {
  return {
    async freeze() {
      for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
        if (attempt % THAW_EVERY === 0) folder.write("freezer.state", "THAWED");
        // Written each time: processes forked meanwhile are caught by this.
        folder.write("freezer.state", "FROZEN");
        if (folder.read("freezer.state") === "FROZEN") return;
        await delay(PAUSE_MS);
      }
      folder.write("freezer.state", "THAWED");
      throw new CgroupError("freezer", "busy", `${folder.path}: the processes do not stop`);
    },
    async thaw() {
      folder.write("freezer.state", "THAWED");
    },
    isFrozen: () => ["FROZEN", "FREEZING"].includes(folder.tryRead("freezer.state") ?? ""),
  };
}

export function v2Freezer(folder: ControlFolder): Freezer {
  const isFrozen = () => /^frozen 1$/m.test(folder.tryRead("cgroup.events") ?? "");
  const waitUntil = async (frozen: boolean) => {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (isFrozen() === frozen) return;
      await delay(PAUSE_MS);
    }
    if (frozen) folder.write("cgroup.freeze", "0");
    throw new CgroupError("freezer", "busy", `${folder.path}: the processes do not ${frozen ? "stop" : "go on"}`);
  };
  return {
    async freeze() {
      folder.write("cgroup.freeze", "1");
      await waitUntil(true);
    },
    async thaw() {
      folder.write("cgroup.freeze", "0");
      await waitUntil(false);
    },
    isFrozen: () => folder.tryRead("cgroup.freeze") === "1",
  };
}
