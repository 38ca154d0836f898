// Instructions that a CPU model may lack: there where it has them, #UD or the older meaning of their encoding where it
// does not, and the prefixes that they go with. Their results are compared with a processor by test/cpu.
import assert from "node:assert/strict";
import { test } from "node:test";
import { testInterpreter } from "../../test-support/interpreter.js";
import { TEST_LAYOUT, TestCpu, type TestMode, type TestRegisters } from "../../test-support/test-cpu.js";

const { data } = TEST_LAYOUT;
const UD = 6;

interface Case {
  text: string;
  /** Added to the smallest model with long mode; taken away for the second run. */
  feature: string;
  before?: Partial<TestRegisters>;
  after?: Partial<TestRegisters>;
  /** What the encoding does where the model lacks the feature; #UD if not said. */
  without?: Partial<TestRegisters>;
  modes?: readonly TestMode[];
}

const ALL: readonly TestMode[] = ["real", "protected16", "protected", "compatibility", "long"];
const PROTECTED: readonly TestMode[] = ["protected", "compatibility", "long"];

const TABLE: readonly Case[] = [
  {
    text: "andn eax, ebx, ecx",
    feature: "bmi1",
    modes: PROTECTED,
    before: { rbx: 0xf0f0n, rcx: 0xff00ff00n },
    after: { rax: 0xff000f00n },
  },
  { text: "blsr eax, ecx", feature: "bmi1", modes: PROTECTED, before: { rcx: 0x58n }, after: { rax: 0x50n } },
  { text: "blsi eax, ecx", feature: "bmi1", modes: PROTECTED, before: { rcx: 0x58n }, after: { rax: 8n } },
  { text: "blsmsk eax, ecx", feature: "bmi1", modes: PROTECTED, before: { rcx: 0x58n }, after: { rax: 15n } },
  {
    text: "bextr eax, ebx, ecx",
    feature: "bmi1",
    modes: PROTECTED,
    before: { rbx: 0x12345678n, rcx: 0x0c08n },
    after: { rax: 0x456n },
  },
  {
    text: "bzhi eax, ebx, ecx",
    feature: "bmi2",
    modes: PROTECTED,
    before: { rbx: 0x12345678n, rcx: 0x70cn },
    after: { rax: 0x678n },
  },
  {
    text: "pdep eax, ebx, ecx",
    feature: "bmi2",
    modes: PROTECTED,
    before: { rbx: 0xabn, rcx: 0xf0f00000n },
    after: { rax: 0xa0b00000n },
  },
  {
    text: "pext eax, ebx, ecx",
    feature: "bmi2",
    modes: PROTECTED,
    before: { rbx: 0xa5b67890n, rcx: 0xf0f00000n },
    after: { rax: 0xabn },
  },
  {
    text: "mulx eax, ebx, ecx",
    feature: "bmi2",
    modes: PROTECTED,
    before: { rdx: 0x80000000n, rcx: 6n },
    after: { rax: 3n, rbx: 0n },
  },
  { text: "rorx eax, ecx, 8", feature: "bmi2", modes: PROTECTED, before: { rcx: 0x12n }, after: { rax: 0x12000000n } },
  {
    text: "shlx eax, ebx, ecx",
    feature: "bmi2",
    modes: PROTECTED,
    before: { rbx: 3n, rcx: 33n },
    after: { rax: 6n },
  },
  {
    text: "sarx eax, ebx, ecx",
    feature: "bmi2",
    modes: PROTECTED,
    before: { rbx: 0x80000000n, rcx: 31n },
    after: { rax: 0xffffffffn },
  },
  {
    text: "movbe eax, [ebx]",
    feature: "movbe",
    modes: ["protected"],
    before: { rbx: BigInt(data) },
    after: { rax: 0n },
  },
  { text: "lzcnt eax, ecx", feature: "lzcnt", before: { rcx: 1n }, after: { rax: 31n }, without: { rax: 0n } },
  { text: "tzcnt eax, ecx", feature: "bmi1", before: { rcx: 0n, rax: 7n }, after: { rax: 32n }, without: { rax: 7n } },
  { text: "popcnt eax, ecx", feature: "popcnt", before: { rcx: 0x10101n }, after: { rax: 3n } },
  { text: "crc32 eax, ecx", feature: "sse4.2", before: { rax: 0n, rcx: 1n }, after: { rax: 0xdd45aab8n } },
  { text: "stc; adcx eax, ecx", feature: "adx", before: { rax: 1n, rcx: 2n }, after: { rax: 4n } },
  { text: "adox eax, ecx", feature: "adx", before: { rax: 1n, rcx: 2n }, after: { rax: 3n } },
  { text: "rdpid rax", feature: "rdpid", modes: ["long"], before: { rax: 5n }, after: { rax: 0n } },
  { text: "rdpid eax", feature: "rdpid", modes: ["protected"], before: { rax: 5n }, after: { rax: 0n } },
  { text: `clflushopt [${data}]`, feature: "clflushopt", modes: ["protected", "compatibility", "long"] },
  { text: `clwb [${data}]`, feature: "clwb", modes: ["protected", "compatibility", "long"] },
  { text: "rdrand eax", feature: "rdrand", after: { rax: 0x12345678n } },
  { text: "rdseed eax", feature: "rdseed", after: { rax: 0x12345678n } },
  // VEX.W counts in 64-bit mode only: shrx rax, rbx, rcx.
  {
    text: ".byte 0xc4, 0xe2, 0xf3, 0xf7, 0xc3",
    feature: "bmi2",
    modes: ["protected", "compatibility"],
    before: { rbx: 0x40000000n, rcx: 32n },
    after: { rax: 0x40000000n },
  },
];

async function run(mode: TestMode, model: string, { text, before = {} }: Case) {
  const cpu = new TestCpu({ accelerator: await testInterpreter(), mode, model });
  cpu.memory.fill(data, 0x100, 0);
  return cpu.run(text, before);
}

for (const line of TABLE) {
  for (const mode of line.modes ?? ALL) {
    test(`${mode}: ${line.text}`, async () => {
      const present = await run(mode, `x86-64-v1,+${line.feature}`, line);
      assert.equal(present.fault, null);
      check(present.registers, line.after ?? {});
      const absent = await run(mode, `max,-${line.feature}`, line);
      assert.equal(absent.fault?.vector ?? null, line.without ? null : UD);
      check(absent.registers, line.without ?? {});
    });
  }
}

function check(actual: TestRegisters, expected: Partial<TestRegisters>): void {
  for (const [name, value] of Object.entries(expected)) assert.equal(actual[name as keyof TestRegisters], value, name);
}

// VEX is for protected mode: elsewhere C4 with a register is an LES that has no meaning.
test("real mode has no VEX prefixes", async () => {
  const cpu = new TestCpu({ accelerator: await testInterpreter(), mode: "real", model: "max" });
  const { fault } = await cpu.run(".byte 0xc4, 0xe2, 0x60, 0xf2, 0xc1");
  assert.equal(fault?.vector, UD);
});
