/** What each controller's file implements, on either version. */

import type { Resources } from "../spec/config.js";
import type { ControlFolder } from "./control-folder.js";
import type { Stats } from "./stats.js";

export interface Controller {
  /** The kernel's name, also that of the first part of its files' names (blkio on v1, io on v2). */
  readonly name: string;
  /** The configuration asks for something that this controller has to do. */
  isAsked(resources: Resources): boolean;
  /** Writes what the configuration names and leaves the rest. @throws CgroupError */
  set(folder: ControlFolder, resources: Resources): void;
  /** What must be done before a process can enter. `parents` from the hierarchy's top downwards. */
  prepare?(folder: ControlFolder, parents: readonly ControlFolder[], resources: Resources): void;
  readStats?(folder: ControlFolder, stats: Stats): void;
}

/** A value other than undefined and the zero that stands for "leave it". */
export function isGiven(value: number | undefined): value is number {
  return value !== undefined && value !== null && value !== 0;
}
