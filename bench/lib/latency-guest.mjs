// A multiboot guest that measures how late its local APIC's timer interrupts it in a hot loop, by its TSC.
import { ensureTestPackages } from "../../scripts/lib/debian.mjs";
import { interruptGate } from "./interrupt-gate.mjs";
import { CALIBRATION } from "./lateness.mjs";

const DIST = new URL("../../dist/", import.meta.url);
ensureTestPackages([{ program: "objcopy", packages: ["binutils"] }]);
const { assemble } = await import(new URL("test-support/assemble.js", DIST));
const { makeElf } = await import(new URL("boot/testing/images.js", DIST));

const LOAD = 0x100000;
const IDT = 0x80000;
const STACK = 0x90000;
const SAMPLES = 0x400000;
const BUFFER = 0x800000;
const VECTOR = 0x30;
/** Delays are random numbers of so many bits, above the least, in ticks of the APIC's timer. */
const DELAY_BITS = 21;
const LEAST_DELAY = 100_000;

const ARITHMETIC = [
  "add eax, ebx",
  "rol ebx, 5",
  "xor ecx, eax",
  "imul edx, ebx, 69069",
  "sub edi, ecx",
  "lea eax, [eax + edx * 2 + 1]",
];

/** What the interrupt falls into: text of a loop without an end. */
export const LOOPS = {
  "short loop": `5: ${ARITHMETIC.join("\n")}\njmp 5b`,
  "long loop": `5: ${Array(60).fill(ARITHMETIC.join("\n")).join("\n")}\njmp 5b`,
  "calls and memory": `5: call 6f\nmov [${BUFFER}], eax\njmp 5b\n6: push ebx\nadd eax, [${BUFFER + 64}]\npop ebx\nret`,
  "REP MOVSB of a megabyte": `cld\n5: mov esi, ${BUFFER}\nmov edi, ${BUFFER + (1 << 20)}\nmov ecx, ${1 << 20}\nrep movsb\njmp 5b`,
};

/**
 * The guest's ELF file. It prints the ticks of its TSC and of the APIC's timer in the calibration, then for each of
 * `samples` interrupts the delay in ticks of the APIC's timer and the ticks of the TSC until the handler, in hexadecimal.
 */
export function latencyGuest(loop, samples) {
  const code = assemble(source(loop, samples), 32, LOAD);
  return makeElf(32, LOAD + 12, [{ physical: LOAD, bytes: code }]);
}

const source = (loop, samples) => `
.long 0x1badb002, 0, 0xe4524ffe
start: mov esp, ${STACK}
cli
${interruptGate(IDT, VECTOR)}
add esp, 8
mov al, 0xff
out 0x21, al
out 0xa1, al
mov ebx, 0xfee00000
mov dword ptr [ebx + 0xf0], 0x1ff
# One shot, masked, a tick of the bus each.
mov dword ptr [ebx + 0x320], ${0x10000 + VECTOR}
mov dword ptr [ebx + 0x3e0], 0xb
# The PIT's channel 2, mode 0, counts while its gate is open; the speaker stays off.
in al, 0x61
and al, 0xfc
out 0x61, al
mov al, 0xb0
out 0x43, al
mov al, ${CALIBRATION & 255}
out 0x42, al
mov al, ${CALIBRATION >> 8}
out 0x42, al
in al, 0x61
or al, 1
out 0x61, al
rdtsc
mov esi, eax
mov dword ptr [ebx + 0x380], 0xffffffff
1: in al, 0x61
test al, 0x20
jz 1b
rdtsc
mov ecx, [ebx + 0x390]
sub eax, esi
call print
not ecx
mov eax, ecx
call print
mov dword ptr [ebx + 0x380], 0
mov dword ptr [ebx + 0x320], ${VECTOR}
mov dword ptr [count], 0
next: mov eax, [seed]
mov ecx, eax
shl ecx, 13
xor eax, ecx
mov ecx, eax
shr ecx, 17
xor eax, ecx
mov ecx, eax
shl ecx, 5
xor eax, ecx
mov [seed], eax
and eax, ${(1 << DELAY_BITS) - 1}
add eax, ${LEAST_DELAY}
mov ecx, eax
mov ebp, [count]
mov [ebp * 8 + ${SAMPLES}], ecx
mov ebx, 0xfee00000
rdtsc
mov ebp, eax
mov dword ptr [ebx + 0x380], ecx
sti
${loop}
handler: rdtsc
sub eax, ebp
mov ecx, [count]
mov [ecx * 8 + ${SAMPLES + 4}], eax
mov ebx, 0xfee00000
mov dword ptr [ebx + 0xb0], 0
mov esp, ${STACK}
inc ecx
mov [count], ecx
cmp ecx, ${samples}
jb next
xor esi, esi
2: mov eax, [esi * 8 + ${SAMPLES}]
call print
mov eax, [esi * 8 + ${SAMPLES + 4}]
call print
inc esi
cmp esi, ${samples}
jb 2b
mov dx, 0x3fd
3: in al, dx
test al, 0x40
jz 3b
xor eax, eax
out 0xf4, al
3: hlt
jmp 3b
print: push ecx
mov ecx, 8
mov dx, 0x3f8
7: rol eax, 4
push eax
and al, 15
add al, '0'
cmp al, '9'
jbe 8f
add al, 39
8: push eax
mov dx, 0x3fd
9: in al, dx
test al, 0x20
jz 9b
pop eax
mov dx, 0x3f8
out dx, al
pop eax
dec ecx
jnz 7b
mov dx, 0x3fd
9: in al, dx
test al, 0x20
jz 9b
mov dx, 0x3f8
mov al, 10
out dx, al
pop ecx
ret
.balign 4
seed: .long 2463534242
count: .long 0
`;
