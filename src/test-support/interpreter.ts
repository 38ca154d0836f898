/** The interpreter, from the compiled core beside this build: for tests under Node. */
import { readFileSync } from "node:fs";
import { createInterpreter, createTranslator } from "../accel/translate/accelerator.js";
import type { Accelerator } from "../vcpu/accelerator.js";

let compiled: Promise<WebAssembly.Module> | undefined;

export async function compiledCore(): Promise<WebAssembly.Module> {
  compiled ??= WebAssembly.compile(readFileSync(new URL("../accel/translate/core.wasm", import.meta.url)));
  return compiled;
}

/**
 * What the tests of the core run on. RINGVISOR_TEST_TRANSLATOR=regions translates each block at its first entry,
 * =stepping goes through the translator's run-time half alone.
 */
export async function testInterpreter(): Promise<Accelerator> {
  const translator = process.env.RINGVISOR_TEST_TRANSLATOR;
  if (translator === "regions") return createTranslator(await compiledCore(), { heat: 1 });
  if (translator === "stepping") return (await import("./stepping-translator.js")).steppingTranslator();
  return createInterpreter(await compiledCore());
}
