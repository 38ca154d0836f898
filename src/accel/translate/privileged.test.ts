// Every privileged and every IOPL-sensitive instruction at each ring and IOPL: which fault, which error code.
// Intel SDM vol. 3A 5.9 and vol. 1 19.5; AMD APM vol. 2 chapter 6.
import assert from "node:assert/strict";
import { test } from "node:test";
import { testInterpreter } from "../../test-support/interpreter.js";
import { TEST_LAYOUT, TestCpu, type TestMode } from "../../test-support/test-cpu.js";
import type { VcpuState } from "../../vcpu/state.js";

interface Sensitive {
  /** One instruction; `setup` comes before it. */
  text: string;
  setup?: string;
  /** The fault where it may not: vector and error code. */
  refused: readonly [vector: number, errorCode: number | null];
  /** Who may: ring 0, rings up to IOPL, or everybody. */
  allowed: "ring0" | "iopl" | "all";
  /** What ring 0 meets, where that is not completion. */
  privileged?: readonly [vector: number, errorCode: number | null];
  modes?: readonly TestMode[];
  prepare?: (state: VcpuState) => void;
}

const GP = [13, 0] as const;
const UD = [6, null] as const;
const UMIP = 1n << 11n;
const withUmip = (state: VcpuState) => {
  state.cr4 |= UMIP;
};
const LONG: readonly TestMode[] = ["long"];
const LEGACY: readonly TestMode[] = ["protected", "compatibility"];
const AT = TEST_LAYOUT.data;

const TABLE: readonly Sensitive[] = [
  // Ring 0 alone: SDM vol. 3A 5.9.
  { text: "hlt", refused: GP, allowed: "ring0" },
  { text: "clts", refused: GP, allowed: "ring0" },
  { text: "wbinvd", refused: GP, allowed: "ring0" },
  { text: "invd", refused: GP, allowed: "ring0" },
  { text: `invlpg [${AT}]`, refused: GP, allowed: "ring0" },
  { text: `lgdt [${AT}]`, setup: `sgdt [${AT}]`, refused: GP, allowed: "ring0" },
  { text: `lidt [${AT}]`, setup: `sidt [${AT}]`, refused: GP, allowed: "ring0" },
  { text: "lldt ax", refused: GP, allowed: "ring0" },
  // TR may not be loaded with a null selector.
  { text: "ltr ax", refused: GP, allowed: "ring0", privileged: GP },
  { text: "lmsw ax", setup: "mov eax, 0x33", refused: GP, allowed: "ring0" },
  { text: "rdmsr", setup: "mov ecx, 0x10", refused: GP, allowed: "ring0" },
  { text: "wrmsr", setup: "mov ecx, 0x174; xor edx, edx", refused: GP, allowed: "ring0" },
  {
    text: "xsetbv",
    setup: "xor ecx, ecx; xor edx, edx; mov eax, 3",
    refused: GP,
    allowed: "ring0",
    prepare: (state) => {
      state.cr4 |= 1n << 18n;
    },
  },
  { text: "xsetbv", refused: UD, allowed: "ring0", privileged: UD },
  { text: "swapgs", refused: GP, allowed: "ring0", modes: LONG },
  { text: ".byte 0x0f, 0x01, 0xf8 # swapgs", refused: UD, allowed: "ring0", privileged: UD, modes: LEGACY },
  { text: "clac", refused: UD, allowed: "ring0" },
  { text: "stac", refused: UD, allowed: "ring0" },
  ...["cr0", "cr2", "cr3", "cr4"].flatMap((register): Sensitive[] => [
    { text: `mov eax, ${register}`, refused: GP, allowed: "ring0", modes: LEGACY },
    { text: `mov rax, ${register}`, refused: GP, allowed: "ring0", modes: LONG },
  ]),
  { text: "mov rax, cr8", refused: GP, allowed: "ring0", modes: LONG },
  { text: "mov cr8, rax", refused: GP, allowed: "ring0", modes: LONG },
  { text: "mov cr2, rax", refused: GP, allowed: "ring0", modes: LONG },
  { text: "mov cr2, eax", refused: GP, allowed: "ring0", modes: LEGACY },
  { text: "mov cr0, rax", setup: "mov eax, 0x80010033", refused: GP, allowed: "ring0", modes: LONG },
  { text: "mov cr4, rax", setup: "mov eax, 0x620", refused: GP, allowed: "ring0", modes: LONG },
  { text: "mov cr3, rax", setup: `mov eax, ${TEST_LAYOUT.pageTables}`, refused: GP, allowed: "ring0", modes: LONG },
  // CR1 and CR5 do not exist; at ring 3 that comes first.
  { text: ".byte 0x0f, 0x20, 0xc8", refused: UD, allowed: "ring0", privileged: UD },
  ...["dr0", "dr1", "dr2", "dr3", "dr6", "dr7"].flatMap((register): Sensitive[] => [
    { text: `mov eax, ${register}`, refused: GP, allowed: "ring0", modes: LEGACY },
    { text: `mov rax, ${register}`, refused: GP, allowed: "ring0", modes: LONG },
    {
      text: `mov ${register}, rax`,
      setup: register === "dr7" ? "mov eax, 0x400" : "",
      refused: GP,
      allowed: "ring0",
      modes: LONG,
    },
  ]),
  {
    text: "rdtsc",
    refused: GP,
    allowed: "ring0",
    prepare: (state) => {
      state.cr4 |= 4n;
    },
  },
  { text: "rdtsc", refused: GP, allowed: "all" },
  {
    text: "rdtscp",
    refused: GP,
    allowed: "ring0",
    prepare: (state) => {
      state.cr4 |= 4n;
    },
  },
  // UMIP takes the stores of descriptor-table registers from programs.
  ...[`sgdt [${AT}]`, `sidt [${AT}]`, "sldt eax", "str eax", "smsw eax"].flatMap((text): Sensitive[] => [
    { text, refused: GP, allowed: "ring0", prepare: withUmip },
    { text, refused: GP, allowed: "all" },
  ]),
  // IOPL: SDM vol. 1 19.5. There is no I/O permission bitmap in the TSS.
  { text: "cli", refused: GP, allowed: "iopl" },
  { text: "sti", refused: GP, allowed: "iopl" },
  { text: "in al, 0x80", refused: GP, allowed: "iopl" },
  { text: "in eax, 0x80", refused: GP, allowed: "iopl" },
  { text: "in al, dx", refused: GP, allowed: "iopl" },
  { text: "in ax, dx", refused: GP, allowed: "iopl" },
  { text: "out 0x80, al", refused: GP, allowed: "iopl" },
  { text: "out 0x80, ax", refused: GP, allowed: "iopl" },
  { text: "out dx, al", refused: GP, allowed: "iopl" },
  { text: "out dx, eax", refused: GP, allowed: "iopl" },
  { text: "insb", setup: `mov edi, ${AT}`, refused: GP, allowed: "iopl" },
  { text: "insd", setup: `mov edi, ${AT}`, refused: GP, allowed: "iopl" },
  { text: "outsb", setup: `mov esi, ${AT}`, refused: GP, allowed: "iopl" },
  { text: "outsd", setup: `mov esi, ${AT}`, refused: GP, allowed: "iopl" },
  // Not privileged: they do something else, or nothing, where the ring is not enough.
  { text: "pushf", refused: GP, allowed: "all" },
  { text: "popf", setup: "push 2", refused: GP, allowed: "all" },
  { text: "mov ax, cs", refused: GP, allowed: "all" },
  { text: "lar eax, ax", refused: GP, allowed: "all" },
  { text: "verr ax", refused: GP, allowed: "all" },
  // SVM and VMX are not part of the model.
  { text: "vmmcall", refused: UD, allowed: "ring0", privileged: UD },
  { text: "vmcall", refused: UD, allowed: "ring0", privileged: UD },
];

for (const mode of ["protected", "compatibility", "long"] as const) {
  for (const ring of [0, 1, 2, 3] as const) {
    for (const iopl of [0, 1, 2, 3]) {
      test(`${mode} mode, ring ${ring}, IOPL ${iopl}`, async () => {
        const cpu = new TestCpu({ accelerator: await testInterpreter(), mode, ring, iopl });
        for (const { text, setup = "", refused, allowed, privileged, modes, prepare } of TABLE) {
          if (modes && !modes.includes(mode)) continue;
          const may = allowed === "all" || ring === 0 || (allowed === "iopl" && ring <= iopl);
          const expected = may ? (ring === 0 ? (privileged ?? null) : null) : refused;
          const { fault, exit } = await cpu.run(`${setup}\n${text}`, {}, prepare);
          const actual = fault && [fault.vector, fault.errorCode];
          assert.deepEqual(actual, expected, `${text}: ${exit.reason}`);
          if (!fault) assert.equal(exit.reason, "halt", text);
        }
        cpu.close();
      });
    }
  }
}

test("POPF changes IF at rings up to IOPL only, and IOPL at ring 0 only, without a fault", async () => {
  const accelerator = await testInterpreter();
  const IF = 0x200n;
  const IOPL = 0x3000n;
  for (const ring of [0, 1, 2, 3] as const) {
    for (const iopl of [0, 1, 2, 3]) {
      const cpu = new TestCpu({ accelerator, mode: "long", ring, iopl });
      const { fault, registers } = await cpu.run("push 0x3ed7; popfq; pushfq; pop rax", {}, undefined);
      assert.equal(fault, null);
      const expected = (ring <= iopl ? IF : 0n) | (ring === 0 ? IOPL : BigInt(iopl << 12)) | 0xcd7n;
      assert.equal(registers.rax, expected, `ring ${ring}, IOPL ${iopl}`);
      cpu.close();
    }
  }
});

test("a permission bit in the TSS opens a port beyond IOPL", async () => {
  const cpu = new TestCpu({ accelerator: await testInterpreter(), mode: "protected", ring: 3 });
  const open = (state: VcpuState) => {
    state.segments.tr.limit = 0x68 + 0x20;
  };
  cpu.memory.fill(TEST_LAYOUT.tss + 0x68, 0x21, 0xff);
  // Ports 0x80 and 0x81 of the map.
  cpu.memory.write8(TEST_LAYOUT.tss + 0x68 + 0x10, 0xfc);
  const outcome = async (text: string) => (await cpu.run(text, {}, open)).fault?.vector ?? null;
  assert.equal(await outcome("out 0x80, al"), null);
  assert.equal(await outcome("out 0x80, ax"), null);
  // A wide access needs the bits of all its ports.
  assert.equal(await outcome("out 0x81, ax"), 13);
  assert.equal(await outcome("out 0x82, al"), 13);
});

test("INT n through a gate below the ring faults with the gate in its error code; INT3 likewise", async () => {
  for (const mode of ["protected", "long"] as const) {
    const cpu = new TestCpu({ accelerator: await testInterpreter(), mode, ring: 3 });
    const width = mode === "long" ? 16 : 8;
    for (const vector of [3, 0x21]) cpu.memory.write16(TEST_LAYOUT.idt + vector * width + 4, 0x8e00);
    const { fault } = await cpu.run("int 0x21");
    assert.deepEqual([fault?.vector, fault?.errorCode], [13, 0x21 * 8 + 2]);
    const breakpoint = await cpu.run("int3");
    assert.deepEqual([breakpoint.fault?.vector, breakpoint.fault?.errorCode], [13, 3 * 8 + 2]);
  }
});
