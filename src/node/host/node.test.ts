import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeEngine } from "./judge-engine.js";
import { probeNativeCalls } from "./native-calls.js";
import { hostWasm, probeNode, type WasmHost } from "./node.js";
import { fakeHost } from "./testing/fake-host.js";
import { worst } from "./verdict.js";
import { probeWasmFeatures, REQUIRED_WASM_FEATURES, WASM_FEATURES } from "./wasm-features.js";

/** An engine that finds some modules invalid, and may not have much address space. */
function engine(valid: (index: number) => boolean, maximumPages = 65536): WasmHost {
  let index = 0;
  return {
    validate: () => valid(index++),
    Memory: class {
      constructor({ maximum = 0 }: { maximum?: number }) {
        if (maximum > maximumPages) throw new RangeError("WebAssembly.Memory(): could not allocate memory");
      }
    } as unknown as WasmHost["Memory"],
  };
}

function judge(nodeVersion: string, wasm: WasmHost | null) {
  const node = probeNode(fakeHost({ process: { nodeVersion } }), wasm);
  const findings = judgeEngine(node);
  return { node, usability: worst(findings), findings };
}

test("this Node runs the engine: its features are found, and each probe can also fail", () => {
  const { usability, node } = judge(process.versions.node, hostWasm());
  assert.equal(usability, "usable");
  for (const name of REQUIRED_WASM_FEATURES) assert.equal(node.wasmFeatures[name], true, name);
  assert.equal(node.wasmFeatures.threads, true);
  const none = probeWasmFeatures(() => false);
  assert.deepEqual(
    WASM_FEATURES.filter((name) => none[name]),
    [],
  );
});

test("the probes are whole modules: a byte more or less makes each invalid", () => {
  const seen: Uint8Array<ArrayBuffer>[] = [];
  probeWasmFeatures((bytes) => seen.push(bytes) > 0);
  assert.equal(seen.length, WASM_FEATURES.length);
  const valid = seen.filter((bytes) => WebAssembly.validate(bytes));
  assert.ok(valid.length >= 5);
  for (const bytes of valid) {
    assert.equal(WebAssembly.validate(bytes.slice(0, -1)), false);
    assert.equal(WebAssembly.validate(Uint8Array.of(...bytes, 0)), false);
  }
});

for (const [version, usable] of [
  ["18.20.4", false],
  ["20.18.3", false],
  ["20.19.0", true],
  ["20.100.0", true],
  ["22.0.0", true],
  ["100.1.0", true],
  ["24.0.0-nightly20260101", true],
] as const) {
  test(`Node ${version} is ${usable ? "new" : "too old"}`, () => {
    const { usability, findings } = judge(
      version,
      engine(() => true),
    );
    assert.equal(usability, usable ? "usable" : "unusable");
    if (!usable) assert.match(findings[0].remedy ?? "", /Node 20\.19 or later/);
  });
}

test("no WebAssembly, as under --jitless", () => {
  const { usability, findings } = judge("22.0.0", null);
  assert.equal(usability, "unusable");
  assert.match(findings[0].remedy ?? "", /--jitless/);
});

test("a missing feature is named; one that the engine does not use does not matter", () => {
  const simd = WASM_FEATURES.indexOf("simd");
  const { usability, findings } = judge(
    "22.0.0",
    engine((index) => index !== simd),
  );
  assert.equal(usability, "unusable");
  assert.match(findings[0].why, /lacks SIMD$/);
  const memory64 = WASM_FEATURES.indexOf("memory64");
  assert.equal(
    judge(
      "22.0.0",
      engine((index) => index !== memory64),
    ).usability,
    "usable",
  );
});

test("a limit of address space leaves room for small guests, or for none", () => {
  for (const [pages, expected] of [
    [1024, "limited"],
    [0, "unusable"],
  ] as const) {
    const { usability, findings } = judge(
      "22.0.0",
      engine(() => true, pages),
    );
    assert.equal(usability, expected);
    assert.match(findings[0].remedy ?? "", /ulimit -v/);
  }
});

test("native calls: there, not installed, broken", async () => {
  assert.deepEqual(await probeNativeCalls(async () => ({})), { state: "works" });
  const missing = Object.assign(new Error("no package"), { code: "ERR_MODULE_NOT_FOUND" });
  assert.deepEqual(await probeNativeCalls(() => Promise.reject(missing)), { state: "absent" });
  const broken = await probeNativeCalls(() => Promise.reject(new Error("invalid ELF header\n  at x")));
  assert.deepEqual(broken, { state: "broken", error: "invalid ELF header" });
});
