/** Features of WebAssembly, each with a tiny module that only an engine with the feature finds valid. */

/** Bytes of a module with one function: its type, what stands before it, its code. */
function moduleWith(parts: {
  parameters?: readonly number[];
  results?: readonly number[];
  /** Limits of a memory: flags and pages. */
  memory?: readonly number[];
  /** A tag of type 0. */
  tag?: boolean;
  code: readonly number[];
}): Uint8Array<ArrayBuffer> {
  const { parameters = [], results = [], memory, tag = false, code } = parts;
  const section = (id: number, ...content: number[]) => [id, content.length, ...content];
  return Uint8Array.of(
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, 1, 0x60, parameters.length, ...parameters, results.length, ...results),
    ...section(3, 1, 0),
    ...(memory === undefined ? [] : section(5, 1, ...memory)),
    ...(tag ? section(13, 1, 0, 0) : []),
    ...section(10, 1, code.length + 2, 0, ...code, 0x0b),
  );
}

const I32 = 0x7f;

const MODULES = {
  /** v128.const 0, drop */
  simd: moduleWith({ code: [0xfd, 0x0c, ...new Array<number>(16).fill(0), 0x1a] }),
  /** memory.fill 0 0 0 */
  bulkMemory: moduleWith({ memory: [0, 1], code: [0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 0x0b, 0] }),
  /** i32.extend8_s */
  signExtension: moduleWith({ results: [I32], code: [0x41, 0, 0xc0] }),
  /** i32.trunc_sat_f32_s */
  saturatingFloatToInt: moduleWith({ results: [I32], code: [0x43, 0, 0, 0, 0, 0xfc, 0x00] }),
  /** i32.atomic.load of a shared memory */
  threads: moduleWith({ results: [I32], memory: [3, 1, 1], code: [0x41, 0, 0xfe, 0x10, 2, 0] }),
  /** throw of a tag */
  exceptions: moduleWith({ tag: true, code: [0x08, 0] }),
  /** return_call 0 */
  tailCalls: moduleWith({ code: [0x12, 0] }),
  /** i32.load by a 64-bit address */
  memory64: moduleWith({ results: [I32], memory: [4, 1], code: [0x42, 0, 0x28, 2, 0] }),
} as const satisfies Record<string, Uint8Array<ArrayBuffer>>;

export type WasmFeature = keyof typeof MODULES;

export const WASM_FEATURES = Object.keys(MODULES) as WasmFeature[];

export const WASM_FEATURE_NAMES: Record<WasmFeature, string> = {
  simd: "SIMD",
  bulkMemory: "bulk memory",
  signExtension: "sign extension",
  saturatingFloatToInt: "saturating float to int",
  threads: "threads",
  exceptions: "exceptions",
  tailCalls: "tail calls",
  memory64: "64-bit memory",
};

/** The engine's compiled core uses these (scripts/lib/build.mjs enables them). */
export const REQUIRED_WASM_FEATURES: readonly WasmFeature[] = [
  "simd",
  "bulkMemory",
  "signExtension",
  "saturatingFloatToInt",
];

/**
 * Branch hints are missing here: they are a custom section, which an engine may ignore and never finds invalid.
 * @param validate `WebAssembly.validate`, or null where the host has no WebAssembly
 */
export function probeWasmFeatures(
  validate: ((bytes: Uint8Array<ArrayBuffer>) => boolean) | null,
): Record<WasmFeature, boolean> {
  const entries = WASM_FEATURES.map((name) => [name, validate?.(MODULES[name]) ?? false]);
  return Object.fromEntries(entries) as Record<WasmFeature, boolean>;
}
