/** The local APIC as its vCPU and the machine see it: modes, registers, destinations, pins, the timer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { testInterpreter } from "../../test-support/interpreter.js";
import { interruptMessage } from "../../test-support/interrupt-message.js";
import { TEST_LAYOUT, TestCpu, type TestCpuOptions, type TestRun } from "../../test-support/test-cpu.js";
import { BROADCAST, type InterruptMessage } from "../../vcpu/accelerator.js";
import type { VcpuState } from "../../vcpu/state.js";

const accelerator = await testInterpreter();

const IF = 0x200n;
const BASE = 0xfee00000n;
const APIC_BASE_MSR = 0x1b;
/** Bits of IA32_APIC_BASE. */
const BSP = 1 << 8;
const X2APIC = 1 << 10;
const ENABLED = 1 << 11;

function machine(options: Omit<TestCpuOptions, "accelerator" | "mode"> = {}): TestCpu {
  return new TestCpu({ accelerator, mode: "long", ...options });
}

/** Sets registers of the APIC's page, by their offsets. */
function page(state: VcpuState, registers: Record<number, number>): void {
  for (const [offset, value] of Object.entries(registers)) state.apic.registers[Number(offset) >> 4] = value;
}

/** APIC software-enabled, interrupts on. */
function open(registers: Record<number, number> = {}): (state: VcpuState) => void {
  return (state) => {
    page(state, { 240: 0x1ff, ...registers });
    state.rflags |= IF;
  };
}

function x2apicMode(state: VcpuState): void {
  state.msrs[APIC_BASE_MSR] = BASE | BigInt(BSP | X2APIC | ENABLED);
}

/** `none`, or the fault's vector. */
function faultOf(run: TestRun): string {
  return run.fault === null ? "none" : String(run.fault.vector);
}

async function rdmsr(cpu: TestCpu, index: number, prepare: (state: VcpuState) => void): Promise<string | bigint> {
  const run = await cpu.run("rdmsr", { rcx: BigInt(index) }, prepare);
  return run.fault === null ? run.registers.rax | (run.registers.rdx << 32n) : faultOf(run);
}

async function wrmsr(cpu: TestCpu, index: number, value: bigint, prepare: (state: VcpuState) => void): Promise<string> {
  const registers = { rcx: BigInt(index), rax: value & 0xffffffffn, rdx: value >> 32n };
  return faultOf(await cpu.run("wrmsr", registers, prepare));
}

/** Where handlers that a test writes itself lie. */
const HANDLER = 0x12000;

/** Gives a vector a handler of its own. */
function setVector(cpu: TestCpu, vector: number, code: string): void {
  const at = HANDLER + vector * 64;
  cpu.load(code, at);
  cpu.memory.write16(TEST_LAYOUT.idt + vector * 16, at & 0xffff);
  cpu.memory.write16(TEST_LAYOUT.idt + vector * 16 + 6, at >> 16);
}

test("IA32_APIC_BASE takes the transitions of figure 11-27 of the SDM and no others", async () => {
  const cpu = machine();
  const modes = { off: 0, invalid: X2APIC, xapic: ENABLED, x2apic: ENABLED | X2APIC };
  const allowed = new Set([
    "off off",
    "off xapic",
    "xapic off",
    "xapic xapic",
    "xapic x2apic",
    "x2apic off",
    "x2apic x2apic",
  ]);
  for (const [from, old] of Object.entries(modes)) {
    if (from === "invalid") continue;
    for (const [to, next] of Object.entries(modes)) {
      const fault = await wrmsr(cpu, APIC_BASE_MSR, BASE | BigInt(BSP | next), (state) => {
        state.msrs[APIC_BASE_MSR] = BASE | BigInt(BSP | old);
      });
      assert.equal(fault, allowed.has(`${from} ${to}`) ? "none" : "13", `${from} to ${to}`);
    }
  }
  for (const reserved of [1n, 1n << 9n, 1n << 40n, 1n << 63n]) {
    assert.equal(await wrmsr(cpu, APIC_BASE_MSR, BASE | BigInt(ENABLED) | reserved, () => {}), "13", String(reserved));
  }
  const without = machine({ model: "default,-x2apic" });
  assert.equal(await wrmsr(without, APIC_BASE_MSR, BASE | BigInt(ENABLED | X2APIC), () => {}), "13");
  cpu.close();
  without.close();
});

test("a CPU model without an APIC has none: no CPUID bit, no MSR, no registers", async () => {
  const cpu = machine({ model: "default,-apic" });
  const run = await cpu.run("mov eax, 1; cpuid; mov eax, [rdi + 0x30]", { rdi: BASE });
  assert.equal(run.registers.rdx & (1n << 9n), 0n);
  assert.equal(run.registers.rax, 0xffffffffn);
  assert.equal(await rdmsr(cpu, APIC_BASE_MSR, () => {}), "13");
  cpu.close();
});

test("a disabled APIC takes nothing and answers nothing; enabled again it is as after RESET", async () => {
  const cpu = machine();
  const run = await cpu.run(
    "mov dword ptr [rdi + 0xf0], 0x1ff; mov dword ptr [rdi + 0xd0], 0x1000000; wrmsr; mov ebx, [rdi + 0x30]; mov eax, 1; cpuid; hlt",
    { rdi: BASE, rcx: 0x1bn, rax: BASE | BigInt(BSP) },
  );
  assert.equal(run.state.msrs[APIC_BASE_MSR], BASE | BigInt(BSP));
  assert.equal(run.registers.rdx & (1n << 9n), 0n, "the CPUID bit follows");
  assert.equal(cpu.vcpu.matches(interruptMessage({})), false);
  assert.equal(cpu.vcpu.interrupt(interruptMessage({ deliveryMode: "nmi" })), false);
  assert.equal(cpu.vcpu.matches(interruptMessage({ destination: BROADCAST })), false);
  const back = await cpu.run("wrmsr", { rcx: 0x1bn, rax: BASE | BigInt(ENABLED | BSP) }, (state) => {
    state.msrs[APIC_BASE_MSR] = BASE | BigInt(BSP);
    page(state, { 240: 0x1ff, 208: 0x1000000 });
  });
  assert.deepEqual([back.state.apic.registers[0xf], back.state.apic.registers[0xd]], [0xff, 0]);
  cpu.close();
});

test("x2APIC registers are readable, writable and take values as table 11-6 of the SDM says", async () => {
  const cpu = machine();
  // Write-only, not there in x2APIC mode, or not there at all.
  for (const index of [0x80b, 0x83f, 0x80e, 0x831, 0x809, 0x80c, 0x800, 0x82f, 0x83a, 0x8ff]) {
    assert.equal(await rdmsr(cpu, index, x2apicMode), "13", `read ${index.toString(16)}`);
  }
  for (const index of [
    0x802, 0x803, 0x808, 0x80a, 0x80d, 0x80f, 0x810, 0x827, 0x828, 0x830, 0x837, 0x838, 0x839, 0x83e,
  ]) {
    assert.notEqual(await rdmsr(cpu, index, x2apicMode), "13", `read ${index.toString(16)}`);
  }
  const cases: [number, bigint, boolean][] = [
    [0x802, 0n, false],
    [0x803, 0n, false],
    [0x80d, 0n, false],
    [0x810, 0n, false],
    [0x839, 0n, false],
    [0x808, 0xffn, true],
    [0x808, 0x100n, false],
    [0x80b, 0n, true],
    [0x80b, 1n, false],
    [0x828, 0n, true],
    [0x828, 1n, false],
    [0x80f, 0x1ffn, true],
    [0x80f, 0x11ffn, false],
    [0x832, 0x500ffn, true],
    [0x832, 0x100n, false],
    [0x835, 0x1a7ffn, true],
    [0x835, 0x800n, false],
    [0x837, 0x100ffn, true],
    [0x837, 0x200n, false],
    [0x838, 0xffffffffn, true],
    [0x838, 1n << 32n, false],
    [0x83e, 0xbn, true],
    [0x83e, 4n, false],
    [0x83f, 0xffn, true],
    [0x83f, 0x100n, false],
    [0x830, 1n << 13n, false],
    [0x830, 1n << 20n, false],
  ];
  for (const [index, value, taken] of cases) {
    const fault = await wrmsr(cpu, index, value, x2apicMode);
    assert.equal(fault, taken ? "none" : "13", `${index.toString(16)} takes ${value.toString(16)}`);
  }
  // In xAPIC mode there are none of them.
  assert.equal(await rdmsr(cpu, 0x802, () => {}), "13");
  const intel = machine({ model: "default,vendor=intel" });
  assert.equal(await wrmsr(intel, 0x80f, 0x11ffn, x2apicMode), "none", "EOI broadcast suppression is offered");
  cpu.close();
  intel.close();
});

test("destinations: flat, cluster and x2APIC logical ids, physical ids, broadcast", () => {
  const cpu = machine();
  const state = cpu.initialState();
  const matching = (registers: Record<number, number>, list: number[], logical: boolean, x2apic = false) => {
    const now = structuredClone(state);
    page(now, registers);
    if (x2apic) x2apicMode(now);
    cpu.vcpu.setState(now);
    const mode = logical ? "logical" : "physical";
    return list.filter((destination) => cpu.vcpu.matches(interruptMessage({ destination, destinationMode: mode })));
  };
  const flat = { 208: 0x06000000, 224: 0xffffffff };
  assert.deepEqual(matching(flat, [0, 1, 2, 4, 8, 0xf9, 0xfd, 0x102, BROADCAST], true), [2, 4, 0xfd, BROADCAST]);
  const cluster = { 208: 0x36000000, 224: 0x0fffffff };
  assert.deepEqual(matching(cluster, [0x32, 0x3f, 0x31, 0x22, 0x66, BROADCAST], true), [0x32, 0x3f, BROADCAST]);
  assert.deepEqual(matching({ 32: 0x05000000 }, [0, 5, 0xff, 0x105, BROADCAST], false), [5, BROADCAST]);
  const x2 = { 32: 0, 208: 1 };
  assert.deepEqual(matching(x2, [0, 1, 0xff, BROADCAST], false, true), [0, BROADCAST]);
  assert.deepEqual(matching(x2, [1, 3, 2, 0x10001, BROADCAST], true, true), [1, 3, BROADCAST]);
  cpu.close();
});

test("an xAPIC's id can be written and is where messages go; INIT keeps it, x2APIC mode has its own", async () => {
  const sent: InterruptMessage[] = [];
  const cpu = machine({ bus: { sendIpi: (each) => sent.push(each) } });
  const run = await cpu.run("mov dword ptr [rdi + 0x20], 0x7000000; mov eax, [rdi + 0x20]", { rdi: BASE });
  assert.equal(run.registers.rax, 0x7000000n);
  assert.equal(cpu.vcpu.matches(interruptMessage({ destination: 7 })), true);
  cpu.vcpu.interrupt(interruptMessage({ deliveryMode: "init" }));
  await cpu.vcpu.run({ instructions: 1 });
  assert.equal(cpu.vcpu.getState().apic.registers[2], 0x7000000);
  const x2 = await cpu.run("mov dword ptr [rdi + 0x20], 0x7000000; wrmsr; mov ecx, 0x802; rdmsr", {
    rdi: BASE,
    rcx: 0x1bn,
    rax: BASE | BigInt(ENABLED | X2APIC | BSP),
  });
  assert.equal(x2.registers.rax, 0n);
  // Eight bits of ones from an xAPIC's ICR mean everybody, from an x2APIC's a processor.
  await cpu.run("mov dword ptr [rdi + 0x310], 0xff000000; mov dword ptr [rdi + 0x300], 0x40", { rdi: BASE });
  await wrmsr(cpu, 0x830, 0xff_0000_0040n, x2apicMode);
  assert.deepEqual(
    sent.map(({ destination }) => destination),
    [BROADCAST, 0xff],
  );
  cpu.close();
});

test("illegal vectors and registers are reported by ESR after it is written, and by the error interrupt", async () => {
  const cpu = machine();
  const program = (access: string) =>
    `mov dword ptr [rdi + 0x370], 0x91; ${access}; mov dword ptr [rdi + 0x280], 0; mov eax, [rdi + 0x280]; sti; nop`;
  for (const [access, wanted] of [
    ["mov dword ptr [rdi + 0x300], 0x0e", 0x20n],
    ["mov ebx, [rdi + 0x100]", null],
    ["mov ebx, [rdi + 0x3a0]", 0x80n],
    ["mov dword ptr [rdi + 0x40], ebx", 0x80n],
  ] as const) {
    const run = await cpu.run(program(access), { rdi: BASE }, (state) => page(state, { 240: 0x1ff }));
    assert.equal(run.registers.rax, wanted ?? 0n, access);
    assert.equal(run.fault?.vector, wanted === null ? undefined : 0x91, access);
  }
  // A message with such a vector.
  cpu.vcpu.setState({ ...cpu.initialState() });
  await cpu.run("nop", {}, open());
  cpu.vcpu.interrupt(interruptMessage({ vector: 3 }));
  assert.equal(cpu.vcpu.getState().apic.pendingErrors, 0x40);
  cpu.close();
});

test("TMR remembers how a vector came; an EOI reaches the IOAPICs unless that is suppressed", async () => {
  for (const [model, spurious, wanted] of [
    ["default", 0x11ff, [0x51]],
    ["default,vendor=intel", 0x1ff, [0x51]],
    ["default,vendor=intel", 0x11ff, []],
  ] as const) {
    const ended: number[] = [];
    const cpu = machine({ model, bus: { endOfInterrupt: (vector) => ended.push(vector) } });
    for (const vector of [0x51, 0x52]) setVector(cpu, vector, "mov dword ptr [rdi + 0xb0], 0; iretq");
    const state = cpu.initialState();
    cpu.load("mov dword ptr [rdi + 0xf0], esi; sti; nop; nop; mov eax, [rdi + 0x1a0]; hlt");
    state.gpr[7] = BASE;
    state.gpr[6] = BigInt(spurious);
    open()(state);
    state.rflags = 2n;
    cpu.vcpu.setState(state);
    cpu.vcpu.interrupt(interruptMessage({ vector: 0x51, triggerMode: "level" }));
    cpu.vcpu.interrupt(interruptMessage({ vector: 0x52 }));
    const run = await cpu.resume();
    assert.equal(run.registers.rax, 1n << 17n);
    assert.deepEqual(ended, wanted, `${model} ${spurious.toString(16)}`);
    cpu.close();
  }
});

test("interrupts that were accepted before the APIC is disabled by software are still delivered, new ones are not", async () => {
  const cpu = machine();
  const state = cpu.initialState();
  cpu.load("mov dword ptr [rdi + 0xf0], 0xff; sti; nop; nop");
  state.gpr[7] = BASE;
  page(state, { 240: 0x1ff });
  cpu.vcpu.setState(state);
  cpu.vcpu.interrupt(interruptMessage({ vector: 0x61 }));
  assert.equal((await cpu.resume()).fault?.vector, 0x61);
  assert.equal(cpu.vcpu.interrupt(interruptMessage({ vector: 0x62 })), false);
  assert.equal(cpu.vcpu.interrupt(interruptMessage({ deliveryMode: "nmi" })), true, "NMI needs no software enable");
  cpu.close();
});

test("an ExtINT message makes the processor ask the PIC, also after the machine was saved in between", async () => {
  const cpu = machine({ bus: { acknowledgePic: () => 0x2a } });
  const state = cpu.initialState();
  open()(state);
  cpu.load("nop; nop; hlt");
  cpu.vcpu.setState(state);
  assert.equal(cpu.vcpu.interrupt(interruptMessage({ deliveryMode: "extint" })), true);
  cpu.vcpu.setState(structuredClone(cpu.vcpu.getState()));
  assert.equal((await cpu.resume()).fault?.vector, 0x2a);
  assert.equal(cpu.vcpu.getState().picMessage, undefined);
  cpu.close();
});

test("an SMI is taken by nobody", () => {
  const cpu = machine();
  const state = cpu.initialState();
  open()(state);
  cpu.vcpu.setState(state);
  assert.equal(cpu.vcpu.interrupt(interruptMessage({ deliveryMode: "smi" })), false);
  assert.equal(cpu.vcpu.hasPendingWork(), true, "it runs");
  assert.deepEqual(cpu.vcpu.getState().apic, state.apic);
  cpu.close();
});

test("of NMIs that come while none is in service two are told apart, and a saved machine has both", async () => {
  const cpu = machine();
  setVector(cpu, 2, "inc ebx; iretq");
  cpu.load("nop; nop; nop; hlt");
  for (const [count, wanted] of [
    [1, 1n],
    [2, 2n],
    [3, 2n],
  ] as const) {
    const state = cpu.initialState();
    page(state, { 864: 0x400 });
    cpu.vcpu.setState(state);
    for (let index = 0; index < count; index++) cpu.vcpu.nmi();
    cpu.vcpu.setState(structuredClone(cpu.vcpu.getState()));
    assert.equal((await cpu.resume()).registers.rbx, wanted);
  }
  cpu.close();
});

test("LINT1 is what its LVT entry says; without an APIC it is the NMI pin", async () => {
  const cpu = machine();
  const after = async (registers: Record<number, number>, base = BASE | BigInt(ENABLED | BSP)) => {
    const state = cpu.initialState();
    open(registers)(state);
    state.msrs[APIC_BASE_MSR] = base;
    cpu.load("nop; nop; hlt");
    cpu.vcpu.setState(state);
    cpu.vcpu.nmi();
    return (await cpu.resume()).fault?.vector;
  };
  assert.equal(await after({ 864: 0x10400 }), undefined);
  assert.equal(await after({ 864: 0x400 }), 2);
  assert.equal(await after({ 864: 0x71 }), 0x71);
  assert.equal(await after({ 864: 0x10000 }, BASE | BigInt(BSP)), 2);
  cpu.close();
});

test("LINT0 as a level-triggered input: remote IRR until EOI, then again while it is asserted; polarity", async () => {
  for (const activeLow of [false, true]) {
    const cpu: TestCpu = machine({ bus: { portWrite: () => cpu.vcpu.setExtInt(activeLow) } });
    setVector(
      cpu,
      0x71,
      "inc ebx; or edx, [rdi + 0x350]; cmp ebx, 3; jne 1f; out 0x80, al; 1: mov dword ptr [rdi + 0xb0], 0; iretq",
    );
    const state = cpu.initialState();
    cpu.load("mov dword ptr [rdi + 0x350], esi; 1: cmp ebx, 3; jne 1b; mov eax, [rdi + 0x350]; cli; hlt");
    open()(state);
    state.gpr[7] = BASE;
    state.gpr[6] = BigInt(0x8071 | (activeLow ? 0x2000 : 0));
    cpu.vcpu.setState(state);
    cpu.vcpu.setExtInt(!activeLow);
    const run = await cpu.resume();
    assert.equal(run.registers.rbx, 3n);
    assert.equal(run.registers.rdx & 0x4000n, 0x4000n, "remote IRR in the handler");
    assert.equal(run.registers.rax & 0x4000n, 0n, "not after it");
    cpu.close();
  }
});

test("a one-shot timer that ran out stays at 0 when its mode becomes periodic; before, the count goes on", async () => {
  const cpu = machine();
  // The clock counts instructions. Divide by 1.
  const start =
    "mov dword ptr [rdi + 0x3e0], 0xb; mov dword ptr [rdi + 0x320], 0x10070; mov dword ptr [rdi + 0x380], 1000;";
  const periodic = "mov dword ptr [rdi + 0x320], 0x30070;";
  const wait = (count: number) => `mov ecx, ${count}; 1: dec ecx; jnz 1b;`;
  const end = "mov eax, [rdi + 0x390]; mov ebx, [rdi + 0x380]";
  const after = async (program: string): Promise<number[]> => {
    let run = await cpu.run(`${start} ${program} ${end}`, { rdi: BASE });
    // Setting a timer ends a run early.
    while (run.exit.reason === "budget") run = await cpu.resume();
    return [Number(run.registers.rax), Number(run.registers.rbx)];
  };
  assert.deepEqual(await after(`${wait(600)} ${periodic}`), [0, 1000]);
  const [early = 0] = await after(`${wait(200)} ${periodic}`);
  assert.ok(early > 580 && early < 600, String(early));
  const [wrapped = 0] = await after(`${periodic} ${wait(600)}`);
  assert.ok(wrapped > 780 && wrapped < 800, String(wrapped));
  cpu.close();
});
