/** Which accelerator and which board a machine of the command line gets. */
import type { BoardBuilder } from "../machine/board.js";
import type { Accelerator } from "../vcpu/accelerator.js";
import type { AcceleratorName } from "./boot-options.js";
import { NotImplementedError } from "./errors.js";

/** @throws NotImplementedError */
export async function createAccelerator(name: AcceleratorName): Promise<Accelerator> {
  throw new NotImplementedError(`--accel ${name}`);
}

/** @throws NotImplementedError */
export function createBoard(_options: { debugExit: boolean; testDevice: boolean }): BoardBuilder {
  throw new NotImplementedError("the PC's board");
}
