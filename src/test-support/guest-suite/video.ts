/** The VGA and the A20 gate as a guest drives them. */
import assert from "node:assert/strict";
import { CODE, flatImage, Guest, type GuestProgram, runProgram, until } from "./guest.js";
import type { GuestCase } from "./suite.js";

const board = { vga: { rom: new Uint8Array(0) } };
const exited = (value: number) => ({ kind: "debug-exit", value });

/** Writes a dword into the VGA's configuration space: device 2. Clobbers EAX, EDX. */
const writeConfig = (register: number, value: number) =>
  `mov dx, 0xcf8\nmov eax, ${0x8000_1000 + register}\nout dx, eax\nmov dx, 0xcfc\nmov eax, ${value}\nout dx, eax`;
/** Sets a VBE register. Clobbers AX, DX. */
const vbe = (index: number, value: number) =>
  `mov dx, 0x1ce\nmov ax, ${index}\nout dx, ax\ninc dx\nmov ax, ${value}\nout dx, ax`;
const FRAME_BUFFER = 0xe000_0000;
/** A mode of 640 by 480 dots of 32 bits, its memory at FRAME_BUFFER. */
export const VBE_MODE = [
  writeConfig(0x10, FRAME_BUFFER),
  writeConfig(0x04, 3),
  vbe(1, 640),
  vbe(2, 480),
  vbe(3, 32),
  vbe(4, 0x41),
].join("\n");

const text: GuestCase = {
  group: "devices",
  name: "VGA: what is written at 0xb8000 is on the text screen, with the cursor",
  run: async (accelerator) => {
    const program: GuestProgram = {
      mode: "long",
      code: `mov ebx, 0xb8000
mov dword ptr [ebx + 160], 0x4f6b4f4f
mov dx, 0x3d4
mov ax, 0x520f
out dx, ax
mov ax, 0x000e
out dx, ax
${CODE.print(">")}
9: hlt
jmp 9b`,
    };
    const guest = new Guest(accelerator, flatImage(program), { board });
    const running = guest.machine.start();
    await until(() => guest.output === ">");
    assert.equal(guest.machine.screenText()?.split("\n")[1], "Ok");
    const image = guest.machine.screen();
    assert.ok(image?.kind === "text");
    assert.equal(image.attributes[80], 0x4f);
    assert.deepEqual(image.cursor, { column: 2, row: 1 });
    await guest.machine.stop();
    await guest.finish(running);
    guest.machine.close();
  },
};

const frameBuffer: GuestCase = {
  group: "devices",
  name: "VGA: a VBE mode's memory through BAR 0 and in banks at 0xa0000 is the same, and moves with the BAR",
  run: async (accelerator) => {
    const { outcome, guest } = await runProgram(
      accelerator,
      {
        mode: "protected",
        code: `${VBE_MODE}
mov ebx, ${FRAME_BUFFER + 0x30000}
mov dword ptr [ebx + 4], 0x00112233
mov dword ptr [ebx + 0x1000], 0x00445566
${vbe(5, 3)}
mov ebx, 0xa0000
cmp dword ptr [ebx + 4], 0x00112233
mov al, 1
jne 1f
mov dword ptr [ebx + 8], 0x00778899
${writeConfig(0x10, FRAME_BUFFER + 0x200_0000)}
mov ebx, ${FRAME_BUFFER + 0x203_0000}
cmp dword ptr [ebx + 8], 0x00778899
mov al, 2
jne 1f
cmp dword ptr [ebx + 0x1000], 0x00445566
mov al, 3
jne 1f
mov ebx, ${FRAME_BUFFER + 0x3_0000}
cmp dword ptr [ebx + 4], 0xffffffff
mov al, 4
jne 1f
mov al, 0
1: ${CODE.exit("al")}`,
      },
      { board },
    );
    assert.deepEqual(outcome, exited(0));
    assert.deepEqual(guest.machine.screen(), { kind: "graphics", width: 640, height: 480, bitsPerPixel: 32 });
  },
};

const a20: GuestCase = {
  group: "devices",
  name: "A20: closed by port 0x92 or the keyboard controller, the second MiB shows the first",
  run: async (accelerator) => {
    const { outcome } = await runProgram(
      accelerator,
      {
        mode: "protected",
        code: `mov ebx, 0x90000
mov ecx, 0x190000
mov dword ptr [ebx], 0x11111111
mov dword ptr [ecx], 0x22222222
mov al, 1
cmp dword ptr [ebx], 0x11111111
jne 1f
${CODE.outb(0x92, 0)}
mov al, 2
cmp dword ptr [ecx], 0x11111111
jne 1f
mov dword ptr [ecx], 0x33333333
mov al, 3
cmp dword ptr [ebx], 0x33333333
jne 1f
mov edi, 0x290000
mov al, 4
cmp dword ptr [edi], 0
jne 1f
${CODE.outb(0x64, 0xdf)}
mov al, 5
cmp dword ptr [ecx], 0x22222222
jne 1f
${CODE.outb(0x64, 0xd1)}
${CODE.outb(0x60, 0x01)}
mov al, 6
cmp dword ptr [ecx], 0x33333333
jne 1f
in al, 0x92
test al, 2
mov al, 7
jne 1f
mov al, 0
1: ${CODE.exit("al")}`,
      },
      { memory: 4 << 20 },
    );
    assert.deepEqual(outcome, exited(0));
  },
};

export const videoCases: readonly GuestCase[] = [text, frameBuffer, a20];
