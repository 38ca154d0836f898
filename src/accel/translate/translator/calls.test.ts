import assert from "node:assert/strict";
import { test } from "node:test";
import { compiledCore } from "../../../test-support/compiled-core.js";
import { TestCpu } from "../../../test-support/test-cpu.js";
import { createInterpreter, createTranslator } from "../accelerator.js";

/** A loop whose body computes with XMM0 and XMM1, calls what changes something, and computes again. */
function loop(before: string, callee: string, after: string): string {
  return `
    lea rbx, [rip + 3f]
    mov dword ptr [0xa000], 0x1fa0
    mov dword ptr [0xa004], 0x5fa0
    mov rax, 0x3ff0000000000000
    mov rdx, 0x3c30000000000000
    mov r8d, 1
  1:
    ldmxcsr [0xa000]
    movq xmm0, rax
    movq xmm1, rax
    ${before}
    call rbx
    ${after}
    movq rsi, xmm0
    stmxcsr [0xa008]
    mov edi, [0xa008]
    dec ecx
    jnz 1b
    jmp 4f
  3:
    ${callee}
    ret
  4:`;
}

/** Runs a program, most of it in regions, and compares with the interpreter. */
async function compare(program: string): Promise<Record<string, bigint>> {
  const module = await compiledCore();
  const start = { rcx: 300n };
  const expected = await new TestCpu({ accelerator: createInterpreter(module), mode: "long" }).run(program, start);
  const cpu = new TestCpu({ accelerator: createTranslator(module, { heat: 20, batch: 1 }), mode: "long" });
  const { registers } = await cpu.run(program, start);
  assert.ok(cpu.vcpu.counters().details.regionInstructions! > 1000);
  assert.deepEqual(registers, expected.registers);
  return registers;
}

test("a callee changes an operand to a denormal", async () => {
  const { rdi } = await compare(loop("addsd xmm0, xmm1", "movq xmm1, r8", "addsd xmm0, xmm1"));
  assert.equal(rdi! & 2n, 2n, "MXCSR.DE");
});

test("a callee changes the rounding", async () => {
  const callee = "ldmxcsr [0xa004]; movq xmm1, rdx";
  const { rsi } = await compare(loop("divsd xmm0, xmm1", callee, "addsd xmm0, xmm1"));
  assert.equal(rsi, 0x3ff0_0000_0000_0001n, "1 + 2^-60 rounded up");
});
