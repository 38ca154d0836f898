/** What MONITOR and MWAIT refuse. That they wait, and what ends it: machine/several-cpus.test.ts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { testInterpreter } from "../../test-support/interpreter.js";
import { TestCpu, type TestRun } from "../../test-support/test-cpu.js";

const accelerator = await testInterpreter();

const MISC_ENABLE = 0x1a0;
const HWCR = 0xc0010015;

/** `none`, or vector and error code. */
function faultOf({ fault }: TestRun): string {
  if (fault === null) return "none";
  return fault.errorCode === null ? String(fault.vector) : `${fault.vector}(${fault.errorCode})`;
}

test("rings: ring 0 only, but AMD's HWCR can open them to all; both vendors can switch them off", async () => {
  for (const [vendor, ring, msrs, wanted] of [
    ["amd", 0, {}, "none"],
    ["amd", 3, {}, "6"],
    ["amd", 3, { [HWCR]: 1n << 10n }, "none"],
    ["amd", 0, { [HWCR]: 1n << 9n }, "6"],
    ["intel", 0, {}, "none"],
    ["intel", 3, {}, "6"],
    ["intel", 0, { [MISC_ENABLE]: 1n }, "6"],
  ] as const) {
    const cpu = new TestCpu({ accelerator, mode: "long", ring, model: `max,vendor=${vendor}` });
    for (const instruction of ["monitor", "mwait"]) {
      const run = await cpu.run(`mov rax, rsp; ${instruction}`, {}, (state) => Object.assign(state.msrs, msrs));
      assert.equal(faultOf(run), wanted, `${vendor} ring ${ring} ${instruction} ${Object.keys(msrs)}`);
      const ecx = (await cpu.run("mov eax, 1; cpuid", {}, (state) => Object.assign(state.msrs, msrs))).registers.rcx;
      assert.equal((ecx & 8n) !== 0n, !(wanted === "6" && ring === 0), "CPUID says the same");
    }
    cpu.close();
  }
  const without = new TestCpu({ accelerator, mode: "long" });
  assert.equal(faultOf(await without.run("monitor")), "6");
  without.close();
});

test("extensions: MONITOR has none, MWAIT has bit 0", async () => {
  const cpu = new TestCpu({ accelerator, mode: "long", model: "max" });
  for (const [code, wanted] of [
    ["mov eax, 0xa000; mov ecx, 1; monitor", "13(0)"],
    ["mov eax, 0xa000; xor ecx, ecx; monitor", "none"],
    ["mov ecx, 1; mwait", "none"],
    ["mov ecx, 2; mwait", "13(0)"],
    ["mov rcx, 0x100000001; mwait", "none"],
  ] as const) {
    assert.equal(faultOf(await cpu.run(code)), wanted, code);
  }
  cpu.close();
});

test("MONITOR's address is that of a read of a byte", async () => {
  const long = new TestCpu({ accelerator, mode: "long", model: "max" });
  assert.equal(faultOf(await long.run("mov rax, 0x4000000000; monitor")), "14(0)");
  assert.equal(faultOf(await long.run("mov rax, 0x800000000000; monitor")), "13(0)");
  assert.equal(faultOf(await long.run("mov rax, 0x100000000000a000; addr32 monitor")), "none");
  // A device's registers are not watched: MWAIT does not wait.
  assert.equal(faultOf(await long.run("mov rax, 0x8000000; monitor; mwait")), "none");
  long.close();
  const protectedMode = new TestCpu({ accelerator, mode: "protected", model: "max" });
  for (const [code, wanted] of [
    ["mov eax, 0x2000; monitor", "13(0)"],
    ["mov eax, 0x2000; es monitor", "none"],
    ["mov eax, 0x12000; addr16 monitor", "13(0)"],
    ["mov eax, 0x10800; addr16 monitor", "none"],
  ] as const) {
    const run = await protectedMode.run(code, {}, (state) => {
      state.segments.ds = { ...state.segments.ds, limit: 0xfff };
    });
    assert.equal(faultOf(run), wanted, code);
  }
  protectedMode.close();
});
