// Instructions that do nothing, or load a far pointer: hints, room for hints, LDS and its like. Intel SDM vol. 2.
import assert from "node:assert/strict";
import { test } from "node:test";
import { testInterpreter } from "../../test-support/interpreter.js";
import { TEST_LAYOUT, TEST_SELECTORS, TestCpu } from "../../test-support/test-cpu.js";

const accelerator = await testInterpreter();
/** Nothing is mapped there. */
const NOWHERE = 0x7fff_ffff_f000n;
const UD = 6;

const HINTS = [
  "prefetchnta [rax]",
  "prefetcht0 [rax]",
  "prefetcht1 [rax]",
  "prefetcht2 [rax]",
  "prefetch [rax]",
  "prefetchw [rax]",
  "prefetchwt1 [rax]",
  "cldemote [rax]",
  "endbr32",
  "endbr64",
  "rdsspd ebx",
  "rdsspq rbx",
  "nop dword ptr [rax]",
];

test("hints leave every register as it is and reach for no memory", async () => {
  const cpu = new TestCpu({ accelerator, model: "max", mode: "long", ring: 3 });
  for (const hint of HINTS) {
    const { fault, registers } = await cpu.run(hint, { rax: NOWHERE, rbx: 0x1234_5678_9abc_def0n });
    assert.equal(fault, null, hint);
    assert.equal(registers.rax, NOWHERE, hint);
    assert.equal(registers.rbx, 0x1234_5678_9abc_def0n, hint);
  }
  cpu.close();
});

test("RSM is undefined outside system management mode, where no CPU of ours is", async () => {
  const cpu = new TestCpu({ accelerator, mode: "protected", ring: 0 });
  assert.equal((await cpu.run("rsm")).fault?.vector, UD);
  cpu.close();
});

test("LDS, LES, LFS, LGS and LSS load offset and selector", async () => {
  const cpu = new TestCpu({ accelerator, mode: "protected", ring: 0 });
  const at = TEST_LAYOUT.data;
  const [own, outer] = TEST_SELECTORS.data;
  for (const [code, segment, selector] of [
    [`lds eax, [${at}]`, "ds", outer],
    [`les eax, [${at}]`, "es", outer],
    [`lfs eax, [${at}]`, "fs", outer],
    [`lgs eax, [${at}]`, "gs", outer],
    [`lss eax, [${at}]`, "ss", own],
  ] as const) {
    cpu.memory.write(at, Uint8Array.of(0x78, 0x56, 0x34, 0x12, selector, 0));
    const { registers, fault } = await cpu.run(`${code}; mov ebx, ${segment}`);
    assert.equal(fault, null, code);
    assert.equal(registers.rax, 0x12345678n, code);
    assert.equal(Number(registers.rbx), selector, code);
  }
  cpu.close();
});
