import assert from "node:assert/strict";
import { test } from "node:test";
import { growth } from "./growth.mjs";

test("the last quarter is compared with the second: the first is warm-up", () => {
  assert.deepEqual(growth([1, 9, 10, 10, 10, 10, 10, 10]), { early: 10, late: 10 });
  assert.deepEqual(growth([1, 2, 3, 4, 5, 6, 7, 8]), { early: 3.5, late: 7.5 });
  assert.deepEqual(growth([1, 2]), { early: 2, late: 2 });
});
