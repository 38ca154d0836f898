import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { coreConstants, renderOperations } from "./lib/operations.mjs";
import { ROOT } from "./lib/project.mjs";

test("the translator has the core's numbers", () => {
  assert.ok(coreConstants().size > 500);
  assert.equal(
    readFileSync(join(ROOT, "src/accel/translate/translator/operations.ts"), "utf8"),
    renderOperations(),
    "npm run generate:operations brings them up to date",
  );
});
