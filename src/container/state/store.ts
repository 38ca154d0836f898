/**
 * What the runtime knows of its containers: a folder each, under `--root`.
 *
 * Everything is written before it is done, so that whoever comes after a runtime that was killed finds what to clean.
 */
import {
  type Dirent,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import type { CgroupPaths } from "../cgroups/index.js";
import { ContainerError } from "../errors.js";
import { EXEC_FIFO } from "../plan/exec-fifo.js";
import type { Config } from "../spec/config.js";
import { parseExactJson, stringifyExactJson, WIDE_KEYS } from "../spec/exact-json.js";
import type { ProcessIdentity } from "./process-identity.js";

/** A container's saved state. */
export interface ContainerRecord {
  readonly version: 1;
  readonly id: string;
  readonly ociVersion: string;
  readonly bundle: string;
  readonly rootfs: string;
  /** ISO 8601. */
  readonly created: string;
  /** Who created it: a user id. */
  readonly owner: number;
  /** `creating` until the process waits for `start`. */
  readonly phase: "creating" | "created";
  /** Null until the process exists. */
  readonly process: ProcessIdentity | null;
  readonly cgroup: CgroupPaths;
}

/** As state(1) of the specification has it, and `paused` of runc. */
export type ContainerStatus = "creating" | "created" | "running" | "stopped" | "paused";

const STATE_FILE = "state.json";
const CONFIG_FILE = "config.json";
const ID_PATTERN = /^[\w+.-]+$/;
const MAX_REMOVE_TRIES = 10;

export function validateId(id: string): void {
  if (!ID_PATTERN.test(id) || id === "." || id === ".." || id.length > 255) {
    throw new ContainerError(
      "USAGE",
      `invalid container id ${JSON.stringify(id)}: letters, digits and _ + - . are good`,
    );
  }
}

/** fs.rmSync would do, and load much code for it. Symbolic links are removed, not followed. */
function removeTree(folder: string): void {
  let entries: Dirent[];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) removeTree(path);
    else unlinkSync(path);
  }
  rmdirSync(folder);
}

export class Store {
  /** Absolute: the stage works in another folder. */
  readonly root: string;

  /** @param root the folder that `--root` names; made where it is missing */
  constructor(root: string) {
    this.root = resolve(root);
  }

  folder(id: string): string {
    return join(this.root, id);
  }

  /** Ids of all containers, also of those whose creation was cut short. */
  list(): string[] {
    try {
      return readdirSync(this.root, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && ID_PATTERN.test(entry.name))
        .map((entry) => entry.name)
        .sort();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  }

  /** Takes the id. @throws ContainerError `CONTAINER_EXISTS` */
  create(record: ContainerRecord, config: Config): void {
    validateId(record.id);
    const folder = this.folder(record.id);
    try {
      mkdirSync(this.root, { recursive: true, mode: 0o711 });
      mkdirSync(folder, { mode: 0o711 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") {
        throw new ContainerError("CONTAINER_EXISTS", `container with given ID already exists: ${record.id}`);
      }
      throw new ContainerError("FILE", `cannot make ${folder}: ${(error as Error).message}`, { cause: error });
    }
    writeFileSync(join(folder, CONFIG_FILE), stringifyExactJson(config), { mode: 0o600 });
    this.save(record);
  }

  save(record: ContainerRecord): void {
    const file = join(this.folder(record.id), STATE_FILE);
    writeFileSync(`${file}.new`, JSON.stringify(record), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }

  /** @throws ContainerError `CONTAINER_NOT_FOUND` */
  load(id: string): ContainerRecord {
    const record = this.tryLoad(id);
    if (record === null) throw new ContainerError("CONTAINER_NOT_FOUND", "container does not exist");
    return record;
  }

  /** Null where there is no state: no container, or one whose creation was cut short before it wrote any. */
  tryLoad(id: string): ContainerRecord | null {
    validateId(id);
    try {
      return JSON.parse(readFileSync(join(this.folder(id), STATE_FILE), "utf8"));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT" || error instanceof SyntaxError) return null;
      throw new ContainerError("FILE", `cannot read the state of ${id}: ${(error as Error).message}`, { cause: error });
    }
  }

  loadConfig(id: string): Config {
    return parseExactJson(readFileSync(join(this.folder(id), CONFIG_FILE), "utf8"), WIDE_KEYS) as Config;
  }

  /** There is a folder, with or without a state in it. */
  exists(id: string): boolean {
    validateId(id);
    return statSync(this.folder(id), { throwIfNoEntry: false })?.isDirectory() ?? false;
  }

  /** Removes the folder. A stage that dies just now may still make a file in it. */
  remove(id: string): void {
    for (let tries = 1; ; tries++) {
      try {
        removeTree(this.folder(id));
        return;
      } catch (error) {
        if (tries === MAX_REMOVE_TRIES) throw error;
      }
    }
  }

  /** The FIFO is there until `start` has opened it. */
  hasFifo(id: string): boolean {
    return existsSync(join(this.folder(id), EXEC_FIFO));
  }

  fifo(id: string): string {
    return join(this.folder(id), EXEC_FIFO);
  }
}
