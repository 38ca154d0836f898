/** Counters of regions and blocks: what they say of a run must add up to what the run did. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { compiledCore } from "../../test-support/compiled-core.js";
import { TEST_LAYOUT, TestCpu } from "../../test-support/test-cpu.js";
import { createInterpreter, createTranslator } from "./accelerator.js";
import { CodeProfile, type CodeProfileEntry } from "./code-profile.js";

/** Setting up, a loop of 4 instructions with an operation that regions leave to the core, the end by INT. */
const PROGRAM = "mov ecx, 1000\n1: add eax, ecx\nxlat\ndec ecx\njne 1b";
const LOOP = BigInt(TEST_LAYOUT.code + 5);

async function profileOf(
  translate: boolean,
): Promise<{ entries: CodeProfileEntry[]; details: Record<string, number> }> {
  const profile = new CodeProfile();
  const core = await compiledCore();
  const accelerator = translate
    ? createTranslator(core, { profile, heat: 8, batch: 1 })
    : createInterpreter(core, { profile });
  const cpu = new TestCpu({ accelerator, mode: "long" });
  const { fault } = await cpu.run(PROGRAM, { rbx: BigInt(TEST_LAYOUT.data) });
  assert.equal(fault, null);
  const { details } = cpu.vcpu.counters();
  cpu.close();
  return { entries: profile.entries(), details };
}

test("the interpreter's blocks: how often each was entered", async () => {
  const { entries, details } = await profileOf(false);
  // The first time around the loop is the end of the block that begins with the program.
  const loop = entries.find(({ address }) => address === LOOP);
  assert.deepEqual(loop, { address: LOOP, tier: "interpret", executions: 999, instructions: 999 * 4 });
  assert.equal(details.regionRuns, 0);
});

test("a region: entries, instructions, and what it leaves to the core", async () => {
  const { entries, details } = await profileOf(true);
  const loop = entries.filter(({ address }) => address === LOOP);
  const cold = loop.find(({ tier }) => tier === "interpret");
  const hot = loop.find(({ tier }) => tier === "translate");
  assert.ok(cold !== undefined && cold.executions >= 8);
  assert.ok(hot !== undefined && hot.executions >= 1);
  assert.equal(hot.instructions, details.regionInstructions);
  // The entry at which a region takes over is counted for both; the first time around belongs to the block before.
  const around = (hot.instructions + cold.instructions) / 4;
  assert.ok(around >= 999 && around <= 999 + hot.executions, `${around}`);
  assert.equal(details["callouts:xlat"], hot.instructions / 4);
  assert.ok(details.regionRuns <= hot.executions);
  const exits = ["Pending", "UnknownBlock", "ColdBlock", "Leave", "Fault"].map((why) => details[`regionExits${why}`]);
  const ended = exits.reduce((sum, count) => sum + count, 0);
  // A run goes on over a system operation, or ends by what that raises.
  assert.ok(ended <= details.regionRuns && ended + details.regionSystemOperations >= details.regionRuns, `${exits}`);
});
