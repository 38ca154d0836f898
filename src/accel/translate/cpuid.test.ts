// CPUID as a guest executes it: the model's table, and the bits that follow from what runs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { testInterpreter } from "../../test-support/interpreter.js";
import { TestCpu, type TestMode } from "../../test-support/test-cpu.js";
import { CPU_MODEL_NAMES, parseCpuModel } from "../../vcpu/cpu-model.js";
import { cpuidTable } from "../../vcpu/cpuid.js";
import { hasFeature } from "../../vcpu/features.js";
import type { VcpuState } from "../../vcpu/state.js";

const accelerator = await testInterpreter();
const OSXSAVE = 1n << 18n;
const APIC_BASE = 0x1b;
const APIC_ENABLED = 0x800n;

const MODELS = CPU_MODEL_NAMES.flatMap((name) => [`${name},vendor=amd`, `${name},vendor=intel`]);

/** EAX, EBX, ECX, EDX of CPUID. */
async function cpuid(cpu: TestCpu, leaf: number, subleaf = 0, prepare?: (state: VcpuState) => void) {
  const { registers, fault } = await cpu.run("cpuid", { rax: BigInt(leaf), rcx: BigInt(subleaf) }, prepare);
  assert.equal(fault, null);
  return [registers.rax, registers.rbx, registers.rcx, registers.rdx].map((value) => Number(value & 0xffffffffn));
}

function makeCpu(model: string, mode: TestMode = "protected"): TestCpu {
  return new TestCpu({ accelerator, model, mode, ring: 0 });
}

for (const name of MODELS) {
  test(`${name}: CPUID answers the model's table`, async () => {
    const model = parseCpuModel(name);
    const cpu = makeCpu(name);
    const leaves = cpuidTable(model, {
      id: 0,
      count: 1,
      tscHertz: cpu.vcpu.getState().tscFrequency,
      predictsNothing: true,
    });
    // In protected mode, where Intel's processors have no SYSCALL.
    const hidden = model.vendor === "intel" ? 1 << 11 : 0;
    for (const { leaf, subleaf, eax, ebx, ecx, edx } of leaves) {
      if (subleaf === null && leaves.some((other) => other.leaf === leaf && other.subleaf !== null)) continue;
      const expected = [eax, ebx, ecx, leaf === 0x80000001 ? (edx & ~hidden) >>> 0 : edx];
      assert.deepEqual(await cpuid(cpu, leaf, subleaf ?? 0), expected, leaf.toString(16));
    }
    cpu.close();
  });

  test(`${name}: beyond the highest leaf AMD answers zeros, Intel as its highest basic leaf`, async () => {
    const cpu = makeCpu(name);
    const highest = (await cpuid(cpu, 0))[0]!;
    const expected = name.endsWith("amd") ? [0, 0, 0, 0] : await cpuid(cpu, highest, 1);
    for (const leaf of [highest + 1, 0x3fffffff, 0x800000ff, 0xc0000000, 0xffffffff]) {
      assert.deepEqual(await cpuid(cpu, leaf, 1), expected, leaf.toString(16));
    }
    cpu.close();
  });
}

test("OSXSAVE shows CR4's bit", async () => {
  const cpu = makeCpu("default");
  const shown = async (cr4: bigint) => {
    const prepare = (state: VcpuState) => {
      state.cr4 = (state.cr4 & ~OSXSAVE) | cr4;
    };
    return ((await cpuid(cpu, 1, 0, prepare))[2]! >>> 27) & 1;
  };
  assert.equal(await shown(0n), 0);
  assert.equal(await shown(OSXSAVE), 1);
  cpu.close();
});

test("the APIC bit goes with the APIC, in leaf 80000001 too", async () => {
  const cpu = makeCpu("default");
  const shown = async (leaf: number, enabled: boolean) => {
    const prepare = (state: VcpuState) => {
      const base = state.msrs[APIC_BASE];
      assert.ok(base);
      state.msrs[APIC_BASE] = enabled ? base | APIC_ENABLED : base & ~APIC_ENABLED;
    };
    return ((await cpuid(cpu, leaf, 0, prepare))[3]! >>> 9) & 1;
  };
  for (const leaf of [1, 0x80000001]) {
    assert.equal(await shown(leaf, true), 1);
    assert.equal(await shown(leaf, false), 0);
  }
  cpu.close();
});

test("Intel's processors tell of SYSCALL in 64-bit mode alone, AMD's in every mode", async () => {
  for (const [vendor, mode, expected] of [
    ["intel", "long", 1],
    ["intel", "compatibility", 0],
    ["intel", "protected", 0],
    ["amd", "long", 1],
    ["amd", "protected", 1],
  ] as const) {
    const cpu = makeCpu(`default,vendor=${vendor}`, mode);
    assert.equal(((await cpuid(cpu, 0x80000001))[3]! >>> 11) & 1, expected, `${vendor}, ${mode}`);
    cpu.close();
  }
});

test("a topology level that is not there answers with its number", async () => {
  const cpu = makeCpu("default,vendor=intel");
  for (const leaf of [0xb, 0x1f]) {
    assert.deepEqual(await cpuid(cpu, leaf, 2), [0, 0, 2, 0]);
    assert.deepEqual(await cpuid(cpu, leaf, 0x1234), [0, 0, 0x34, 0]);
  }
  cpu.close();
});

test("what a model lacks is undefined", async () => {
  const lacking: Record<string, Record<string, string>> = {
    "486": {
      tsc: "rdtsc",
      cmov: "cmovz eax, ebx",
      mmx: ".byte 0x0f, 0x6f, 0xc1 # movq mm0, mm1",
      cx8: ".byte 0x0f, 0xc7, 0x0c, 0x24 # cmpxchg8b [esp]",
      msr: "rdmsr",
      sep: "sysenter",
    },
    pentium3: { sse2: ".byte 0x66, 0x0f, 0xfe, 0xc1 # paddd xmm0, xmm1", sse3: ".byte 0xdb, 0x0c, 0x24 # fisttp" },
    "x86-64-v1": { sse3: ".byte 0xf2, 0x0f, 0xd0, 0xc1 # addsubps xmm0, xmm1", ssse3: ".byte 0x0f, 0x38, 0x00, 0xc1" },
    "x86-64-v2": { aes: ".byte 0x66, 0x0f, 0x38, 0xdc, 0xc1", xsave: "xgetbv" },
  };
  for (const [name, instructions] of Object.entries(lacking)) {
    for (const [feature, text] of Object.entries(instructions)) {
      assert.ok(!hasFeature(parseCpuModel(name).features, feature as "fpu"), `${name}: ${feature}`);
      const cpu = makeCpu(name);
      const { fault } = await cpu.run(text, { rcx: 0x10n });
      assert.equal(fault?.vector, 6, `${name}: ${text}`);
      cpu.close();
    }
  }
});
