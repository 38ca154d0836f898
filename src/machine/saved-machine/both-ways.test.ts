/**
 * A machine that is saved under one accelerator and restored under another while its devices work, back and forth.
 * The guest says the alphabet, a letter at each interrupt: none may be missing, none come twice, and it must go on.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createKvm } from "../../accel/kvm/accelerator.js";
import { kvmObstacle, testTranslator } from "../../test-support/accelerators.js";
import { CODE, flatImage, Guest, type GuestProgram, until } from "../../test-support/guest-suite/guest.js";
import { testInterpreter } from "../../test-support/interpreter.js";
import { TEST_LAYOUT } from "../../test-support/test-environment.js";
import { type Accelerator, AcceleratorError } from "../../vcpu/accelerator.js";
import { parseCpuModel } from "../../vcpu/cpu-model.js";
import { saveMachine } from "./save-machine.js";
import { SavedMachine } from "./saved-machine.js";
import { SavedMachineError } from "./saved-machine-error.js";
import { MemoryFile } from "./testing/memory-file.js";

const DATA = TEST_LAYOUT.data;
const LETTERS = "abcdefghijklmnopqrstuvwxyz";
/** What every KVM offers. */
const MODEL = "x86-64-v1,+x2apic,+tsc_deadline";
const START = `mov byte ptr [${DATA}], 'a'`;
const WAIT = "sti\n9: hlt\njmp 9b";
const PIC_END = "mov al, 0x20\nout 0x20, al";
const PICS_END = "mov al, 0x20\nout 0xa0, al\nout 0x20, al";
const APIC_END = "mov ebx, 0xfee00000\nmov dword ptr [ebx + 0xb0], 0";

/** An interrupt handler that says the next letter, and ends the guest after the last. */
const say = (end: string): string => `push rax
push rdx
push rbx
push rcx
mov dx, 0x3f8
mov al, [${DATA}]
out dx, al
inc byte ptr [${DATA}]
cmp al, 'z'
jne 1f
${CODE.exit(3)}
1: ${end}
pop rcx
pop rbx
pop rdx
pop rax
iretq`;

const armTsc = "rdtsc\nadd eax, 2000000\nadc edx, 0\nmov ecx, 0x6e0\nwrmsr";

const SOURCES: Record<string, GuestProgram & { typed?: string }> = {
  "PIT through the PIC": {
    mode: "long",
    code: `${START}\n${CODE.pic(1)}\n${CODE.pit(4000)}\n${WAIT}`,
    handlers: { 32: say(PIC_END) },
  },
  "PIT through the IOAPIC": {
    mode: "long",
    code: `${START}\n${CODE.pic(0)}\n${CODE.apicOn}\n${CODE.ioapic(2, 0x31)}\n${CODE.pit(4000)}\n${WAIT}`,
    handlers: { 49: say(APIC_END) },
  },
  "the local APIC's periodic timer": {
    mode: "long",
    code: `${START}\n${CODE.pic(0)}\n${CODE.apicOn}\n${CODE.apicWrite(0x3e0, 0xb)}\n${CODE.apicWrite(0x320, 0x2_0033)}
${CODE.apicWrite(0x380, 2_000_000)}\n${WAIT}`,
    handlers: { 51: say(APIC_END) },
  },
  "the local APIC's TSC deadline": {
    mode: "long",
    code: `${START}\n${CODE.pic(0)}\n${CODE.apicOn}\n${CODE.apicWrite(0x320, 0x4_0034)}\n${armTsc}\n${WAIT}`,
    handlers: { 52: say(`${armTsc}\n${APIC_END}`) },
  },
  "the HPET's periodic comparator": {
    mode: "long",
    code: `${START}\n${CODE.pic(0)}\n${CODE.apicOn}\n${CODE.ioapic(20, 0x35)}
mov ebx, 0xfed00000
mov dword ptr [ebx + 0x100], ${(20 << 9) | 0x14c}
mov dword ptr [ebx + 0x108], 200000
mov dword ptr [ebx + 0x10], 1
${WAIT}`,
    handlers: { 53: say(APIC_END) },
  },
  "the RTC's periodic interrupt": {
    mode: "long",
    code: `${START}\n${CODE.pic(0x104)}
mov al, 0x0a\nout 0x70, al\nmov al, 0x28\nout 0x71, al
mov al, 0x0b\nout 0x70, al\nmov al, 0x42\nout 0x71, al
mov al, 0x0c\nout 0x70, al\nin al, 0x71
${WAIT}`,
    handlers: { 40: say(`mov al, 0x0c\nout 0x70, al\nin al, 0x71\n${PICS_END}`) },
  },
  "input that waits in the serial port": {
    mode: "long",
    typed: LETTERS,
    code: `${CODE.pic(1)}\n${CODE.pit(4000)}\n${WAIT}`,
    handlers: {
      // Takes one character at each tick of the PIT.
      32: `push rax
push rdx
mov dx, 0x3fd
in al, dx
test al, 1
jz 1f
mov dx, 0x3f8
in al, dx
out dx, al
cmp al, 'z'
jne 1f
${CODE.exit(3)}
1: ${PIC_END}
pop rdx
pop rax
iretq`,
    },
  },
};

interface Leg {
  accelerator: Accelerator;
  tscFrequency?: number;
}

/** Goes through the legs, with the machine saved and restored between them; at the last one to the end. */
async function travel({ typed = "", ...program }: GuestProgram & { typed?: string }, legs: Leg[]): Promise<string> {
  let file: MemoryFile | null = null;
  let said = "";
  for (const [index, { accelerator, tscFrequency }] of legs.entries()) {
    const guest = new Guest(accelerator, flatImage(program), { model: MODEL, tscFrequency });
    const { machine } = guest;
    try {
      if (file !== null) {
        const saved = await SavedMachine.open(file);
        saved.checkCpu(accelerator);
        await saved.restore(machine);
      }
      const running = machine.start();
      if (index === 0) guest.type(typed);
      if (index === legs.length - 1) {
        assert.deepEqual(await guest.finish(running), { kind: "debug-exit", value: 3 });
      } else {
        const before = said.length;
        await until(() => before + guest.output.length >= 5 * (index + 1) || machine.status === "ended");
        await machine.pause();
        file = new MemoryFile();
        await saveMachine(machine, file);
        await machine.stop();
      }
    } finally {
      machine.close();
    }
    said += guest.output;
  }
  return said;
}

for (const [name, program] of Object.entries(SOURCES)) {
  test(`interpreter to interpreter: ${name}`, async () => {
    const accelerator = await testInterpreter();
    assert.equal(await travel(program, [{ accelerator }, { accelerator }, { accelerator }]), LETTERS);
  });
  test(`interpreter to translator and back, and the reverse: ${name}`, async () => {
    const [interpreter, translator] = [
      { accelerator: await testInterpreter() },
      { accelerator: await testTranslator() },
    ];
    assert.equal(await travel(program, [interpreter, translator, interpreter]), LETTERS);
    assert.equal(await travel(program, [translator, interpreter, translator]), LETTERS);
  });
}

const skip = kvmObstacle();

/** All accelerators with the TSC that they have in common. */
async function both(): Promise<{ kvm: Leg & { close(): void }; interpreter: Leg; translator: Leg }> {
  const accelerator = createKvm();
  const { tscFrequency } = accelerator;
  return {
    kvm: { accelerator, tscFrequency, close: () => accelerator.close() },
    interpreter: { accelerator: await testInterpreter(), tscFrequency },
    translator: { accelerator: await testTranslator(), tscFrequency },
  };
}

for (const [name, program] of Object.entries(SOURCES)) {
  test(`interpreter and translator to KVM and back, and the reverse: ${name}`, { skip }, async () => {
    const { kvm, interpreter, translator } = await both();
    try {
      assert.equal(await travel(program, [translator, kvm, translator]), LETTERS);
      assert.equal(await travel(program, [interpreter, kvm, interpreter]), LETTERS);
      assert.equal(await travel(program, [kvm, interpreter, kvm]), LETTERS);
    } finally {
      kvm.close();
    }
  });
}

test("what KVM cannot take over is refused with the reason, and its machine is as before", { skip }, async () => {
  const { kvm, interpreter } = await both();
  try {
    const program = SOURCES["PIT through the PIC"];
    const save = async (leg: Leg, model: string): Promise<SavedMachine> => {
      const { machine } = new Guest(leg.accelerator, flatImage(program), { model, tscFrequency: leg.tscFrequency });
      const file = new MemoryFile();
      await saveMachine(machine, file);
      machine.close();
      return SavedMachine.open(file);
    };
    const offered = kvm.accelerator.offer(parseCpuModel("max"));
    const more = parseCpuModel("max");
    const rich = await save(interpreter, "max");
    const { code, message } = await refusal(() => rich.checkCpu(kvm.accelerator));
    if (offered.features.some((word, index) => word !== more.features[index])) {
      assert.equal(code, "SAVED_CPU");
      assert.match(message, /the machine has the CPU features? .*, which the accelerator does not offer here/);
    }
    const fast = await save({ ...interpreter, tscFrequency: interpreter.tscFrequency! * 2 }, MODEL);
    const guest = new Guest(kvm.accelerator, flatImage(program), { model: MODEL });
    const before = guest.machine.vcpus[0].getState();
    const tsc = await refusal(() => fast.restore(guest.machine));
    assert.equal(tsc.code, "SAVED_STATE");
    assert.match(tsc.message, /the guest's TSC runs at \d+\.\d+ MHz, here it would at/);
    assert.ok(tsc.cause instanceof AcceleratorError);
    const { tsc: _a, ...was } = before;
    const { tsc: _b, ...is } = guest.machine.vcpus[0].getState();
    assert.deepEqual(is, was);
    guest.machine.close();
  } finally {
    kvm.close();
  }
});

/** The error that the work ends with; an empty one where it does not. */
async function refusal(work: () => unknown): Promise<SavedMachineError> {
  try {
    await work();
  } catch (error) {
    assert.ok(error instanceof SavedMachineError, String(error));
    return error;
  }
  return new SavedMachineError("SAVED_CPU", "", "");
}
