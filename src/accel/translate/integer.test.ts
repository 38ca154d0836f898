// Integer instructions whose forms or modes the comparison with a processor (test/cpu) does not reach: 16 and
// 32-bit code, stacks, near transfers. Intel SDM vol. 2.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assemble } from "../../test-support/assemble.js";
import { testInterpreter } from "../../test-support/interpreter.js";
import { TEST_LAYOUT, TestCpu, type TestMode, type TestRegisters } from "../../test-support/test-cpu.js";

const { code, data, stackTop } = TEST_LAYOUT;
const ARITHMETIC = 0x8d5n;
const CF = 0x01n;
const AF = 0x10n;
const ZF = 0x40n;

interface Case {
  text: string;
  modes: readonly TestMode[];
  before?: Partial<TestRegisters>;
  /** Registers afterwards; of `rflags` the arithmetic flags alone, under `flags` where not all are defined. */
  after?: Partial<TestRegisters>;
  flags?: bigint;
  fault?: number;
  /** 32-bit words in memory afterwards, by address. */
  memory?: Record<number, number>;
}

const REAL: readonly TestMode[] = ["real"];
const WIDE: readonly TestMode[] = ["protected", "compatibility"];
const LEGACY: readonly TestMode[] = ["real", "protected16", "protected", "compatibility"];
const LONG: readonly TestMode[] = ["long"];

const TABLE: readonly Case[] = [
  // ---- Decimal arithmetic.
  {
    text: "add al, bl; daa",
    modes: LEGACY,
    before: { rax: 0x79n, rbx: 0x35n },
    after: { rax: 0x14n, rflags: CF | AF | 0x4n },
    flags: 0xd5n,
  },
  { text: "daa", modes: LEGACY, before: { rax: 0x2en, rflags: 2n }, after: { rax: 0x34n, rflags: AF }, flags: 0xd5n },
  {
    text: "daa",
    modes: LEGACY,
    before: { rax: 0xfbn, rflags: 2n },
    after: { rax: 0x61n, rflags: CF | AF },
    flags: 0xd5n,
  },
  {
    text: "sub al, bl; das",
    modes: LEGACY,
    before: { rax: 0x35n, rbx: 0x47n },
    after: { rax: 0x88n, rflags: CF | AF | 0x84n },
    flags: 0xd5n,
  },
  {
    text: "das",
    modes: LEGACY,
    before: { rax: 0x05n, rflags: 2n | AF },
    after: { rax: 0xffn, rflags: CF | AF | 0x84n },
    flags: 0xd5n,
  },
  {
    text: "aaa",
    modes: LEGACY,
    before: { rax: 0x10bn, rflags: 2n },
    after: { rax: 0x201n, rflags: CF | AF },
    flags: CF | AF,
  },
  { text: "aaa", modes: LEGACY, before: { rax: 0x0ffn, rflags: 2n }, after: { rax: 0x205n }, flags: 0n },
  {
    text: "aas",
    modes: LEGACY,
    before: { rax: 0x1fen, rflags: 2n },
    after: { rax: 0x008n, rflags: CF | AF },
    flags: CF | AF,
  },
  {
    text: "aas",
    modes: LEGACY,
    before: { rax: 0x0205n, rflags: 2n },
    after: { rax: 0x0205n, rflags: 0n },
    flags: CF | AF,
  },
  { text: "aam", modes: LEGACY, before: { rax: 0x1143n }, after: { rax: 0x0607n, rflags: 0n }, flags: 0xc4n },
  { text: "aam 0", modes: LEGACY, before: { rax: 0x1143n }, fault: 0 },
  { text: "aad", modes: LEGACY, before: { rax: 0x0902n }, after: { rax: 0x5cn, rflags: 0x4n }, flags: 0xc4n },
  { text: ".byte 0xd6 # salc", modes: LEGACY, before: { rax: 0x1234n, rflags: 3n }, after: { rax: 0x12ffn } },
  { text: ".byte 0x27 # daa", modes: LONG, fault: 6 },
  { text: ".byte 0xd4, 10 # aam", modes: LONG, fault: 6 },

  // ---- BOUND.
  { text: `bound ax, [${data}]`, modes: LEGACY, before: { rax: 0xfff0n }, fault: 5, memory: { [data]: 0 } },
  {
    text: `mov dword ptr ds:[${data}], 0x0010fff0; bound ax, [${data}]`,
    modes: LEGACY,
    before: { rax: 0xfff0n },
    after: { rax: 0xfff0n },
  },
  {
    text: `mov dword ptr ds:[${data}], 0x0010fff0; bound ax, [${data}]`,
    modes: LEGACY,
    before: { rax: 0x11n },
    fault: 5,
  },

  // ---- Stacks.
  {
    text: "pusha; add sp, 2; popa",
    modes: REAL,
    before: { rax: 1n, rcx: 2n, rdx: 3n, rbx: 4n, rbp: 6n, rsi: 7n, rdi: 8n },
    // Everything moved by one word, and the copy of SP was not loaded.
    after: { rdi: 7n, rsi: 6n, rbp: BigInt(stackTop), rbx: 3n, rdx: 2n, rcx: 1n, rsp: BigInt(stackTop + 2) },
  },
  {
    text: "pushad; mov eax, [esp + 12]; add esp, 32",
    modes: WIDE,
    before: { rbx: 4n },
    after: { rax: BigInt(stackTop), rsp: BigInt(stackTop) },
  },
  { text: "push sp; pop ax", modes: REAL, after: { rax: BigInt(stackTop), rsp: BigInt(stackTop) } },
  { text: "push rsp; pop rax", modes: LONG, after: { rax: BigInt(stackTop), rsp: BigInt(stackTop) } },
  { text: `push ${data}; pop rsp`, modes: LONG, after: { rsp: BigInt(data) } },
  { text: "push -2; pop rax", modes: LONG, after: { rax: 0xffff_ffff_ffff_fffen } },
  { text: "push -2; pop eax", modes: WIDE, after: { rax: 0xffff_fffen } },
  {
    text: "pushw 0x1234; pop bx",
    modes: LONG,
    before: { rbx: 0x99990000n },
    after: { rbx: 0x99991234n, rsp: BigInt(stackTop) },
  },
  // An address by RSP is the one after the pop.
  { text: "push 5; push 6; pop qword ptr [rsp]; pop rax", modes: LONG, after: { rax: 6n, rsp: BigInt(stackTop) } },
  { text: "push 5; push 6; pop dword ptr [esp]; pop eax", modes: WIDE, after: { rax: 6n, rsp: BigInt(stackTop) } },
  {
    text: "enter 16, 0",
    modes: LONG,
    before: { rbp: 0x77n },
    after: { rbp: BigInt(stackTop - 8), rsp: BigInt(stackTop - 24) },
  },
  {
    text: "enter 8, 3",
    modes: WIDE,
    before: { rbp: BigInt(data + 64) },
    after: { rbp: BigInt(stackTop - 4), rsp: BigInt(stackTop - 24) },
    memory: { [stackTop - 4]: data + 64, [stackTop - 16]: stackTop - 4 },
  },
  {
    text: "enter 8, 1; leave",
    modes: [...LONG, ...LEGACY],
    before: { rbp: 0x77n },
    after: { rbp: 0x77n, rsp: BigInt(stackTop) },
  },

  // ---- Near transfers.
  {
    text: "call 1f; jmp 2f; 1: pop cx; push cx; ret; 2: nop",
    modes: REAL,
    after: { rcx: BigInt(code + 3), rsp: BigInt(stackTop) },
  },
  {
    text: "push ax; push ax; push ax; call 1f; jmp 2f; 1: ret 6; 2: nop",
    modes: REAL,
    after: { rsp: BigInt(stackTop) },
  },
  { text: "push rax; push rax; call 1f; jmp 2f; 1: ret 16; 2: nop", modes: LONG, after: { rsp: BigInt(stackTop) } },
  { text: "lea rax, 1f[rip]; call rax; jmp 2f; 1: inc ecx; ret; 2: nop", modes: LONG, after: { rcx: 1n } },
  {
    text: `lea rax, 1f[rip]; mov [${data}], rax; call [${data}]; jmp 2f; 1: inc ecx; ret; 2: nop`,
    modes: LONG,
    after: { rcx: 1n },
  },
  { text: "mov ax, offset 1f; jmp ax; ud2; 1: inc cx", modes: REAL, after: { rcx: 1n } },
  { text: "mov cx, 5; 1: inc ax; loop 1b", modes: REAL, after: { rax: 5n, rcx: 0n } },
  { text: "mov ecx, 5; 1: inc eax; loop 1b", modes: [...WIDE, ...LONG], after: { rax: 5n, rcx: 0n } },
  { text: "1: inc eax; cmp eax, 3; loopne 1b", modes: WIDE, before: { rcx: 10n }, after: { rax: 3n, rcx: 7n } },
  { text: "1: inc eax; cmp eax, eax; loope 1b", modes: WIDE, before: { rcx: 4n }, after: { rax: 4n, rcx: 0n } },
  {
    text: "addr32 loop 1f; inc eax; 1: nop",
    modes: LONG,
    before: { rcx: 0x9_0000_0001n },
    after: { rax: 1n, rcx: 0n },
  },
  { text: "jrcxz 1f; inc eax; 1: nop", modes: LONG, before: { rcx: 0x1_0000_0000n }, after: { rax: 1n } },
  { text: "jecxz 1f; inc eax; 1: nop", modes: LONG, before: { rcx: 0x1_0000_0000n }, after: { rax: 0n } },
  { text: "jcxz 1f; inc eax; 1: nop", modes: WIDE, before: { rcx: 0x1_0000n }, after: { rax: 0n } },
  // A jump past CS's limit of 64 KiB: #GP at the jump.
  { text: ".byte 0x66, 0xe9; .long 0x10000", modes: REAL, fault: 13 },

  // ---- Others.
  { text: "arpl ax, bx", modes: REAL, fault: 6 },
  { text: "xlatb", modes: LEGACY, before: { rbx: BigInt(data), rax: 5n }, after: { rax: 0n } },
  { text: "cbw; cwd", modes: LEGACY, before: { rax: 0x80n }, after: { rax: 0xff80n, rdx: 0xffffn } },
  { text: "cwde; cdq", modes: WIDE, before: { rax: 0x8000n }, after: { rax: 0xffff8000n, rdx: 0xffffffffn } },
  {
    text: "cdqe; cqo",
    modes: LONG,
    before: { rax: 0x80000000n },
    after: { rax: 0xffffffff80000000n, rdx: 0xffff_ffff_ffff_ffffn },
  },
  { text: "cmovb eax, ebx", modes: LONG, before: { rax: 0x1_0000_0001n, rflags: 2n }, after: { rax: 1n } },
  { text: ".byte 0x90 # nop", modes: LONG, before: { rax: 0x1_0000_0001n }, after: { rax: 0x1_0000_0001n } },
  { text: ".byte 0x87, 0xc0 # xchg eax, eax", modes: LONG, before: { rax: 0x1_0000_0001n }, after: { rax: 1n } },
  { text: "movabs al, [0xa000]", modes: LONG, before: { rax: 0xffn }, after: { rax: 0n } },
  { text: "div ebx", modes: LONG, before: { rax: 1n }, fault: 0 },
  {
    text: "div rbx",
    modes: LONG,
    before: { rax: 7n, rdx: 5n, rbx: 6n },
    after: { rax: 0xd555_5555_5555_5556n, rdx: 3n },
  },
  { text: "div rbx", modes: LONG, before: { rdx: 6n, rbx: 6n }, fault: 0 },
  { text: "idiv rbx", modes: LONG, before: { rax: 1n << 63n, rdx: (1n << 64n) - 1n, rbx: (1n << 64n) - 1n }, fault: 0 },
  {
    text: "idiv rbx",
    modes: LONG,
    before: { rax: 0n, rdx: (1n << 64n) - 1n, rbx: 2n },
    after: { rax: 1n << 63n, rdx: 0n },
  },
  {
    text: "idiv rbx",
    modes: LONG,
    before: { rax: 0n, rdx: (1n << 64n) - 1n, rbx: 1n << 62n },
    after: { rax: (1n << 64n) - 4n, rdx: 0n },
  },
  { text: "idiv ebx", modes: LONG, before: { rax: 0x80000000n, rdx: 0xffffffffn, rbx: 0xffffffffn }, fault: 0 },
  { text: "idiv bl", modes: LEGACY, before: { rax: 0xff80n, rbx: 0xffn }, fault: 0 },

  // ---- LOCK.
  { text: `lock add dword ptr [${data}], 1`, modes: LONG },
  { text: ".byte 0xf0, 0x01, 0xd8 # lock add eax, ebx", modes: [...LONG, ...LEGACY], fault: 6 },
  { text: ".byte 0xf0, 0x39, 0x1f # lock cmp", modes: LONG, before: { rdi: BigInt(data) }, fault: 6 },
  { text: ".byte 0xf0, 0x03, 0x1f # lock add ebx, [rdi]", modes: LONG, before: { rdi: BigInt(data) }, fault: 6 },
  { text: ".byte 0xf0, 0x90 # lock nop", modes: [...LONG, ...LEGACY], fault: 6 },
  { text: ".byte 0xf0, 0x89, 0x1f # lock mov", modes: LONG, before: { rdi: BigInt(data) }, fault: 6 },
  { text: ".byte 0xf0, 0x0f, 0xa3, 0x1f # lock bt", modes: LONG, before: { rdi: BigInt(data) }, fault: 6 },

  // ---- Prefixes.
  {
    text: ".byte 0x48, 0x66, 0x01, 0xd8 # a REX prefix that is not last",
    modes: LONG,
    before: { rax: 0xffffn, rbx: 1n },
    after: { rax: 0n, rflags: CF | AF | ZF | 4n },
    flags: ARITHMETIC,
  },
  {
    text: ".byte 0x26, 0x8b, 0x07 # ES does not matter",
    modes: LONG,
    before: { rdi: BigInt(data), rax: 1n },
    after: { rax: 0n },
  },
  { text: ".byte 0xc5, 0xf8, 0x77 # vzeroupper without AVX", modes: LONG, fault: 6 },
  { text: ".byte 0x62, 0xf1, 0x7c, 0x48, 0x58, 0xc0 # EVEX", modes: LONG, fault: 6 },
  { text: ".byte 0x0f, 0xff, 0xc0 # ud0", modes: LONG, fault: 6 },
  { text: ".byte 0x0f, 0xb9, 0xc0 # ud1", modes: LONG, fault: 6 },
  { text: ".byte 0xf3, 0x0f, 0x1e, 0xfa # endbr64", modes: LONG },
  { text: ".byte 0x0f, 0x0d, 0x0f # prefetchw", modes: LONG, before: { rdi: 1n << 45n } },
  { text: "nop dword ptr [rdi + rdi * 4 + 0x12345678]", modes: LONG, before: { rdi: 1n << 62n } },
];

const cpus = new Map<TestMode, TestCpu>();
async function cpuOf(mode: TestMode): Promise<TestCpu> {
  const cpu = cpus.get(mode) ?? new TestCpu({ accelerator: await testInterpreter(), mode });
  cpus.set(mode, cpu);
  return cpu;
}

for (const { text, modes, before = {}, after = {}, flags = ARITHMETIC, fault = null, memory = {} } of TABLE) {
  for (const mode of modes) {
    test(`${mode}: ${text}`, async () => {
      const cpu = await cpuOf(mode);
      cpu.memory.fill(data, 0x100, 0);
      const result = await cpu.run(text, before);
      assert.equal(result.exit.reason, "halt");
      assert.equal(result.fault?.vector ?? null, fault);
      for (const [name, value] of Object.entries(after)) {
        const actual = result.registers[name as keyof TestRegisters];
        if (name === "rflags") assert.equal(actual & flags, value & flags, name);
        else assert.equal(actual, value, name);
      }
      for (const [address, value] of Object.entries(memory)) assert.equal(cpu.memory.read32(Number(address)), value);
    });
  }
}

// What sets CF before ADC, SBB, INC and a condition reads it: lazy flags have a rule for each.
for (const size of [32, 64] as const) {
  const mask = (1n << BigInt(size)) - 1n;
  const [a, b] = size === 64 ? (["rax", "rbx"] as const) : (["eax", "ebx"] as const);
  const values = [0n, 1n, mask >> 1n, (mask >> 1n) + 1n, mask - 1n, mask];
  const setters: Record<string, (x: bigint, y: bigint) => bigint> = {
    [`add ${a}, ${b}`]: (x, y) => (x + y) >> BigInt(size),
    [`sub ${a}, ${b}`]: (x, y) => (x < y ? 1n : 0n),
    [`stc; adc ${a}, ${b}`]: (x, y) => (x + y + 1n) >> BigInt(size),
    [`stc; sbb ${a}, ${b}`]: (x, y) => (x < y + 1n ? 1n : 0n),
    [`and ${a}, ${b}`]: () => 0n,
    [`add ${a}, ${b}; inc ${b}`]: (x, y) => (x + y) >> BigInt(size),
    [`shl ${a}, 1`]: (x) => x >> BigInt(size - 1),
    [`add ${a}, ${b}; rol ${b}, 1`]: (_, y) => y >> BigInt(size - 1),
  };
  for (const [setter, carryOf] of Object.entries(setters)) {
    test(`${size} bits: carry from "${setter}"`, async () => {
      const cpu = await cpuOf("long");
      const program = assemble(
        `${setter}
         setc r8b
         ${size === 64 ? "mov r9, rcx; adc r9, rdx" : "mov r9d, ecx; adc r9d, edx"}
         pushfq; pop r10
         mov rax, rsi; mov rbx, rdi; ${setter}
         ${size === 64 ? "mov r11, rcx; sbb r11, rdx" : "mov r11d, ecx; sbb r11d, edx"}
         pushfq; pop r12`,
        64,
        code,
      );
      for (const x of values) {
        for (const y of values) {
          const [p, q] = [y, x];
          const { registers, fault } = await cpu.run(program, { rax: x, rbx: y, rsi: x, rdi: y, rcx: p, rdx: q });
          assert.equal(fault, null);
          const carry = carryOf(x, y);
          assert.equal(registers.r8 & 1n, carry);
          assert.equal(registers.r9, (p + q + carry) & mask);
          assert.equal(registers.r10 & CF, (p + q + carry) >> BigInt(size));
          assert.equal(registers.r11, (p - q - carry) & mask);
          assert.equal(registers.r12 & CF, p < q + carry ? 1n : 0n);
        }
      }
    });
  }
}
