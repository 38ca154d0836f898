/** A container's control group in all hierarchies of the host, by writing to cgroupfs. */
import { setTimeout as delay } from "node:timers/promises";
import { ControlFolder } from "./control-folder.js";
import type { Controller } from "./controller.js";
import { readControllers } from "./detect.js";
import { CgroupError } from "./errors.js";
import { type CgroupFiles, errnoOf, systemFiles } from "./files.js";
import { type Freezer, v1Freezer, v2Freezer } from "./freezer.js";
import { foldersBelow, processesIn } from "./processes.js";
import type { LinuxResources } from "./resources.js";
import { emptyStats, type Stats } from "./stats.js";
import { V1_CONTROLLERS } from "./v1/controllers.js";
import { V2_CONTROLLERS } from "./v2/controllers.js";
import { setUnified, unifiedControllers } from "./v2/unified.js";

/** The key of the v2 hierarchy in `paths`, which has no controller's name. */
export const UNIFIED = "";

const SIGKILL = 9;
const RETRY_MS = 10;
/** Together some ten seconds: the kernel lets go of a cgroup a little after its last process. */
const MAX_REMOVE_ATTEMPTS = 1000;
const MAX_KILL_ROUNDS = 100;
/** Between a clone and its first schedule the kernel answers so at times. */
const MAX_JOIN_ATTEMPTS = 5;

/** A folder for each controller: what a runtime's state keeps, and `reopenCgroup` takes. */
export type CgroupPaths = Readonly<Record<string, string>>;

export class Cgroup {
  private readonly v1: ReadonlyMap<string, string>;
  private readonly unified: string | undefined;

  /** See createCgroup and reopenCgroup. */
  constructor(
    /** By the v1 controller's name; `UNIFIED` is the cgroup in the v2 hierarchy. */
    readonly paths: CgroupPaths,
    private readonly files: CgroupFiles = systemFiles,
  ) {
    this.v1 = new Map(Object.entries(paths).filter(([controller]) => controller !== UNIFIED));
    this.unified = paths[UNIFIED];
  }

  /**
   * Where a device program must be attached (`deviceProgram`), because no v1 controller keeps the device rules.
   * Undefined where `createCgroup` and `update` keep them, and where there is no cgroup at all.
   */
  get deviceProgramFolder(): string | undefined {
    return this.v1.has("devices") ? undefined : this.unified;
  }

  /** The cgroup is still there, in some hierarchy. */
  exists(): boolean {
    return this.distinctFolders().some((folder) => this.files.exists(folder));
  }

  /**
   * Sets what the resources name and leaves the rest. Where it fails, what was set before stays set.
   * Device rules replace all earlier ones; on v2 they are the caller's (see `deviceProgramFolder`).
   * @throws CgroupError that names the controller
   */
  update(resources: LinuxResources): void {
    if (resources.unified && this.v1.size > 0 && Object.keys(resources.unified).length > 0) {
      throw new CgroupError("unified", "invalid", "unified is for hosts with cgroup v2 alone");
    }
    for (const { controller, folder } of this.askedControllers(resources)) controller.set(folder, resources);
    if (this.unified !== undefined && resources.unified) {
      setUnified(this.unified, this.files, readControllers(this.files, this.unified), resources.unified);
    }
  }

  /** The controllers that the resources ask something of. @throws CgroupError for one without a cgroup */
  private askedControllers(resources: LinuxResources): { controller: Controller; folder: ControlFolder }[] {
    const asked: { controller: Controller; folder: ControlFolder }[] = [];
    for (const controller of V1_CONTROLLERS) {
      if (!controller.isAsked(resources)) continue;
      const path = this.v1.get(controller.name);
      if (path !== undefined) asked.push({ controller, folder: new ControlFolder(controller.name, path, this.files) });
    }
    const v2 = this.unified === undefined ? [] : readControllers(this.files, this.unified);
    for (const controller of V2_CONTROLLERS) {
      if (!controller.isAsked(resources) || this.v1.has(v1Name(controller.name))) continue;
      if (this.unified === undefined || !v2.includes(controller.name)) {
        throw new CgroupError(
          controller.name,
          "unavailable",
          "limits are asked for and the container has no cgroup in it",
        );
      }
      asked.push({ controller, folder: new ControlFolder(controller.name, this.unified, this.files) });
    }
    const v1Only = V1_CONTROLLERS.filter(({ name }) => name.startsWith("net_") && !this.v1.has(name));
    const missing = v1Only.find((controller) => controller.isAsked(resources));
    if (missing)
      throw new CgroupError(missing.name, "unavailable", "this host has no such controller (cgroup v1 alone knows it)");
    return asked;
  }

  /**
   * Moves a process, with all its threads, into the cgroup.
   * @param sibling a process of the container: where it has made cgroups of its own and the kernel therefore takes
   *   no process into this one, the new process joins that one's
   * @throws CgroupError
   */
  addProcess(pid: number, sibling?: number): void {
    for (const folder of this.distinctFolders()) {
      try {
        this.join(folder, pid);
      } catch (error) {
        const isBusy = error instanceof CgroupError && error.problem === "busy";
        if (!isBusy || folder !== this.unified || sibling === undefined) throw error;
        this.join(this.unifiedFolderOf(sibling), pid);
      }
    }
  }

  private join(folder: string, pid: number): void {
    const control = new ControlFolder("cgroup", folder, this.files);
    for (let attempt = 1; ; attempt++) {
      try {
        this.files.write(`${folder}/cgroup.procs`, String(pid));
        return;
      } catch (error) {
        if (errnoOf(error) !== "EINVAL" || attempt === MAX_JOIN_ATTEMPTS) {
          throw control.error("cgroup.procs", error, String(pid));
        }
      }
    }
  }

  /** A sibling's cgroup lies below ours: everything else would be an escape. */
  private unifiedFolderOf(pid: number): string {
    const own = this.unified!;
    const membership = /^0::(.*)$/m.exec(this.files.read(`/proc/${pid}/cgroup`))?.[1] ?? "";
    const folder = foldersBelow(this.files, own).find(
      (each) => membership.endsWith(each.slice(own.length)) && processesIn(this.files, each, false).includes(pid),
    );
    if (folder === undefined) throw new CgroupError("cgroup", "busy", `process ${pid} is not in ${own} or below`);
    return folder;
  }

  /** Process numbers as seen from here, of the cgroup alone or of all below it too. */
  processes(recursive = true): number[] {
    const found = new Set<number>();
    for (const folder of this.trackingFolders()) {
      for (const pid of processesIn(this.files, folder, recursive)) found.add(pid);
    }
    return [...found].sort((a, b) => a - b);
  }

  /** Returns when all processes have stopped. @throws CgroupError when they do not, or there is no freezer */
  async freeze(): Promise<void> {
    await this.freezer().freeze();
  }

  async thaw(): Promise<void> {
    await this.freezer().thaw();
  }

  isFrozen(): boolean {
    return this.findFreezer()?.isFrozen() ?? false;
  }

  private freezer(): Freezer {
    const freezer = this.findFreezer();
    if (!freezer) throw new CgroupError("freezer", "unavailable", "the container has no cgroup that can be frozen");
    return freezer;
  }

  private findFreezer(): Freezer | undefined {
    const v1 = this.v1.get("freezer");
    if (v1 !== undefined) return v1Freezer(new ControlFolder("freezer", v1, this.files));
    if (this.unified === undefined) return undefined;
    const folder = new ControlFolder("freezer", this.unified, this.files);
    return folder.has("cgroup.freeze") ? v2Freezer(folder) : undefined;
  }

  /**
   * Sends a signal to all processes of the cgroup and of those below it. With SIGKILL nothing escapes by forking:
   * the kernel kills at once where it can, else the cgroup is frozen meanwhile.
   * @throws CgroupError
   */
  async killAll(signal: number): Promise<void> {
    if (signal === SIGKILL && this.unified !== undefined) {
      const folder = new ControlFolder("cgroup", this.unified, this.files);
      if (folder.has("cgroup.kill")) folder.write("cgroup.kill", "1");
    }
    if (signal !== SIGKILL) {
      this.signalAll(signal);
      return;
    }
    const freezer = this.findFreezer();
    for (let round = 0; round < MAX_KILL_ROUNDS && this.processes().length > 0; round++) {
      // A process that waits in the kernel does not freeze: it dies when it returns.
      await freezer?.freeze().catch(() => {});
      this.signalAll(signal);
      if (freezer && this.exists()) await freezer.thaw();
      if (this.processes().length > 0) await delay(RETRY_MS);
    }
  }

  private signalAll(signal: number): void {
    for (const pid of this.processes()) {
      try {
        this.files.kill(pid, signal);
      } catch (error) {
        if (errnoOf(error) === "ESRCH") continue;
        const detail = `process ${pid} cannot be sent signal ${signal}: ${(error as Error).message}`;
        throw new CgroupError("cgroup", "not-permitted", detail, { cause: error });
      }
    }
  }

  /** What runc's `events --stats` has under "data"; print it with stringifyStats. */
  stats(): Stats {
    const stats = emptyStats();
    for (const { name, readStats } of V1_CONTROLLERS) {
      const path = this.v1.get(name);
      if (path !== undefined) readStats?.(new ControlFolder(name, path, this.files), stats);
    }
    if (this.unified !== undefined) {
      // CPU time is counted without the controller too.
      const present = ["cpu", ...readControllers(this.files, this.unified)];
      for (const { name, readStats } of V2_CONTROLLERS) {
        if (this.v1.has(v1Name(name)) || !present.includes(name)) continue;
        readStats?.(new ControlFolder(name, this.unified, this.files), stats);
      }
    }
    return stats;
  }

  /**
   * Removes the cgroup and those below it, waiting a while for their last processes to be gone.
   * A cgroup that is gone already is none to remove.
   * @throws CgroupError when it stays busy: its processes were not killed
   */
  async delete(): Promise<void> {
    for (const folder of this.distinctFolders()) await removeFolders(this.files, folder);
  }

  private distinctFolders(): string[] {
    return [...new Set([...this.v1.values(), ...(this.unified === undefined ? [] : [this.unified])])];
  }

  /** Hierarchies that know every process of the container; one would do, if no process could move itself. */
  private trackingFolders(): string[] {
    const v1 = this.v1.get("freezer") ?? this.v1.get("devices") ?? [...this.v1.values()][0];
    return [...new Set([this.unified, v1].filter((folder) => folder !== undefined))];
  }
}

/** v1 has block I/O under its older name. */
function v1Name(v2Name: string): string {
  return v2Name === "io" ? "blkio" : v2Name;
}

/**
 * The controllers of the v2 hierarchy that resources need, given what v1 hierarchies have.
 * @throws CgroupError for malformed keys of `unified`
 */
export function neededOfV2(resources: LinuxResources, v1: { has(controller: string): boolean }): Set<string> {
  const needed = unifiedControllers(resources.unified);
  for (const controller of V2_CONTROLLERS) {
    if (!v1.has(v1Name(controller.name)) && controller.isAsked(resources)) needed.add(controller.name);
  }
  return needed;
}

/** @throws CgroupError */
export async function removeFolders(files: CgroupFiles, top: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    let failure: { folder: string; error: unknown } | undefined;
    for (const folder of foldersBelow(files, top).reverse()) {
      try {
        files.rmdir(folder);
      } catch (error) {
        if (errnoOf(error) !== "ENOENT") failure = { folder, error };
      }
    }
    if (!failure) return;
    if (errnoOf(failure.error) !== "EBUSY" || attempt === MAX_REMOVE_ATTEMPTS) {
      const processes = processesIn(files, top, true);
      const inside = processes.length > 0 ? ` with processes ${processes.slice(0, 10).join(", ")}` : "";
      const cause = new ControlFolder("cgroup", failure.folder, files).error(`.${inside}`, failure.error);
      throw cause;
    }
    await delay(RETRY_MS);
  }
}

/** The cgroup of a container that was made earlier. */
export function reopenCgroup(paths: CgroupPaths, options: { files?: CgroupFiles } = {}): Cgroup {
  for (const [controller, path] of Object.entries(paths)) {
    if (typeof path !== "string" || !path.startsWith("/") || path.split("/").includes("..")) {
      throw new CgroupError(
        controller || "cgroup",
        "invalid",
        `saved path ${JSON.stringify(path)} is no cgroup's folder`,
      );
    }
  }
  return new Cgroup(paths, options.files);
}
