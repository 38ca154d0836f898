import assert from "node:assert/strict";
import { test } from "node:test";
import {
  comparisons,
  formatSummary,
  formatTable,
  median,
  mergeRounds,
  percentile,
  ratios,
  summary,
  wrongChecks,
} from "./table.mjs";

const system = (times, check = "c") => ({
  programs: Object.fromEntries(Object.entries(times).map(([name, seconds]) => [name, { seconds, check }])),
  boot: 2,
  total: 10,
  peakRss: 256 << 20,
  error: null,
});

test("ratios are over the programs that both have", () => {
  const { names, values, mean } = ratios(system({ qsort: 1, simd: 8, crc32: 5 }), system({ qsort: 2, simd: 1 }));
  assert.deepEqual(names, ["qsort", "simd"]);
  assert.deepEqual(values, [0.5, 8]);
  assert.equal(mean.toFixed(6), "2.000000");
  assert.equal(ratios(system({ qsort: 1 }), system({ simd: 1 })).mean, null);
});

test("a summary has the groups and the worst program", () => {
  const peer = system({ qsort: 1, simd: 1, matmul_f64: 1, fork_exit: 1 });
  const each = summary(system({ qsort: 1, simd: 0.1, matmul_f64: 0.4, fork_exit: 4 }), peer);
  assert.equal(each["floating point, SIMD"].toFixed(6), "0.200000");
  assert.equal(each["kernel paths"].toFixed(6), "4.000000");
  assert.equal(each.worst.name, "fork_exit");
  assert.equal(summary(system({}), peer), null);
});

test("ours is compared with peers that run the same guest, on the same Node", () => {
  const runs = [
    { label: "ringvisor@20", system: "ringvisor", node: "v20" },
    { label: "qemu", system: "qemu", node: null },
    { label: "ringvisor-i386@24", system: "ringvisor-i386", node: "v24" },
    { label: "v86@20", system: "v86", node: "v20" },
    { label: "v86@24", system: "v86", node: "v24" },
  ];
  assert.deepEqual(comparisons(runs), [
    ["ringvisor@20", "qemu"],
    ["ringvisor-i386@24", "v86@24"],
  ]);
});

test("a check that differs from the first system's is named", () => {
  const systems = { native: system({ qsort: 1, simd: 1 }), qemu: system({ qsort: 1, simd: 1 }, "d") };
  assert.deepEqual(wrongChecks(systems), ["qemu: qsort", "qemu: simd"]);
  // simd does other work with 32 bits.
  assert.deepEqual(
    wrongChecks(systems, (label) => (label === "qemu" ? 32 : 64)),
    ["qemu: qsort"],
  );
});

test("rounds become medians of what all of them completed", () => {
  const merged = mergeRounds([system({ qsort: 3, simd: 1 }), system({ qsort: 1 }), system({ qsort: 2, simd: 1 })]);
  assert.deepEqual(merged.programs, { qsort: { seconds: 2, check: "c" } });
  assert.equal(merged.boot, 2);
  assert.throws(() => mergeRounds([system({ qsort: 1 }), system({ qsort: 1 }, "d")]), /qsort gave c and d/);
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

test("percentiles are values that were measured", () => {
  const values = [5, 1, 4, 2, 3];
  assert.deepEqual(
    [0, 0.2, 0.5, 0.9, 1].map((share) => percentile(values, share)),
    [1, 1, 3, 5, 5],
  );
});

test("the table has a row a program, and a ratio a pair", () => {
  const systems = { ringvisor: system({ qsort: 1, simd: 3 }), qemu: system({ qsort: 2 }) };
  const lines = formatTable(systems, [["ringvisor", "qemu"]])
    .split("\n")
    .map((line) => line.split(/ {2,}/));
  assert.deepEqual(lines, [
    ["CPU seconds", "ringvisor", "qemu", "ringvisor/qemu"],
    ["qsort", "1.000", "2.000", "0.50"],
    ["simd", "3.000", "-", "-"],
    ["boot to init", "2.000", "2.000", "1.00"],
    ["peak RSS, MiB", "256", "256"],
  ]);
  assert.match(formatSummary(systems, [["ringvisor", "qemu"]]), /^ringvisor\/qemu +0\.50 +- +- +0\.50 qsort$/m);
});
