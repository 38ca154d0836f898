/** An x87 error on its way through a PC's board: FERR#, IRQ 13, port 0xf0. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { prepareBios } from "../boot/bios.js";
import { nodeScheduler } from "../node/scheduler.js";
import { assemble } from "../test-support/assemble.js";
import { testInterpreter } from "../test-support/interpreter.js";
import { parseCpuModel } from "../vcpu/cpu-model.js";
import { Machine } from "./machine.js";
import { pcBoard } from "./pc-board.js";

const ROM_BYTES = 0x10000;

// Real mode from the reset vector, with CR0.NE clear as it is then: both interrupt controllers from vector 0x70
// on, IRQ 13 alone unmasked, then a division by zero. The handler counts in BL, which is the exit code.
const PROGRAM = `
  xor ax, ax
  mov ds, ax
  mov ss, ax
  mov sp, 0x7000
  mov word ptr [0x75 * 4], offset handler
  mov word ptr [0x75 * 4 + 2], 0xf000
  mov al, 0x11
  out 0x20, al
  out 0xa0, al
  mov al, 0x68
  out 0x21, al
  mov al, 0x70
  out 0xa1, al
  mov al, 4
  out 0x21, al
  mov al, 2
  out 0xa1, al
  mov al, 1
  out 0x21, al
  out 0xa1, al
  mov al, 0xfb
  out 0x21, al
  mov al, 0xdf
  out 0xa1, al
  sti
  xor bx, bx
  fninit
  mov word ptr [0x6000], 0x37b
  fldcw [0x6000]
  fld1
  fldz
  fdivp
  fwait
  fninit
  fldcw [0x6000]
  fld1
  fldz
  fdivp
  fwait
  mov al, bl
  out 0xf4, al
  hlt
handler:
  inc bx
  xor al, al
  out 0xf0, al
  fld1
  fnclex
  mov al, 0x20
  out 0xa0, al
  out 0x20, al
  iret
`;

test("each x87 error with CR0.NE clear is one IRQ 13", async () => {
  const rom = new Uint8Array(ROM_BYTES).fill(0xf4);
  rom.set(assemble(PROGRAM, 16));
  // The reset vector: JMP f000:0.
  rom.set([0xea, 0x00, 0x00, 0x00, 0xf0], ROM_BYTES - 16);
  const machine = new Machine({
    memory: 2 << 20,
    accelerator: await testInterpreter(),
    // Without a local APIC the interrupt controllers' wire is the CPU's own.
    cpuModel: parseCpuModel("486,-apic"),
    clock: "icount",
    scheduler: nodeScheduler,
    boot: prepareBios({ name: "rom", bytes: rom }),
    board: pcBoard({ debugExit: true }),
    noReboot: true,
  });
  assert.deepEqual(await machine.start(), { kind: "debug-exit", value: 2 });
  machine.close();
});
