/**
 * Flat 32-bit code, which the main loop addresses itself, against the same code with segments one page smaller, which it
 * does not: the same registers, flags and memory.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { testInterpreter } from "../../test-support/interpreter.js";
import { TEST_LAYOUT, TestCpu, type TestMode, type TestRun } from "../../test-support/test-cpu.js";
import type { VcpuState } from "../../vcpu/state.js";

const accelerator = await testInterpreter();
const DATA = TEST_LAYOUT.data;
/** Registers begin with this above their lower halves: 32-bit code must not see it. */
const UPPER = 0x1234_5678_0000_0000n;

/** Segments that end one page before 4 GiB. */
function limited(state: VcpuState): void {
  for (const name of ["ds", "ss", "es"] as const) state.segments[name] = { ...state.segments[name], limit: 0xffffefff };
}

async function runBoth(mode: TestMode, code: string): Promise<TestRun> {
  const registers = {
    rax: UPPER | 0x89abcdefn,
    rbx: UPPER | BigInt(DATA),
    rcx: UPPER | 3n,
    rdx: UPPER | 0x7fn,
    rsi: UPPER | BigInt(DATA + 0x100),
    rdi: UPPER | 0xfffffff0n,
    rbp: UPPER | BigInt(DATA + 0x800),
  };
  const runs = [];
  for (const prepare of [() => {}, limited]) {
    const cpu = new TestCpu({ accelerator, mode, paging: mode === "protected" ? "pae" : undefined });
    for (let at = 0; at < 0x1000; at += 4) cpu.memory.write32(DATA + at, (at * 0x9e3779b1) >>> 0);
    // Twice: decoded, and found again.
    await cpu.run(code, registers, prepare);
    const run = await cpu.run(code, registers, prepare);
    runs.push({ run, memory: cpu.memory.view(DATA, 0x3000).slice() });
    cpu.close();
  }
  const [flat, other] = runs;
  assert.equal(flat.run.fault?.vector, other.run.fault?.vector);
  // The upper halves of registers are nobody's business in 32-bit code; what was written is 32 bits wide.
  for (const [name, value] of Object.entries(flat.run.registers)) {
    assert.equal(
      BigInt.asUintN(32, value),
      BigInt.asUintN(32, other.run.registers[name as "rax"]),
      `${name} of ${code}`,
    );
  }
  assert.deepEqual(flat.memory, other.memory, code);
  return flat.run;
}

const CODE = [
  "mov eax, [ebx]; add [ebx + 4], eax; sub ecx, [ebx + ecx * 8 + 16]; cmp dword ptr [esi], 7; setb dl",
  // Addresses wrap at 4 GiB.
  "mov eax, [edi + 0xa010]; mov [edi + ebx + 0x20], ecx; lea edx, [edi + ebx + 0x10]; mov ebx, [edi * 2 + 0xa028]",
  "push eax; push 5; push dword ptr [ebx + 8]; pop ecx; pop dword ptr [esi]; pop edx; push esp; pop eax; pop ebp",
  "call 1f; mov ecx, 0x77; jmp 2f; 1: mov edx, [esp]; push ebp; mov ebp, esp; sub esp, 0x40; leave; ret; 2: nop",
  "mov eax, offset 1f; call eax; jmp 2f; 1: ret 4; 2: mov ebx, esp",
  "mov dword ptr [ebx], offset 1f; call [ebx]; mov dword ptr [ebx], offset 2f; jmp [ebx]; 1: inc ecx; ret; 2: dec edx",
  "mov ax, [ebx + 2]; add word ptr [ebx], 0x1234; movzx ecx, word ptr [ebx]; movsx edx, byte ptr [esi + 3]; push ax; pop cx",
  "inc dword ptr [ebx]; dec byte ptr [esi]; imul eax, [ebx], 77; test byte ptr [ebx + 1], 0x40; cmovne ecx, [ebx]; neg eax",
  "adc eax, [ebx]; sbb [esi], ecx; xchg edx, [ebx + 12]; cmpxchg [ebx], ecx; bts dword ptr [ebx], 35; mul dword ptr [esi]",
  "mov ecx, 12; 1: mov eax, [esi + ecx * 4]; xor [ebx + ecx * 4], eax; dec ecx; jne 1b",
  "mov ecx, 9; lea edi, [ebx + 0x200]; rep movsd; mov ecx, 5; rep stosb; push cs; pop eax; mov eax, cs:[0x8000]",
  "mov ax, ds; mov es, ax; mov edx, es:[ebx]; mov eax, 0; mov es, ax; mov ecx, [ebx]",
  // Across a page, and across the last one.
  "mov dword ptr [0xafff], 0x11223344; mov eax, [0xaffe]; mov esp, 0xb002; push 0x55667788; pop ecx",
];

for (const mode of ["protected", "compatibility"] as const) {
  test(`${mode}: flat code does what code with segments does`, async () => {
    for (const code of CODE) assert.equal((await runBoth(mode, code)).fault, null, code);
  });
}

test("DS that becomes null, read-only or limited is seen at once, by code that ran flat before", async () => {
  for (const [change, vector] of [
    ["mov eax, 0; mov ds, ax", 13],
    ["push 0; pop ds", 13],
    // A writable segment, made read-only in the GDT before it is loaded again.
    ["mov byte ptr [0x1015], 0x91; mov ax, ds; mov ds, ax", 13],
    // Its limit becomes 64 KiB.
    ["mov byte ptr [0x1016], 0x40; mov word ptr [0x1010], 0x5000; mov ax, ds; mov ds, ax", 13],
  ] as const) {
    const cpu = new TestCpu({ accelerator, mode: "protected" });
    const body = "1: mov [ebx], ecx; inc edx; cmp edx, 2; ja 2f";
    const run = await cpu.run(`${body}; ${change}; jmp 1b; 2: nop`, { rbx: BigInt(DATA) });
    assert.equal(run.fault?.vector, vector, change);
    assert.equal(run.registers.rdx, 1n, change);
    cpu.close();
  }
});

test("what reaches past 4 GiB faults: #GP for data, #SS for the stack", async () => {
  for (const [code, vector] of [
    ["mov eax, [0xfffffffd]", 13],
    ["mov esp, 2; push eax", 12],
    ["mov ebp, 0xfffffffe; mov [ebp], eax", 12],
  ] as const) {
    // At ring 3: the handler has a stack of its own.
    const cpu = new TestCpu({ accelerator, mode: "protected", ring: 3 });
    const run = await cpu.run(code);
    assert.equal(run.fault?.vector, vector, code);
    cpu.close();
  }
});
