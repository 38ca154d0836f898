/** Which accelerator and which board a machine of the command line gets. */
import { createInterpreter } from "../accel/translate/accelerator.js";
import type { BoardBuilder } from "../machine/board.js";
import { pcBoard } from "../machine/pc-board.js";
import { loadCore } from "../node/core-wasm.js";
import { type AccelerationProbeOptions, probeAcceleration } from "../node/host/acceleration.js";
import { hostView } from "../node/host/host-view.js";
import type { TechniqueName } from "../node/host/techniques.js";
import type { Accelerator } from "../vcpu/accelerator.js";
import type { AcceleratorName } from "./boot-options.js";
import { chooseAccelerator, type RealAcceleratorName } from "./choose-accelerator.js";
import { NotImplementedError } from "./errors.js";

/** What this version has. */
export const AVAILABLE_ACCELERATORS: readonly RealAcceleratorName[] = ["interpret"];
export const BUILT_TECHNIQUES: ReadonlySet<TechniqueName> = new Set<TechniqueName>(["full"]);

/** Not resolved by the compiler: the package may be missing where native code was left out. */
const NATIVE_CALLS_PACKAGE: string = "koffi";

/** How this process is looked at. */
export const PROBE_OPTIONS: AccelerationProbeOptions = {
  loadNativeCalls: () => import(NATIVE_CALLS_PACKAGE),
};

/** @throws NotImplementedError, AcceleratorError ACCELERATOR_UNAVAILABLE */
export async function createAccelerator(name: AcceleratorName): Promise<{ accelerator: Accelerator; reason: string }> {
  const host = await probeAcceleration(hostView, PROBE_OPTIONS);
  const { accelerator, reason } = chooseAccelerator(host, name, AVAILABLE_ACCELERATORS);
  if (accelerator !== "interpret") throw new NotImplementedError(`--accel ${accelerator}`);
  return { accelerator: createInterpreter(await loadCore()), reason };
}

export function createBoard(options: { debugExit: boolean; testDevice: boolean }): BoardBuilder {
  return pcBoard({ debugExit: options.debugExit, testDevice: options.testDevice });
}
