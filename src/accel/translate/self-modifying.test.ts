// Code that changes: by itself, through another mapping, by DMA. Intel SDM vol. 3A 8.1.3 and 11.6: x86
// notices a change of code in the instruction stream before the changed instruction executes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { testInterpreter } from "../../test-support/interpreter.js";
import { TEST_LAYOUT, TestCpu, type TestMode } from "../../test-support/test-cpu.js";

const { code, data, pageTables } = TEST_LAYOUT;

async function finish(cpu: TestCpu, text: string, registers = {}) {
  const result = await cpu.run(text, registers);
  assert.equal(result.fault, null);
  assert.equal(result.exit.reason, "halt");
  return result.registers;
}

for (const mode of ["real", "protected", "long"] satisfies TestMode[]) {
  test(`${mode}: a store into the very next instruction takes effect`, async () => {
    const cpu = new TestCpu({ accelerator: await testInterpreter(), mode });
    // The immediate of MOV CL is the byte at 1f + 1.
    const { rcx } = await finish(cpu, "mov byte ptr [1f + 1], 0x42; 1: mov cl, 0x11");
    assert.equal(rcx, 0x42n);
  });

  test(`${mode}: a store later in the running block takes effect`, async () => {
    const cpu = new TestCpu({ accelerator: await testInterpreter(), mode });
    const { rcx, rdx } = await finish(
      cpu,
      `mov byte ptr [1f + 1], 0x42
       inc dx
       inc dx
       1: mov cl, 0x11
       inc dx`,
    );
    assert.equal(rcx, 0x42n);
    assert.equal(rdx, 3n);
  });

  test(`${mode}: a loop rewrites its own body each time around`, async () => {
    const cpu = new TestCpu({ accelerator: await testInterpreter(), mode });
    const { rax } = await finish(
      cpu,
      `xor ax, ax
       mov cx, 20
       1: add ax, 1
       2: mov dl, 1
       movzx dx, dl
       add ax, dx
       inc byte ptr [2b + 1]
       dec cx
       jnz 1b`,
    );
    // 20 times 1, and 1 + 2 + ... + 20.
    assert.equal(rax, 230n);
  });
}

test("a compare that is fused with its jump notices a change of either", async () => {
  const cpu = new TestCpu({ accelerator: await testInterpreter(), mode: "long" });
  const { rax } = await finish(
    cpu,
    `mov ecx, 3
     1: mov byte ptr [2f + 2], 7   # cmp ecx, 7
     2: cmp ecx, 3
     je 3f
     or eax, 1
     3: mov byte ptr [2b + 3], 0x75 # jne
     mov byte ptr [2b + 2], 3
     cmp esi, 0
     jne 4f
     inc esi
     jmp 2b
     4: nop`,
  );
  // Once with cmp 7 and je: not taken. Then cmp 3 and jne: not taken either.
  assert.equal(rax, 1n);
});

test("a branch whose target was decoded, linked and then rewritten", async () => {
  const cpu = new TestCpu({ accelerator: await testInterpreter(), mode: "long" });
  const { rax, rbx } = await finish(
    cpu,
    `mov ecx, 100
     1: call 2f
     dec ecx
     jnz 1b
     mov byte ptr [2f + 2], 5
     call 2f
     jmp 3f
     2: add eax, 1
     inc ebx
     ret
     3: nop`,
  );
  assert.equal(rax, 105n);
  assert.equal(rbx, 101n);
});

test("data right beside code may be written without end", async () => {
  const cpu = new TestCpu({ accelerator: await testInterpreter(), mode: "long" });
  const { rax } = await finish(
    cpu,
    `mov ecx, 1000
     1: inc dword ptr [2f]
     dec ecx
     jnz 1b
     mov eax, [2f]
     jmp 3f
     2: .long 0
     3: nop`,
  );
  assert.equal(rax, 1000n);
});

test("an instruction that lies on two pages changes with either of them", async () => {
  const cpu = new TestCpu({ accelerator: await testInterpreter(), mode: "long" });
  // B9 imm32 begins three bytes before the page's end.
  const at = code + 0x1000 - 3;
  cpu.load("mov ecx, 0x44332211; ret", at);
  const { rax, rbx, rdx } = await finish(
    cpu,
    `mov edi, ${at}
     call rdi
     mov eax, ecx
     mov byte ptr [rdi + 1], 0x99
     call rdi
     mov ebx, ecx
     mov byte ptr [rdi + 4], 0x88
     call rdi
     mov edx, ecx`,
  );
  assert.equal(rax, 0x44332211n);
  assert.equal(rbx, 0x44332299n);
  assert.equal(rdx, 0x88332299n);
});

test("a store through another linear address changes code", async () => {
  const cpu = new TestCpu({ accelerator: await testInterpreter(), mode: "long" });
  // The second 2 MiB are the first ones once more.
  cpu.memory.write64(pageTables + 0x2000 + 8, 0x87n);
  const { rax, rbx } = await finish(
    cpu,
    `mov ecx, 10
     1: call 2f
     dec ecx
     jnz 1b
     mov byte ptr [2f + 2 + 0x200000], 3
     call 2f
     jmp 3f
     2: add eax, 1
     ret
     3: mov ebx, 1`,
  );
  assert.equal(rax, 13n);
  assert.equal(rbx, 1n);
});

test("a block runs at both of its linear addresses", async () => {
  const cpu = new TestCpu({ accelerator: await testInterpreter(), mode: "long" });
  cpu.memory.write64(pageTables + 0x2000 + 8, 0x87n);
  cpu.load("call 1f; 1: pop rax; ret", data);
  const { rbx, rcx } = await finish(
    cpu,
    `mov edi, ${data}; call rdi; mov rbx, rax; add edi, 0x200000; call rdi; mov rcx, rax; mov edi, ${data}; call rdi
     cmp rax, rbx; je 1f; ud2; 1: nop`,
  );
  assert.equal(rbx, BigInt(data + 5));
  assert.equal(rcx, BigInt(data + 0x200005));
});

test("another page in a code page's place is what runs after INVLPG", async () => {
  const cpu = new TestCpu({ accelerator: await testInterpreter(), mode: "long" });
  // 4 KiB pages for the second 2 MiB: its first page is `data`, later the page behind it.
  const table = 0x10000;
  cpu.memory.write64(pageTables + 0x2000 + 8, BigInt(table) | 7n);
  cpu.memory.write64(table, BigInt(data) | 7n);
  cpu.load("mov eax, 1; ret", data);
  cpu.load("mov eax, 2; ret", data + 0x1000);
  const { rbx, rcx } = await finish(
    cpu,
    `mov edi, 0x200000
     call rdi
     mov ebx, eax
     mov dword ptr [${table}], ${(data + 0x1000) | 7}
     invlpg [rdi]
     call rdi
     mov ecx, eax`,
  );
  assert.equal(rbx, 1n);
  assert.equal(rcx, 2n);
});

test("a string store over code ends it", async () => {
  const cpu = new TestCpu({ accelerator: await testInterpreter(), mode: "long" });
  cpu.load("mov eax, 1; ret", data);
  const result = await cpu.run(
    `mov ebx, ${data}; call rbx; mov edi, ${data}; mov ecx, 512; mov rax, 0x0b0f0b0f0b0f0b0f; rep stosq; call rbx`,
  );
  assert.equal(result.fault?.vector, 6);
  assert.equal(result.fault?.rip, BigInt(data));
});

test("code written by DMA is what runs", async () => {
  const cpu = new TestCpu({
    accelerator: await testInterpreter(),
    mode: "long",
    bus: { portWrite: () => cpu.load("mov eax, 2; ret", data) },
  });
  cpu.load("mov eax, 1; ret", data);
  const { rbx, rax } = await finish(cpu, `mov edi, ${data}; call rdi; mov ebx, eax; out 0x80, al; call rdi`);
  assert.equal(rbx, 1n);
  assert.equal(rax, 2n);
});
