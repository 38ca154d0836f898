/** The accelerator of the core's tests. */
import { createInterpreter, createTranslator } from "../accel/translate/accelerator.js";
import type { Accelerator } from "../vcpu/accelerator.js";
import { compiledCore } from "./compiled-core.js";
import { steppingTranslator } from "./stepping-translator.js";

/**
 * What the tests of the core run on. RINGVISOR_TEST_TRANSLATOR=regions translates each block at its first entry,
 * =stepping goes through the translator's run-time half alone.
 */
export async function testInterpreter(): Promise<Accelerator> {
  const translator = process.env.RINGVISOR_TEST_TRANSLATOR;
  if (translator === "regions") return createTranslator(await compiledCore(), { heat: 1, batch: 1 });
  if (translator === "stepping") return steppingTranslator();
  return createInterpreter(await compiledCore());
}
