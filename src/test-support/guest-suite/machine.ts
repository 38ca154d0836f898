/** Modes, exits, interrupts between vCPUs, life cycle. */
import assert from "node:assert/strict";
import { PAGE_SIZE, RAM_OFFSET, ROM_OFFSET } from "../../guest-memory/guest-memory.js";
import { TEST_LAYOUT, TEST_SELECTORS, type TestMode } from "../test-environment.js";
import { CODE, DEBUG_EXIT, flatImage, Guest, runProgram, until } from "./guest.js";
import type { GuestCase } from "./suite.js";

const exited = (value: number) => ({ kind: "debug-exit", value });

/** A word of the guest's data area, for what it leaves there. */
function word(guest: Guest, offset: number): number {
  return guest.machine.memory.read32(TEST_LAYOUT.data + offset);
}

const MODES: TestMode[] = ["real", "protected16", "protected", "compatibility", "long"];

const modes: GuestCase[] = MODES.map((mode) => ({
  group: "machine",
  name: `arithmetic, the stack and a call in ${mode} mode`,
  run: async (accelerator) => {
    const code = `mov eax, 1000
mov ecx, 7
mul ecx
push ax
call 1f
pop bx
sub eax, ebx
jmp 2f
1: add eax, 42
ret
2: out ${DEBUG_EXIT}, al`;
    const { outcome } = await runProgram(accelerator, { mode, code });
    assert.deepEqual(outcome, exited(42));
  },
}));

/** Ring 3 code that faults; the handler of #GP reports the error code. */
const rings: GuestCase = {
  group: "machine",
  name: "ring 3 may not write to ports: #GP to ring 0, with its error code",
  run: async (accelerator) => {
    for (const mode of ["protected", "long"] as const) {
      const frame = mode === "long" ? "rsp" : "esp";
      const program = {
        mode,
        ring: 3 as const,
        code: `mov al, 1\nout ${DEBUG_EXIT}, al`,
        // Error code 0 and CS of ring 3 on the stack.
        handlers: {
          13: `mov eax, [${frame}]\nadd eax, [${frame} + ${mode === "long" ? 16 : 8}]\nout ${DEBUG_EXIT}, al\nhlt`,
        },
      };
      const { outcome } = await runProgram(accelerator, program);
      assert.deepEqual(outcome, exited(TEST_SELECTORS.code[3]), mode);
    }
  },
};

const pageFault: GuestCase = {
  group: "machine",
  name: "a page fault has its address in CR2",
  run: async (accelerator) => {
    const { outcome, guest } = await runProgram(accelerator, {
      mode: "long",
      code: "mov rbx, 0x40123456\nmov byte ptr [rbx], 1",
      handlers: { 14: `mov rax, cr2\nmov [${TEST_LAYOUT.data}], eax\nmov eax, [rsp]\nout ${DEBUG_EXIT}, al\nhlt` },
    });
    // A write to a page that is not present, by ring 0.
    assert.deepEqual(outcome, exited(2));
    assert.equal(word(guest, 0), 0x40123456);
  },
};

const ports: GuestCase = {
  group: "machine",
  name: "port accesses of 1, 2 and 4 bytes, and strings of them",
  run: async (accelerator) => {
    const data = TEST_LAYOUT.data;
    const { outcome, guest } = await runProgram(accelerator, {
      mode: "protected",
      code: `mov dx, 0xe0
mov eax, 0x12345678
out dx, eax
mov eax, 0
in al, dx
mov [${data}], eax
in ax, dx
mov [${data + 4}], eax
in eax, dx
mov [${data + 8}], eax
mov dx, 0x3f8
mov esi, offset 1f
mov ecx, 5
cld
rep outsb
mov dx, 0xe1
mov edi, ${data + 12}
mov ecx, 3
rep insb
${CODE.exit(0)}
1: .ascii "hello"`,
    });
    assert.deepEqual(outcome, exited(0));
    assert.equal(guest.output, "hello");
    assert.deepEqual([word(guest, 0), word(guest, 4), word(guest, 8)], [0x78, 0x5678, 0x12345678]);
    assert.equal(word(guest, 12), 0x565656);
  },
};

const mmio: GuestCase = {
  group: "machine",
  name: "memory-mapped accesses of 1, 2, 4 and 8 bytes",
  run: async (accelerator) => {
    const data = TEST_LAYOUT.data;
    const { outcome, guest } = await runProgram(accelerator, {
      mode: "long",
      code: `mov ebx, 0xff000000
mov byte ptr [rbx], 0x11
mov word ptr [rbx + 2], 0x3322
mov dword ptr [rbx + 4], 0x77665544
mov rax, 0x0123456789abcdef
mov [rbx + 8], rax
mov rax, [rbx]
mov [${data}], rax
mov eax, [rbx + 12]
mov [${data + 8}], eax
movzx eax, word ptr [rbx + 10]
mov [${data + 12}], eax
${CODE.exit(0)}`,
    });
    assert.deepEqual(outcome, exited(0));
    assert.deepEqual([word(guest, 0), word(guest, 4)], [0x33220011, 0x77665544]);
    assert.deepEqual([word(guest, 8), word(guest, 12)], [0x01234567, 0x89ab]);
  },
};

const endings: GuestCase = {
  group: "machine",
  name: "power off, triple fault, reset that ends the run",
  run: async (accelerator) => {
    const powerOff = await runProgram(accelerator, {
      mode: "protected",
      code: "mov dx, 0x604\nmov ax, 0x2000\nout dx, ax\nhlt",
    });
    assert.deepEqual(powerOff.outcome, { kind: "poweroff" });
    const crash = await runProgram(accelerator, { mode: "protected", code: "push 0\npush 0\nlidt [esp]\nud2" });
    assert.equal(crash.outcome.kind, "crash");
    const reset = await runProgram(accelerator, { mode: "protected", code: CODE.outb(0xcf9, 6) }, { noReboot: true });
    assert.deepEqual(reset.outcome, { kind: "reset" });
  },
};

const reboot: GuestCase = {
  group: "machine",
  name: "a reset starts the guest again, and RAM keeps what it had",
  run: async (accelerator) => {
    const data = TEST_LAYOUT.data;
    const { outcome, guest } = await runProgram(accelerator, {
      mode: "protected",
      code: `inc dword ptr [${data}]\ncmp dword ptr [${data}], 5\nje 1f\n${CODE.outb(0xcf9, 6)}\n2: jmp 2b\n1: ${CODE.exit(9)}`,
    });
    assert.deepEqual(outcome, exited(9));
    assert.equal(guest.machine.stats().resets, 4);
  },
};

/** The boot processor wakes the other with INIT and SIPI; it answers in real mode. */
const AP_START = 0xc000;
const wakeOther = (shorthand: number) => `${CODE.apicOn}
mov dword ptr [ebx + 0x310], 0x1000000
mov dword ptr [ebx + 0x300], ${0x4500 | shorthand}
mov dword ptr [ebx + 0x310], 0x1000000
mov dword ptr [ebx + 0x300], ${0x4600 | shorthand | (AP_START >> 12)}`;

const secondVcpu: GuestCase = {
  group: "machine",
  name: "INIT and SIPI start the second vCPU, and both count together without a loss",
  run: async (accelerator) => {
    const data = TEST_LAYOUT.data;
    const rounds = 2000;
    const { outcome, guest } = await runProgram(
      accelerator,
      {
        mode: "protected",
        code: `mov byte ptr [${AP_START}], 0xea
mov dword ptr [${AP_START + 1}], ${AP_START + 0x10}
mov esi, offset other
mov edi, ${AP_START + 0x10}
mov ecx, offset end
sub ecx, offset other
cld
rep movsb
${wakeOther(0)}
mov ecx, ${rounds}
3: lock inc dword ptr [${data}]
dec ecx
jnz 3b
4: cmp dword ptr [${data + 4}], 1
jne 4b
${CODE.exit(7)}
.code16
other: xor ax, ax
mov ds, ax
mov cx, ${rounds}
5: lock inc dword ptr [${data}]
dec cx
jnz 5b
mov dword ptr [${data + 4}], 1
6: hlt
jmp 6b
end: nop`,
      },
      { cpus: 2 },
    );
    assert.deepEqual(outcome, exited(7));
    assert.equal(word(guest, 0), 2 * rounds);
  },
};

const ipi: GuestCase = {
  group: "machine",
  name: "an interrupt to oneself by the ICR",
  run: async (accelerator) => {
    const { outcome } = await runProgram(accelerator, {
      mode: "long",
      code: `${CODE.apicOn}\nsti\nmov dword ptr [ebx + 0x310], 0\nmov dword ptr [ebx + 0x300], 0x44041\n1: hlt\njmp 1b`,
      handlers: { 65: CODE.exit(0x41) },
    });
    assert.deepEqual(outcome, exited(0x41));
  },
};

const nmi: GuestCase = {
  group: "machine",
  name: "an NMI reaches a vCPU that has interrupts off",
  run: async (accelerator) => {
    const image = flatImage({
      mode: "long",
      code: `${CODE.print("x")}\ncli\n1: hlt\njmp 1b`,
      handlers: { 2: CODE.exit(2) },
    });
    const guest = new Guest(accelerator, image);
    const running = guest.machine.start();
    await until(() => guest.output === "x");
    guest.machine.post(() => guest.machine.vcpus[0]?.nmi());
    assert.deepEqual(await guest.finish(running), exited(2));
    guest.machine.close();
  },
};

const pause: GuestCase = {
  group: "machine",
  name: "a paused machine stands still and goes on where it was",
  run: async (accelerator) => {
    const data = TEST_LAYOUT.data;
    const code = `1: inc dword ptr [${data}]\ncmp dword ptr [${data + 4}], 0\nje 1b\n${CODE.exit(3)}`;
    const guest = new Guest(accelerator, flatImage({ mode: "long", code }));
    const running = guest.machine.start();
    await until(() => word(guest, 0) > 0);
    for (let round = 0; round < 3; round++) {
      await guest.machine.pause();
      const [count, time] = [word(guest, 0), guest.machine.clock.now()];
      const state = guest.machine.vcpus[0]!.getState();
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.equal(word(guest, 0), count);
      assert.equal(guest.machine.clock.now(), time);
      assert.equal(guest.machine.vcpus[0]!.getState().tsc, state.tsc);
      guest.machine.resume();
      await until(() => word(guest, 0) !== count);
    }
    guest.machine.memory.write32(data + 4, 1);
    assert.deepEqual(await guest.finish(running), exited(3));
    guest.machine.close();
  },
};

const dirtyPages: GuestCase = {
  group: "machine",
  name: "the dirty log names the pages that the guest and its devices wrote",
  run: async (accelerator) => {
    const first = 0x40000;
    const code = `${CODE.print("a")}
1: mov dx, 0x3fd
in al, dx
test al, 1
jz 1b
mov dx, 0x3f8
in al, dx
mov byte ptr [${first}], al
mov byte ptr [${first + 0x5fff}], al
${CODE.print("b")}
jmp 1b`;
    const guest = new Guest(accelerator, flatImage({ mode: "protected", code }));
    const { machine } = guest;
    const running = machine.start();
    await until(() => guest.output === "a");
    const log = machine.startDirtyLog();
    machine.post(() => guest.type("x"));
    await until(() => guest.output === "ab");
    await machine.pause();
    machine.memory.write8(0x60000, 1);
    assert.deepEqual(pagesOf(log.collect()), [first, first + 0x5000, 0x60000]);
    assert.deepEqual(pagesOf(log.collect()), []);
    machine.resume();
    machine.post(() => guest.type("y"));
    await until(() => guest.output === "abb");
    await machine.pause();
    assert.deepEqual(pagesOf(log.collect()), [first, first + 0x5000]);
    log.stop();
    await machine.stop();
    await running;
    machine.close();
  },
};

/** Guest-physical addresses of the pages below 1 MiB that a dirty log has. */
function pagesOf(bits: Uint8Array): number[] {
  const pages: number[] = [];
  for (let page = 0; page < 0x100; page++) {
    const bit = (RAM_OFFSET - ROM_OFFSET) / PAGE_SIZE + page;
    if (bits[bit >> 3]! & (1 << (bit & 7))) pages.push(page * PAGE_SIZE);
  }
  return pages;
}

export const machineCases: readonly GuestCase[] = [
  ...modes,
  rings,
  pageFault,
  ports,
  mmio,
  endings,
  reboot,
  ipi,
  secondVcpu,
  nmi,
  pause,
  dirtyPages,
];
