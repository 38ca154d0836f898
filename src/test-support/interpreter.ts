/** The interpreter, from the compiled core beside this build: for tests under Node. */
import { readFileSync } from "node:fs";
import { createInterpreter } from "../accel/translate/accelerator.js";
import type { Accelerator } from "../vcpu/accelerator.js";

let compiled: Promise<WebAssembly.Module> | undefined;

export async function testInterpreter(): Promise<Accelerator> {
  compiled ??= WebAssembly.compile(readFileSync(new URL("../accel/translate/core.wasm", import.meta.url)));
  return createInterpreter(await compiled);
}
