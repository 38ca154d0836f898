// Debian's `cpuid` on what our CPU models answer: of every model from its table, of two in a guest. `run.mjs` has all guests.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { CPU_MODEL_NAMES, parseCpuModel } from "../../../dist/vcpu/cpu-model.js";
import { guestFaults, tablesOf } from "./check.mjs";
import { faultsOf, untold } from "./expectations.mjs";
import { guestObstacle, runCpuidInGuest } from "./guest.mjs";
import { rawText } from "./raw.mjs";
import { decode, toolObstacle } from "./tool.mjs";

const skip = toolObstacle();

test("the tool reads of each model what the model is", { skip }, () => {
  for (const name of CPU_MODEL_NAMES) {
    for (const vendor of ["amd", "intel"]) {
      const model = parseCpuModel(`${name},vendor=${vendor}`);
      for (const count of [1, 3, 16]) {
        const cpus = decode(rawText(tablesOf(model, count)));
        assert.equal(cpus.length, count);
        cpus.forEach((lines, id) => {
          assert.deepEqual(faultsOf(lines, model, id, count), [], `${name}, ${vendor}, ${id} of ${count}`);
        });
      }
    }
  }
  assert.deepEqual(untold(), [], "features that the tool told of in no line");
});

for (const [text, count] of [
  ["default", 2],
  ["max,vendor=intel", 1],
]) {
  test(`${text}, ${count} vCPUs: the same in a guest, and in Linux's cpuinfo`, {
    skip: skip || guestObstacle(),
  }, () => {
    const folder = mkdtempSync(join(tmpdir(), "ringvisor-cpuid-"));
    try {
      assert.deepEqual(guestFaults(runCpuidInGuest({ model: text, cpus: count, folder }), text, count), []);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}
