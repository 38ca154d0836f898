/** Generated instruction sequences, each run as a region, leave what they leave when they are interpreted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { compiledCore } from "../../../test-support/compiled-core.js";
import { compare } from "../../../test-support/differential/compare.js";
import { generateData } from "../../../test-support/differential/generator.js";
import { GuestRunner } from "../../../test-support/differential/guest.js";
import { TABLES } from "../../../test-support/differential/tester.js";
import { Random } from "../../../test-support/random.js";
import { createInterpreter, createTranslator } from "../accelerator.js";
import { REGION_TRANSLATOR, type RegionTranslator } from "./code-cache.js";

const CASES = 500;

for (const bits of [64, 32] as const) {
  for (const table of ["integer", "bmi", "sse", "avx"]) {
    test(`translated: ${table}, ${bits}-bit code`, async () => {
      let regions = 0;
      const translator: RegionTranslator<NonNullable<ReturnType<typeof REGION_TRANSLATOR.translate>>> = {
        ...REGION_TRANSLATOR,
        translate: (...options) => {
          const region = REGION_TRANSLATOR.translate(...options);
          if (region !== null) regions++;
          return region;
        },
      };
      const core = await compiledCore();
      const interpreting = new GuestRunner(createInterpreter(core), bits);
      const translating = new GuestRunner(
        createTranslator(core, { heat: 1, batch: 1, deferrals: 0, translator }),
        bits,
        undefined,
        true,
      );
      try {
        const random = new Random(7);
        const data = generateData(random);
        const source = TABLES[table]?.((feature) => interpreting.has(feature), bits);
        assert.ok(source);
        const cases = Array.from({ length: CASES }, () => source(random));
        const records = cases.map(({ record }) => record);
        const expected = await interpreting.run(data, records);
        const found = await translating.run(data, records);
        cases.forEach((each, index) => {
          const [left, right] = [expected[index], found[index]];
          assert.ok(left && right);
          const names = each.instructions.map(({ spec }) => spec.name).join(", ");
          assert.deepEqual(compare(each, left, right, bits), [], `case ${index}: ${names}`);
        });
      } finally {
        interpreting.close();
        translating.close();
      }
      assert.ok(regions >= CASES / 2, `${regions} regions`);
    });
  }
}
