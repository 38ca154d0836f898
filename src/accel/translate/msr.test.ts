/** Model-specific registers: which there are, what they hold after RESET, and which values they refuse. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { testInterpreter } from "../../test-support/interpreter.js";
import { TestCpu } from "../../test-support/test-cpu.js";

const accelerator = await testInterpreter();

/** RDMSR's answer, or null for #GP(0). */
async function read(cpu: TestCpu, index: number): Promise<bigint | null> {
  const run = await cpu.run("rdmsr", { rcx: BigInt(index) });
  if (run.fault !== null) {
    assert.deepEqual([run.fault.vector, run.fault.errorCode], [13, 0]);
    return null;
  }
  return (run.registers.rdx << 32n) | run.registers.rax;
}

/** Whether WRMSR takes the value; then RDMSR must give it back. */
async function takes(cpu: TestCpu, index: number, value: bigint): Promise<boolean> {
  const run = await cpu.run("wrmsr; rdmsr", { rcx: BigInt(index), rax: value & 0xffffffffn, rdx: value >> 32n });
  if (run.fault !== null) return false;
  assert.equal((run.registers.rdx << 32n) | run.registers.rax, value, `MSR ${index.toString(16)}`);
  return true;
}

test("MSRs that exist on one vendor only", async () => {
  const amd = new TestCpu({ accelerator, mode: "long" });
  const intel = new TestCpu({ accelerator, mode: "long", model: "default,vendor=intel" });
  for (const index of [0xc0010010, 0xc0010015, 0xc0011029, 0xc001001a]) {
    assert.notEqual(await read(amd, index), null, index.toString(16));
    assert.equal(await read(intel, index), null, index.toString(16));
  }
  for (const index of [0x1a0, 0x3a, 0x17]) {
    assert.equal(await read(amd, index), null, index.toString(16));
    assert.notEqual(await read(intel, index), null, index.toString(16));
  }
  for (const index of [0x12345, 0xc0012345, 0x40000000, 0x8ff]) {
    assert.equal(await read(amd, index), null, index.toString(16));
    assert.equal(await read(intel, index), null, index.toString(16));
  }
  amd.close();
  intel.close();
});

test("values after RESET", async () => {
  const cpu = new TestCpu({ accelerator, mode: "long" });
  for (const [index, value] of [
    [0x1b, 0xfee00900n], // APIC enabled, bootstrap processor
    [0x277, 0x0007040600070406n], // PAT
    [0x2ff, 0n],
    [0xfe, 0x508n],
    [0xc0010015, 1n << 24n], // HWCR: the TSC counts at the P0 frequency
    [0xc0000084, 0n],
  ] as const) {
    assert.equal(await read(cpu, index), value, index.toString(16));
  }
  cpu.close();
});

test("reserved bits and addresses that are not canonical are refused", async () => {
  const cpu = new TestCpu({ accelerator, mode: "long" });
  for (const [index, value, wanted] of [
    [0xc0000082, 0xffff_8000_0000_0000n, true],
    [0xc0000082, 0x0000_8000_0000_0000n, false],
    [0xc0000101, 0x0001_0000_0000_0000n, false],
    [0xc0000102, 0x0000_7fff_ffff_fffn, true],
    [0x277, 0x0606060606060606n, true],
    [0x277, 0x0606060606060602n, false],
    [0x277, 0x0606060606061606n, false],
    [0x2ff, 0xc06n, true],
    [0x2ff, 0x1000n, false],
    [0x2ff, 0x802n, false],
    [0x200, 0x80000006n, true],
    [0x200, 0x80000106n, false],
    [0x201, 0xff_8000_0800n, true],
    [0x201, 1n << 40n, false], // above MAXPHYADDR
    [0x250, 0x0606060606060606n, true],
    [0x250, 0x0706060606060606n, false],
    [0xc0000080, 0x1d01n, false], // SVME is not offered
    [0xc0000080, 0xd01n, true],
    [0xc0000103, 1n << 32n, false],
    [0xfe, 0n, false], // read-only
  ] as const) {
    assert.equal(await takes(cpu, index, value), wanted, `${index.toString(16)} ${value.toString(16)}`);
  }
  cpu.close();
});

test("RDMSR and WRMSR are ring 0's", async () => {
  const cpu = new TestCpu({ accelerator, mode: "long", ring: 3 });
  assert.equal(await read(cpu, 0x10), null);
  cpu.close();
});

test("FS and GS bases are the segments' own, and SWAPGS exchanges them", async () => {
  const cpu = new TestCpu({ accelerator, mode: "long" });
  const run = await cpu.run(
    `mov ecx, 0xc0000101; mov eax, 0x1234; xor edx, edx; wrmsr
     mov ecx, 0xc0000102; mov eax, 0x5678; wrmsr
     swapgs; mov rbx, 7; rdgsbase rsi; swapgs; rdgsbase rdi; mov eax, 0xa000; wrfsbase rax; mov [0xa010], rbx; mov r8, fs:[0x10]`,
    {},
    (state) => {
      state.cr4 |= 0x10000n;
    },
  );
  assert.equal(run.fault, null);
  assert.equal(run.registers.rsi, 0x5678n);
  assert.equal(run.registers.rdi, 0x1234n);
  assert.equal(run.registers.r8, 7n);
  cpu.close();
});

test("the TSC moves with WRMSR and IA32_TSC_ADJUST together", async () => {
  const cpu = new TestCpu({ accelerator, mode: "long" });
  const run = await cpu.run(
    `mov ecx, 0x3b; xor eax, eax; mov edx, 1; wrmsr; rdtsc; mov esi, edx
     mov ecx, 0x10; xor eax, eax; mov edx, 5; wrmsr; rdtsc; mov edi, edx
     mov ecx, 0x3b; rdmsr; mov ebx, edx`,
  );
  assert.equal(run.fault, null);
  assert.equal(run.registers.rsi, 1n);
  assert.equal(run.registers.rdi, 5n);
  // 5 << 32 less the ticks between the two writes.
  assert.equal(run.registers.rbx, 4n);
  cpu.close();
});

test("machine-check banks: CTL all or nothing on Intel, STATUS can only be cleared", async () => {
  const intel = new TestCpu({ accelerator, mode: "long", model: "default,vendor=intel" });
  const amd = new TestCpu({ accelerator, mode: "long" });
  const ones = 2n ** 64n - 1n;
  for (const [index, value, onIntel, onAmd] of [
    [0x17b, ones, true, true],
    [0x17b, 1n, false, true],
    [0x400, ones, true, true],
    [0x400, 0n, true, true],
    [0x404, 0xaaaan, false, true],
    [0x401, 1n, false, false],
    [0x401, 0n, true, true],
    [0x402, ones, true, true],
    [0x40f, 0xaaaan, true, true],
    [0x410, 0n, false, false], // there are four banks
  ] as const) {
    assert.equal(await takes(intel, index, value), onIntel, `Intel: ${index.toString(16)} ${value.toString(16)}`);
    assert.equal(await takes(amd, index, value), onAmd, `AMD: ${index.toString(16)} ${value.toString(16)}`);
  }
  // HWCR.McStatusWrEn
  const write = "mov ecx, 0xc0010015; mov eax, 0x40000; xor edx, edx; wrmsr; mov ecx, 0x401; wrmsr; rdmsr";
  const { fault, registers } = await amd.run(write);
  assert.equal(fault, null);
  assert.equal(registers.rax, 0x40000n);
  intel.close();
  amd.close();
});

test("memory types, SYSENTER and machine checks are there where the model has them", async () => {
  const cpu = new TestCpu({ accelerator, mode: "long", model: "default,-mtrr,-pat,-mca,-sep" });
  for (const index of [0xfe, 0x200, 0x2ff, 0x277, 0x179, 0x17a, 0x400, 0x174]) {
    assert.equal(await read(cpu, index), null, index.toString(16));
  }
  cpu.close();
  const all = new TestCpu({ accelerator, mode: "long" });
  assert.equal(await takes(all, 0x200, 0x80000002n), false, "memory type 2");
  all.close();
});
