import assert from "node:assert/strict";
import { test } from "node:test";
import { CPU_MODEL_NAMES, type CpuModel, parseCpuModel } from "./cpu-model.js";
import { type CpuidLeaf, cpuidTable } from "./cpuid.js";
import { AMD_FEATURES, FEATURE_LEAVES, FEATURES, hasFeature } from "./features.js";

const COUNTS = Array.from({ length: 16 }, (_, index) => index + 1);
const HERTZ = 2_495_123_000;

/** The answers of one vCPU by leaf and subleaf, as the instruction gives them. */
class Answers {
  constructor(
    readonly model: CpuModel,
    readonly leaves: CpuidLeaf[],
    readonly what: string,
  ) {}
  at(leaf: number, subleaf = 0) {
    const found = this.leaves.find((each) => each.leaf === leaf && [subleaf, null].includes(each.subleaf));
    return found ?? { leaf, subleaf, eax: 0, ebx: 0, ecx: 0, edx: 0 };
  }
  get highest() {
    return this.at(0).eax;
  }
  get highestExtended() {
    return this.at(0x80000000).eax;
  }
  get amd() {
    return this.model.vendor === "amd";
  }
}

// All models of both vendors, each with 1 to 16 vCPUs: what `check` says of every vCPU's answers.
function forEveryCpu(check: (answers: Answers, id: number, count: number) => void): void {
  for (const name of CPU_MODEL_NAMES) {
    for (const vendor of ["amd", "intel"]) {
      const model = parseCpuModel(`${name},vendor=${vendor}`);
      for (const count of COUNTS) {
        for (let id = 0; id < count; id++) {
          const what = `${name}, ${vendor}, ${id} of ${count}`;
          check(new Answers(model, cpuidTable(model, { id, count, tscHertz: HERTZ }), what), id, count);
        }
      }
    }
  }
}

const bits = (word: number, high: number, low: number) => (word >>> low) & (2 ** (high - low + 1) - 1);
const text = (...words: number[]) => Buffer.from(Uint32Array.from(words).buffer).toString("latin1");

test("the highest leaves are those that leaf 0 and 80000000 tell, and no answer is there twice", () => {
  forEveryCpu(({ leaves, highest, highestExtended, what }) => {
    const seen = new Set<string>();
    for (const { leaf, subleaf } of leaves) {
      assert.ok(!seen.has(`${leaf} ${subleaf}`) && !seen.has(`${leaf} null`), `${what}: ${leaf.toString(16)} twice`);
      seen.add(`${leaf} ${subleaf}`);
      const limit = leaf < 0x40000000 ? highest : leaf < 0x80000000 ? 0x40000010 : highestExtended;
      assert.ok(leaf <= limit, `${what}: ${leaf.toString(16)} is above ${limit.toString(16)}`);
    }
  });
});

test("the vendor stands in leaf 0, and on AMD's in 80000000", () => {
  forEveryCpu((answers) => {
    const { ebx, edx, ecx } = answers.at(0);
    assert.equal(text(ebx, edx, ecx), answers.amd ? "AuthenticAMD" : "GenuineIntel");
    const extended = answers.at(0x80000000);
    const repeated = answers.amd && answers.highestExtended > 0;
    assert.deepEqual([extended.ebx, extended.edx, extended.ecx], repeated ? [ebx, edx, ecx] : [0, 0, 0]);
  });
});

test("the brand string names the model", () => {
  forEveryCpu((answers) => {
    if (answers.highestExtended < 0x80000004) return;
    const words = [2, 3, 4].flatMap((part) => {
      const { eax, ebx, ecx, edx } = answers.at(0x80000000 + part);
      return [eax, ebx, ecx, edx];
    });
    assert.equal(text(...words).replace(/\0+$/, ""), answers.model.brand, answers.what);
  });
});

test("every feature of the model shows, but for those that follow from the machine", () => {
  forEveryCpu((answers, _id, count) => {
    for (const [name, number] of Object.entries(FEATURES)) {
      const [leaf, subleaf, register] = FEATURE_LEAVES[number >> 5]!;
      const shown = bits(answers.at(leaf, subleaf)[register], number & 31, number & 31) === 1;
      const { features } = answers.model;
      const expected = name === "htt" ? count > 1 && hasFeature(features, "lm") : hasFeature(features, name as "fpu");
      assert.equal(shown, expected, `${answers.what}: ${name}`);
    }
  });
});

test("AMD repeats leaf 1's bits in 80000001, Intel has its own alone", () => {
  const amdBits = AMD_FEATURES.filter((name) => FEATURES[name] >> 5 === 5).reduce(
    (mask, name) => mask | (1 << (FEATURES[name] & 31)),
    0,
  );
  forEveryCpu((answers) => {
    const { edx } = answers.at(0x80000001);
    if (answers.amd && answers.highestExtended > 0) assert.equal((edx ^ answers.at(1).edx) & 0x0183f3ff, 0);
    else assert.equal(edx & (0x0183f3ff | amdBits), 0, answers.what);
  });
});

test("family, model and stepping can be read back", () => {
  forEveryCpu(({ model, ...answers }) => {
    const signature = new Answers(model, answers.leaves, answers.what).at(1).eax;
    const family = bits(signature, 11, 8) + bits(signature, 27, 20);
    assert.equal(family, model.family);
    assert.equal(bits(signature, 7, 4) | (bits(signature, 19, 16) << 4), model.modelNumber);
    assert.equal(bits(signature, 3, 0), model.stepping);
  });
});

test("every leaf tells the same topology: one package of cores without threads, or packages of one core", () => {
  forEveryCpu((answers, id, vcpus) => {
    const { amd, what } = answers;
    const count = hasFeature(answers.model.features, "lm") ? vcpus : 1;
    const width = Math.ceil(Math.log2(count));
    const addressable = 2 ** width;
    assert.equal(answers.at(1).ebx >>> 24, id, what);
    if (count > 1) assert.equal(bits(answers.at(1).ebx, 23, 16), amd ? count : addressable, what);
    for (const leaf of [0xb, 0x1f]) {
      if (leaf > answers.highest || !hasFeature(answers.model.features, "x2apic")) continue;
      assert.deepEqual(answers.at(leaf, 0), { leaf, subleaf: 0, eax: 0, ebx: 1, ecx: 0x100, edx: id });
      assert.deepEqual(answers.at(leaf, 1), { leaf, subleaf: 1, eax: width, ebx: count, ecx: 0x201, edx: id });
      assert.equal(answers.at(leaf, 2).edx, id);
      assert.equal(bits(answers.at(leaf, 2).ecx, 15, 8), 0);
    }
    if (amd && answers.highestExtended >= 0x80000008) {
      const { ecx } = answers.at(0x80000008);
      assert.equal(bits(ecx, 7, 0), count - 1, what);
      assert.equal(bits(ecx, 15, 12), width, what);
      assert.equal(bits(answers.at(0x80000001).ecx, 1, 1), count > 1 ? 1 : 0, what);
    }
    if (hasFeature(answers.model.features, "topoext")) {
      assert.deepEqual(answers.at(0x8000001e), { leaf: 0x8000001e, subleaf: null, eax: id, ebx: id, ecx: 0, edx: 0 });
    }
    if (!amd && answers.highest >= 4) {
      assert.equal(bits(answers.at(4, 0).eax, 31, 26), addressable - 1, what);
      assert.equal(bits(answers.at(4, 0).eax, 25, 14), 0, what);
      assert.equal(bits(answers.at(4, 3).eax, 25, 14), addressable - 1, what);
    }
  });
});

/** Caches as leaf 4 or 8000001D has them: level, kind, KiB. */
function deterministic(answers: Answers, leaf: number): [number, number, number][] {
  const caches: [number, number, number][] = [];
  for (let subleaf = 0; ; subleaf++) {
    const { eax, ebx, ecx } = answers.at(leaf, subleaf);
    if (bits(eax, 4, 0) === 0) return caches;
    const bytes = (bits(ebx, 31, 22) + 1) * (bits(ebx, 21, 12) + 1) * (bits(ebx, 11, 0) + 1) * (ecx + 1);
    caches.push([bits(eax, 7, 5), bits(eax, 4, 0), bytes / 1024]);
  }
}

test("every leaf tells of the same caches", () => {
  forEveryCpu((answers) => {
    const { amd, what } = answers;
    const second = answers.at(0x80000006);
    if (amd && hasFeature(answers.model.features, "topoext")) {
      const caches = deterministic(answers, 0x8000001d);
      const first = answers.at(0x80000005);
      assert.deepEqual(
        caches,
        [
          [1, 1, first.ecx >>> 24],
          [1, 2, first.edx >>> 24],
          [2, 3, second.ecx >>> 16],
          [3, 3, (second.edx >>> 18) * 512],
        ],
        what,
      );
    }
    if (!amd && answers.highest >= 4) {
      const caches = deterministic(answers, 4);
      assert.equal(caches.length, 4);
      assert.equal(caches[2]![2], second.ecx >>> 16, what);
      // Leaf 2 sends there.
      assert.ok(text(answers.at(2).eax, answers.at(2).ebx).includes("\xff"), what);
    }
  });
});

test("address widths and XSAVE's sizes follow from the features", () => {
  forEveryCpu((answers) => {
    const { model, what } = answers;
    if (answers.highestExtended >= 0x80000008) {
      const { eax } = answers.at(0x80000008);
      const linear = hasFeature(model.features, "la57") ? 57 : hasFeature(model.features, "lm") ? 48 : 32;
      assert.equal(bits(eax, 7, 0), model.physicalBits, what);
      assert.equal(bits(eax, 15, 8), linear, what);
    }
    if (!hasFeature(model.features, "xsave")) return;
    const { eax, ecx } = answers.at(0xd, 0);
    let end = 576;
    for (let component = 2; component < 32; component++) {
      const { eax: bytes, ebx: offset } = answers.at(0xd, component);
      assert.equal(bytes > 0, bits(eax, component, component) === 1, `${what}: component ${component}`);
      if (bytes > 0) end = Math.max(end, offset + bytes);
    }
    assert.equal(ecx, end, what);
  });
});

test("the TSC's frequency is the same by Intel's ratio and by the hypervisor's leaf", () => {
  forEveryCpu((answers) => {
    if (hasFeature(answers.model.features, "hypervisor")) {
      assert.equal(
        text(...(["ebx", "ecx", "edx"] as const).map((name) => answers.at(0x40000000)[name])),
        "RingvisorVMM",
      );
      assert.equal(answers.at(0x40000010).eax, HERTZ / 1000);
    }
    if (answers.highest >= 0x15) assert.equal(answers.at(0x16).eax, 2495);
  });
  const { eax, ebx, ecx } = ratio(2_500_000_000)!;
  assert.equal((ecx * ebx) / eax, 2_500_000_000);
});

test("a ratio with which kernels would leave 32 bits is left out", () => {
  assert.equal(ratio(4_999_999_999), undefined);
  assert.equal(ratio(HERTZ), undefined);
});

function ratio(tscHertz: number) {
  const leaves = cpuidTable(parseCpuModel("max,vendor=intel"), { id: 0, count: 1, tscHertz });
  return leaves.find(({ leaf }) => leaf === 0x15);
}

test("models of old answer as little as they did", () => {
  const highest = (name: string) => {
    const leaves = cpuidTable(parseCpuModel(name), { id: 0, count: 1, tscHertz: HERTZ });
    return [leaves[0]?.eax, leaves.find(({ leaf }) => leaf === 0x80000000)?.eax ?? 0];
  };
  assert.deepEqual(highest("486"), [1, 0]);
  assert.deepEqual(highest("pentium3"), [2, 0]);
  assert.deepEqual(highest("pentium3,vendor=amd"), [1, 0x80000008]);
  assert.deepEqual(highest("x86-64-v1"), [1, 0x80000018]);
  assert.deepEqual(highest("x86-64-v1,vendor=intel"), [6, 0x80000008]);
  assert.deepEqual(highest("x86-64-v2,vendor=intel"), [0xb, 0x80000008]);
});
