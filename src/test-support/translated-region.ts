/** Assembly to the listing of the region that the translator makes of it. */
import { createInterpreter } from "../accel/translate/accelerator.js";
import {
  ARENA_NEXT,
  BLOCK_COUNT,
  BLOCK_HEADER,
  BLOCK_OFFSET,
  BLOCK_RECORDS,
  CODE_ARENA,
  MACHINE_BLOCK,
  VCPU_BASE,
} from "../accel/translate/layout.js";
import { REC_BYTES, REC_IPOFF } from "../accel/translate/translator/operations.js";
import { translateRegion } from "../accel/translate/translator/region.js";
import { REGION_NAMES } from "../accel/translate/translator/region-names.js";
import { reportRegion } from "../accel/translate/translator/region-report.js";
import { RAM_OFFSET } from "../guest-memory/guest-memory.js";
import { listRegion } from "../inspect/region-listing.js";
import { GPR_NAMES } from "../vcpu/state.js";
import { compiledCore } from "./compiled-core.js";
import { TEST_LAYOUT, TestCpu, type TestMode, type TestRegisters } from "./test-cpu.js";

/** Where a program's registers point to: there is room on both sides. */
const DATA = BigInt(TEST_LAYOUT.data + 0x800);

/** Settings from lines like "#! mode: protected" and "#! rcx: 3". */
function settingsOf(assembly: string): { mode: TestMode; registers: Partial<TestRegisters> } {
  let mode: TestMode = "long";
  const registers: Record<string, bigint> = {};
  for (const name of GPR_NAMES) if (name !== "rsp") registers[name] = DATA;
  for (const [, name, value] of assembly.matchAll(/^#! (\w+): (\S+)$/gm)) {
    if (name === "mode") mode = value as TestMode;
    else registers[name] = BigInt(value);
  }
  return { mode, registers };
}

/** Runs a program under the interpreter, and translates the region at its start. The lines of its listing. */
export async function translateForTest(assembly: string): Promise<string[]> {
  const { mode, registers } = settingsOf(assembly);
  const cpu = new TestCpu({ accelerator: createInterpreter(await compiledCore()), mode });
  await cpu.run(assembly, registers);
  const view = new DataView(cpu.memory.memory.buffer);
  const blocks = knownBlocks(view);
  const rip = BigInt(TEST_LAYOUT.code);
  const find = (linear: bigint) => blocks.get(RAM_OFFSET + Number(linear)) ?? 0;
  const source = {
    view,
    peekBlock: (_cpu: number, linear: bigint) => find(linear),
  };
  const region = translateRegion(source, VCPU_BASE, find(rip), rip);
  cpu.close();
  if (region === null) return ["(not translated)"];
  // Where the core keeps a record means nothing here: it is called by the instruction's address.
  const records = new Map<bigint, string>();
  for (const block of region.blocks) {
    for (let index = 0; index < view.getUint16(block + BLOCK_COUNT, true); index++) {
      const rec = block + BLOCK_HEADER + index * REC_BYTES;
      const address = view.getUint32(block + BLOCK_OFFSET, true) - RAM_OFFSET + view.getUint16(rec + REC_IPOFF, true);
      records.set(BigInt(rec), `$record_${address.toString(16)}`);
    }
  }
  const names = { ...REGION_NAMES, constant: (value: bigint) => records.get(value) };
  return listRegion(reportRegion(view, region, { number: 1, rip }), { names });
}

/** The blocks in the core's arena by the wasm offset of their code. */
function knownBlocks(view: DataView): Map<number, number> {
  const blocks = new Map<number, number>();
  const end = view.getUint32(MACHINE_BLOCK + ARENA_NEXT, true);
  for (let block = CODE_ARENA; block < end; ) {
    blocks.set(view.getUint32(block + BLOCK_OFFSET, true), block);
    block += BLOCK_HEADER + view.getUint16(block + BLOCK_RECORDS, true) * REC_BYTES;
  }
  return blocks;
}
