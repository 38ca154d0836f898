/** Each device as a guest drives it. */
import assert from "node:assert/strict";
import { TEST_LAYOUT } from "../test-environment.js";
import { CODE, flatImage, Guest, type GuestProgram, runProgram, until } from "./guest.js";
import type { GuestCase } from "./suite.js";

const exited = (value: number) => ({ kind: "debug-exit", value });
const DATA = TEST_LAYOUT.data;
/** Counts in the data area and ends the guest at three. */
const countToThree = (end: string, endOfInterrupt: string) =>
  `push rax
push rdx
push rbx
inc dword ptr [${DATA}]
cmp dword ptr [${DATA}], 3
jne 1f
${CODE.exit(3)}
1: ${endOfInterrupt}
${end}
pop rbx
pop rdx
pop rax
iretq`;
const picEnd = "mov al, 0x20\nout 0x20, al";
const picBothEnd = "mov al, 0x20\nout 0xa0, al\nout 0x20, al";
const apicEnd = "mov ebx, 0xfee00000\nmov dword ptr [ebx + 0xb0], 0";
const WAIT = "sti\n9: hlt\njmp 9b";
/** KVM without hardware underneath keeps an EOI to itself while the vCPU waits in HLT. */
const SPIN = "sti\n9: pause\njmp 9b";

function device(name: string, program: GuestProgram, expected: number): GuestCase {
  return {
    group: "devices",
    name,
    run: async (accelerator) => {
      const { outcome } = await runProgram(accelerator, program);
      assert.deepEqual(outcome, exited(expected));
    },
  };
}

const pitThroughPic = device(
  "PIT through the PIC: three ticks, each acknowledged",
  {
    mode: "long",
    code: `${CODE.pic(1)}\n${CODE.pit(2000)}\n${WAIT}`,
    handlers: { 32: countToThree("", picEnd) },
  },
  3,
);

const pitInRealMode = device(
  "PIT through the PIC in real mode",
  {
    mode: "real",
    code: `${CODE.pic(1)}\n${CODE.pit(2000)}\n${WAIT}`,
    handlers: {
      32: `push ax\ninc word ptr [${DATA}]\ncmp word ptr [${DATA}], 3\njne 1f\n${CODE.exit(3)}\n1: ${picEnd}\npop ax\niret`,
    },
  },
  3,
);

const pitThroughIoapic = device(
  "PIT through the IOAPIC, edge-triggered, to the local APIC",
  {
    mode: "long",
    code: `${CODE.pic(0)}\n${CODE.apicOn}\n${CODE.ioapic(2, 0x31)}\n${CODE.pit(2000)}\n${WAIT}`,
    handlers: { 49: countToThree("", apicEnd) },
  },
  3,
);

const levelTriggered = device(
  "a level-triggered pin of the IOAPIC sends again after EOI while its line is up",
  {
    mode: "long",
    code: `${CODE.pic(0)}\n${CODE.apicOn}\n${CODE.ioapic(20, 0x8032)}\n${CODE.outb(0x2000 + 20, 1)}\n${SPIN}`,
    handlers: { 50: countToThree("", apicEnd) },
  },
  3,
);

const levelEnds = device(
  "a level-triggered line that goes down before EOI sends no more",
  {
    mode: "long",
    code: `${CODE.pic(0)}
${CODE.apicOn}
${CODE.ioapic(20, 0x8032)}
${CODE.outb(0x2000 + 20, 1)}
sti
1: cmp dword ptr [${DATA}], 1
jne 1b
mov ecx, 1000
2: dec ecx
jnz 2b
mov eax, [${DATA}]
${CODE.exit("al")}`,
    handlers: {
      50: `push rax\npush rdx\npush rbx\ninc dword ptr [${DATA}]\n${CODE.outb(0x2000 + 20, 0)}\n${apicEnd}\npop rbx\npop rdx\npop rax\niretq`,
    },
  },
  1,
);

const apicTimer = device(
  "local APIC timer, one-shot then periodic",
  {
    mode: "long",
    code: `${CODE.pic(0)}
${CODE.apicOn}
${CODE.apicWrite(0x3e0, 0xb)}
${CODE.apicWrite(0x320, 0x33)}
${CODE.apicWrite(0x380, 500_000)}
sti
1: hlt
cmp dword ptr [${DATA}], 1
jne 1b
${CODE.apicWrite(0x320, 0x2_0033)}
${CODE.apicWrite(0x380, 500_000)}
${WAIT}`,
    handlers: { 51: countToThree("", apicEnd) },
  },
  3,
);

const tscDeadline = device(
  "local APIC timer by TSC deadline",
  {
    mode: "long",
    code: `${CODE.pic(0)}
${CODE.apicOn}
${CODE.apicWrite(0x320, 0x4_0034)}
rdtsc
add eax, 1000000
adc edx, 0
mov ecx, 0x6e0
wrmsr
${WAIT}`,
    handlers: { 52: CODE.exit(4) },
  },
  4,
);

const x2apic = device(
  "x2APIC mode: id, spurious vector and self IPI by MSR",
  {
    mode: "long",
    code: `mov ecx, 0x1b
rdmsr
or eax, 0xc00
wrmsr
mov ecx, 0x80f
mov eax, 0x1ff
xor edx, edx
wrmsr
sti
mov ecx, 0x83f
mov eax, 0x42
wrmsr
1: hlt
jmp 1b`,
    handlers: { 66: "mov ecx, 0x802\nrdmsr\nadd eax, 5\nout 0xf4, al\nhlt" },
  },
  5,
);

const hpet = device(
  "HPET: main counter runs, a comparator interrupts through the IOAPIC",
  {
    mode: "long",
    code: `${CODE.pic(0)}
${CODE.apicOn}
${CODE.ioapic(20, 0x35)}
mov ebx, 0xfed00000
mov dword ptr [ebx + 0x10], 0
mov dword ptr [ebx + 0xf0], 0
mov dword ptr [ebx + 0xf4], 0
mov dword ptr [ebx + 0x100], ${(20 << 9) | 4}
mov dword ptr [ebx + 0x108], 100000
mov dword ptr [ebx + 0x10c], 0
mov dword ptr [ebx + 0x10], 1
${WAIT}`,
    handlers: {
      53: "mov ebx, 0xfed00000\nmov eax, [ebx + 0xf0]\ncmp eax, 100000\nmov al, 6\njae 1f\nmov al, 1\n1: out 0xf4, al\nhlt",
    },
  },
  6,
);

const rtc = device(
  "RTC: the periodic interrupt through both PICs",
  {
    mode: "long",
    code: `${CODE.pic(0x104)}
mov al, 0x0a
out 0x70, al
mov al, 0x26
out 0x71, al
mov al, 0x0b
out 0x70, al
mov al, 0x42
out 0x71, al
mov al, 0x0c
out 0x70, al
in al, 0x71
${WAIT}`,
    handlers: { 40: countToThree("", `mov al, 0x0c\nout 0x70, al\nin al, 0x71\n${picBothEnd}`) },
  },
  3,
);

const pmTimer = device(
  "the ACPI PM timer runs",
  {
    mode: "long",
    code: `mov dx, 0x608
in eax, dx
mov ebx, eax
1: in eax, dx
sub eax, ebx
and eax, 0xffffff
cmp eax, 3000
jb 1b
${CODE.exit(8)}`,
  },
  8,
);

const fwCfg = device(
  "fw_cfg: the signature by port, and by DMA",
  {
    mode: "long",
    code: `mov dx, 0x510
mov ax, 0
out dx, ax
mov dx, 0x511
mov edi, ${DATA}
mov ecx, 4
cld
rep insb
mov dword ptr [${DATA + 0x10}], 0x0a000000
mov dword ptr [${DATA + 0x14}], 0x04000000
mov dword ptr [${DATA + 0x18}], 0
mov eax, ${DATA + 0x30}
bswap eax
mov [${DATA + 0x1c}], eax
mov dx, 0x514
xor eax, eax
out dx, eax
mov dx, 0x518
mov eax, ${DATA + 0x10}
bswap eax
out dx, eax
1: cmp dword ptr [${DATA + 0x10}], 0
jne 1b
mov eax, [${DATA}]
cmp eax, [${DATA + 0x30}]
jne 2f
cmp eax, 0x554d4551
jne 2f
${CODE.exit(5)}
2: ${CODE.exit(1)}`,
  },
  5,
);

const keyboard = device(
  "keyboard controller: self test, and the A20 and reset lines in port 92",
  {
    mode: "long",
    code: `${CODE.outb(0x64, 0xaa)}
1: in al, 0x64
test al, 1
jz 1b
in al, 0x60
${CODE.exit("al")}`,
  },
  0x55,
);

const pci = device(
  "PCI: the host bridge's and the LPC bridge's ids by 0xcf8 and by ECAM",
  {
    mode: "protected",
    code: `mov dx, 0xcf8
mov eax, 0x80000000
out dx, eax
mov dx, 0xcfc
in eax, dx
mov ecx, eax
mov ebx, 0xb0000000
cmp ecx, [ebx]
jne 1f
cmp cx, 0x8086
jne 1f
mov ebx, 0xb00f8000
mov eax, [ebx]
cmp eax, 0x29188086
jne 1f
${CODE.exit(2)}
1: ${CODE.exit(1)}`,
  },
  2,
);

const serial: GuestCase = {
  group: "devices",
  name: "serial port: characters come in by interrupt and go out again",
  run: async (accelerator) => {
    const program: GuestProgram = {
      mode: "long",
      code: `${CODE.pic(0x10)}\n${CODE.outb(0x3fc, 0xb)}\n${CODE.outb(0x3f9, 1)}\n${CODE.print(">")}\n${WAIT}`,
      handlers: {
        36: `push rax
push rdx
2: mov dx, 0x3fd
in al, dx
test al, 1
jz 1f
mov dx, 0x3f8
in al, dx
cmp al, 'q'
je 3f
out dx, al
jmp 2b
1: ${picEnd}
pop rdx
pop rax
iretq
3: ${CODE.exit(1)}`,
      },
    };
    const guest = new Guest(accelerator, flatImage(program));
    const running = guest.machine.start();
    await until(() => guest.output === ">");
    guest.type("abc");
    await until(() => guest.output === ">abc");
    guest.type("q");
    assert.deepEqual(await guest.finish(running), exited(1));
    guest.machine.close();
  },
};

const messageSignalled: GuestCase = {
  group: "devices",
  name: "a message-signalled interrupt of a device, physical and logical",
  run: async (accelerator) => {
    const program: GuestProgram = {
      mode: "long",
      // Flat logical id 1.
      code: `${CODE.apicOn}\n${CODE.apicWrite(0xe0, 0xffffffff)}\n${CODE.apicWrite(0xd0, 0x1000000)}\n${CODE.print(">")}\n${WAIT}`,
      handlers: { 81: countToThree("", apicEnd) },
    };
    const guest = new Guest(accelerator, flatImage(program));
    const { machine } = guest;
    const running = machine.start();
    await until(() => guest.output === ">");
    for (const address of [0xfee00000, 0xfee01004, 0xfee0100c]) {
      const before = machine.memory.read32(DATA);
      machine.post(() => machine.messageSignalledInterrupt(address, 0x51));
      await until(() => machine.status === "ended" || machine.memory.read32(DATA) === before + 1);
    }
    assert.deepEqual(await guest.finish(running), exited(3));
    machine.close();
  },
};

export const deviceCases: readonly GuestCase[] = [
  pitThroughPic,
  pitInRealMode,
  pitThroughIoapic,
  levelTriggered,
  levelEnds,
  apicTimer,
  tscDeadline,
  x2apic,
  hpet,
  rtc,
  pmTimer,
  fwCfg,
  keyboard,
  pci,
  serial,
  messageSignalled,
];
