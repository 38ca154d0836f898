import { readFile } from "node:fs/promises";

/** Loads the compiled core, which the build puts beside the translator's other files. */
export async function loadCore(): Promise<WebAssembly.Module> {
  const file = new URL("../accel/translate/core.wasm", import.meta.url);
  return WebAssembly.compile(await readFile(file));
}
