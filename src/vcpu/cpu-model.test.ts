import assert from "node:assert/strict";
import { test } from "node:test";
import * as bits from "../accel/translate/feature-bits.js";
import { CPU_MODEL_NAMES, CpuModelError, modelHash, parseCpuModel } from "./cpu-model.js";
import { cpuidTable } from "./cpuid.js";
import { FEATURE_NEEDS, FEATURES, type FeatureName, hasFeature } from "./features.js";

const place = { id: 0, count: 1, tscHertz: 1e9 };

test("the core and the models number features alike", () => {
  for (const [name, number] of Object.entries(FEATURES)) {
    const constant = `FEATURE_${name.toUpperCase()}`;
    assert.equal((bits as Record<string, number>)[constant], number, constant);
  }
});

test("each model has what its features need", () => {
  for (const name of CPU_MODEL_NAMES) {
    const { features } = parseCpuModel(name);
    for (const [feature, needs] of Object.entries(FEATURE_NEEDS)) {
      if (!hasFeature(features, feature as FeatureName)) continue;
      for (const need of needs) assert.ok(hasFeature(features, need), `${name}: ${feature} without ${need}`);
    }
  }
});

test("adding a feature adds what it needs, taking one away takes what needs it", () => {
  const more = parseCpuModel("x86-64-v1,+sha");
  assert.ok(hasFeature(more.features, "sse4_1") && hasFeature(more.features, "ssse3"));
  const less = parseCpuModel("default,-sse3");
  assert.ok(!hasFeature(less.features, "sse4_2") && !hasFeature(less.features, "sha"));
  assert.ok(hasFeature(less.features, "sse2"));
});

test("what cannot be is refused by a typed error", () => {
  const code = (text: string) => {
    try {
      parseCpuModel(text);
      return null;
    } catch (error) {
      return error instanceof CpuModelError ? error.code : error;
    }
  };
  assert.equal(code("z80"), "CPU_MODEL");
  assert.equal(code("default,vendor=via"), "CPU_VENDOR");
  assert.equal(code("default,+teleport"), "CPU_FEATURE");
  assert.equal(code("default,+avx2"), "CPU_FEATURE");
  assert.equal(code("default,sse"), "CPU_FEATURE");
});

test("the hash follows what a guest can see", () => {
  assert.equal(modelHash(parseCpuModel("default")), modelHash(parseCpuModel("default")));
  assert.notEqual(modelHash(parseCpuModel("default")), modelHash(parseCpuModel("default,-sha")));
  assert.notEqual(modelHash(parseCpuModel("default")), modelHash(parseCpuModel("default,vendor=intel")));
});

test("CPUID's highest leaves and vendor strings agree with the leaves that are there", () => {
  for (const text of [...CPU_MODEL_NAMES, "default,vendor=intel"]) {
    const leaves = cpuidTable(parseCpuModel(text), place);
    const at = (leaf: number) => leaves.find((each) => each.leaf === leaf);
    const basic = leaves.filter(({ leaf }) => leaf < 0x40000000).map(({ leaf }) => leaf);
    assert.equal(at(0)?.eax, Math.max(...basic), text);
    const extended = leaves.filter(({ leaf }) => leaf >= 0x80000000).map(({ leaf }) => leaf);
    if (extended.length > 0) assert.equal(at(0x80000000)?.eax, Math.max(...extended), text);
    const { ebx = 0, edx = 0, ecx = 0 } = at(0) ?? {};
    const vendor = Buffer.from(Uint32Array.of(ebx, edx, ecx).buffer).toString("latin1");
    assert.equal(vendor, parseCpuModel(text).vendor === "amd" ? "AuthenticAMD" : "GenuineIntel");
  }
});

test("CPUID tells where a CPU stands among several", () => {
  const leaves = cpuidTable(parseCpuModel("default"), { id: 2, count: 4, tscHertz: 1e9 });
  const find = (leaf: number, subleaf: number | null = null) =>
    leaves.find((each) => each.leaf === leaf && each.subleaf === subleaf);
  assert.equal((find(1)?.ebx ?? 0) >>> 24, 2);
  assert.equal(((find(1)?.ebx ?? 0) >>> 16) & 0xff, 4);
  assert.equal(find(0xb, 1)?.ebx, 4);
  assert.equal(find(0xb, 1)?.edx, 2);
});
