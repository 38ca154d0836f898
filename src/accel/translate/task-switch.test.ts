/** Hardware task switches: JMP, CALL, IRET and gates through TSSs of both sizes, their checks, and faults in the new task. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { testInterpreter } from "../../test-support/interpreter.js";
import {
  TEST_LAYOUT,
  TEST_SELECTORS,
  TestCpu,
  type TestCpuOptions,
  type TestRun,
} from "../../test-support/test-cpu.js";

const accelerator = await testInterpreter();

/** The second task's TSS descriptor, a task gate to it, and an LDT. */
const TSS = TEST_SELECTORS.freeGdt;
const GATE = TSS + 8;
const LDT = TSS + 16;
const OTHER_CODE = TSS + 24;
/** The second task's TSS and code. */
const NEW = 0x10000;
const ENTRY = 0x12000;
const STACK = 0x13000;
const OLD = TEST_LAYOUT.tss;
const NT = 0x4000n;

const BUSY_16 = 3;
const AVAILABLE_16 = 1;
const AVAILABLE = 9;
const BUSY = 11;
const TASK_GATE = 5;

/** Vector and error code: `13(0x18)`, `6`, or `none`. */
function faultOf(run: TestRun): string {
  if (run.fault === null) return run.exit.reason === "halt" ? "none" : run.exit.reason;
  const { vector, errorCode } = run.fault;
  return errorCode === null ? String(vector) : `${vector}(0x${errorCode.toString(16)})`;
}

function systemDescriptor(type: number, base: number, limit: number, { dpl = 0, present = true } = {}): bigint {
  const access = type | (dpl << 5) | (present ? 0x80 : 0);
  const low = BigInt((((base & 0xffff) << 16) | (limit & 0xffff)) >>> 0);
  return low | (BigInt(((base >>> 16) & 0xff) | (access << 8)) << 32n);
}

function taskGate(selector: number, { dpl = 0, present = true } = {}): bigint {
  return (BigInt((dpl << 13) | (present ? 0x8000 : 0) | (TASK_GATE << 8)) << 32n) | BigInt(selector << 16);
}

/** The fields of a 32-bit TSS that a test changes. */
interface Task {
  eip?: number;
  eflags?: number;
  cs?: number;
  ss?: number;
  ds?: number;
  es?: number;
  fs?: number;
  gs?: number;
  ldt?: number;
  trap?: number;
  esp?: number;
  cr3?: number;
  esp0?: number;
  ss0?: number;
}

const code0 = TEST_SELECTORS.code[0]!;
const data0 = TEST_SELECTORS.data[0]!;

/** A machine in protected mode with a second task at ENTRY, 32-bit and available. */
function machine(options: Omit<TestCpuOptions, "accelerator" | "mode"> = {}, task: Task = {}): TestCpu {
  const cpu = new TestCpu({ accelerator, mode: "protected", ...options });
  const { memory } = cpu;
  memory.write64(TEST_LAYOUT.gdt + TSS, systemDescriptor(AVAILABLE, NEW, 0x67));
  memory.write64(TEST_LAYOUT.gdt + GATE, taskGate(TSS, { dpl: 3 }));
  memory.write64(TEST_LAYOUT.gdt + LDT, systemDescriptor(2, TEST_LAYOUT.ldt, 0x1f));
  writeTask(cpu, task);
  return cpu;
}

function writeTask(cpu: TestCpu, task: Task): void {
  const { memory } = cpu;
  memory.write32(NEW + 0x04, task.esp0 ?? TEST_LAYOUT.ringStackTops[0]);
  memory.write32(NEW + 0x08, task.ss0 ?? data0);
  memory.write32(NEW + 0x1c, task.cr3 ?? 0);
  memory.write32(NEW + 0x20, task.eip ?? ENTRY);
  memory.write32(NEW + 0x24, task.eflags ?? 2);
  for (let i = 0; i < 8; i++) memory.write32(NEW + 0x28 + i * 4, 0x1000_0000 * (i + 1) + i);
  memory.write32(NEW + 0x38, task.esp ?? STACK);
  const { es = data0, cs = code0, ss = data0, ds = data0, fs = 0, gs = 0 } = task;
  [es, cs, ss, ds, fs, gs].forEach((selector, index) => {
    memory.write32(NEW + 0x48 + index * 4, selector);
  });
  memory.write32(NEW + 0x60, task.ldt ?? 0);
  memory.write16(NEW + 0x64, task.trap ?? 0);
  memory.write16(NEW + 0x66, 0x68);
}

function typeOf(cpu: TestCpu, selector: number): number {
  return cpu.memory.read8(TEST_LAYOUT.gdt + selector + 5) & 0x1f;
}

test("JMP to a TSS saves one task and loads the other", async () => {
  const cpu = machine({}, { eflags: 0x46, fs: TEST_SELECTORS.data[3], ldt: LDT });
  cpu.load("int 0xf0", ENTRY);
  const run = await cpu.run(`mov eax, 0x11; mov edi, 0x77; stc; jmp ${TSS}:0`);
  assert.equal(faultOf(run), "none");
  // The old task.
  const { memory } = cpu;
  const saved = (offset: number) => memory.read32(OLD + offset);
  assert.equal(saved(0x20), TEST_LAYOUT.code + 18);
  assert.equal(saved(0x24), 3);
  assert.deepEqual([saved(0x28), saved(0x44)], [0x11, 0x77]);
  assert.equal(saved(0x38), TEST_LAYOUT.stackTop);
  assert.deepEqual([saved(0x4c), saved(0x50)], [code0, data0]);
  assert.equal(saved(0), 0, "no back link");
  // The new one.
  assert.equal(run.registers.rax, 0x10000000n);
  assert.equal(run.registers.rdi, 0x80000007n);
  assert.equal(run.registers.rflags & 0x4fffn, 0x46n);
  assert.equal(run.state.segments.tr.selector, TSS);
  assert.equal(run.state.segments.tr.base, BigInt(NEW));
  assert.equal(run.state.segments.fs.selector, TEST_SELECTORS.data[3]);
  assert.equal(run.state.segments.fs.limit, 0xffffffff);
  assert.equal(run.state.segments.ldtr.base, BigInt(TEST_LAYOUT.ldt));
  assert.equal(run.state.cr0 & 8n, 8n, "CR0.TS");
  assert.deepEqual([typeOf(cpu, TSS), typeOf(cpu, TEST_SELECTORS.tss)], [BUSY, AVAILABLE]);
  cpu.close();
});

test("CALL nests the new task, and IRET with NT leads back", async () => {
  for (const target of [TSS, GATE]) {
    const cpu = machine();
    cpu.load("pushfd; pop ebx; mov [0xa000], ebx; iretd; inc dword ptr [0xa004]; iretd", ENTRY);
    const run = await cpu.run(
      `mov eax, 0x11; call ${target}:0; clts; call ${target}:0; mov ecx, 0x22; pushfd; pop edx`,
    );
    assert.equal(faultOf(run), "none");
    assert.equal(run.registers.rax, 0x11n);
    assert.equal(run.registers.rcx, 0x22n);
    assert.equal(run.registers.rdx & NT, 0n);
    assert.equal(cpu.memory.read32(0xa000) & 0x4000, 0x4000, "NT in the nested task");
    assert.equal(cpu.memory.read16(NEW), TEST_SELECTORS.tss, "back link");
    // A task goes on where it left: behind its IRET.
    assert.equal(cpu.memory.read32(0xa004), 1);
    assert.equal(cpu.memory.read32(NEW + 0x24) & 0x4000, 0, "IRET saves its task without NT");
    assert.deepEqual([typeOf(cpu, TSS), typeOf(cpu, TEST_SELECTORS.tss)], [AVAILABLE, BUSY]);
    cpu.close();
  }
});

test("a 16-bit TSS keeps the lower halves, and loads ones above", async () => {
  const cpu = machine();
  const { memory } = cpu;
  memory.write64(TEST_LAYOUT.gdt + TSS, systemDescriptor(AVAILABLE_16, NEW, 0x2b));
  memory.write16(NEW + 0x0e, 0x9000);
  memory.write16(NEW + 0x10, 0x0046);
  for (let i = 0; i < 8; i++) memory.write16(NEW + 0x12 + i * 2, 0x1110 * (i + 1));
  memory.write16(NEW + 0x1a, 0xc000);
  [data0, code0, data0, data0, 0].forEach((selector, index) => {
    memory.write16(NEW + 0x22 + index * 2, selector);
  });
  cpu.load("mov [0xa000], eax; mov [0xa004], esp; mov [0xa008], edi; and esp, 0xffff; iretd", 0x9000);
  const run = await cpu.run(`mov eax, 0x12345678; mov fs, ecx; call ${TSS}:0`, { rcx: BigInt(data0) });
  assert.equal(faultOf(run), "none");
  assert.equal(run.registers.rax, 0x12345678n);
  assert.equal(run.state.segments.fs.selector, data0);
  assert.deepEqual([memory.read32(0xa000), memory.read32(0xa004)], [0xffff1110, 0xffffc000]);
  assert.equal(memory.read32(0xa008), 0xffff8880);
  assert.equal(memory.read16(NEW + 0x0e), 0x9000 + 0x14 + 4);
  cpu.close();
});

test("JMP and CALL check privilege, type, presence and limit", async () => {
  const cases: [bigint, bigint | null, string][] = [
    // The TSS's descriptor, and a task gate in front of it.
    [systemDescriptor(AVAILABLE, NEW, 0x67, { dpl: 0 }), null, `13(0x${TSS.toString(16)})`],
    [systemDescriptor(BUSY, NEW, 0x67, { dpl: 3 }), null, `13(0x${TSS.toString(16)})`],
    [systemDescriptor(BUSY_16, NEW, 0x67, { dpl: 3 }), null, `13(0x${TSS.toString(16)})`],
    [systemDescriptor(AVAILABLE, NEW, 0x67, { dpl: 3, present: false }), null, `11(0x${TSS.toString(16)})`],
    [systemDescriptor(AVAILABLE, NEW, 0x66, { dpl: 3 }), null, `10(0x${TSS.toString(16)})`],
    [systemDescriptor(AVAILABLE_16, NEW, 0x2a, { dpl: 3 }), null, `10(0x${TSS.toString(16)})`],
    [systemDescriptor(AVAILABLE, NEW, 0x67, { dpl: 3 }), null, "none"],
    // A gate's own DPL counts, not that of the TSS.
    [systemDescriptor(AVAILABLE, NEW, 0x67), taskGate(TSS, { dpl: 3 }), "none"],
    [systemDescriptor(AVAILABLE, NEW, 0x67), taskGate(TSS, { dpl: 2 }), `13(0x${GATE.toString(16)})`],
    [systemDescriptor(AVAILABLE, NEW, 0x67), taskGate(TSS, { dpl: 3, present: false }), `11(0x${GATE.toString(16)})`],
    [systemDescriptor(AVAILABLE, NEW, 0x67), taskGate(TSS | 4, { dpl: 3 }), `13(0x${(TSS | 4).toString(16)})`],
    [systemDescriptor(AVAILABLE, NEW, 0x67), taskGate(0x900, { dpl: 3 }), "13(0x900)"],
    [systemDescriptor(AVAILABLE, NEW, 0x67), taskGate(code0, { dpl: 3 }), `13(0x${code0.toString(16)})`],
    [systemDescriptor(BUSY, NEW, 0x67), taskGate(TSS, { dpl: 3 }), `13(0x${TSS.toString(16)})`],
  ];
  for (const instruction of ["jmp", "call"]) {
    for (const [tss, gate, wanted] of cases) {
      const cpu = machine({ ring: 3 });
      cpu.memory.write64(TEST_LAYOUT.gdt + TSS, tss);
      if ((tss >> 40n) & 8n) cpu.load("int 0xf0", ENTRY);
      if (gate !== null) cpu.memory.write64(TEST_LAYOUT.gdt + GATE, gate);
      const run = await cpu.run(`${instruction} ${(gate === null ? TSS : GATE) | 3}:0`);
      assert.equal(faultOf(run), wanted, `${instruction} ${tss.toString(16)} ${gate?.toString(16)}`);
      if (wanted !== "none") assert.equal(run.fault?.cs, TEST_SELECTORS.code[3], "a fault of the old task");
      cpu.close();
    }
  }
});

test("what is wrong with the new task's segments is a fault of the new task", async () => {
  const ring3 = TEST_SELECTORS.data[3]!;
  const hex = (selector: number) => `0x${(selector & 0xfffc).toString(16)}`;
  const cases: [Task, bigint | null, string][] = [
    [{ ldt: LDT }, null, "none"],
    [{ ldt: LDT | 4 }, null, `10(${hex(LDT | 4)})`],
    [{ ldt: code0 }, null, `10(${hex(code0)})`],
    [{ ldt: 0x900 }, null, "10(0x900)"],
    [{ cs: 0 }, null, "10(0x0)"],
    [{ cs: data0 }, null, `10(${hex(data0)})`],
    [{ cs: code0 | 3 }, null, `10(${hex(code0)})`],
    [{ cs: OTHER_CODE }, 0x00cf_1b00_0000_ffffn, `11(${hex(OTHER_CODE)})`],
    [{ ss: 0 }, null, "10(0x0)"],
    [{ ss: code0 }, null, `10(${hex(code0)})`],
    [{ ss: ring3 }, null, `10(${hex(ring3)})`],
    [{ ss: OTHER_CODE }, 0x00cf_1300_0000_ffffn, `12(${hex(OTHER_CODE)})`],
    [{ ds: OTHER_CODE }, 0x00cf_1300_0000_ffffn, `11(${hex(OTHER_CODE)})`],
    [{ ds: OTHER_CODE }, 0x00cf_9900_0000_ffffn, `10(${hex(OTHER_CODE)})`], // execute only
    [{ es: data0 | 3 }, null, `10(${hex(data0)})`],
    [{ gs: 0x904 }, null, "10(0x904)"],
    [{ eip: 0x8000_0000, cs: OTHER_CODE }, 0x0040_9b00_0000_ffffn, "13(0x0)"],
    [{ cs: TEST_SELECTORS.code[3], ss: ring3, ds: ring3, es: ring3 }, null, "none"],
  ];
  for (const [task, descriptor, wanted] of cases) {
    const cpu = machine({}, task);
    if (descriptor !== null) cpu.memory.write64(TEST_LAYOUT.gdt + OTHER_CODE, descriptor);
    cpu.load("int 0xf0", ENTRY);
    const run = await cpu.run(`jmp ${TSS}:0`);
    assert.equal(faultOf(run), wanted, JSON.stringify(task));
    assert.equal(run.state.segments.tr.selector, TSS);
    assert.equal(typeOf(cpu, TSS), BUSY);
    if (wanted !== "none") assert.equal(run.fault?.rip, BigInt(task.eip ?? ENTRY));
    cpu.close();
  }
});

test("IRET with NT checks the task that the link names", async () => {
  const cases: [number, bigint, string][] = [
    [TSS, systemDescriptor(BUSY, NEW, 0x67), "none"],
    [TSS, systemDescriptor(AVAILABLE, NEW, 0x67), `10(0x${TSS.toString(16)})`],
    [TSS | 4, systemDescriptor(BUSY, NEW, 0x67), `10(0x${(TSS | 4).toString(16)})`],
    [TSS, systemDescriptor(BUSY, NEW, 0x67, { present: false }), `11(0x${TSS.toString(16)})`],
    [TSS, systemDescriptor(BUSY, NEW, 0x60), `10(0x${TSS.toString(16)})`],
    [0, 0n, "10(0x0)"],
    [0x900, 0n, "10(0x900)"],
  ];
  for (const [link, descriptor, wanted] of cases) {
    const cpu = machine();
    cpu.memory.write64(TEST_LAYOUT.gdt + TSS, descriptor);
    cpu.memory.write16(OLD, link);
    cpu.load("int 0xf0", ENTRY);
    const run = await cpu.run("iretd", { rflags: 2n | NT });
    assert.equal(faultOf(run), wanted, `${link} ${descriptor.toString(16)}`);
    if (wanted === "none") assert.deepEqual([typeOf(cpu, TSS), typeOf(cpu, TEST_SELECTORS.tss)], [BUSY, AVAILABLE]);
    cpu.close();
  }
  const long = new TestCpu({ accelerator, mode: "long" });
  assert.equal(faultOf(await long.run("iretq", { rflags: 2n | NT })), "13(0x0)");
  long.close();
});

test("an exception through a task gate pushes its error code on the new task's stack", async () => {
  const cpu = machine({ ring: 3 });
  cpu.memory.write64(TEST_LAYOUT.idt + 13 * 8, taskGate(TSS));
  cpu.load(
    "pop eax; mov [0xa000], eax; mov [0xa004], esp; mov eax, [0x3020]; add eax, 4; mov [0x3020], eax; iretd",
    ENTRY,
  );
  // The fault's EIP is saved; the handler steps over the four bytes of MOV DS and its prefix.
  const run = await cpu.run("mov ecx, 0x904; .byte 0x66, 0x3e, 0x8e, 0xd9; mov ebx, 5");
  assert.equal(faultOf(run), "none");
  assert.equal(run.registers.rbx, 5n);
  assert.equal(cpu.memory.read32(0xa000), 0x904);
  assert.equal(cpu.memory.read32(0xa004), STACK);
  assert.equal(cpu.memory.read32(OLD + 0x24) & 0x10000, 0x10000, "RF in the interrupted task's flags");
  assert.equal(cpu.memory.read16(NEW), TEST_SELECTORS.tss);
  cpu.close();
});

test("INT through a task gate checks the gate like any other; EXT is set for what is no INT", async () => {
  const cpu = machine({ ring: 3 });
  cpu.memory.write64(TEST_LAYOUT.idt + 0x80 * 8, taskGate(TSS, { dpl: 2 }));
  assert.equal(faultOf(await cpu.run("int 0x80")), "13(0x402)");
  cpu.memory.write64(TEST_LAYOUT.idt + 0x80 * 8, taskGate(0x900, { dpl: 3 }));
  assert.equal(faultOf(await cpu.run("int 0x80")), "13(0x900)");
  cpu.memory.write64(TEST_LAYOUT.idt + 6 * 8, taskGate(0x900));
  assert.equal(faultOf(await cpu.run("ud2")), "13(0x901)");
  cpu.memory.write64(TEST_LAYOUT.idt + 0x80 * 8, taskGate(TSS, { dpl: 3 }));
  cpu.load("mov eax, [0x3020]; mov [0xa000], eax; iretd", ENTRY);
  assert.equal(faultOf(await cpu.run("int 0x80")), "none");
  assert.equal(cpu.memory.read32(0xa000), TEST_LAYOUT.code + 2, "INT's EIP is the next instruction's");
  cpu.close();
});

test("a double fault through a task gate has a stack whatever the old task's is", async () => {
  const cpu = machine();
  cpu.memory.write64(TEST_LAYOUT.idt + 8 * 8, taskGate(TSS));
  cpu.load("pop ebx; mov ecx, 0x88; int 0xf0", ENTRY);
  const run = await cpu.run("mov ss, cx; push eax", { rcx: BigInt(OTHER_CODE), rsp: 0x1000n }, () => {
    // 16 bytes of stack segment.
    cpu.memory.write64(TEST_LAYOUT.gdt + OTHER_CODE, 0x0040_9300_0000_000fn);
  });
  assert.equal(faultOf(run), "none");
  assert.equal(run.registers.rbx, 0n);
  assert.equal(run.registers.rcx, 0x88n);
  cpu.close();
});

test("bit T of the new TSS is a #DB with DR6.BT before the first instruction", async () => {
  const cpu = machine({}, { trap: 1 });
  cpu.load("mov eax, 1; int 0xf0", ENTRY);
  const run = await cpu.run(`jmp ${TSS}:0`, {}, (state) => {
    state.dr.dr7 = 0x400n | 0x155n | 0x2n;
  });
  assert.equal(run.fault?.vector, 1);
  assert.equal(run.fault?.rip, BigInt(ENTRY));
  assert.equal(run.state.dr.dr6 & 0xe000n, 0x8000n);
  assert.equal(run.state.dr.dr7, 0x402n, "the local breakpoints are off");
  cpu.close();
});

test("a task switch loads CR3, and a TSS that is not mapped is a #PF of the old task", async () => {
  const tables = 0x20000;
  const cpu = machine({ paging: "32-bit" }, { cr3: tables });
  // The same 4 MiB, and a page of its own at 4 MiB.
  cpu.memory.write32(tables, 0x87);
  cpu.memory.write32(tables + 4, 0x87);
  cpu.load("mov eax, [0x40a000]; mov ebx, cr3; int 0xf0", ENTRY);
  cpu.memory.write32(0xa000, 0x55aa);
  const run = await cpu.run(`jmp ${TSS}:0`);
  assert.equal(faultOf(run), "none");
  assert.equal(run.registers.rax, 0x55aan);
  assert.equal(run.registers.rbx, BigInt(tables));
  cpu.close();

  const absent = machine({ paging: "32-bit" }, { cr3: tables });
  absent.memory.write64(TEST_LAYOUT.gdt + TSS, systemDescriptor(AVAILABLE, 0x40_0000, 0x67));
  absent.memory.write32(TEST_LAYOUT.pageTables + 4, 0);
  const faulted = await absent.run(`jmp ${TSS}:0`);
  assert.equal(faultOf(faulted), "14(0x0)");
  assert.equal(faulted.fault?.rip, BigInt(TEST_LAYOUT.code));
  assert.equal(faulted.fault?.address, 0x40_0000n);
  assert.equal(faulted.state.segments.tr.selector, TEST_SELECTORS.tss);
  assert.equal(typeOf(absent, TSS), AVAILABLE);
  absent.close();
});

test("a task with EFLAGS.VM is a virtual-8086 one, and an interrupt's task gate leads out of it", async () => {
  const cpu = machine(
    {},
    { eflags: 0x23002, cs: 0x900, eip: 0, ss: 0xb00, esp: 0xff0, ds: 0xa00, es: 0, fs: 1, gs: 2 },
  );
  cpu.memory.write16(0xa010, 0x1234);
  // MOV AX, [10h]; INT 80h.
  cpu.memory.write(0x9000, Uint8Array.of(0xa1, 0x10, 0x00, 0xcd, 0x80));
  const run = await cpu.run(`mov edx, 7; call ${TSS}:0`);
  assert.equal(run.fault?.vector, 0x80);
  assert.equal(run.fault?.rip, 5n);
  assert.equal(run.fault?.cs, 0x900);
  assert.equal(run.registers.rax & 0xffffn, 0x1234n);
  cpu.close();
});

test("a chain of tasks that only faults does not keep the host", async () => {
  const cpu = machine({}, { cs: 0 });
  // #TS leads to the same broken task: it is busy then, #GP, and so on.
  cpu.memory.write64(TEST_LAYOUT.idt + 10 * 8, taskGate(TSS));
  cpu.memory.write64(TEST_LAYOUT.idt + 13 * 8, taskGate(TSS));
  cpu.memory.write64(TEST_LAYOUT.idt + 8 * 8, taskGate(TSS));
  assert.equal((await cpu.run(`jmp ${TSS}:0`)).exit.reason, "shutdown");
  cpu.close();
});
