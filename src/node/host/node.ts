/** Node: its version, its WebAssembly, and whether native code can be called from it. */
import type { HostView } from "./host-view.js";
import { isAtLeast } from "./parse.js";
import { probeWasmFeatures, type WasmFeature } from "./wasm-features.js";

export interface NodeFacts {
  version: string;
  v8: string;
  /** At least what package.json's `engines` asks for. */
  supported: boolean;
  /** False under --jitless. */
  webAssembly: boolean;
  wasmFeatures: Record<WasmFeature, boolean>;
  /** A memory of up to 4 GiB can be made: V8 reserves address space for it, which a limit may forbid. */
  largeMemory: boolean;
}

/** koffi, which calls C functions. `absent`: the package is not installed. `untried`: nothing would use it. */
export type NativeCalls =
  | { state: "works" }
  | { state: "absent" }
  | { state: "broken"; error: string }
  | { state: "untried" };

export const MINIMUM_NODE = [20, 19] as const;

/** The part of WebAssembly's interface that is looked at. */
export type WasmHost = Pick<typeof WebAssembly, "validate" | "Memory">;

/** @param wasm the host's WebAssembly, or null where it has none */
export function probeNode(view: HostView, wasm: WasmHost | null): NodeFacts {
  const { nodeVersion, v8Version } = view.process;
  return {
    version: nodeVersion,
    v8: v8Version,
    supported: isAtLeast(nodeVersion, MINIMUM_NODE),
    webAssembly: wasm !== null,
    wasmFeatures: probeWasmFeatures(wasm === null ? null : (bytes) => wasm.validate(bytes)),
    largeMemory: wasm !== null && canMakeLargeMemory(wasm),
  };
}

/** What this process has. */
export function hostWasm(): WasmHost | null {
  return typeof WebAssembly === "undefined" ? null : WebAssembly;
}

const MAX_PAGES = 65536;

function canMakeLargeMemory(wasm: WasmHost): boolean {
  try {
    new wasm.Memory({ initial: 1, maximum: MAX_PAGES });
    return true;
  } catch {
    return false;
  }
}

/** @param load imports the package; it is missing where the installation left optional native code out */
export async function probeNativeCalls(load: () => Promise<unknown>): Promise<NativeCalls> {
  try {
    await load();
    return { state: "works" };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ERR_MODULE_NOT_FOUND") return { state: "absent" };
    return { state: "broken", error: String(message ?? error).split("\n")[0] };
  }
}
