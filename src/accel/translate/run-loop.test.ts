// The main loop: exact budgets, exact state at faults, block boundaries.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assemble } from "../../test-support/assemble.js";
import { testInterpreter } from "../../test-support/interpreter.js";
import { TEST_LAYOUT, TestCpu, type TestMode } from "../../test-support/test-cpu.js";

const { code, data, pageTables } = TEST_LAYOUT;

test("a run ends after exactly as many instructions as it may", async () => {
  // 2 + 4 * 30 + 1 instructions: straight code, taken and fused jumps, memory operands.
  const program = "mov ecx, 30; xor eax, eax; 1: add eax, ecx; mov [0xa000], eax; dec ecx; jnz 1b; nop";
  const whole = new TestCpu({ accelerator: await testInterpreter(), mode: "long" });
  const expected: string[] = [];
  for (let count = 0; count <= 123; count++) {
    const { state } = await whole.run(program, {}, undefined, count === 0 ? 1 : count);
    expected.push(`${state.rip} ${state.gpr.join()} ${state.rflags}`);
  }
  for (const step of [1, 2, 3, 7, 64, 65]) {
    const cpu = new TestCpu({ accelerator: await testInterpreter(), mode: "long" });
    cpu.load(assemble(program, 64, code));
    const state = cpu.initialState();
    cpu.vcpu.setState(state);
    for (let count = step; count <= 123; count += step) {
      const before = cpu.vcpu.instructions;
      assert.equal((await cpu.vcpu.run({ instructions: step })).reason, "budget");
      assert.equal(cpu.vcpu.instructions - before, step);
      const now = cpu.vcpu.getState();
      assert.equal(`${now.rip} ${now.gpr.join()} ${now.rflags}`, expected[count], `after ${count} in steps of ${step}`);
    }
  }
});

test("instructions are counted exactly up to a port access in the middle of a block", async () => {
  const counts: number[] = [];
  const cpu: TestCpu = new TestCpu({
    accelerator: await testInterpreter(),
    mode: "long",
    bus: {
      mmioRead: () => {
        counts.push(cpu.vcpu.instructions - start);
        return 0;
      },
    },
  });
  let start = 0;
  cpu.load(assemble("nop; mov eax, [0x8000000]; nop; nop; mov eax, [0x8000000]; nop; hlt", 64, code));
  cpu.vcpu.setState(cpu.initialState());
  start = cpu.vcpu.instructions;
  assert.equal((await cpu.vcpu.run({ instructions: 1000 })).reason, "halt");
  assert.deepEqual(counts, [1, 4]);
  assert.equal(cpu.vcpu.instructions - start, 7);
});

test("a fault in the middle of a block leaves what came before and nothing else", async () => {
  const cpu = new TestCpu({ accelerator: await testInterpreter(), mode: "long" });
  const { fault, registers } = await cpu.run("mov eax, 1; mov ebx, 2; add ebx, ebx; add rbx, [rdi]; mov eax, 5", {
    rdi: 0x4000000000n,
  });
  assert.equal(fault?.vector, 14);
  assert.equal(fault?.errorCode, 0);
  assert.equal(fault?.address, 0x4000000000n);
  assert.equal(registers.rax, 1n);
  assert.equal(registers.rbx, 4n);
  assert.equal(fault?.rip, BigInt(code + 12));
});

/** Instructions that fault on their memory operand: no register, no flag changes. */
const FAULTING = [
  "push qword ptr [rdi]",
  "pop qword ptr [rdi]",
  "add [rdi], eax",
  "adc qword ptr [rdi], 5",
  "inc byte ptr [rdi]",
  "neg word ptr [rdi]",
  "not dword ptr [rdi]",
  "xchg [rdi], eax",
  "lock xadd [rdi], rax",
  "lock cmpxchg [rdi], rbx",
  "lock cmpxchg8b [rdi]",
  "lock cmpxchg16b [rdi]",
  "shl dword ptr [rdi], 3",
  "rcr byte ptr [rdi], cl",
  "shld [rdi], eax, 4",
  "bts qword ptr [rdi], 3",
  "btr [rdi], eax",
  "setc [rdi]",
  "cmovz eax, [rdi]",
  "cmovnz eax, [rdi]",
  "mul dword ptr [rdi]",
  "imul eax, [rdi], 7",
  "div qword ptr [rdi]",
  "movsx rax, byte ptr [rdi]",
  "call [rdi]",
  "jmp [rdi]",
  "movsq",
  "stosb",
  "cmpsb",
  "scasd",
  "rep movsb",
  "repe cmpsw",
  "xlatb",
  "bsf eax, [rdi]",
  "popcnt eax, [rdi]",
  "crc32 eax, byte ptr [rdi]",
  "leave",
  "ret",
  "enter 16, 0",
];
for (const text of FAULTING) {
  test(`${text}: a page fault leaves everything as it was`, async () => {
    const cpu = new TestCpu({ accelerator: await testInterpreter(), mode: "long", ring: 3 });
    const bad = 0x4000001000n;
    const before = {
      rax: 0x1111n,
      rcx: 3n,
      rdx: 0n,
      rbx: text === "xlatb" ? bad : 0x3333n,
      rbp: text === "leave" ? bad : 0x5555n,
      rsp: text === "ret" || text.startsWith("enter") ? bad : BigInt(TEST_LAYOUT.stackTop - 64),
      rsi: BigInt(data),
      rdi: bad,
      rflags: 0x2n | 0x8d5n,
    };
    const { fault, registers } = await cpu.run(text, before);
    assert.equal(fault?.vector, 14);
    assert.equal(fault?.rip, BigInt(code));
    for (const [name, value] of Object.entries(before)) {
      if (name === "rflags") assert.equal(registers.rflags & 0x8d5n, 0x8d5n, name);
      else assert.equal(registers[name as keyof typeof registers], value, name);
    }
  });
}

for (const mode of ["long", "protected"] satisfies TestMode[]) {
  test(`${mode}: a fetch from a page that is not there faults at its address`, async () => {
    const cpu = new TestCpu({ accelerator: await testInterpreter(), mode, paging: "pae" });
    // 4 KiB pages for the second 2 MiB: the first page is `data`, the next is absent.
    const table = 0x10000;
    const entries = mode === "long" ? pageTables + 0x2000 : pageTables + 0x1000;
    cpu.memory.write64(entries + 8, BigInt(table) | 7n);
    cpu.memory.write64(table, BigInt(data) | 7n);
    // A five-byte MOV begins three bytes before the end of the page that is there.
    cpu.load("nop; nop; mov ecx, 0x12345678", data + 0xffb);
    const { fault, registers } = await cpu.run(`inc ebx; mov edi, 0x200ffb; jmp ${mode === "long" ? "rdi" : "edi"}`);
    assert.equal(fault?.vector, 14);
    assert.equal(fault?.rip, 0x200ffdn);
    assert.equal(fault?.address, 0x201000n);
    assert.equal(registers.rbx, 1n);
    assert.equal(registers.rcx, 0n);
  });
}

test("fifteen bytes are an instruction, sixteen are #GP", async () => {
  const cpu = new TestCpu({ accelerator: await testInterpreter(), mode: "long" });
  const prefixes = (count: number) => Uint8Array.from([...new Array(count).fill(0x66), 0x90]);
  assert.equal((await cpu.run(prefixes(14))).fault, null);
  const { fault } = await cpu.run(prefixes(15));
  assert.deepEqual([fault?.vector, fault?.errorCode, fault?.rip], [13, 0, BigInt(code)]);
});

test("targets that are not canonical fault at the transfer", async () => {
  const cpu = new TestCpu({ accelerator: await testInterpreter(), mode: "long" });
  for (const text of ["jmp rax", "call rax", "push rax; ret", "mov [0xa000], rax; jmp [0xa000]"]) {
    const { fault, registers } = await cpu.run(text, { rax: 0x8000_0000_0000n });
    assert.equal(fault?.vector, 13, text);
    assert.equal(fault?.errorCode, 0, text);
    assert.ok(fault.rip >= BigInt(code) && fault.rip < BigInt(code + 32), text);
    assert.equal(registers.rsp, BigInt(TEST_LAYOUT.stackTop) - (text.startsWith("push") ? 8n : 0n), text);
  }
});

test("a block of many instructions without a jump goes on", async () => {
  const cpu = new TestCpu({ accelerator: await testInterpreter(), mode: "long" });
  const { registers } = await cpu.run(`${"inc eax; ".repeat(500)}inc rbx`);
  assert.equal(registers.rax, 500n);
  assert.equal(registers.rbx, 1n);
});

test("the arena of decoded blocks is emptied when it is full, and running goes on", async () => {
  const cpu = new TestCpu({ accelerator: await testInterpreter(), mode: "long" });
  // Each time around 2 KiB of NOPs are new: 32 blocks of 64 records.
  const { registers, exit } = await cpu.run(
    `mov ebp, 1500
     mov rax, 0x9090909090909090
     1: mov edi, ${data}
     mov ecx, 256
     rep stosq
     mov byte ptr [rdi - 1], 0xc3
     mov edi, ${data}
     call rdi
     dec ebp
     jnz 1b`,
    {},
    undefined,
    10_000_000,
  );
  assert.ok(Number(cpu.vcpu.counters().details.codeArenaFlushes) > 0);
  assert.equal(exit.reason, "halt");
  assert.equal(registers.rbp, 0n);
});
