/** Debug exceptions: breakpoints on ports, RF, traps between repetitions, what holds a trap back. Intel SDM vol. 3B chapter 18. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assemble } from "../../test-support/assemble.js";
import { testInterpreter } from "../../test-support/interpreter.js";
import { interruptMessage } from "../../test-support/interrupt-message.js";
import { TEST_LAYOUT, TEST_SELECTORS, TestCpu, type TestRun } from "../../test-support/test-cpu.js";
import { setHandler } from "../../test-support/test-environment.js";

const accelerator = await testInterpreter();

const TF = 0x100n;
const IF = 0x200n;
const RF = 0x10000n;
const DE = 8n;
const CODE = TEST_LAYOUT.code;

interface Breakpoint {
  address: bigint;
  /** 0 execute, 1 write, 2 port, 3 read or write. */
  kind: number;
  bytes?: 1 | 2 | 4;
}

function run(cpu: TestCpu, source: string, points: Breakpoint[], registers = {}, cr4 = DE): Promise<TestRun> {
  return cpu.run(source, registers, (state) => {
    state.cr4 |= cr4;
    state.dr.dr7 = 0x400n;
    points.forEach(({ address, kind, bytes = 1 }, index) => {
      state.dr[`dr${index}` as "dr0"] = address;
      state.dr.dr7 |= (1n << BigInt(index * 2)) | (BigInt(kind | ((bytes - 1) << 2)) << BigInt(16 + index * 4));
    });
  });
}

test("a breakpoint on a port traps after IN and OUT, under CR4.DE only", async () => {
  const cpu = new TestCpu({ accelerator, mode: "protected" });
  const hit = await run(cpu, "out 0x44, al; nop", [{ address: 0x44n, kind: 2 }]);
  assert.equal(hit.fault?.vector, 1);
  assert.equal(hit.fault?.rip, BigInt(CODE + 2));
  assert.equal(hit.state.dr.dr6 & 0xfn, 1n);
  assert.equal(hit.fault!.rflags & RF, 0n);
  assert.deepEqual(cpu.portWrites, [{ port: 0x44, size: 1, value: 0 }]);
  // A wider access covers it, and a wider breakpoint is aligned.
  const wide = [
    { address: 0x0n, kind: 2 },
    { address: 0x46n, kind: 2, bytes: 4 as const },
  ];
  const covered = await run(cpu, "mov edx, 0x45; in eax, dx; nop", wide);
  assert.equal(covered.fault?.rip, BigInt(CODE + 6));
  assert.equal(covered.state.dr.dr6 & 0xfn, 2n);
  assert.equal((await run(cpu, "in al, 0x43; in al, 0x48", wide)).fault, null);
  // Without DE the kind is undefined: here it is none.
  assert.equal((await run(cpu, "out 0x44, al", [{ address: 0x44n, kind: 2 }], {}, 0n)).fault, null);
  cpu.close();
});

test("a breakpoint on a port traps after each repetition of INS and OUTS", async () => {
  const cpu = new TestCpu({ accelerator, mode: "protected" });
  const registers = { rcx: 3n, rdx: 0x44n, rsi: BigInt(TEST_LAYOUT.data) };
  const between = await run(cpu, "rep outsb; nop", [{ address: 0x44n, kind: 2 }], registers);
  assert.equal(between.fault?.vector, 1);
  assert.equal(between.fault?.rip, BigInt(CODE));
  assert.equal(between.registers.rcx, 2n);
  assert.equal(between.fault!.rflags & RF, RF, "repetitions are left");
  const last = await run(cpu, "rep outsb; nop", [{ address: 0x44n, kind: 2 }], { ...registers, rcx: 1n });
  assert.equal(last.fault?.rip, BigInt(CODE + 2));
  assert.equal(last.fault!.rflags & RF, 0n);
  cpu.close();
});

test("TF traps after each repetition", async () => {
  const cpu = new TestCpu({ accelerator, mode: "long" });
  const registers = { rcx: 3n, rdi: BigInt(TEST_LAYOUT.data), rflags: 2n | TF };
  const first = await cpu.run("rep stosb; nop", registers);
  assert.equal(first.fault?.rip, BigInt(CODE));
  assert.equal(first.registers.rcx, 2n);
  assert.equal(first.fault!.rflags & RF, RF);
  const end = await cpu.run("rep stosb; nop", { ...registers, rcx: 1n });
  assert.equal(end.fault?.rip, BigInt(CODE + 2));
  cpu.close();
});

test("behind MOV SS an instruction breakpoint traps on AMD's processors and is lost on Intel's", async () => {
  for (const [vendor, trapped] of [
    ["amd", BigInt(CODE + 2)],
    ["intel", undefined],
  ] as const) {
    const cpu = new TestCpu({ accelerator, mode: "protected", model: `max,vendor=${vendor}` });
    const registers = { rax: BigInt(TEST_SELECTORS.data[0]!) };
    const { fault } = await run(cpu, "mov ss, eax; nop; nop", [{ address: BigInt(CODE + 2), kind: 0 }], registers);
    assert.equal(fault?.rip, trapped, vendor);
    cpu.close();
  }
});

test("an instruction breakpoint on a string instruction hits once, and RF carries the program over it", async () => {
  const cpu = new TestCpu({ accelerator, mode: "protected" });
  const handler = 0xf800;
  setHandler(cpu.memory, "protected", 1, handler);
  // Faults push RF: IRET goes on behind the breakpoint.
  cpu.memory.write(handler, assemble("inc ebx; iretd", 32));
  const registers = { rcx: 5n, rdi: BigInt(TEST_LAYOUT.data) };
  const once = await run(cpu, "rep stosb; rep stosb", [{ address: BigInt(CODE), kind: 0 }], registers);
  assert.equal(once.fault, null);
  assert.equal(once.registers.rbx, 1n);
  assert.equal(once.registers.rcx, 0n);
  // RF lasts for one instruction.
  const loop = await run(cpu, "mov ecx, 3; nop; loop .-1", [{ address: BigInt(CODE + 5), kind: 0 }]);
  assert.equal(loop.registers.rbx, 3n);
  cpu.close();
});

test("an interrupt between repetitions pushes RF, one after them does not", async () => {
  const cpu: TestCpu = new TestCpu({
    accelerator,
    mode: "protected",
    bus: { portWrite: () => cpu.vcpu.interrupt(interruptMessage({ deliveryMode: "nmi" })) },
  });
  const repeated = await cpu.run("rep outsb; nop", { rcx: 3n, rdx: 0x80n, rflags: 2n | IF });
  assert.equal(repeated.fault?.vector, 2);
  assert.equal(repeated.fault?.rip, BigInt(CODE));
  assert.equal(repeated.fault!.rflags & RF, RF);
  const after = await cpu.run("rep outsb; nop", { rcx: 1n, rdx: 0x80n });
  assert.equal(after.fault?.rip, BigInt(CODE + 2));
  assert.equal(after.fault!.rflags & RF, 0n);
  cpu.close();
});

test("MOV SS and POP SS hold a data breakpoint's trap back for one instruction, also over INT; LSS does not", async () => {
  const cpu = new TestCpu({ accelerator, mode: "protected" });
  const data = TEST_LAYOUT.data;
  cpu.memory.write32(data, TEST_LAYOUT.stackTop);
  cpu.memory.write32(data + 4, TEST_SELECTORS.data[0]!);
  const points = [{ address: BigInt(data + 4), kind: 3, bytes: 4 as const }];
  const held = await run(cpu, `mov ss, [${data + 4}]; nop; nop`, points);
  assert.equal(held.fault?.vector, 1);
  assert.equal(held.fault?.rip, BigInt(CODE + 7));
  assert.equal(held.state.dr.dr6 & 0x400fn, 1n);
  // The trap comes at the first instruction of INT's handler.
  const over = await run(cpu, `mov ss, [${data + 4}]; int 0x80`, points);
  assert.equal(over.fault?.vector, 1);
  assert.equal(over.fault?.rip, BigInt(TEST_LAYOUT.handlers + 4 * 0x80));
  const lss = await run(cpu, `lss esp, [${data}]; nop; nop`, points);
  assert.equal(lss.fault?.rip, BigInt(CODE + 7));
  assert.equal(lss.fault?.vector, 1);
  cpu.close();
});

test("a breakpoint met by an instruction that faults is forgotten: the instruction starts over", async () => {
  const cpu = new TestCpu({ accelerator, mode: "protected" });
  cpu.memory.write64(TEST_LAYOUT.gdt + TEST_SELECTORS.freeGdt, 0x0040_9300_0000_0fffn);
  // Reads the watched word, then writes where ES ends.
  const points = [{ address: BigInt(TEST_LAYOUT.data), kind: 3 }];
  const registers = { rcx: BigInt(TEST_SELECTORS.freeGdt), rsi: BigInt(TEST_LAYOUT.data), rdi: 0x1000n };
  const faulted = await run(cpu, "mov es, ecx; movsb", points, registers);
  assert.equal(faulted.fault?.vector, 13);
  assert.equal(faulted.state.dr.dr6 & 0xfn, 0n);
  cpu.close();
});

test("INT1 enters the #DB handler whatever the gate's DPL, and leaves DR6 alone", async () => {
  const cpu = new TestCpu({ accelerator, mode: "protected", ring: 3 });
  cpu.memory.write32(TEST_LAYOUT.idt + 12, 0x8e00);
  const icebp = await cpu.run(".byte 0xf1; nop");
  assert.equal(icebp.fault?.vector, 1);
  assert.equal(icebp.fault?.rip, BigInt(CODE + 1));
  assert.equal(icebp.fault!.rflags & RF, 0n);
  assert.equal(icebp.state.dr.dr6, 0xffff0ff0n);
  const plain = await cpu.run("int 1");
  assert.equal(plain.fault?.vector, 13);
  assert.equal(plain.fault?.errorCode, 10);
  cpu.close();
});
