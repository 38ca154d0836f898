/** Exceptions and interrupts on their way to a handler: gates, rings, stacks, error codes, double and triple faults. */
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

const IF = 0x200n;
const RF = 0x10000n;
/** A stack of its own, and a second data area. */
const OTHER_STACK = 0x11000;

function machine(options: Omit<TestCpuOptions, "accelerator">): TestCpu {
  return new TestCpu({ accelerator, ...options });
}

/** Vector and error code: `13(0x18)`, `6`, or `none`. */
function faultOf(run: TestRun): string {
  if (run.fault === null) return run.exit.reason === "halt" ? "none" : run.exit.reason;
  const { vector, errorCode } = run.fault;
  return errorCode === null ? String(vector) : `${vector}(0x${errorCode.toString(16)})`;
}

interface Gate {
  selector?: number;
  offset?: number;
  type?: number;
  dpl?: number;
  present?: boolean;
  ist?: number;
}

/** Writes a 64-bit or 32-bit gate over the vector's. */
function setGate(cpu: TestCpu, vector: number, gate: Gate): void {
  const long = cpu.bits === 64;
  const { selector = TEST_SELECTORS.handlers, offset = TEST_LAYOUT.handlers + 4 * vector, type = 14, dpl = 3 } = gate;
  const at = TEST_LAYOUT.idt + vector * (long ? 16 : 8);
  cpu.memory.write32(at, ((selector << 16) | (offset & 0xffff)) >>> 0);
  const flags = (gate.present === false ? 0 : 0x8000) | (dpl << 13) | (type << 8) | (gate.ist ?? 0);
  cpu.memory.write32(at + 4, ((offset & 0xffff0000) | flags) >>> 0);
  if (long) cpu.memory.write64(at + 8, 0n);
}

for (const mode of ["long", "protected"] as const) {
  const frame = mode === "long" ? 8 : 4;

  test(`INT n in ${mode} mode checks the gate's DPL, type and presence`, async () => {
    const cases: [Gate, number, string][] = [
      [{}, 3, "128"],
      [{ dpl: 0 }, 0, "128"],
      // Error code: vector * 8 + 2 (IDT); EXT is clear, because the program asked for it.
      [{ dpl: 0 }, 3, "13(0x402)"],
      [{ dpl: 2 }, 3, "13(0x402)"],
      [{ present: false }, 3, "11(0x402)"],
      [{ type: 2 }, 3, "13(0x402)"],
      [{ dpl: 0, present: false }, 3, "13(0x402)"],
      [{ selector: 0 }, 0, "13(0x0)"],
      [{ selector: 0x700 }, 0, "13(0x700)"],
      [{ selector: 0x1000 }, 0, "13(0x1000)"],
      [{ selector: TEST_SELECTORS.data[0] }, 0, `13(0x${TEST_SELECTORS.data[0].toString(16)})`],
      // Code of an outer ring.
      [{ selector: TEST_SELECTORS.code[3] & ~3 }, 0, `13(0x${(TEST_SELECTORS.code[3] & ~3).toString(16)})`],
    ];
    for (const [gate, ring, wanted] of cases) {
      const cpu = machine({ mode, ring: ring as 0 | 3 });
      setGate(cpu, 0x80, gate);
      assert.equal(faultOf(await cpu.run("int 0x80")), wanted, JSON.stringify({ gate, ring }));
      cpu.close();
    }
  });

  test(`a fault in ${mode} mode pushes the instruction, INT the one behind it`, async () => {
    for (const ring of [0, 1, 2, 3] as const) {
      const cpu = machine({ mode, ring, iopl: 3 });
      const ud = await cpu.run("sti; nop; ud2", { rflags: 2n | 0x3000n });
      assert.equal(faultOf(ud), "6");
      assert.equal(ud.fault?.rip, BigInt(TEST_LAYOUT.code + 2));
      assert.equal(ud.fault?.cs, TEST_SELECTORS.code[ring]);
      // RF is set in a fault's flags, and in no software interrupt's.
      assert.equal(ud.fault?.rflags, 2n | 0x3000n | IF | RF);
      assert.equal(ud.state.rflags & IF, 0n, "an interrupt gate clears IF");
      const int = await cpu.run("int 0x80");
      assert.equal(int.fault?.rip, BigInt(TEST_LAYOUT.code + 2));
      assert.equal(int.fault!.rflags & RF, 0n);
      // The handler of another ring runs on that ring's stack from the TSS.
      const words = mode === "long" || ring !== 0 ? 5 : 3;
      const top = ring === 0 ? TEST_LAYOUT.stackTop : TEST_LAYOUT.ringStackTops[0];
      assert.equal(int.state.gpr[4], BigInt(top - words * frame));
      cpu.close();
    }
  });

  test(`trap gates in ${mode} mode leave IF alone`, async () => {
    const cpu = machine({ mode });
    setGate(cpu, 0x80, { type: 15 });
    const run = await cpu.run("sti; nop; int 0x80");
    assert.equal(run.state.rflags & IF, IF);
    cpu.close();
  });

  test(`a second fault in ${mode} mode becomes #DF only where table 6-5 says so, and a third one shuts down`, async () => {
    const cpu = machine({ mode });
    // #GP whose gate is not present: contributory after contributory.
    setGate(cpu, 13, { present: false });
    assert.equal(faultOf(await cpu.run("mov eax, 0x700; mov ds, ax")), "8(0x0)");
    // #UD is benign: the #NP of its delivery is served, with EXT set.
    setGate(cpu, 6, { present: false });
    assert.equal(faultOf(await cpu.run("ud2")), "11(0x33)");
    setGate(cpu, 8, { present: false });
    assert.equal((await cpu.run("mov eax, 0x700; mov ds, ax")).exit.reason, "shutdown");
    cpu.close();
  });

  test(`an IDT limit that ends within a gate is #GP in ${mode} mode`, async () => {
    const cpu = machine({ mode });
    const run = await cpu.run("int 0x80", {}, (state) => {
      state.idtr.limit = 0x80 * 2 * frame + 2 * frame - 2;
    });
    assert.equal(faultOf(run), "13(0x402)");
    cpu.close();
  });
}

test("an IST stack is taken in every ring, aligned to 16 bytes", async () => {
  for (const ring of [0, 3] as const) {
    const cpu = machine({ mode: "long", ring });
    cpu.memory.write64(TEST_LAYOUT.tss + 36 + 2 * 8, BigInt(OTHER_STACK - 4));
    setGate(cpu, 0x80, { ist: 3 });
    const run = await cpu.run("int 0x80");
    assert.equal(faultOf(run), "128");
    assert.equal(run.state.gpr[4], BigInt(OTHER_STACK - 16 - 40));
    assert.equal(run.state.segments.ss.selector, ring === 3 ? 0 : TEST_SELECTORS.data[0]);
    cpu.close();
  }
});

test("a TSS that is too short for the stack of the ring is #TS", async () => {
  for (const [mode, limit] of [
    ["long", 10],
    ["protected", 8],
  ] as const) {
    const cpu = machine({ mode, ring: 3 });
    // #TS itself needs the ring-0 stack: its delivery fails likewise, then #DF's, and that is a shutdown.
    const run = await cpu.run("int 0x80", {}, (state) => {
      state.segments.tr.limit = limit;
    });
    assert.equal(faultOf(run), "shutdown", mode);
    cpu.close();
  }
});

test("a bad stack selector in the TSS is #TS or #SS with the selector", async () => {
  const ring0 = TEST_SELECTORS.data[0];
  const cases: [number, bigint | null, string][] = [
    [0, null, "10(0x0)"],
    [ring0 | 1, null, `10(0x${ring0.toString(16)})`],
    [TEST_SELECTORS.freeGdt, 0x004f_1300_0000_ffffn, `12(0x${TEST_SELECTORS.freeGdt.toString(16)})`], // not present
    [TEST_SELECTORS.freeGdt, 0x00cf_9100_0000_ffffn, `10(0x${TEST_SELECTORS.freeGdt.toString(16)})`], // read-only
    [0x7f8 + 8, null, "10(0x800)"], // beyond the GDT
  ];
  for (const [selector, descriptor, wanted] of cases) {
    const cpu = machine({ mode: "protected", ring: 3 });
    // Ring 1's stack is the bad one; the fault's own handler runs in ring 0.
    const ring1Code = TEST_SELECTORS.code[1];
    cpu.memory.write32(TEST_LAYOUT.tss + 8 + 8, selector === 0 ? 0 : (selector & ~3) | ((selector & 3) ^ 1));
    if (descriptor !== null) cpu.memory.write64(TEST_LAYOUT.gdt + selector, descriptor | (1n << 45n));
    if (selector === (ring0 | 1)) cpu.memory.write32(TEST_LAYOUT.tss + 8 + 8, ring0);
    setGate(cpu, 0x80, { selector: ring1Code });
    assert.equal(faultOf(await cpu.run("int 0x80")), wanted, `selector ${selector.toString(16)}`);
    cpu.close();
  }
});

test("HLT outside ring 0, CLI and STI above IOPL, and ports without permission are #GP(0)", async () => {
  for (const mode of ["protected", "long"] as const) {
    for (const source of [
      "hlt",
      "cli",
      "sti",
      "in al, 0x60",
      "out dx, al",
      mode === "long" ? "mov rax, cr0" : "mov eax, cr0",
      "lgdt [0x9000]",
      "wbinvd",
    ]) {
      const cpu = machine({ mode, ring: 3, iopl: 2 });
      assert.equal(faultOf(await cpu.run(source)), "13(0x0)", source);
      cpu.close();
    }
  }
});

test("the TSS's I/O permission bitmap decides ports above IOPL, byte by byte", async () => {
  const cpu = machine({ mode: "long", ring: 3 });
  const base = 0x68;
  cpu.memory.write16(TEST_LAYOUT.tss + 0x66, base);
  cpu.memory.write(TEST_LAYOUT.tss + base, new Uint8Array(32).fill(0xff));
  // Ports 0x62 to 0x65 are free.
  cpu.memory.write(TEST_LAYOUT.tss + base + 0x60 / 8, Uint8Array.of(0b11000011));
  const tryPort = async (source: string, limit = base + 31) =>
    faultOf(
      await cpu.run(source, {}, (state) => {
        state.segments.tr.limit = limit;
      }),
    );
  assert.equal(await tryPort("in al, 0x62"), "none");
  assert.equal(await tryPort("in al, 0x61"), "13(0x0)");
  assert.equal(await tryPort("in eax, 0x62"), "none");
  assert.equal(await tryPort("in eax, 0x63"), "13(0x0)");
  assert.equal(await tryPort("in ax, 0x65"), "13(0x0)");
  // Two bytes of the bitmap are read always.
  assert.equal(await tryPort("in al, 0x62", base + 12), "13(0x0)");
  assert.equal(await tryPort("in al, 0x62", base + 13), "none");
  cpu.close();
});

test("TF traps after each instruction with DR6.BS", async () => {
  for (const mode of ["real", "protected", "long"] as const) {
    const cpu = machine({ mode });
    const run = await cpu.run("nop; mov eax, 5; mov eax, 6", { rflags: 0x102n });
    assert.equal(run.fault?.vector, 1, mode);
    assert.equal(run.fault?.rip, BigInt(TEST_LAYOUT.code + 1));
    assert.equal(run.state.dr.dr6 & 0x4000n, 0x4000n);
    assert.equal(run.fault!.rflags & RF, 0n);
    cpu.close();
  }
});

test("MOV SS holds a single-step trap back for one instruction", async () => {
  const cpu = machine({ mode: "protected" });
  const data = TEST_SELECTORS.data[0];
  const run = await cpu.run("mov ss, cx; nop; nop", { rflags: 0x102n, rcx: BigInt(data) });
  assert.equal(run.fault?.vector, 1);
  assert.equal(run.fault?.rip, BigInt(TEST_LAYOUT.code + 3));
  cpu.close();
});

test("an instruction breakpoint faults before, a data breakpoint traps after", async () => {
  const cpu = machine({ mode: "long" });
  const execute = await cpu.run("nop; nop; mov eax, 1", {}, (state) => {
    state.dr.dr1 = BigInt(TEST_LAYOUT.code + 1);
    state.dr.dr7 = 0x404n;
  });
  assert.equal(execute.fault?.vector, 1);
  assert.equal(execute.fault?.rip, BigInt(TEST_LAYOUT.code + 1));
  assert.equal(execute.state.dr.dr6 & 0xfn, 2n);
  const write = await cpu.run(`nop; mov dword ptr [${TEST_LAYOUT.data}], eax; nop`, {}, (state) => {
    state.dr.dr0 = BigInt(TEST_LAYOUT.data + 2);
    // DR0: write, 2 bytes.
    state.dr.dr7 = 0x50401n;
  });
  assert.equal(write.fault?.vector, 1);
  assert.equal(write.fault?.rip, BigInt(TEST_LAYOUT.code + 8));
  assert.equal(write.state.dr.dr6 & 0xfn, 1n);
  const detect = await cpu.run("mov rax, dr0", {}, (state) => {
    state.dr.dr7 = 0x2400n;
  });
  assert.equal(detect.fault?.vector, 1);
  assert.equal(detect.state.dr.dr6 & 0x200fn, 0x2000n);
  assert.equal(detect.state.dr.dr7 & 0x2000n, 0n);
  cpu.close();
});

test("IRET's RF holds an instruction breakpoint back, and only for the instruction behind it", async () => {
  const cpu = machine({ mode: "long" });
  const program = (rflags: number) =>
    `push 0x10; push 0xd000; push ${rflags}; push 8; push ${TEST_LAYOUT.code + 0x100}; iretq`;
  for (const [rflags, rax] of [
    [0x10002, 1n],
    [2, 0n],
  ] as const) {
    cpu.load("inc eax; jmp $ - 2", TEST_LAYOUT.code + 0x100);
    const run = await cpu.run(program(rflags), {}, (state) => {
      state.dr.dr2 = BigInt(TEST_LAYOUT.code + 0x100);
      state.dr.dr7 = 0x410n;
    });
    assert.equal(run.fault?.vector, 1);
    assert.equal(run.fault?.rip, BigInt(TEST_LAYOUT.code + 0x100));
    assert.equal(run.registers.rax, rax);
  }
  cpu.close();
});

test("DEBUGCTL.BTF steps from branch to branch, for one trap", async () => {
  const cpu = machine({ mode: "long" });
  const run = await cpu.run("nop; xor eax, eax; jnz over; jz over; nop; over: nop", { rflags: 0x102n }, (state) => {
    state.msrs[0x1d9] = 2n;
  });
  assert.equal(run.fault?.vector, 1);
  assert.equal(run.fault?.rip, BigInt(TEST_LAYOUT.code + 8));
  assert.equal(run.state.dr.dr6 & 0x4000n, 0x4000n);
  assert.equal(run.state.msrs[0x1d9], 0n);
  cpu.close();
});

test("a single step ends HLT", async () => {
  const cpu = machine({ mode: "long" });
  const run = await cpu.run("hlt; nop", { rflags: 0x102n });
  assert.equal(run.fault?.vector, 1);
  assert.equal(run.fault?.rip, BigInt(TEST_LAYOUT.code + 1));
  cpu.close();
});

test("INT1 behind MOV SS takes the data breakpoint that it holds back with it", async () => {
  const cpu = machine({ mode: "long" });
  cpu.memory.write32(TEST_LAYOUT.data, TEST_SELECTORS.data[0]);
  const run = await cpu.run(`mov ss, word ptr [${TEST_LAYOUT.data}]; .byte 0xf1; nop`, {}, (state) => {
    state.dr.dr1 = BigInt(TEST_LAYOUT.data);
    state.dr.dr7 = 0xf00408n;
  });
  assert.equal(run.fault?.vector, 1);
  assert.equal(run.state.dr.dr6 & 0xfn, 2n);
  assert.equal(run.state.pendingDebug, undefined);
  cpu.close();
});

test("SYSRET and SYSCALL look at TF at their end", async () => {
  const cpu = machine({ mode: "long", model: "default" });
  const target = TEST_LAYOUT.code + 0x100;
  cpu.load("nop; nop", target);
  const star = (program: string, rflags: bigint, r11: bigint) =>
    cpu.run(program, { rcx: BigInt(target), r11, rflags }, (state) => {
      state.msrs[0xc0000080] = (state.msrs[0xc0000080] ?? 0n) | 1n;
      state.msrs[0xc0000081] = (0x2bn << 48n) | (8n << 32n);
      state.msrs[0xc0000082] = BigInt(target);
      state.msrs[0xc0000084] = 0x100n;
    });
  const back = await star("nop; nop; sysretq", 2n, 0x102n);
  assert.deepEqual([back.fault?.vector, back.fault?.rip, back.fault?.cs], [1, BigInt(target), 0x3b]);
  // With the handler's HLT.
  assert.equal(back.state.instructions, 4);
  // The mask takes TF away.
  const call = await star("syscall", 0x102n, 0n);
  assert.notEqual(call.fault?.vector, 1);
  cpu.close();
});

test("an NMI is held until IRET", async () => {
  const cpu: TestCpu = machine({ mode: "long", bus: { portWrite: () => cpu.vcpu.nmi() } });
  // The first NMI's handler asks for another one and notes how many have come by its end.
  const handler = 0x12000;
  cpu.load("inc ebx; cmp ebx, 1; jne 1f; out 0x80, al; nop; mov edx, ebx; 1: iretq", handler);
  setGate(cpu, 2, { offset: handler });
  const run = await cpu.run("out 0x80, al; nop; nop", {}, (state) => {
    // LINT1 is the NMI input.
    state.apic.registers[0x36] = 0x400;
  });
  assert.equal(run.registers.rdx, 1n);
  assert.equal(run.registers.rbx, 2n);
  cpu.close();
});

test("real-mode interrupts go through the vector table without an error code", async () => {
  const cpu = machine({ mode: "real" });
  const run = await cpu.run("int 0x21", { rflags: 0x2n | IF });
  assert.equal(run.fault?.vector, 0x21);
  assert.equal(run.fault?.rip, BigInt(TEST_LAYOUT.code + 2));
  assert.equal(run.state.rflags & IF, 0n);
  assert.equal(run.state.gpr[4], BigInt(TEST_LAYOUT.stackTop - 6));
  const short = await cpu.run("int 0x21", {}, (state) => {
    state.idtr.limit = 0x21 * 4 + 2;
  });
  assert.equal(short.fault?.vector, 13);
  cpu.close();
});

test("misaligned accesses are #AC(0) in ring 3 under CR0.AM and RFLAGS.AC only", async () => {
  const at = TEST_LAYOUT.data;
  for (const [ring, ac, source, wanted] of [
    [3, true, `mov eax, [${at + 1}]`, "17(0x0)"],
    [3, true, `mov [${at + 2}], eax`, "17(0x0)"],
    [3, true, `add word ptr [${at + 1}], 1`, "17(0x0)"],
    [3, true, `mov ax, [${at + 2}]; mov al, [${at + 1}]; mov [${at + 4}], eax`, "none"],
    [3, false, `mov eax, [${at + 1}]`, "none"],
    [0, true, `mov eax, [${at + 1}]`, "none"],
  ] as const) {
    const cpu = machine({ mode: "long", ring });
    const run = await cpu.run(source, { rflags: ac ? 0x40002n : 2n }, (state) => {
      state.cr0 |= 0x40000n;
    });
    assert.equal(faultOf(run), wanted, `ring ${ring} ${source}`);
    cpu.close();
  }
});

test("virtual-8086 mode is entered by IRET and left through an interrupt gate", async () => {
  const cpu = machine({ mode: "protected" });
  const code = 0x9000;
  // Reads through DS, then asks for the monitor; IOPL is 3.
  cpu.memory.write(code, Uint8Array.of(0xa1, 0x10, 0x00, 0xcd, 0x80));
  cpu.memory.write16(0xa010, 0x1234);
  const frame = [0, 0, 0xa00, 0, 0xb00, 0xff0, 0x23002, code >> 4, 0];
  const run = await cpu.run(`${frame.map((value) => `push ${value}`).join("; ")}; iretd`);
  assert.equal(run.fault?.vector, 0x80);
  assert.equal(run.fault?.rip, 5n);
  assert.equal(run.fault?.cs, code >> 4);
  assert.equal(run.fault?.rflags, 0x23002n);
  assert.equal(run.registers.rax, 0x1234n);
  const { state } = run;
  // GS FS DS ES SS ESP EFLAGS CS EIP.
  assert.equal(state.gpr[4], BigInt(TEST_LAYOUT.ringStackTops[0] - 36));
  const slot = (index: number) => cpu.memory.read32(TEST_LAYOUT.ringStackTops[0] - 36 + index * 4);
  assert.deepEqual([slot(3), slot(4), slot(6)], [0xff0, 0xb00, 0xa00]);
  assert.equal(state.rflags & 0x20000n, 0n);
  assert.equal(state.segments.ds.selector, 0);
  // With IOPL below 3, INT and CLI belong to the monitor: #GP(0).
  frame[6] = 0x22002;
  const trapped = await cpu.run(`${frame.map((value) => `push ${value}`).join("; ")}; iretd`);
  assert.equal(faultOf(trapped), "13(0x0)");
  assert.equal(trapped.fault?.rip, 3n);
  cpu.close();
});
