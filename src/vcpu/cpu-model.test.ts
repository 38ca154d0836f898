import assert from "node:assert/strict";
import { test } from "node:test";
import * as bits from "../accel/translate/feature-bits.js";
import { CPU_MODEL_NAMES, CpuModelError, modelHash, OFFERED_FEATURES, parseCpuModel } from "./cpu-model.js";
import { AMD_FEATURES, FEATURE_NEEDS, FEATURES, type FeatureName, hasFeature } from "./features.js";

test("the core and the models number features alike", () => {
  for (const [name, number] of Object.entries(FEATURES)) {
    const constant = `FEATURE_${name.toUpperCase()}`;
    assert.equal((bits as Record<string, number>)[constant], number, constant);
  }
});

const VENDORS = ["amd", "intel"] as const;
const OFFERED = (Object.keys(FEATURES) as FeatureName[]).filter((name) => hasFeature(OFFERED_FEATURES, name));

function assertComplete(features: Uint32Array, what: string): void {
  for (const [feature, needs] of Object.entries(FEATURE_NEEDS)) {
    if (!hasFeature(features, feature as FeatureName)) continue;
    for (const need of needs) assert.ok(hasFeature(features, need), `${what}: ${feature} without ${need}`);
  }
}

test("every model has what its features need, with any one of them more or less", () => {
  for (const name of CPU_MODEL_NAMES) {
    for (const vendor of VENDORS) {
      assertComplete(parseCpuModel(`${name},vendor=${vendor}`).features, name);
      for (const feature of OFFERED) {
        const without = parseCpuModel(`${name},vendor=${vendor},-${feature}`);
        assert.ok(!hasFeature(without.features, feature));
        assertComplete(without.features, `${name} without ${feature}`);
        if (vendor === "intel" && AMD_FEATURES.includes(feature)) continue;
        const more = parseCpuModel(`${name},vendor=${vendor},+${feature}`);
        assert.ok(hasFeature(more.features, feature));
        assertComplete(more.features, `${name} with ${feature}`);
      }
    }
  }
});

test("models grow: each has all that the one before it has", () => {
  const order = ["486", "pentium3", "x86-64-v1", "x86-64-v2", "default", "max"];
  for (const vendor of VENDORS) {
    order.slice(1).forEach((name, index) => {
      const less = parseCpuModel(`${order[index]},vendor=${vendor}`);
      const more = parseCpuModel(`${name},vendor=${vendor}`);
      less.features.forEach((word, at) => {
        assert.equal(word & ~(more.features[at] ?? 0), 0, `${order[index]} and ${name}, word ${at}`);
      });
    });
  }
});

test("the levels of the psABI have what it lists, and not what the next one does", () => {
  const levels: Record<string, FeatureName[]> = {
    "x86-64-v1": ["cmov", "cx8", "fpu", "fxsr", "mmx", "syscall", "sse", "sse2"],
    "x86-64-v2": ["cx16", "lahf64", "popcnt", "sse3", "sse4_1", "sse4_2", "ssse3"],
    "x86-64-v3": ["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "lzcnt", "movbe", "xsave"],
  };
  const names = Object.keys(levels).filter((name) => CPU_MODEL_NAMES.includes(name));
  names.forEach((name, index) => {
    const { features } = parseCpuModel(name);
    for (const [level, list] of Object.entries(levels)) {
      const expected = Object.keys(levels).indexOf(level) <= index;
      for (const feature of list) assert.equal(hasFeature(features, feature), expected, `${name}: ${feature}`);
    }
  });
});

test("a 486 has neither CPUID's later features nor a local APIC", () => {
  assert.deepEqual([...parseCpuModel("486").features], [3, 0, 0, 0, 0, 0, 0, 0]);
});

test("what is AMD's alone is not on Intel's, and is refused there", () => {
  for (const name of CPU_MODEL_NAMES) {
    const { features } = parseCpuModel(`${name},vendor=intel`);
    for (const feature of AMD_FEATURES) assert.ok(!hasFeature(features, feature), `${name}: ${feature}`);
  }
  assert.ok(hasFeature(parseCpuModel("max").features, "sse4a"));
  assert.throws(() => parseCpuModel("max,vendor=intel,+sse4a"), { code: "CPU_FEATURE", message: /AMD/ });
});

test("each vendor's model has numbers of its own", () => {
  const numbers = (text: string) => {
    const { family, modelNumber, stepping } = parseCpuModel(text);
    return [family, modelNumber, stepping];
  };
  assert.deepEqual(numbers("486"), [4, 8, 0]);
  assert.deepEqual(numbers("pentium3"), [6, 8, 6]);
  assert.deepEqual(numbers("pentium3,vendor=amd"), [6, 6, 2]);
  assert.deepEqual(numbers("x86-64-v1"), [0xf, 4, 0xa]);
  assert.deepEqual(numbers("default"), [0x17, 1, 2]);
  assert.deepEqual(numbers("default,vendor=intel"), [6, 0x7d, 5]);
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
  assert.equal(code("default,+svm"), "CPU_FEATURE");
  assert.equal(code("default,+osxsave"), "CPU_FEATURE");
  assert.equal(code("default,sse"), "CPU_FEATURE");
});

test("the hash follows what a guest can see", () => {
  assert.equal(modelHash(parseCpuModel("default")), modelHash(parseCpuModel("default")));
  assert.notEqual(modelHash(parseCpuModel("default")), modelHash(parseCpuModel("default,-sha")));
  assert.notEqual(modelHash(parseCpuModel("default")), modelHash(parseCpuModel("default,vendor=intel")));
});
