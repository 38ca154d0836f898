/** Segment registers, system descriptors and far transfers: every check of the SDM's tables with its error code. */
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

const FREE = TEST_SELECTORS.freeGdt;
const SECOND = FREE + 0x10;
const TARGET = 0x9000;

function machine(options: Omit<TestCpuOptions, "accelerator">): TestCpu {
  return new TestCpu({ accelerator, ...options });
}

/** Vector and error code: `13(0x18)`, `6`, or `none`. */
function faultOf(run: TestRun): string {
  if (run.fault === null) return run.exit.reason === "halt" ? "none" : run.exit.reason;
  const { vector, errorCode } = run.fault;
  return errorCode === null ? String(vector) : `${vector}(0x${errorCode.toString(16)})`;
}

interface DescriptorFields {
  type: number;
  dpl?: number;
  system?: boolean;
  present?: boolean;
  base?: number;
  /** 20 bits. */
  limit?: number;
  /** G, D/B, L, AVL: bits 55-52. Default 0xc. */
  flags?: number;
}

function descriptor(fields: DescriptorFields): bigint {
  const { type, dpl = 0, system = false, present = true, base = 0, limit = 0xfffff, flags = 0xc } = fields;
  const access = type | (system ? 0 : 0x10) | (dpl << 5) | (present ? 0x80 : 0);
  const low = BigInt(limit & 0xffff) | (BigInt(base & 0xffffff) << 16n);
  const high = BigInt(access | ((limit >> 16) << 8) | (flags << 12) | ((base >>> 24) << 16));
  return low | (high << 40n);
}

/** A 32-bit call gate, or the lower half of a 64-bit one. */
function callGate(selector: number, offset: number, dpl: number, words = 0, present = true): bigint {
  const low = BigInt((selector << 16) | (offset & 0xffff)) & 0xffffffffn;
  const high = BigInt((offset & 0xffff0000) | (present ? 0x8000 : 0) | (dpl << 13) | 0xc00 | words) & 0xffffffffn;
  return low | (high << 32n);
}

const hex = (value: number) => `0x${value.toString(16)}`;

const DATA = 3;
const READ_ONLY = 1;
const EXPAND_DOWN = 7;
const CODE = 11;
const CONFORMING = 15;
const EXECUTE_ONLY = 9;

test("MOV to DS checks type, privilege and presence in this order", async () => {
  const cases: [DescriptorFields, { ring: 0 | 3; rpl: number }, string][] = [
    [{ type: DATA }, { ring: 0, rpl: 0 }, "none"],
    [{ type: READ_ONLY }, { ring: 0, rpl: 0 }, "none"],
    [{ type: EXPAND_DOWN }, { ring: 0, rpl: 0 }, "none"],
    [{ type: CODE }, { ring: 0, rpl: 0 }, "none"],
    [{ type: EXECUTE_ONLY }, { ring: 0, rpl: 0 }, `13(${hex(FREE)})`],
    [{ type: DATA }, { ring: 0, rpl: 3 }, `13(${hex(FREE)})`],
    [{ type: DATA }, { ring: 3, rpl: 0 }, `13(${hex(FREE)})`],
    [{ type: DATA, dpl: 3 }, { ring: 3, rpl: 3 }, "none"],
    [{ type: CONFORMING }, { ring: 3, rpl: 3 }, "none"],
    [{ type: DATA, present: false }, { ring: 0, rpl: 0 }, `11(${hex(FREE)})`],
    [{ type: EXECUTE_ONLY, present: false }, { ring: 0, rpl: 0 }, `13(${hex(FREE)})`],
    [{ type: 2, system: true }, { ring: 0, rpl: 0 }, `13(${hex(FREE)})`],
  ];
  for (const mode of ["protected", "long"] as const) {
    for (const [fields, { ring, rpl }, wanted] of cases) {
      const cpu = machine({ mode, ring });
      cpu.memory.write64(TEST_LAYOUT.gdt + FREE, descriptor(fields));
      const run = await cpu.run("mov ds, ecx", { rcx: BigInt(FREE | rpl) });
      assert.equal(faultOf(run), wanted, `${mode} ${JSON.stringify(fields)} ring ${ring} rpl ${rpl}`);
      if (wanted === "none") assert.equal((cpu.memory.read64(TEST_LAYOUT.gdt + FREE) >> 40n) & 1n, 1n, "accessed");
      cpu.close();
    }
  }
});

test("MOV to SS takes writable data of the CPL only", async () => {
  const cases: [DescriptorFields, number, string][] = [
    [{ type: DATA }, 0, "none"],
    [{ type: EXPAND_DOWN, limit: 0 }, 0, "none"],
    [{ type: READ_ONLY }, 0, `13(${hex(FREE)})`],
    [{ type: CODE }, 0, `13(${hex(FREE)})`],
    [{ type: DATA, dpl: 3 }, 0, `13(${hex(FREE)})`],
    [{ type: DATA }, 3, `13(${hex(FREE)})`],
    [{ type: DATA, present: false }, 0, `12(${hex(FREE)})`],
  ];
  for (const [fields, rpl, wanted] of cases) {
    const cpu = machine({ mode: "protected" });
    cpu.memory.write64(TEST_LAYOUT.gdt + FREE, descriptor(fields));
    assert.equal(faultOf(await cpu.run("mov ss, ecx", { rcx: BigInt(FREE | rpl) })), wanted, JSON.stringify(fields));
    cpu.close();
  }
});

test("null and out-of-table selectors", async () => {
  for (const [mode, ring, source, selector, wanted] of [
    ["protected", 0, "mov ds, ecx", 3, "none"],
    ["protected", 0, "mov ss, ecx", 0, "13(0x0)"],
    ["long", 0, "mov ss, ecx", 0, "none"],
    ["long", 0, "mov ss, ecx", 1, "13(0x0)"],
    ["long", 3, "mov ss, ecx", 3, "13(0x0)"],
    ["protected", 0, "mov ds, ecx", 0x800, "13(0x800)"],
    ["protected", 0, "mov ds, ecx", 0x804, "13(0x804)"],
    ["protected", 0, "mov ecx, 0; mov ds, ecx; mov eax, [0x9000]", 0, "13(0x0)"],
    ["long", 0, "mov ds, ecx; mov eax, [0x9000]", 0, "none"],
  ] as const) {
    const cpu = machine({ mode, ring });
    assert.equal(faultOf(await cpu.run(source, { rcx: BigInt(selector) })), wanted, `${mode} ${ring} ${source}`);
    cpu.close();
  }
});

test("accesses outside a segment's limit: #GP(0), #SS(0) for the stack segment", async () => {
  const cases: [string, DescriptorFields, string, string][] = [
    ["ds", { type: DATA, limit: 0xfff, flags: 4 }, "mov eax, [0xffc]", "none"],
    ["ds", { type: DATA, limit: 0xfff, flags: 4 }, "mov eax, [0xffd]", "13(0x0)"],
    ["ds", { type: DATA, limit: 0xfff, flags: 4 }, "mov eax, [0x1000]", "13(0x0)"],
    ["ds", { type: EXPAND_DOWN, limit: 0xfff, flags: 4 }, "mov eax, [0xfff]", "13(0x0)"],
    ["ds", { type: EXPAND_DOWN, limit: 0xfff, flags: 4 }, "mov eax, [0x1000]", "none"],
    ["ds", { type: EXPAND_DOWN, limit: 0xfff, flags: 0 }, "mov eax, [0xfffd]", "13(0x0)"],
    ["ds", { type: READ_ONLY }, "mov [0x9000], eax", "13(0x0)"],
    ["ds", { type: CODE }, "mov [0x9000], eax", "13(0x0)"],
    ["ds", { type: CODE }, "mov eax, [0x9000]", "none"],
    ["ss", { type: DATA, limit: 0xfff, flags: 4 }, "mov eax, ss:[0x1000]", "12(0x0)"],
  ];
  for (const [name, fields, source, wanted] of cases) {
    const cpu = machine({ mode: "protected" });
    cpu.memory.write64(TEST_LAYOUT.gdt + FREE, descriptor(fields));
    // SS is put back before the fault's handler needs it: the handler has the old limit in a register.
    const run = await cpu.run(`mov ${name}, ecx; ${source}`, { rcx: BigInt(FREE), rsp: 0xf00n });
    assert.equal(faultOf(run), wanted, `${name} ${JSON.stringify(fields)} ${source}`);
    cpu.close();
  }
});

test("LTR and LLDT", async () => {
  for (const mode of ["protected", "long"] as const) {
    const cases: [string, DescriptorFields, number, string][] = [
      ["ltr cx", { type: 9, system: true, limit: 0x67, flags: 0 }, FREE, "none"],
      ["ltr cx", { type: 11, system: true, limit: 0x67, flags: 0 }, FREE, `13(${hex(FREE)})`],
      ["ltr cx", { type: 2, system: true, limit: 0x67, flags: 0 }, FREE, `13(${hex(FREE)})`],
      ["ltr cx", { type: 9, system: true, present: false }, FREE, `11(${hex(FREE)})`],
      ["ltr cx", { type: 9, system: true }, 0, "13(0x0)"],
      ["ltr cx", { type: 9, system: true }, FREE | 4, `13(${hex(FREE | 4)})`],
      ["lldt cx", { type: 2, system: true }, FREE, "none"],
      ["lldt cx", { type: 2, system: true, present: false }, FREE, `11(${hex(FREE)})`],
      ["lldt cx", { type: 9, system: true }, FREE, `13(${hex(FREE)})`],
      ["lldt cx", { type: 2, system: true }, 0, "none"],
    ];
    for (const [source, fields, selector, wanted] of cases) {
      const cpu = machine({ mode });
      cpu.memory.write64(TEST_LAYOUT.gdt + FREE, descriptor(fields));
      assert.equal(faultOf(await cpu.run(source, { rcx: BigInt(selector) })), wanted, `${mode} ${source} ${selector}`);
      if (source === "ltr cx" && wanted === "none") {
        assert.equal((cpu.memory.read64(TEST_LAYOUT.gdt + FREE) >> 40n) & 15n, 11n, "busy");
      }
      cpu.close();
    }
  }
});

test("far JMP checks its code segment", async () => {
  const cases: [DescriptorFields, { ring: 0 | 3; rpl: number; offset?: number }, string][] = [
    [{ type: CODE }, { ring: 0, rpl: 0 }, "none"],
    [{ type: CODE }, { ring: 0, rpl: 3 }, `13(${hex(FREE)})`],
    [{ type: CODE, dpl: 3 }, { ring: 0, rpl: 0 }, `13(${hex(FREE)})`],
    [{ type: CODE }, { ring: 3, rpl: 3 }, `13(${hex(FREE)})`],
    [{ type: CONFORMING }, { ring: 3, rpl: 3 }, "none"],
    [{ type: CONFORMING, dpl: 3 }, { ring: 0, rpl: 0 }, `13(${hex(FREE)})`],
    [{ type: DATA }, { ring: 0, rpl: 0 }, `13(${hex(FREE)})`],
    [{ type: CODE, present: false }, { ring: 0, rpl: 0 }, `11(${hex(FREE)})`],
    [{ type: CODE, limit: 0x8fff, flags: 4 }, { ring: 0, rpl: 0 }, "13(0x0)"],
  ];
  for (const [fields, { ring, rpl }, wanted] of cases) {
    const cpu = machine({ mode: "protected", ring });
    cpu.memory.write64(TEST_LAYOUT.gdt + FREE, descriptor(fields));
    cpu.load("int 0xf0", TARGET);
    const run = await cpu.run(`jmp ${FREE | rpl}:${TARGET}`);
    assert.equal(faultOf(run), wanted, `${JSON.stringify(fields)} ring ${ring} rpl ${rpl}`);
    cpu.close();
  }
});

test("a call gate leads inward, copies parameters, and far RET leads back", async () => {
  const cpu = machine({ mode: "protected", ring: 3 });
  cpu.memory.write64(TEST_LAYOUT.gdt + FREE, callGate(TEST_SELECTORS.code[0], TARGET, 3, 2));
  // In ring 0: the parameters lie above the return address.
  cpu.load("mov ebx, [esp + 8]; mov edx, [esp + 12]; mov si, cs; mov di, ss; retf 8", TARGET);
  const run = await cpu.run(`push 0x11; push 0x22; call ${FREE | 3}:0; mov ax, cs`);
  assert.equal(faultOf(run), "none");
  assert.equal(run.registers.rbx, 0x22n);
  assert.equal(run.registers.rdx, 0x11n);
  assert.equal(run.registers.rsi & 0xffffn, BigInt(TEST_SELECTORS.code[0]));
  assert.equal(run.registers.rdi & 0xffffn, BigInt(TEST_SELECTORS.data[0]));
  assert.equal(run.registers.rax & 0xffffn, BigInt(TEST_SELECTORS.code[3]));
  assert.equal(run.registers.rsp, BigInt(TEST_LAYOUT.stackTop));
  cpu.close();
});

test("a 64-bit call gate switches to the TSS's stack with a null SS", async () => {
  const cpu = machine({ mode: "long", ring: 3 });
  cpu.memory.write64(TEST_LAYOUT.gdt + FREE, callGate(TEST_SELECTORS.code[0], TARGET, 3));
  cpu.memory.write64(TEST_LAYOUT.gdt + FREE + 8, 0n);
  cpu.load("mov rbx, rsp; mov esi, ss; retfq", TARGET);
  cpu.memory.write32(TEST_LAYOUT.data, 0);
  cpu.memory.write16(TEST_LAYOUT.data + 4, FREE | 3);
  const run = await cpu.run(`call fword ptr [${TEST_LAYOUT.data}]`);
  assert.equal(faultOf(run), "none");
  assert.equal(run.registers.rbx, BigInt(TEST_LAYOUT.ringStackTops[0] - 32));
  assert.equal(run.registers.rsi, 0n);
  assert.equal(run.registers.rsp, BigInt(TEST_LAYOUT.stackTop));
  cpu.close();
});

test("call gates check their own DPL, presence and target", async () => {
  const code0 = TEST_SELECTORS.code[0];
  const cases: [bigint, string][] = [
    [callGate(code0, TARGET, 2), `13(${hex(FREE)})`],
    [callGate(code0, TARGET, 3, 0, false), `11(${hex(FREE)})`],
    [callGate(0, TARGET, 3), "13(0x0)"],
    [callGate(TEST_SELECTORS.data[0], TARGET, 3), `13(${hex(TEST_SELECTORS.data[0])})`],
    [callGate(SECOND, TARGET, 3), `13(${hex(SECOND)})`],
  ];
  for (const [gate, wanted] of cases) {
    const cpu = machine({ mode: "protected", ring: 3 });
    cpu.memory.write64(TEST_LAYOUT.gdt + FREE, gate);
    assert.equal(faultOf(await cpu.run(`call ${FREE | 3}:0`)), wanted, gate.toString(16));
    cpu.close();
  }
});

test("IRET returns to outer rings and drops data segments that the ring may not have", async () => {
  const cpu = machine({ mode: "protected" });
  cpu.load("mov ax, ds; mov bx, es; mov cx, cs; int 0xf0", TARGET);
  const [code3, data3] = [TEST_SELECTORS.code[3], TEST_SELECTORS.data[3]];
  const run = await cpu.run(
    `mov ecx, ${data3}; mov es, ecx; push ${data3}; push 0xb000; push 0x202; push ${code3}; push ${TARGET}; iretd`,
  );
  assert.equal(faultOf(run), "none");
  assert.equal(run.registers.rax & 0xffffn, 0n);
  assert.equal(run.registers.rbx & 0xffffn, BigInt(data3));
  assert.equal(run.registers.rcx & 0xffffn, BigInt(code3));
  assert.equal(run.registers.rsp, 0xb000n);
  cpu.close();
});

test("IRET checks CS, then SS, with the selectors as error codes", async () => {
  const [code0, code3, data0, data3] = [
    TEST_SELECTORS.code[0],
    TEST_SELECTORS.code[3],
    TEST_SELECTORS.data[0],
    TEST_SELECTORS.data[3],
  ];
  const cases: [number, number, string][] = [
    [0, data3, "13(0x0)"],
    [data0, data3, `13(${hex(data0)})`],
    [code3 & ~3, data3, `13(${hex(code3 & ~3)})`],
    [0x7f8 + 8, data3, "13(0x800)"],
    [code3, 0, "13(0x0)"],
    [code3, data0, `13(${hex(data0)})`],
    [code3, code3, `13(${hex(code3 & ~3)})`],
    [code3, data3, "none"],
    [code0, data0, "none"],
  ];
  for (const mode of ["protected", "long"] as const) {
    for (const [cs, ss, wanted] of cases) {
      const cpu = machine({ mode });
      cpu.load("int 0xf0", TARGET);
      const q = mode === "long" ? "iretq" : "iretd";
      const run = await cpu.run(`push ${ss}; push 0xb000; push 2; push ${cs}; push ${TARGET}; ${q}`);
      assert.equal(faultOf(run), wanted, `${mode} cs ${hex(cs)} ss ${hex(ss)}`);
      cpu.close();
    }
  }
});

test("SYSCALL and SYSRET between rings 3 and 0", async () => {
  const cpu = machine({ mode: "long", ring: 3 });
  const entry = 0x12000;
  // STAR: SYSCALL loads CS 0x08 and SS 0x10. SYSRET's 0x?? + 16 and + 8 need not be in the GDT.
  cpu.load("mov rbx, r11; mov esi, cs; mov edi, ss; pushfq; pop rdx; sysretq", entry);
  const run = await cpu.run("syscall; mov ax, cs; mov r8d, ss; pushfq; pop r9", { rflags: 0x247n }, (state) => {
    state.msrs[0xc0000081] = (0x2bn << 48n) | (0x08n << 32n);
    state.msrs[0xc0000082] = BigInt(entry);
    state.msrs[0xc0000084] = 0x200n;
    // The handler has no stack of its own: it pushes onto the program's.
  });
  assert.equal(faultOf(run), "none");
  assert.equal(run.registers.rbx, 0x247n);
  assert.equal(run.registers.rsi, 0x08n);
  assert.equal(run.registers.rdi, 0x10n);
  assert.equal(run.registers.rdx, 0x47n);
  assert.equal(run.registers.rcx, BigInt(TEST_LAYOUT.code + 2));
  assert.equal(run.registers.rax & 0xffffn, 0x3bn);
  assert.equal(run.registers.r8, 0x33n);
  assert.equal(run.registers.r9, 0x247n);
  cpu.close();
});

test("SYSENTER is legacy mode's only on AMD, and works in long mode on Intel", async () => {
  const amd = machine({ mode: "long", ring: 3 });
  assert.equal(faultOf(await amd.run("sysenter")), "6");
  amd.close();
  const intel = machine({ mode: "long", ring: 3, model: "default,vendor=intel" });
  const entry = 0x12000;
  intel.load("mov esi, cs; mov rbx, rsp; mov rcx, 0xb000; mov edx, offset 0x9000; sysexitq", entry);
  intel.load("mov edi, cs; int 0xf0", TARGET);
  const run = await intel.run("sysenter", {}, (state) => {
    state.msrs[0x174] = 8n;
    state.msrs[0x175] = 0xd800n;
    state.msrs[0x176] = BigInt(entry);
  });
  assert.equal(faultOf(run), "none");
  assert.equal(run.registers.rsi, 8n);
  assert.equal(run.registers.rbx, 0xd800n);
  assert.equal(run.registers.rdi, 0x2bn);
  assert.equal(run.registers.rsp, 0xb000n);
  intel.close();
});

test("LAR, LSL, VERR and VERW", async () => {
  const cpu = machine({ mode: "protected", ring: 3 });
  const look = async (fields: DescriptorFields) => {
    cpu.memory.write64(TEST_LAYOUT.gdt + FREE, descriptor(fields));
    const source = "lar eax, ecx; setz r8b; lsl edx, ecx; setz r9b; verr cx; setz r10b; verw cx; setz r11b";
    const legacy = source
      .replace("r8b", "byte ptr [0xa000]")
      .replace("r9b", "byte ptr [0xa001]")
      .replace("r10b", "byte ptr [0xa002]")
      .replace("r11b", "byte ptr [0xa003]");
    const run = await cpu.run(legacy, { rcx: BigInt(FREE | 3) });
    assert.equal(faultOf(run), "none");
    const valid = [...Array(4).keys()].map((index) => cpu.memory.read8(0xa000 + index)).join("");
    return { valid, rights: run.registers.rax & 0xf0ff00n, limit: run.registers.rdx };
  };
  assert.deepEqual(await look({ type: DATA, dpl: 3, limit: 0x123 }), {
    valid: "1111",
    rights: 0xc0f300n,
    limit: 0x123fffn,
  });
  assert.equal((await look({ type: READ_ONLY, dpl: 3 })).valid, "1110");
  assert.equal((await look({ type: DATA, dpl: 2 })).valid, "0000");
  assert.equal((await look({ type: CONFORMING, dpl: 0 })).valid, "1110");
  assert.equal((await look({ type: EXECUTE_ONLY, dpl: 3 })).valid, "1100");
  assert.equal((await look({ type: 9, system: true, dpl: 3 })).valid, "1100");
  assert.equal((await look({ type: 12, system: true, dpl: 3 })).valid, "1000");
  assert.equal((await look({ type: 14, system: true, dpl: 3 })).valid, "0000");
  cpu.close();
});

test("FS and GS keep their bases when IRET makes their selectors null for an outer ring", async () => {
  const cpu = machine({ mode: "long" });
  const iret = `push ${TEST_SELECTORS.data[3]}; push 0xd000; push 2; push ${TEST_SELECTORS.code[3]}; push offset out; iretq; out: mov ax, gs; mov rbx, gs:[0x10]`;
  cpu.memory.write64(TEST_LAYOUT.data + 0x10, 0x1234n);
  const run = await cpu.run(
    `mov eax, 0x10; mov gs, ax; mov ecx, 0xc0000101; mov eax, ${TEST_LAYOUT.data}; xor edx, edx; wrmsr; ${iret}`,
  );
  assert.equal(faultOf(run), "none");
  assert.equal(run.registers.rax & 0xffffn, 0n);
  assert.equal(run.registers.rbx, 0x1234n);
  cpu.close();
});

test("an instruction on two pages uses its segment's base", async () => {
  const cpu = machine({ mode: "long" });
  cpu.memory.write64(TEST_LAYOUT.data + 8, 0x1234n);
  const code = TEST_LAYOUT.code + 0xffc;
  cpu.load("mov rax, gs:[8]; hlt", code);
  const run = await cpu.run("nop", { rip: BigInt(code) }, (state) => {
    state.segments.gs.base = BigInt(TEST_LAYOUT.data);
  });
  assert.equal(run.registers.rax, 0x1234n);
  cpu.close();
});

test("CR0 and CR4 refuse what the architecture forbids", async () => {
  for (const [source, wanted] of [
    ["mov rax, cr0; btr eax, 0; mov cr0, rax", "13(0x0)"], // PG without PE
    ["mov rax, cr0; bts eax, 29; mov cr0, rax", "13(0x0)"], // NW without CD
    ["mov rax, cr0; bts rax, 32; mov cr0, rax", "13(0x0)"],
    ["mov rax, cr0; btr eax, 31; mov cr0, rax", "13(0x0)"], // leaving paging in 64-bit mode
    ["mov rax, cr4; btr eax, 5; mov cr4, rax", "13(0x0)"], // leaving PAE in long mode
    ["mov rax, cr4; bts eax, 12; mov cr4, rax", "13(0x0)"], // LA57 is not offered
    ["mov rax, cr4; bts eax, 17; mov cr4, rax", "none"], // PCIDE
    ["mov rax, cr3; or rax, 1; mov cr3, rax; mov rax, cr4; bts eax, 17; mov cr4, rax", "13(0x0)"],
    ["mov rax, cr3; bts rax, 45; mov cr3, rax", "13(0x0)"], // above MAXPHYADDR
    ["mov eax, 16; mov cr8, rax", "13(0x0)"],
    ["mov eax, 15; mov cr8, rax; mov rbx, cr8", "none"],
    ["mov ecx, 0xc0000080; rdmsr; btr eax, 8; wrmsr", "13(0x0)"], // LME under paging
    ["mov ecx, 0x12345; rdmsr", "13(0x0)"],
    ["mov ecx, 0xc0000100; mov edx, 0x8000; xor eax, eax; wrmsr", "13(0x0)"], // not canonical
    ["mov ecx, 0x277; mov eax, 2; xor edx, edx; wrmsr", "13(0x0)"], // PAT type 2
    ["mov eax, 2; xor edx, edx; xor ecx, ecx; xsetbv", "6"], // CR4.OSXSAVE is clear
    ["mov rax, cr4; bts eax, 18; mov cr4, rax; mov eax, 2; xor edx, edx; xor ecx, ecx; xsetbv", "13(0x0)"],
    ["mov rax, cr4; bts eax, 18; mov cr4, rax; mov eax, 3; xor edx, edx; xor ecx, ecx; xsetbv; xgetbv", "none"],
  ] as const) {
    const cpu = machine({ mode: "long" });
    assert.equal(faultOf(await cpu.run(source)), wanted, source);
    cpu.close();
  }
});

test("an instruction on two pages takes its operand from its segment, like any other", async () => {
  for (const mode of ["protected", "long"] as const) {
    const cpu = machine({ mode });
    // The operand's displacement begins the second page.
    const code = ".fill 0xffd, 1, 0x90; mov ecx, fs:[0x20]; mov edx, fs:[0x24]";
    cpu.memory.write32(0xa020, 0x11223344);
    cpu.memory.write32(0xa024, 0x55667788);
    const { registers, fault } = await cpu.run(code, {}, (state) => {
      state.segments.fs = { ...state.segments.fs, base: 0xa000n };
    });
    assert.equal(fault, null);
    assert.deepEqual([registers.rcx, registers.rdx], [0x11223344n, 0x55667788n], mode);
    cpu.close();
  }
});
