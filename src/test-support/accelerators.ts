/** The accelerators that tests run on, and why one is left out on this host. */
import { createKvm } from "../accel/kvm/accelerator.js";
import { createTranslator } from "../accel/translate/accelerator.js";
import { type Accelerator, AcceleratorError } from "../vcpu/accelerator.js";
import { compiledCore } from "./compiled-core.js";
import { testInterpreter } from "./interpreter.js";

export interface TestAccelerator {
  name: string;
  /** Why tests on it are skipped here; false where they run. */
  skip: string | false;
  /** Throws where it is to be skipped. */
  create(): Promise<Accelerator>;
}

/** Every accelerator of this version. */
export const ACCELERATORS: readonly TestAccelerator[] = [
  { name: "interpret", skip: false, create: testInterpreter },
  { name: "translate", skip: false, create: testTranslator },
  { name: "kvm", skip: kvmObstacle(), create: async () => createKvm() },
];

/** Translates soon: short guests run through regions for the most part. */
export async function testTranslator(): Promise<Accelerator> {
  return createTranslator(await compiledCore(), { heat: 2 });
}

/** Why KVM cannot be used here, or false. */
export function kvmObstacle(): string | false {
  try {
    createKvm().close();
    return false;
  } catch (error) {
    if (error instanceof AcceleratorError && error.code === "ACCELERATOR_UNAVAILABLE") return error.message;
    throw error;
  }
}
