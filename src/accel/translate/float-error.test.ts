/** x87 errors with CR0.NE clear: FERR#, IRQ 13, IGNNE#. Intel SDM vol. 1 8.7.1 and appendix D. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assemble } from "../../test-support/assemble.js";
import { testInterpreter } from "../../test-support/interpreter.js";
import { TestCpu } from "../../test-support/test-cpu.js";

const accelerator = await testInterpreter();

const VECTOR = 0x75;
const HANDLER = 0x9000;
const IF = 0x200n;
const NE = 0x20n;
/** Divides by zero, with that exception unmasked. */
const DIVIDE = "fninit; push 0x37b; mov bp, sp; fldcw [bp]; fld1; fldz; fdivp";

/** A real-mode machine whose board raises the interrupt, and asserts IGNNE# for the handler at HANDLER. */
function machine(handler: string, mode: "ne" | "irq" = "irq") {
  const errors: number[] = [];
  const cpu: TestCpu = new TestCpu({
    accelerator,
    mode: "real",
    bus: {
      floatError: () => {
        errors.push(cpu.vcpu.instructions);
        cpu.vcpu.setExtInt(true);
      },
      acknowledgePic: () => {
        cpu.vcpu.setExtInt(false);
        return VECTOR;
      },
      portWrite: (port) => {
        if (port === 0xf0) cpu.vcpu.ignoreFloatErrors?.();
      },
    },
  });
  cpu.memory.write32(VECTOR * 4, HANDLER);
  cpu.memory.write(HANDLER, assemble(handler, 16, HANDLER));
  const run = (source: string, rflags = 2n | IF) =>
    cpu.run(source, { rflags }, (state) => {
      // LINT0 takes the PIC's interrupt, as a PC's firmware sets it up.
      state.apic.registers[0x35] = 0x700;
      state.cr0 = (state.cr0 & ~NE) | (mode === "ne" ? NE : 0n);
    });
  return { cpu, run, errors };
}

test("the next waiting instruction waits for the interrupt, and is executed when the handler has cleared the error", async () => {
  const { cpu, run, errors } = machine("inc cx; mov si, sp; mov dx, [si]; out 0xf0, al; fnclex; iret");
  const { fault, exit, registers } = await run(
    `${DIVIDE}; inc ax; fnstsw [0xa000]; here: fwait; mov bx, offset here; mov di, [0xa000]`,
  );
  assert.equal(exit.reason, "halt");
  assert.equal(fault, null);
  assert.equal(errors.length, 1);
  assert.equal(registers.rcx & 0xffffn, 1n);
  assert.equal(registers.rax & 0xffffn, 1n, "instructions that are not x87 go on");
  assert.equal(registers.rdi & 0x84n, 0x84n);
  assert.equal(registers.rdx & 0xffffn, registers.rbx & 0xffffn, "the interrupt's return address is the instruction");
  cpu.close();
});

test("under IGNNE# x87 goes on in spite of the error, until it is cleared", async () => {
  const handler = "inc cx; out 0xf0, al; fld1; fwait; fstp st(0); fnstsw [0xa000]; mov di, [0xa000]; fnclex; iret";
  const { cpu, run, errors } = machine(handler);
  const { fault, registers } = await run(`${DIVIDE}; fwait; ${DIVIDE}; fld1`);
  assert.equal(fault, null);
  assert.equal(registers.rdi & 0x80n, 0x80n, "the error still stands");
  assert.equal(registers.rcx & 0xffffn, 2n, "the second error is reported again");
  assert.equal(errors.length, 2);
  cpu.close();
});

test("without IF the processor stands still; FNINIT and the like do not wait", async () => {
  const { cpu, run, errors } = machine("iret");
  const stopped = await run(`${DIVIDE}; here: fwait; inc cx`, 2n);
  assert.equal(stopped.exit.reason, "halt");
  assert.equal(stopped.registers.rcx, 0n);
  assert.ok(errors.length > 0);
  errors.length = 0;
  cpu.vcpu.setExtInt(false);
  const went = await run(`${DIVIDE}; fnstsw ax; fninit; fwait; inc cx`, 2n);
  assert.equal(went.registers.rcx & 0xffffn, 1n);
  assert.equal(errors.length, 0);
  cpu.close();
});

test("with CR0.NE set it is #MF", async () => {
  const { cpu, run, errors } = machine("iret", "ne");
  const { fault } = await run(`${DIVIDE}; fwait; inc cx`);
  assert.equal(fault?.vector, 16);
  assert.equal(errors.length, 0);
  cpu.close();
});

test("IGNNE# is part of the state", async () => {
  const { cpu, run } = machine("out 0xf0, al; hlt");
  await run(`${DIVIDE}; fwait`);
  const state = cpu.vcpu.getState();
  assert.equal(state.ignoresFloatError, true);
  cpu.vcpu.reset();
  assert.equal(cpu.vcpu.getState().ignoresFloatError, undefined);
  cpu.vcpu.setState(state);
  assert.equal(cpu.vcpu.getState().ignoresFloatError, true);
  cpu.close();
});
