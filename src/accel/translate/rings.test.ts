// Privilege levels: guest code at all four rings, in one program, by call gates inward and far returns
// outward. Intel SDM vol. 3A 5.8.
import assert from "node:assert/strict";
import { test } from "node:test";
import { testInterpreter } from "../../test-support/interpreter.js";
import { TEST_LAYOUT, TEST_SELECTORS, TestCpu } from "../../test-support/test-cpu.js";

const { code, data, freeGdt } = TEST_SELECTORS;
/** Gates that ring 3, 2 and 1 call: each leads one ring inward. */
const GATES = { to2: freeGdt, to1: freeGdt + 0x10, to0: freeGdt + 0x20 };
const LOG = TEST_LAYOUT.data;

/** Where a label lies: the program keeps a table of its labels at the end of the code page. */
const ENTRIES = TEST_LAYOUT.code + 0x400;

function writeGate32(
  cpu: TestCpu,
  gate: number,
  selector: number,
  offset: number,
  parameters: number,
  dpl: number,
): void {
  cpu.memory.write32(TEST_LAYOUT.gdt + gate, (selector << 16) | (offset & 0xffff));
  cpu.memory.write32(TEST_LAYOUT.gdt + gate + 4, (offset & 0xffff0000) | 0x8c00 | (dpl << 13) | parameters);
}

test("protected mode: from ring 0 to ring 3, back inward through rings 2, 1 and 0, and out again", async () => {
  const cpu = new TestCpu({ accelerator: await testInterpreter(), mode: "protected" });
  // Each ring appends CS, SS and ESP to the log at EDI.
  const log = "mov [edi], cs; mov [edi + 4], ss; mov [edi + 8], esp; add edi, 12;";
  const program = `
    ${log}
    push ${data[3]}
    push 0xc800
    push ${code[3]}
    push offset ring3
    retf
  ring3:
    mov eax, ${data[3]}
    mov ds, ax
    ${log}
    push 0x1111
    push 0x2222
    call ${GATES.to2}:0
    ${log}
    jmp done
  ring2:
    ${log}
    mov ecx, [esp + 12]
    mov edx, [esp + 8]
    call ${GATES.to1}:0
    ${log}
    retf 8
  ring1:
    ${log}
    call ${GATES.to0}:0
    ${log}
    retf
  ring0:
    ${log}
    retf
    .org ${ENTRIES - TEST_LAYOUT.code}
    .long ring2, ring1, ring0
  done:`;
  cpu.load(program);
  const entry = (index: number) => cpu.memory.read32(ENTRIES + index * 4);
  writeGate32(cpu, GATES.to2, code[2] & ~3, entry(0), 2, 3);
  writeGate32(cpu, GATES.to1, code[1] & ~3, entry(1), 0, 2);
  writeGate32(cpu, GATES.to0, code[0] & ~3, entry(2), 0, 1);

  const { fault, registers } = await cpu.run(program, { rdi: BigInt(LOG) });
  assert.equal(fault, null);
  const steps = (Number(registers.rdi) - LOG) / 12;
  const logged = Array.from({ length: steps }, (_, step) => {
    const at = LOG + step * 12;
    return [cpu.memory.read16(at), cpu.memory.read16(at + 4), cpu.memory.read32(at + 8)];
  });
  const [top0 = 0, top1 = 0, top2 = 0] = TEST_LAYOUT.ringStackTops;
  assert.deepEqual(logged, [
    [code[0], data[0], TEST_LAYOUT.stackTop],
    [code[3], data[3], 0xc800],
    // SS, ESP, two parameters, CS, EIP of the caller.
    [code[2], data[2], top2 - 24],
    [code[1], data[1], top1 - 16],
    [code[0], data[0], top0 - 16],
    [code[1], data[1], top1 - 16],
    [code[2], data[2], top2 - 24],
    // RETF 8 released the parameters on both stacks.
    [code[3], data[3], 0xc800],
  ]);
  assert.deepEqual([registers.rcx, registers.rdx], [0x1111n, 0x2222n]);
});

test("long mode: the same with 16-byte gates and null stack segments", async () => {
  const cpu = new TestCpu({ accelerator: await testInterpreter(), mode: "long" });
  const log = "mov [rdi], cs; mov [rdi + 8], ss; mov [rdi + 16], rsp; add rdi, 24;";
  const program = `
    ${log}
    push ${data[3]}
    push 0xc800
    push ${code[3]}
    push offset ring3
    rex.w retf
  ring3:
    ${log}
    call fword ptr [to2]
    ${log}
    jmp done
  ring2:
    ${log}
    call fword ptr [to1]
    ${log}
    rex.w retf
  ring1:
    ${log}
    call fword ptr [to0]
    ${log}
    rex.w retf
  ring0:
    ${log}
    rex.w retf
  to2:
    .long 0; .word ${GATES.to2}
  to1:
    .long 0; .word ${GATES.to1}
  to0:
    .long 0; .word ${GATES.to0}
    .org ${ENTRIES - TEST_LAYOUT.code}
    .long ring2, ring1, ring0
  done:`;
  cpu.load(program);
  const gate = (at: number, selector: number, index: number, dpl: number) => {
    writeGate32(cpu, at, selector & ~3, cpu.memory.read32(ENTRIES + index * 4), 0, dpl);
    cpu.memory.write64(TEST_LAYOUT.gdt + at + 8, 0n);
  };
  gate(GATES.to2, code[2], 0, 3);
  gate(GATES.to1, code[1], 1, 2);
  gate(GATES.to0, code[0], 2, 1);

  const { fault, registers } = await cpu.run(program, { rdi: BigInt(LOG) });
  assert.equal(fault, null);
  const steps = (Number(registers.rdi) - LOG) / 24;
  const logged = Array.from({ length: steps }, (_, step) => {
    const at = LOG + step * 24;
    return [cpu.memory.read16(at), cpu.memory.read16(at + 8), Number(cpu.memory.read64(at + 16))];
  });
  const [top0 = 0, top1 = 0, top2 = 0] = TEST_LAYOUT.ringStackTops;
  assert.deepEqual(logged, [
    [code[0], data[0], TEST_LAYOUT.stackTop],
    [code[3], data[3], 0xc800],
    // SS, RSP, CS, RIP of the caller; SS is null with the new ring's RPL.
    [code[2], 2, top2 - 32],
    [code[1], 1, top1 - 32],
    [code[0], 0, top0 - 32],
    [code[1], 1, top1 - 32],
    [code[2], 2, top2 - 32],
    [code[3], data[3], 0xc800],
  ]);
});

test("a gate does not lead outward, and not for callers beyond its DPL", async () => {
  const cpu = new TestCpu({ accelerator: await testInterpreter(), mode: "protected", ring: 1 });
  const program = `call ${GATES.to0}:0`;
  writeGate32(cpu, GATES.to0, code[2] & ~3, TEST_LAYOUT.code, 0, 3);
  const outward = await cpu.run(program);
  assert.deepEqual([outward.fault?.vector, outward.fault?.errorCode], [13, code[2] & ~3]);
  writeGate32(cpu, GATES.to0, code[0] & ~3, TEST_LAYOUT.code, 0, 0);
  const beyond = await cpu.run(program);
  assert.deepEqual([beyond.fault?.vector, beyond.fault?.errorCode], [13, GATES.to0]);
});
