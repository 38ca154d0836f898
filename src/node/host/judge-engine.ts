/** Our own virtual CPU on this host: what full virtualization and paravirtualization stand on. */
import type { NodeFacts } from "./node.js";
import { MINIMUM_NODE } from "./node.js";
import { type Finding, limited, unusable } from "./verdict.js";
import { REQUIRED_WASM_FEATURES, WASM_FEATURE_NAMES } from "./wasm-features.js";

const SMALL_GUESTS = "guests with much memory do not start";

export function judgeEngine(node: NodeFacts): Finding[] {
  const nothingRuns = "our own virtual CPU does not run here";
  const findings: Finding[] = [];
  const update = `install Node ${MINIMUM_NODE.join(".")} or later`;
  if (!node.supported) {
    findings.push(unusable(`Node ${node.version} is older than ${MINIMUM_NODE.join(".")}`, nothingRuns, update));
  }
  if (!node.webAssembly) {
    findings.push(
      unusable("this Node runs without WebAssembly", nothingRuns, "start it without --jitless (see NODE_OPTIONS)"),
    );
    return findings;
  }
  const missing = REQUIRED_WASM_FEATURES.filter((name) => !node.wasmFeatures[name]);
  if (missing.length > 0) {
    const names = missing.map((name) => WASM_FEATURE_NAMES[name]).join(", ");
    findings.push(unusable(`this Node's WebAssembly lacks ${names}`, nothingRuns, update));
  }
  if (node.memory !== "any") {
    const size = node.memory === "small" ? "a 4 GiB" : "any";
    const why = `this process may not reserve the address space of ${size} WebAssembly memory`;
    const remedy = "lift the limit of address space: ulimit -v unlimited";
    findings.push(node.memory === "none" ? unusable(why, nothingRuns, remedy) : limited(why, SMALL_GUESTS, remedy));
  }
  return findings;
}
