/** A runtime that is killed leaves nothing that `delete --force` does not clean. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { whyNot } from "./testing/bundle.js";
import { KILLED_VERBS, killAtEveryPoint } from "./testing/kill-points.js";

const skip =
  whyNot() ||
  (spawnSync("strace", ["-o", "/dev/null", "true"]).status !== 0 && "needs a strace (Debian: strace) that may trace");
/** Every point is test/container/sigkill's matter. */
const STRIDE = 13;

for (const verb of KILLED_VERBS) {
  test(`killed at points of ${verb}`, { skip }, () => {
    const { points, leftovers } = killAtEveryPoint(verb, STRIDE);
    assert.ok(points > 0);
    assert.deepEqual(leftovers, []);
  });
}
