/** The compiled core beside this build: for tests under Node. */
import { readFileSync } from "node:fs";

let compiled: Promise<WebAssembly.Module> | undefined;

export function compiledCore(): Promise<WebAssembly.Module> {
  compiled ??= WebAssembly.compile(readFileSync(new URL("../accel/translate/core.wasm", import.meta.url)));
  return compiled;
}
