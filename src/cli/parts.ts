/** Which accelerator and which board a machine of the command line gets. */
import { createInterpreter } from "../accel/translate/accelerator.js";
import type { BoardBuilder } from "../machine/board.js";
import { pcBoard } from "../machine/pc-board.js";
import { loadCore } from "../node/core-wasm.js";
import type { Accelerator } from "../vcpu/accelerator.js";
import type { AcceleratorName } from "./boot-options.js";
import { NotImplementedError } from "./errors.js";

/** @throws NotImplementedError */
export async function createAccelerator(name: AcceleratorName): Promise<Accelerator> {
  if (name === "translate" || name === "kvm") throw new NotImplementedError(`--accel ${name}`);
  return createInterpreter(await loadCore());
}

export function createBoard(options: { debugExit: boolean; testDevice: boolean }): BoardBuilder {
  return pcBoard({ debugExit: options.debugExit, testDevice: options.testDevice });
}
