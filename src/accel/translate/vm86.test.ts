/** Virtual-8086 mode: IOPL-sensitive instructions, CR4.VME and CR4.PVI, the redirection bitmap, ports. SDM vol. 3A chapter 21. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assemble } from "../../test-support/assemble.js";
import { testInterpreter } from "../../test-support/interpreter.js";
import { TEST_LAYOUT, TestCpu, type TestRun } from "../../test-support/test-cpu.js";
import { setHandler } from "../../test-support/test-environment.js";

const accelerator = await testInterpreter();

const CODE = 0x9000;
const STACK_SEGMENT = 0xb00;
/** Of the 8086 task's own interrupt handlers. */
const OWN_HANDLER = 0x9800;
const IOPL_3 = 0x3000n;
const IF = 0x200n;
const VM = 0x20000n;
const VIF = 0x80000n;
const VIP = 0x100000n;
const VME = 1n;
const REDIRECTION = TEST_LAYOUT.tss + 0x68;

/** Vector and error code: `13(0x0)`, `6`. The program's end is 0xf0: the monitor's interrupt, which needs IOPL 3. */
function faultOf(run: TestRun): string {
  if (run.fault === null) return run.exit.reason === "halt" ? "none" : run.exit.reason;
  const { vector, errorCode } = run.fault;
  return errorCode === null ? String(vector) : `${vector}(0x${errorCode.toString(16)})`;
}

interface Start {
  flags?: bigint;
  cr4?: bigint;
  ax?: bigint;
}

/** A machine whose TSS has a redirection bitmap at REDIRECTION, all for the monitor, and free ports 0 to 0x7f. */
function machine(): TestCpu {
  const cpu = new TestCpu({ accelerator, mode: "protected" });
  const { memory } = cpu;
  memory.write16(TEST_LAYOUT.tss + 0x66, 0x68 + 32);
  memory.write(REDIRECTION, new Uint8Array(32).fill(0xff));
  memory.write(REDIRECTION + 32, new Uint8Array(16));
  memory.write(REDIRECTION + 48, new Uint8Array(16).fill(0xff));
  return cpu;
}

function redirect(cpu: TestCpu, vector: number): void {
  const at = REDIRECTION + (vector >> 3);
  cpu.memory.write8(at, cpu.memory.read8(at) & ~(1 << (vector & 7)));
  cpu.memory.write16(vector * 4, OWN_HANDLER - CODE);
  cpu.memory.write16(vector * 4 + 2, CODE >> 4);
}

/** Runs 16-bit code in virtual-8086 mode; it ends with INT1, which no IOPL holds back. */
async function run(cpu: TestCpu, source: string, { flags = 0n, cr4 = 0n, ax = 0n }: Start = {}): Promise<TestRun> {
  cpu.memory.write(CODE, assemble(`${source}; .byte 0xf1`, 16, 0));
  return cpu.run("nop", {}, (state) => {
    state.rflags = 2n | VM | flags;
    const segment = (selector: number) => ({ selector, base: BigInt(selector << 4), limit: 0xffff, attributes: 0xf3 });
    for (const name of ["es", "ds", "fs", "gs"] as const) state.segments[name] = segment(0xa00);
    state.segments.cs = segment(CODE >> 4);
    state.segments.ss = segment(STACK_SEGMENT);
    state.segments.tr.limit = 0x68 + 63;
    state.rip = 0n;
    state.gpr[0] = ax;
    state.gpr[4] = 0x1000n;
    state.cr4 |= cr4;
  });
}

const ENDED = "1";

test("below IOPL 3 the sensitive instructions are the monitor's: #GP(0)", async () => {
  for (const source of ["cli", "sti", "pushf", "popf", "int 0x21", "iret", "pushfd", "popfd", "iretd"]) {
    for (const iopl of [0n, 0x2000n]) {
      const cpu = machine();
      const faulted = await run(cpu, source, { flags: iopl });
      assert.equal(faultOf(faulted), "13(0x0)", source);
      assert.equal(faulted.fault?.rip, 0n);
      cpu.close();
    }
  }
});

test("at IOPL 3 they work as in real mode, but for IOPL and VM", async () => {
  const cpu = machine();
  const flags = await run(cpu, "sti; nop; pushf; pop ax; cli; push 0x0ed7; popf; pushf; pop bx", { flags: IOPL_3 });
  assert.equal(faultOf(flags), ENDED);
  assert.equal(flags.registers.rax & 0xffffn, 0x3202n);
  assert.equal(flags.registers.rbx & 0xffffn, 0x3ed7n);
  const wide = await run(cpu, "push 0x20; push 0; popfd; pushfd; pop eax", { flags: IOPL_3 });
  assert.equal(faultOf(wide), ENDED);
  // ID is taken; VM is neither changed nor shown.
  assert.equal(wide.registers.rax, 0x203002n);
  assert.equal(wide.fault!.rflags & VM, VM);
  const back = await run(cpu, "push 0x0; push 0x900; push 0x20; iret; .org 0x20; mov ax, cs", { flags: IOPL_3 | IF });
  assert.equal(faultOf(back), ENDED);
  assert.equal(back.fault!.rflags & (IOPL_3 | IF | VM), IOPL_3 | VM);
  cpu.close();
});

test("INT at IOPL 3 goes through the gate; INT3, INTO and INT1 do so at any IOPL", async () => {
  const cpu = machine();
  assert.equal(faultOf(await run(cpu, "int 0x21", { flags: IOPL_3 })), "33");
  assert.equal(faultOf(await run(cpu, "int3")), "3");
  assert.equal(faultOf(await run(cpu, "into", { flags: 0x800n })), "4");
  assert.equal(faultOf(await run(cpu, "nop")), ENDED);
  // A gate to a handler outside of ring 0: #GP with its selector.
  cpu.memory.write32(TEST_LAYOUT.idt + 0x21 * 8, (0x2a << 16) | TEST_LAYOUT.handlers);
  assert.equal(faultOf(await run(cpu, "int 0x21", { flags: IOPL_3 })), "13(0x28)");
  cpu.close();
});

test("CR4.VME gives a virtual interrupt flag below IOPL 3", async () => {
  const cpu = machine();
  const start = { flags: IF, cr4: VME };
  const set = await run(cpu, "sti; pushf; pop ax", start);
  assert.equal(faultOf(set), ENDED);
  // IOPL 3 and IF are shown, whatever they are.
  assert.equal(set.registers.rax & 0xffffn, 0x3202n);
  assert.equal(set.fault!.rflags & (VIF | IF | IOPL_3), VIF | IF);
  const cleared = await run(cpu, "cli; pushf; pop ax", { flags: IF | VIF, cr4: VME });
  assert.equal(cleared.registers.rax & 0xffffn, 0x3002n);
  assert.equal(cleared.fault!.rflags & (VIF | IF), IF);
  const popped = await run(cpu, "push 0x7ed7; popf", start);
  assert.equal(faultOf(popped), ENDED);
  assert.equal(popped.fault!.rflags, 0x4ed7n | VIF | VM);
  // 32-bit forms are the monitor's still.
  for (const source of ["pushfd", "popfd", "iretd"]) assert.equal(faultOf(await run(cpu, source, start)), "13(0x0)");
  // So is what would open interrupts while one waits, and the trap flag.
  const waiting = { flags: IF | VIP, cr4: VME };
  assert.equal(faultOf(await run(cpu, "sti", waiting)), "13(0x0)");
  assert.equal(faultOf(await run(cpu, "push 0x200; popf", waiting)), "13(0x0)");
  assert.equal(faultOf(await run(cpu, "push 2; popf", waiting)), ENDED);
  assert.equal(faultOf(await run(cpu, "push 0x102; popf", start)), "13(0x0)");
  assert.equal(faultOf(await run(cpu, "push 0x202; push 0x900; push 0x20; iret", waiting)), "13(0x0)");
  const returned = await run(cpu, "push 0x202; push 0x900; push 0x20; iret; .org 0x20; nop", start);
  assert.equal(faultOf(returned), ENDED);
  assert.equal(returned.fault?.rip, 0x22n);
  assert.equal(returned.fault!.rflags & (VIF | IF | IOPL_3), VIF | IF);
  cpu.close();
});

test("CR4.VME redirects INT n by the TSS's bitmap", async () => {
  const cpu = machine();
  redirect(cpu, 0x21);
  cpu.memory.write(
    OWN_HANDLER,
    assemble("mov bp, sp; mov ax, [bp + 4]; mov dx, [bp + 2]; mov bx, [bp]; pushf; pop cx; iret", 16),
  );
  const own = await run(cpu, "int 0x21; pushf; pop si", { flags: IF | VIF, cr4: VME });
  assert.equal(faultOf(own), ENDED);
  assert.deepEqual(
    [own.registers.rax, own.registers.rdx, own.registers.rbx].map((value) => value & 0xffffn),
    [0x3202n, 0x900n, 2n],
  );
  // The handler starts with VIF clear; its IRET sets it again.
  assert.equal(own.registers.rcx & 0xffffn, 0x3002n);
  assert.equal(own.registers.rsi & 0xffffn, 0x3202n);
  assert.equal(cpu.memory.read32(Number(own.state.gpr[4]) + 12), 0x1000, "SP");
  // At IOPL 3 it is IF itself.
  const real = await run(cpu, "int 0x21; pushf; pop si", { flags: IF | IOPL_3, cr4: VME });
  assert.equal(real.registers.rax & 0xffffn, 0x3202n);
  assert.equal(real.registers.rcx & 0xffffn, 0x3002n);
  // A set bit: the monitor's gate at IOPL 3, #GP(0) below. Without VME the bitmap means nothing.
  assert.equal(faultOf(await run(cpu, "int 0x22", { flags: IOPL_3, cr4: VME })), "34");
  assert.equal(faultOf(await run(cpu, "int 0x22", { cr4: VME })), "13(0x0)");
  assert.equal(faultOf(await run(cpu, "int 0x21", { flags: IOPL_3 })), "33");
  // A bitmap outside of the TSS.
  cpu.memory.write16(TEST_LAYOUT.tss + 0x66, 0xf000);
  assert.equal(faultOf(await run(cpu, "int 0x21", { flags: IOPL_3, cr4: VME })), "13(0x0)");
  cpu.close();
});

test("CR4.PVI gives ring 3 of protected mode a virtual interrupt flag for CLI and STI", async () => {
  for (const mode of ["protected", "long"] as const) {
    const cpu = new TestCpu({ accelerator, mode, ring: 3 });
    const pvi = (source: string, rflags: bigint) =>
      cpu.run(source, { rflags: 2n | rflags }, (state) => {
        state.cr4 |= 2n;
      });
    const set = await pvi("sti; nop; pushf; pop ax", 0n);
    assert.equal(faultOf(set), "none");
    assert.equal(set.registers.rflags & (VIF | IF), VIF);
    // PUSHF and POPF show and change the real one.
    assert.equal(set.registers.rax & 0x3200n, 0n);
    assert.equal((await pvi("cli", VIF | IF)).registers.rflags & (VIF | IF), IF);
    assert.equal((await pvi("push 0x202; popf", 0n)).registers.rflags & (VIF | IF), 0n);
    assert.equal(faultOf(await pvi("sti", VIP)), "13(0x0)");
    cpu.close();
  }
  const inner = new TestCpu({ accelerator, mode: "protected", ring: 2 });
  const faulted = await inner.run("sti", {}, (state) => {
    state.cr4 |= 2n;
  });
  assert.equal(faultOf(faulted), "13(0x0)");
  inner.close();
});

test("ports ask the I/O permission bitmap at every IOPL", async () => {
  const cpu = machine();
  assert.equal(faultOf(await run(cpu, "in al, 0x40")), ENDED);
  assert.equal(faultOf(await run(cpu, "in al, 0x80", { flags: IOPL_3 })), "13(0x0)");
  assert.equal(faultOf(await run(cpu, "in ax, 0x7f", { flags: IOPL_3 })), "13(0x0)");
  cpu.close();
});

test("instructions of protected mode are #UD, privileged ones #GP(0)", async () => {
  const cpu = machine();
  for (const source of [
    "lldt ax",
    "ltr ax",
    "sldt ax",
    "str ax",
    "lar ax, bx",
    "lsl ax, bx",
    "verr ax",
    "arpl ax, bx",
  ]) {
    assert.equal(faultOf(await run(cpu, source, { flags: IOPL_3 })), "6", source);
  }
  for (const source of [
    "hlt",
    "mov eax, cr0",
    "mov cr0, eax",
    "clts",
    "lgdt [0]",
    "mov eax, dr7",
    "wbinvd",
    "invlpg [0]",
  ]) {
    assert.equal(faultOf(await run(cpu, source, { flags: IOPL_3 })), "13(0x0)", source);
  }
  cpu.close();
});

test("offsets beyond 64 KiB are #GP and #SS, and selectors are 16 bits of a base", async () => {
  const cpu = machine();
  assert.equal(faultOf(await run(cpu, "mov ax, [0xffff]")), "13(0x0)");
  assert.equal(faultOf(await run(cpu, "mov sp, 1; push ax")), "12(0x0)");
  assert.equal(faultOf(await run(cpu, "mov ebx, 0x10000; mov al, [ebx]")), "13(0x0)");
  cpu.memory.write16(0x5678 * 16 + 4, 0xbeef);
  const loaded = await run(cpu, "mov ax, 0x5678; mov gs, ax; mov cx, gs:[4]");
  assert.equal(faultOf(loaded), ENDED);
  assert.equal(loaded.registers.rcx & 0xffffn, 0xbeefn);
  cpu.close();
});

test("a 16-bit gate out of virtual-8086 mode pushes nine words", async () => {
  const cpu = machine();
  cpu.memory.write32(TEST_LAYOUT.idt + 0x21 * 8 + 4, 0xe600);
  const out = await run(cpu, "int 0x21", { flags: IOPL_3 });
  const top = TEST_LAYOUT.ringStackTops[0];
  assert.equal(out.state.gpr[4], BigInt(top - 18));
  const words = Array.from({ length: 9 }, (_, index) => cpu.memory.read16(top - 18 + index * 2));
  assert.deepEqual(words, [2, 0x900, 0x3002, 0x1000, STACK_SEGMENT, 0xa00, 0xa00, 0xa00, 0xa00]);
  cpu.close();
});

test("TF traps in virtual-8086 mode, and the 8086's own INT is not stepped into", async () => {
  const cpu = machine();
  const trapped = await run(cpu, "nop; nop", { flags: IOPL_3 | 0x100n });
  assert.equal(faultOf(trapped), "1");
  assert.equal(trapped.fault?.rip, 1n);
  assert.equal(trapped.state.dr.dr6 & 0x4000n, 0x4000n);
  redirect(cpu, 0x21);
  cpu.memory.write(OWN_HANDLER, assemble("mov ax, 7; iret", 16));
  const over = await run(cpu, "int 0x21; nop; nop", { flags: IOPL_3 | 0x100n, cr4: VME });
  // The trap comes after the instruction behind the IRET that brought TF back.
  assert.equal(over.fault?.rip, 3n);
  assert.equal(over.registers.rax & 0xffffn, 7n);
  cpu.close();
});

test("a handler of the monitor gets VIF and VIP in the flags it returns with", async () => {
  const cpu = machine();
  const handler = 0xf800;
  setHandler(cpu.memory, "protected", 0x21, handler);
  // Marks an interrupt as waiting.
  cpu.load("or dword ptr [esp + 8], 0x100000; iretd", handler);
  const waiting = await run(cpu, "int 0x21; cli", { flags: IOPL_3 | VIF, cr4: VME });
  assert.equal(faultOf(waiting), ENDED);
  assert.equal(waiting.fault!.rflags & (VIF | VIP), VIF | VIP);
  cpu.close();
});
