/** When V8 gives WebAssembly functions to its optimizing compiler. */
import { setFlagsFromString } from "node:v8";

/**
 * Bytes of code that a function executes before it is optimized. Optimizing takes milliseconds for a region of guest code,
 * as long as some ten thousand runs of it; V8 would begin after some hundred.
 */
const REGION_BUDGET = 50_000_000;

/** For modules that are compiled from now on. The core is to be compiled before: it is optimized as soon as it can be. */
export function optimizeLate(): void {
  setFlagsFromString(`--wasm-tiering-budget=${REGION_BUDGET}`);
}
