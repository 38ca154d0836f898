/** A container's control group in all hierarchies of the host, by writing to cgroupfs. */
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { Resources } from "../spec/config.js";
import { ControlFolder } from "./control-folder.js";
import type { Controller } from "./controller.js";
import { detect, type Hierarchy, readControllers } from "./detect.js";
import { deviceProgram } from "./devices/program.js";
import { CgroupError } from "./errors.js";
import { type CgroupFiles, errnoOf, systemFiles } from "./files.js";
import { makeFolders } from "./folders.js";
import { type Freezer, v1Freezer, v2Freezer } from "./freezer.js";
import { UNIFIED, v1Name } from "./names.js";
import { foldersBelow, processesIn } from "./processes.js";
import { emptyStats, parseFlat, type Stats } from "./stats.js";
import { V1_CONTROLLERS } from "./v1/controllers.js";
import { V2_CONTROLLERS } from "./v2/controllers.js";
import { setUnified } from "./v2/unified.js";

const SIGKILL = 9;
const RETRY_MS = 10;
/** Together some ten seconds: the kernel lets go of a cgroup a little after its last process. */
const MAX_REMOVE_ATTEMPTS = 1000;
const MAX_KILL_ROUNDS = 100;
/** Between a clone and its first schedule the kernel answers so at times. */
const MAX_JOIN_ATTEMPTS = 5;

/** none: neither is mounted; hybrid: v1 controllers, and a v2 hierarchy with what no v1 hierarchy has. */
export type CgroupVersion = "none" | "v1" | "v2" | "hybrid";

/** Where a container's cgroups are or will be: saved before they are made, so that a killed create can be cleaned up. */
export interface CgroupPaths {
  readonly version: CgroupVersion;
  /** By the v1 controller's name (`name=systemd` is one); `UNIFIED` is the cgroup in the v2 hierarchy. */
  readonly folders: Readonly<Record<string, string>>;
}

/** A program of type BPF_PROG_TYPE_CGROUP_DEVICE. Node cannot call bpf(2): the caller loads and attaches it. */
export interface DeviceProgram {
  /** struct bpf_insn, eight bytes each. */
  readonly instructions: Uint8Array;
  /** The v2 cgroup to attach it to, in the place of an earlier one. */
  readonly folder: string;
}

export interface CgroupOptions {
  /**
   * The caller is not the host's root: hierarchies that it may not write to are done without unless a limit is asked
   * for there. Device rules are no such limit: a user namespace's processes cannot make devices.
   * Unless said, as the process's user and user namespace are.
   */
  readonly rootless?: boolean;
  readonly files?: CgroupFiles;
  /** Unless given, detected when it is needed. */
  readonly hierarchy?: Hierarchy;
}

export class Cgroup {
  private readonly files: CgroupFiles;
  private readonly rootless: boolean;
  private readonly hierarchy: Hierarchy | undefined;

  /** See openCgroup. */
  constructor(
    readonly paths: CgroupPaths,
    { files = systemFiles, rootless = isRootless(), hierarchy }: CgroupOptions = {},
  ) {
    this.files = files;
    this.rootless = rootless;
    this.hierarchy = hierarchy;
  }

  /** Rootless, a planned folder may not be there. */
  private folderOf(controller: string): string | undefined {
    const folder = this.paths.folders[controller];
    return folder !== undefined && (!this.rootless || this.files.exists(folder)) ? folder : undefined;
  }

  private get unified(): string | undefined {
    return this.folderOf(UNIFIED);
  }

  /**
   * Makes the cgroup in each hierarchy and sets the limits; processes enter by `addProcess`. What is there already
   * and empty is used. What was made is removed again when it fails.
   * @returns the device program to attach before the first process enters, null where none is needed
   * @throws CgroupError that names the controller that cannot be had
   */
  create(resources: Resources): DeviceProgram | null {
    const hierarchy = this.hierarchy ?? detect({ files: this.files });
    const { version, folders } = this.paths;
    if (version === "none" && !this.rootless) {
      throw new CgroupError("cgroup", "unavailable", "no cgroup hierarchy is mounted on this host");
    }
    const made: string[] = [];
    try {
      makeFolders(hierarchy, folders, resources, { files: this.files, rootless: this.rootless, made });
      return this.update(resources);
    } catch (error) {
      for (const folder of made.reverse()) {
        try {
          this.files.rmdir(folder);
        } catch {
          // Somebody else uses it by now; the first error is the one to tell.
        }
      }
      throw error;
    }
  }

  /** The cgroup is still there, in some hierarchy. */
  exists(): boolean {
    return this.distinctFolders().some((folder) => this.files.exists(folder));
  }

  /**
   * Sets what the resources name and leaves the rest. Where it fails, what was set before stays set.
   * Device rules replace all earlier ones.
   * @returns the device program to attach, null where none is needed
   * @throws CgroupError that names the controller
   */
  update(resources: Resources): DeviceProgram | null {
    const asked = this.rootless ? { ...resources, devices: undefined } : resources;
    const { unified } = this;
    if (asked.unified && Object.keys(asked.unified).length > 0 && this.paths.version !== "v2") {
      throw new CgroupError("unified", "invalid", "unified is for hosts with cgroup v2 alone");
    }
    const program = this.deviceProgram(asked);
    for (const { controller, folder } of this.askedControllers(asked)) controller.set(folder, asked);
    if (unified !== undefined) setUnified(unified, this.files, readControllers(this.files, unified), asked.unified);
    return program;
  }

  private deviceProgram({ devices }: Resources): DeviceProgram | null {
    if (!devices || this.folderOf("devices") !== undefined) return null;
    const { unified } = this;
    if (unified === undefined) {
      const detail = "device rules are asked for and this host has neither the v1 controller nor cgroup v2";
      throw new CgroupError("devices", "unavailable", detail);
    }
    return { instructions: deviceProgram(devices), folder: unified };
  }

  /** The controllers that the resources ask something of. @throws CgroupError for one without a cgroup */
  private askedControllers(resources: Resources): { controller: Controller; folder: ControlFolder }[] {
    const asked: { controller: Controller; folder: ControlFolder }[] = [];
    for (const controller of V1_CONTROLLERS) {
      if (!controller.isAsked(resources)) continue;
      const path = this.folderOf(controller.name);
      if (path !== undefined) asked.push({ controller, folder: new ControlFolder(controller.name, path, this.files) });
    }
    const v2 = this.unified === undefined ? [] : readControllers(this.files, this.unified);
    for (const controller of V2_CONTROLLERS) {
      if (!controller.isAsked(resources) || this.folderOf(v1Name(controller.name)) !== undefined) continue;
      if (this.unified === undefined || !v2.includes(controller.name)) {
        throw new CgroupError(
          controller.name,
          "unavailable",
          "limits are asked for and the container has no cgroup in it",
        );
      }
      asked.push({ controller, folder: new ControlFolder(controller.name, this.unified, this.files) });
    }
    const v1Only = V1_CONTROLLERS.filter(({ name }) => name.startsWith("net_") && this.folderOf(name) === undefined);
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
    const v1 = this.folderOf("freezer");
    if (v1 !== undefined) return v1Freezer(new ControlFolder("freezer", v1, this.files));
    if (this.unified === undefined) return undefined;
    const folder = new ControlFolder("freezer", this.unified, this.files);
    return folder.has("cgroup.freeze") ? v2Freezer(folder) : undefined;
  }

  /**
   * Sends a signal to all processes of the cgroup and of those below it, which stand still meanwhile: none escapes by
   * forking. SIGKILL goes by the kernel's own file where there is one, and again until nobody is left.
   * @throws CgroupError
   */
  async kill(signal: number): Promise<void> {
    const isFinal = signal === SIGKILL;
    if (isFinal && this.unified !== undefined) {
      const folder = new ControlFolder("cgroup", this.unified, this.files);
      if (folder.has("cgroup.kill")) folder.write("cgroup.kill", "1");
    }
    const freezer = this.findFreezer();
    const wasFrozen = freezer?.isFrozen() ?? false;
    const rounds = isFinal ? MAX_KILL_ROUNDS : 1;
    let canFreeze = freezer !== undefined;
    for (let round = 0; round < rounds && this.processes().length > 0; round++) {
      if (canFreeze && (!wasFrozen || round > 0)) {
        // A process that waits in the kernel does not freeze: the signal finds it when it returns.
        await freezer?.freeze().catch(() => {
          canFreeze = false;
        });
      }
      try {
        this.signalAll(signal);
      } finally {
        // Frozen, nobody dies; a paused container that gets another signal stays paused.
        if (freezer && this.exists() && (isFinal || !wasFrozen)) await freezer.thaw();
      }
      if (isFinal && this.processes().length > 0) await delay(RETRY_MS);
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

  /** What runc's `events --stats` has under "data"; print it with stringifyExactJson. */
  statistics(): Stats {
    const stats = emptyStats();
    for (const { name, readStats } of V1_CONTROLLERS) {
      const path = this.folderOf(name);
      if (path !== undefined) readStats?.(new ControlFolder(name, path, this.files), stats);
    }
    if (this.unified !== undefined) {
      // CPU time is counted without the controller too.
      const present = ["cpu", ...readControllers(this.files, this.unified)];
      for (const { name, readStats } of V2_CONTROLLERS) {
        if (this.folderOf(v1Name(name)) !== undefined || !present.includes(name)) continue;
        readStats?.(new ControlFolder(name, this.unified, this.files), stats);
      }
    }
    return stats;
  }

  /** How often the kernel has killed a process here because a memory limit was reached. */
  outOfMemoryCount(): number {
    const v1 = this.folderOf("memory");
    const path = v1 ?? this.unified;
    if (path === undefined) return 0;
    const text = new ControlFolder("memory", path, this.files).tryRead(v1 ? "memory.oom_control" : "memory.events");
    return Number(parseFlat(text ?? "").oom_kill ?? 0n);
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
    const folders = Object.keys(this.paths.folders).map((controller) => this.folderOf(controller));
    return [...new Set(folders.filter((folder) => folder !== undefined))];
  }

  /** Hierarchies that know every process of the container; one would do, if no process could move itself. */
  private trackingFolders(): string[] {
    const folders = [this.unified, this.folderOf("freezer") ?? this.folderOf("devices")];
    const found = [...new Set(folders.filter((folder) => folder !== undefined))];
    return found.length > 0 ? found : this.distinctFolders().slice(0, 1);
  }
}

/** Not root, or root of a user namespace alone. */
function isRootless(): boolean {
  if (process.geteuid?.() !== 0) return true;
  try {
    return !/^\s*0\s+0\s+4294967295\s*$/.test(readFileSync("/proc/self/uid_map", "utf8"));
  } catch {
    return false;
  }
}

/** @throws CgroupError */
async function removeFolders(files: CgroupFiles, top: string): Promise<void> {
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
