import assert from "node:assert/strict";
import { test } from "node:test";
import { operationName } from "./operation-counters.js";
import { OP_CMPXCHG, OP_CPUID, OP_FXSAVE, OP_MOVS, OP_SHIFT, OPS_X87 } from "./operations.js";

test("operations are called as the core calls them", () => {
  assert.equal(operationName(OP_CMPXCHG), "cmpxchg");
  assert.equal(operationName(OP_MOVS), "movs");
  assert.equal(operationName(OP_CPUID), "cpuid");
  assert.equal(operationName(OP_FXSAVE), "fxsave");
  assert.equal(operationName(OP_SHIFT + 2), "shift+2");
});

test("x87's are called by their bytes", () => {
  assert.equal(operationName(OPS_X87 + ((1 << 6) | 0x28)), "x87.d9.e8", "FLD1");
  assert.equal(operationName(OPS_X87 + 0x200 + ((5 << 3) | 0)), "x87.dd/0", "FLD m64");
});
