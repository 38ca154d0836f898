/** Machine, devices and loaders as guests see them, on every accelerator. */
import { test } from "node:test";
import { ACCELERATORS } from "../test-support/accelerators.js";
import { GUEST_CASES } from "../test-support/guest-suite/suite.js";

for (const { name: accelerator, skip, create } of ACCELERATORS) {
  for (const { group, name, run, skip: obstacle = false } of GUEST_CASES) {
    test(`${accelerator}: ${group}: ${name}`, { skip: skip || obstacle }, async () => run(await create()));
  }
}
