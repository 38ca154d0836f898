// npm run bench:kvm -- [--rounds N] [--out FILE]
// What an exit costs, and how long a device's interrupt takes to its handler: the same multiboot guest under
// Ringvisor and under QEMU on the same /dev/kvm, in turns. The guest measures itself by its TSC.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "../scripts/lib/build.mjs";
import { ensureTestPackages } from "../scripts/lib/debian.mjs";
import { fail } from "../scripts/lib/project.mjs";
import { interruptGate } from "./lib/interrupt-gate.mjs";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "5" }, out: { type: "string", default: "bench-kvm.json" } },
});
if (!build()) fail("the build failed: see above");
ensureTestPackages([
  { program: "qemu-system-x86_64", packages: ["qemu-system-x86"] },
  { program: "objcopy", packages: ["binutils"] },
]);
const dist = new URL("../dist/", import.meta.url);
const { assemble } = await import(new URL("test-support/assemble.js", dist));
const { makeElf } = await import(new URL("boot/testing/images.js", dist));
const { createKvm } = await import(new URL("accel/kvm/accelerator.js", dist));

const LOAD = 0x100000;
const EXITS = 4000;
const INTERRUPTS = 500;
/** Of the IOAPIC: QEMU's test device has the ISA interrupts only. */
const PIN = 5;
const VECTOR = 0x30;
const IDT = 0x80000;
const STACK = 0x90000;

/** The TSC's low half around a loop of an access, for each as cycles in all, then the sum over the interrupts. */
const SOURCE = `
.long 0x1badb002, 0, 0xe4524ffe
start: mov esp, ${STACK}
cli
mov dx, 0xe0
${timed("in al, dx")}
mov ebx, 0xff000000
${timed("mov eax, [ebx]")}
${interruptGate(IDT, VECTOR)}
mov al, 0xff
out 0x21, al
out 0xa1, al
mov ebx, 0xfee00000
mov dword ptr [ebx + 0xf0], 0x1ff
mov ebx, 0xfec00000
mov dword ptr [ebx], ${0x11 + PIN * 2}
mov dword ptr [ebx + 0x10], 0
mov dword ptr [ebx], ${0x10 + PIN * 2}
mov dword ptr [ebx + 0x10], ${VECTOR}
xor ebp, ebp
mov edi, ${INTERRUPTS}
next: mov dx, ${0x2000 + PIN}
mov al, 1
sti
rdtsc
mov esi, eax
mov dx, ${0x2000 + PIN}
mov al, 1
out dx, al
wait: pause
jmp wait
handler: rdtsc
sub eax, esi
add ebp, eax
mov dx, ${0x2000 + PIN}
xor eax, eax
out dx, al
mov ebx, 0xfee00000
mov dword ptr [ebx + 0xb0], 0
mov esp, ${STACK}
dec edi
jnz next
mov eax, ebp
call print
xor eax, eax
out 0xf4, al
1: hlt
jmp 1b
print: mov ecx, 8
mov dx, 0x3f8
2: rol eax, 4
push eax
and al, 15
add al, '0'
cmp al, '9'
jbe 3f
add al, 39
3: out dx, al
pop eax
dec ecx
jnz 2b
mov al, 10
out dx, al
ret
`;

function timed(access) {
  return `rdtsc
mov esi, eax
mov ecx, ${EXITS}
1: ${access}
dec ecx
jnz 1b
rdtsc
sub eax, esi
push dx
call print
pop dx`;
}

const folder = mkdtempSync(join(tmpdir(), "ringvisor-bench-kvm-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const kernel = join(folder, "kernel");
writeFileSync(kernel, makeElf(32, LOAD + 12, [{ physical: LOAD, bytes: assemble(SOURCE, 32, LOAD) }]));

const MAIN = fileURLToPath(new URL("cli/main.js", dist));
const COMMANDS = {
  Ringvisor: [
    process.execPath,
    ...[MAIN, "boot", "--accel", "kvm", "--memory", "32M", "--kernel", kernel, "--testdev", "--debug-exit"],
  ],
  QEMU: [
    "qemu-system-x86_64",
    ...["-accel", "kvm", "-machine", "q35,kernel-irqchip=split", "-m", "32", "-kernel", kernel, "-display", "none"],
    ...["-serial", "stdio", "-monitor", "none", "-no-reboot", "-vga", "none", "-nic", "none"],
    ...["-device", "pc-testdev", "-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
  ],
};
const kvm = createKvm();
const microsecond = kvm.tscFrequency / 1e6;
kvm.close();

function measure([program, ...args]) {
  const { stdout, stderr, status } = spawnSync(program, args, { encoding: "latin1", timeout: 120_000 });
  const numbers = stdout.match(/[0-9a-f]{8}(?=\r?\n)/g)?.map((text) => Number.parseInt(text, 16));
  if (numbers?.length !== 3) fail(`${program} ended with ${status}: ${stdout} ${stderr}`);
  const [port, memory, interrupt] = numbers;
  return {
    "port read": port / EXITS / microsecond,
    "memory-mapped read": memory / EXITS / microsecond,
    "interrupt of a device, from OUT to its handler": interrupt / INTERRUPTS / microsecond,
  };
}

const samples = { Ringvisor: [], QEMU: [] };
for (let round = 0; round < Number(values.rounds); round++) {
  for (const [name, command] of Object.entries(COMMANDS)) samples[name].push(measure(command));
}
const median = (numbers) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const result = {};
console.log("| microseconds, median | Ringvisor | QEMU | ratio |\n| --- | --- | --- | --- |");
for (const what of Object.keys(samples.QEMU[0])) {
  const [ours, theirs] = ["Ringvisor", "QEMU"].map((name) => median(samples[name].map((sample) => sample[what])));
  result[what] = { ringvisor: ours, qemu: theirs, ratio: ours / theirs };
  console.log(`| ${what} | ${ours.toFixed(1)} | ${theirs.toFixed(1)} | ${(ours / theirs).toFixed(2)} |`);
}
writeFileSync(values.out, `${JSON.stringify({ samples, result }, null, 1)}\n`);
