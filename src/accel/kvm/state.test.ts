/** The same state under KVM and under the interpreter: taken over in the middle of a program, in both directions. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { kvmObstacle } from "../../test-support/accelerators.js";
import { nativeObstacle } from "../../test-support/differential/native.js";
import { runDifferential } from "../../test-support/differential/tester.js";
import { testInterpreter } from "../../test-support/interpreter.js";
import { Random } from "../../test-support/random.js";
import { TEST_LAYOUT, TestCpu, type TestCpuOptions } from "../../test-support/test-cpu.js";
import { type Accelerator, AcceleratorError } from "../../vcpu/accelerator.js";
import { parseCpuModel } from "../../vcpu/cpu-model.js";
import type { VcpuState } from "../../vcpu/state.js";
import { TUNING_MSRS } from "../../vcpu/state-msrs.js";
import { createKvm } from "./accelerator.js";

const skip = kvmObstacle();
const DATA = TEST_LAYOUT.data;
/** Where a program may be taken over: a write to a port, or to no memory, which ring 3 may do too. */
const HERE = "out 0x99, al";
const HERE_IN_USER_CODE = "mov byte ptr [rdi], al";

type Program = Omit<TestCpuOptions, "accelerator" | "model"> & { code: string };

/** Both accelerators with the CPU model and the TSC that they have in common. */
async function both(): Promise<{
  kvm: Accelerator;
  interpreter: Accelerator;
  common: Pick<TestCpuOptions, "model" | "tscFrequency">;
}> {
  const kvm = createKvm();
  return {
    kvm,
    interpreter: await testInterpreter(),
    common: { model: kvm.offer(parseCpuModel("default")), tscFrequency: kvm.tscFrequency },
  };
}

/** What must be the same. Times go on by themselves. */
function comparable(state: VcpuState): unknown {
  // The directory pointers mean nothing but with PAE paging, which has a test of its own.
  const {
    apic: _apic,
    tsc: _tsc,
    instructions: _instructions,
    pdptrs: _pdptrs,
    msrs,
    segments,
    event,
    ...rest
  } = state;
  const visible = Object.fromEntries(
    Object.entries(segments).map(([name, segment]) => [name, segment.attributes & 0x10000 ? "unusable" : segment]),
  );
  const settled = Object.entries(msrs).filter(([index]) => !TUNING_MSRS.has(Number(index)));
  return { ...rest, event: event.kind, segments: visible, msrs: Object.fromEntries(settled) };
}

/** Without the pointers to the last instruction, which AMD's XSAVE leaves out unless an exception is pending. */
function registersOf({ fip: _fip, fdp: _fdp, fcs: _fcs, fds: _fds, fop: _fop, ...rest }: VcpuState["fpu"]) {
  return rest;
}

/** Runs a program to its `turn`th HERE under one accelerator and to its end under the other. */
async function takeOver(from: Accelerator, to: Accelerator, program: Program, turn: number, common: object) {
  const { code, ...options } = program;
  let passed = 0;
  const here = () => {
    if (++passed === turn) first.vcpu.kick();
  };
  const first: TestCpu = new TestCpu({
    ...options,
    ...common,
    ending: "hlt",
    accelerator: from,
    bus: { portWrite: here, mmioWrite: here, sendIpi: (message) => first.vcpu.interrupt(message) },
  });
  const left = await first.run(code);
  const second = new TestCpu({ ...options, ...common, ending: "hlt", accelerator: to });
  try {
    if (turn > 0) assert.equal(left.exit.reason, "budget");
    second.memory.bytes.set(first.memory.bytes.subarray(first.memory.offsetOf(0, 1)), second.memory.offsetOf(0, 1));
    second.adopt(first);
    if (turn === 0) return left;
    second.vcpu.setState(first.vcpu.getState());
    return await second.resume();
  } finally {
    first.close();
    second.close();
  }
}

const PROGRAMS: Record<string, Program> = {
  "64-bit arithmetic, flags and the stack": {
    mode: "long",
    code: `mov rax, 0x123456789abcdef
${HERE}
mov rbx, 7
mul rbx
pushfq
${HERE}
add rax, rdx
push rax
std
${HERE}
cld
pop r8
pop r9
stc
${HERE}
adc r8, r9
rcl r8, 5`,
  },
  "32-bit code with segments of its own": {
    mode: "protected",
    code: `mov ecx, 5
1: push ecx
${HERE}
pop ecx
add [${DATA}], ecx
loop 1b
mov eax, [${DATA}]
lldt ax
${HERE}
mov ebx, cr0
mov edx, cr3
bsf esi, ebx`.replace("lldt ax\n", ""),
  },
  "16-bit real mode": {
    mode: "real",
    code: `mov ax, 0xa00
mov ds, ax
mov cx, 300
1: add [0], cx
loop 1b
${HERE}
mov bx, [0]
mov ax, 0x1234
${HERE}
add ax, bx`,
  },
  "debug registers, FS and GS bases, system call MSRs": {
    mode: "long",
    code: `mov eax, ${DATA}
mov dr0, rax
mov dr3, rax
mov ecx, 0xc0000100
mov eax, ${DATA}
xor edx, edx
wrmsr
mov ecx, 0xc0000082
mov eax, 0x1234
wrmsr
${HERE}
mov qword ptr fs:[8], 0x77
mov r8, [${DATA + 8}]
rdmsr
mov r9, dr3
mov rbx, dr7`,
  },
  "x87, MMX, SSE in ring 3": {
    mode: "long",
    ring: 3,
    code: `fninit
fldpi
fld1
fadd st, st(1)
mov edi, 0xd0000000
${HERE_IN_USER_CODE}
fsqrt
fstp qword ptr [${DATA}]
mov rax, 0x4009_21fb_5444_2d18
movq xmm1, rax
movq xmm2, rax
mulsd xmm1, xmm2
pshufd xmm5, xmm1, 0x1b
mov edi, 0xd0000000
${HERE_IN_USER_CODE}
addpd xmm5, xmm1
cvttsd2si r10, xmm1
movq r11, xmm5
fnstsw ax
fstp tbyte ptr [${DATA + 16}]
mov r12, [${DATA}]
mov r13, [${DATA + 16}]`.replaceAll("_", ""),
  },
};

for (const [name, program] of Object.entries(PROGRAMS)) {
  test(`taken over between the accelerators: ${name}`, { skip }, async () => {
    const { kvm, interpreter, common } = await both();
    const expected = await takeOver(interpreter, interpreter, program, 0, common);
    assert.equal(expected.exit.reason, "halt");
    const turns = program.code.split(program.ring === 3 ? HERE_IN_USER_CODE : HERE).length - 1;
    for (let turn = 0; turn <= turns; turn++) {
      for (const [from, to] of [
        [interpreter, kvm],
        [kvm, interpreter],
        [kvm, kvm],
      ] as const) {
        const run = await takeOver(from, to, program, turn, common);
        const where = `${from.name} to ${to.name} at ${turn}`;
        assert.equal(run.exit.reason, "halt", where);
        assert.deepEqual(run.registers, expected.registers, where);
        assert.deepEqual(registersOf(run.state.fpu), registersOf(expected.state.fpu), where);
      }
    }
  });
}

test("PAE paging: the directory pointers come back", { skip }, async () => {
  const { kvm, common } = await both();
  const cpu = new TestCpu({ ...common, accelerator: kvm, mode: "protected", paging: "pae" });
  const state = cpu.initialState();

  cpu.vcpu.setState(state);
  assert.deepEqual(cpu.vcpu.getState().pdptrs, state.pdptrs);
  assert.notEqual(state.pdptrs[0], 0n);
  cpu.close();
});

test("a vCPU's state after reset is the same under both", { skip }, async () => {
  const { kvm, interpreter, common } = await both();
  const [ours, theirs] = [interpreter, kvm].map((accelerator) => {
    const cpu = new TestCpu({ ...common, accelerator, mode: "real" });
    cpu.vcpu.reset();
    const state = cpu.vcpu.getState();
    cpu.close();
    return state;
  }) as [VcpuState, VcpuState];
  assert.deepEqual(comparable(theirs), comparable(ours));
});

test("every field of a state comes back as it was set", { skip }, async () => {
  const { kvm, common } = await both();
  const cpu = new TestCpu({ ...common, accelerator: kvm, mode: "long" });
  const random = new Random(5);
  for (let round = 0; round < 50; round++) {
    const state = cpu.initialState();
    state.gpr = state.gpr.map(() => random.u64());
    state.rflags = 2n | (BigInt(random.u32()) & 0xcd5n);
    state.cr2 = random.u64();
    state.dr = { dr0: 0x1000n, dr1: 0x2000n, dr2: BigInt(random.u32()), dr3: 0x4000n, dr6: 0xffff0ff1n, dr7: 0x405n };
    state.fpu.vectors = state.fpu.vectors.map(
      () => Buffer.from(random.fill(new Uint8Array(16))).toString("hex") + "0".repeat(32),
    );
    state.fpu.registers = state.fpu.registers.map(() => ({
      significand: random.u64() | (1n << 63n),
      signExponent: 1 + random.int(0x7ffe),
    }));
    state.fpu.ftw = 0;
    state.fpu.fsw = random.int(8) << 11;
    state.fpu.fcw = 0x37f;
    state.fpu.mxcsr = 0x1f80;
    state.msrs[0xc0000102] = BigInt(random.u32());
    state.msrs[0x174] = BigInt(random.int(0x10000));
    state.nmiMasked = random.chance(0.5);
    state.interruptShadow = random.pick(["none", "sti", "mov-ss"] as const);
    cpu.vcpu.setState(state);
    assert.deepEqual(comparable(cpu.vcpu.getState()), comparable(state));
  }
  cpu.close();
});

test("the local APIC's registers, pending interrupts and timer go along", { skip }, async () => {
  const { kvm, interpreter, common } = await both();
  const code = `mov ebx, 0xfee00000
mov dword ptr [rbx + 0xf0], 0x1ff
mov dword ptr [rbx + 0x3e0], 0xb
mov dword ptr [rbx + 0x320], 0x10033
mov dword ptr [rbx + 0x380], 4000000000
mov dword ptr [rbx + 0x80], 0x20
mov dword ptr [rbx + 0x300], 0x40051
${HERE}
mov eax, [rbx + 0x220]
mov ecx, [rbx + 0x80]
mov edx, [rbx + 0x380]
mov esi, [rbx + 0x390]
mov edi, [rbx + 0x320]`;
  for (const [from, to] of [
    [interpreter, kvm],
    [kvm, interpreter],
  ] as const) {
    const { registers, exit } = await takeOver(from, to, { mode: "long", code }, 1, common);
    assert.equal(exit.reason, "halt");
    // Vector 0x51 waits in IRR; TPR, initial count and LVT are as they were written; the timer counts down.
    assert.deepEqual([registers.rax, registers.rcx, registers.rdx], [0x20000n, 0x20n, 4000000000n]);
    assert.equal(registers.rdi, 0x10033n);
    assert.ok(registers.rsi > 0n && registers.rsi < 4000000000n, `${registers.rsi}`);
  }
});

test("a state that KVM cannot take is refused with the reason, and the vCPU stays as it was", { skip }, async () => {
  const { kvm, common } = await both();
  const cpu = new TestCpu({ ...common, accelerator: kvm, mode: "long" });
  const state = cpu.initialState();
  state.gpr[0] = 77n;
  cpu.vcpu.setState(state);
  const attempts: [Partial<VcpuState>, RegExp][] = [
    [{ modelHash: "0" }, /CPU model/],
    [{ version: 99 as never }, /version 99/],
    [{ tscFrequency: 1e9 }, /1000\.000 MHz/],
    [{ nested: "x" }, /nested/],
    [{ runState: "shutdown" }, /shut down/],
    [{ cr0: state.cr0 & ~1n }, /KVM_SET_SREGS2/],
    [{ xcr0: 0n }, /KVM_SET_XCRS/],
    [{ msrs: { ...state.msrs, 767: 0xfffffn } }, /MSR 0x2ff/],
  ];
  for (const [change, reason] of attempts) {
    assert.throws(
      () => cpu.vcpu.setState({ ...state, gpr: state.gpr.map(() => 1n), ...change }),
      (error) => error instanceof AcceleratorError && error.code === "STATE_MISMATCH" && reason.test(error.message),
      `${reason}`,
    );
    assert.equal(cpu.vcpu.getState().gpr[0], 77n);
    assert.equal(cpu.vcpu.getState().cr0, state.cr0);
  }
  cpu.close();
});

// Without hardware underneath, KVM makes #UD of a #GP for a misaligned vector operand.
for (const table of ["integer", "x87"]) {
  test(`generated ${table} code ends as on the CPU underneath`, {
    skip: skip || nativeObstacle() || false,
  }, async () => {
    const accelerator = createKvm();
    const { cases, failures } = await runDifferential({
      accelerator,
      tables: [table],
      cases: 400,
      seed: 11,
      maxFailures: 3,
    });
    assert.deepEqual([cases, failures], [400, []]);
  });
}
