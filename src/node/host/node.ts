/** Node: its version, and its WebAssembly. */
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
  /** V8 reserves address space for a memory, which a limit may forbid: `any` is up to 4 GiB, `small` 64 KiB. */
  memory: "any" | "small" | "none";
}

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
    memory: wasm === null ? "none" : canMake(wasm, MAX_PAGES) ? "any" : canMake(wasm, 1) ? "small" : "none",
  };
}

/** What this process has. */
export function hostWasm(): WasmHost | null {
  return typeof WebAssembly === "undefined" ? null : WebAssembly;
}

const MAX_PAGES = 65536;

function canMake(wasm: WasmHost, maximum: number): boolean {
  try {
    new wasm.Memory({ initial: 1, maximum });
    return true;
  } catch {
    return false;
  }
}
