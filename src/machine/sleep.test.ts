/** Sleep state S3 of a PC: what is kept, what is lost, what wakes it, and where the guest goes on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { prepareBios } from "../boot/bios.js";
import type { BootImage } from "../boot/boot-image.js";
import type { CharBackend } from "../devices/device.js";
import { assemble } from "../test-support/assemble.js";
import { testInterpreter } from "../test-support/interpreter.js";
import { parseCpuModel } from "../vcpu/cpu-model.js";
import { Machine } from "./machine.js";
import { SYSTEM_ROM } from "./memory-map.js";
import { pcBoard } from "./pc-board.js";
import { FakeScheduler } from "./testing/fake-scheduler.js";

const accelerator = await testInterpreter();

const CODE = 0x8000;
const WAKING_CODE = 0x9000;
const FACS = SYSTEM_ROM + 0x40;
const PM = 0x600;
const MIB = 2 ** 20;

/** Real-mode code that writes a word to a port. */
const out16 = (port: number, value: number) => `mov dx, ${port}; mov ax, ${value}; out dx, ax;`;
const out8 = (port: number, value: number) => `mov dx, ${port}; mov al, ${value}; out dx, al;`;
const put32 = (address: number, value: number) =>
  `push ds; mov ax, ${address >>> 4}; mov ds, ax; mov dword ptr [${address & 15}], ${value}; pop ds;`;
const SLEEP = `${out16(PM + 4, 0x2400)} mov word ptr [0x600], 0xbad; 1: hlt; jmp 1b`;
/** Sends AL as a byte of COM1. */
const PRINT = "mov dx, 0x3f8; out dx, al;";
const DEBUG_EXIT = out8(0xf4, 5);

/** A machine that runs `code`, and has `waking` at WAKING_CODE; both in real mode, both in the first 64 KiB. */
function makeMachine(code: string, waking: string, rom: Uint8Array | null = null) {
  const scheduler = new FakeScheduler();
  let output = "";
  const console: CharBackend = {
    write: (bytes) => {
      output += new TextDecoder("latin1").decode(bytes);
      return true;
    },
    onData: () => {},
  };
  const boot: BootImage = {
    kind: rom === null ? "multiboot" : "bios",
    description: "test",
    rom,
    load: ({ memory }) => {
      memory.write(CODE, assemble(code, 16, CODE));
      memory.write(WAKING_CODE, assemble(waking, 16, WAKING_CODE));
      return (reset) => ({
        ...reset,
        rip: BigInt(CODE),
        segments: { ...reset.segments, cs: { ...reset.segments.cs, selector: 0, base: 0n } },
        runState: "running",
      });
    },
  };
  const machine = new Machine({
    accelerator,
    cpuModel: parseCpuModel("default"),
    memory: 16 * MIB,
    cpus: 2,
    clock: "icount",
    scheduler,
    boot,
    board: pcBoard({ debugExit: true }),
    console,
  });
  return { machine, scheduler, output: () => output };
}

const SET_VECTOR = put32(FACS + 12, WAKING_CODE);

test("the alarm wakes the machine at the waking vector, in real mode: RAM and the RTC are as they were, chips are not", async () => {
  const alarm = `${out16(PM + 2, 0x400)} ${out8(0x70, 1)} ${out8(0x71, 0xc0)} ${out8(0x70, 3)} ${out8(0x71, 0xc0)}
    ${out8(0x70, 5)} ${out8(0x71, 0xc0)} ${out8(0x70, 0x40)} ${out8(0x71, 0x5a)} ${out8(0x70, 11)} ${out8(0x71, 0x22)}`;
  const code = `${out8(0x21, 0x5f)} mov word ptr [0x600], 0x1234; ${alarm} ${SET_VECTOR} ${SLEEP}`;
  // CS and IP, the word in RAM, CMOS byte 0x40, the PIC's mask, PM1 status.
  const waking = `call 1f; 1: pop bx; sub bx, 3; mov al, bl; ${PRINT} mov ax, cs; mov al, ah; ${PRINT} mov ax, [0x600]; ${PRINT} mov al, ah; ${PRINT}
    ${out8(0x70, 0x40)} in al, 0x71; ${PRINT} in al, 0x21; ${PRINT} mov dx, ${PM}; in ax, dx; mov al, ah; ${PRINT} ${DEBUG_EXIT}`;
  const { machine, output } = makeMachine(code, waking);
  assert.deepEqual(await machine.start(), { kind: "debug-exit", value: 5 });
  assert.deepEqual(
    [...output()].map((each) => each.charCodeAt(0)),
    [0, 0x09, 0x34, 0x12, 0x5a, 0, 0x84],
  );
  assert.ok(machine.clock.now() >= 0.9e9, "it slept");
  machine.close();
});

test("the power button wakes it, and a sleeping machine can be saved and restored", async () => {
  const code = `mov word ptr [0x600], 0x1234; ${SET_VECTOR} ${SLEEP}`;
  const waking = `mov ax, [0x600]; ${PRINT} ${DEBUG_EXIT}`;
  const first = makeMachine(code, waking);
  const running = first.machine.start();
  assert.equal(await first.machine.pauseAt({ time: 5e9 }), true);
  const state = first.machine.save();
  const ram = first.machine.memory.bytes.slice();
  first.machine.powerButton();
  first.machine.resume();
  assert.deepEqual(await running, { kind: "debug-exit", value: 5 });
  assert.equal(first.output(), "4");
  first.machine.close();

  const second = makeMachine(code, waking);
  second.machine.memory.bytes.set(ram);
  second.machine.restore(structuredClone(state));
  const restored = second.machine.start();
  second.machine.powerButton();
  assert.deepEqual(await restored, { kind: "debug-exit", value: 5 });
  assert.equal(second.output(), "4");
  second.machine.close();
});

test("the extended waking vector is entered in flat protected mode", async () => {
  // 32-bit code: EBX has CR0's bit 0, DS reaches beyond 1 MiB.
  const code = `push ds; mov ax, ${FACS >>> 4}; mov ds, ax; mov dword ptr [24], ${WAKING_CODE}; pop ds; ${SLEEP}`;
  const { machine } = makeMachine(code, "nop");
  const running = machine.start();
  assert.equal(await machine.pauseAt({ time: 1e9 }), true);
  machine.memory.write(
    WAKING_CODE,
    assemble(`mov eax, cr0; and al, 1; add al, [0x200000]; out 0xf4, al`, 32, WAKING_CODE),
  );
  machine.memory.write(0x200000, Uint8Array.of(8));
  machine.powerButton();
  machine.resume();
  assert.deepEqual(await running, { kind: "debug-exit", value: 9 });
  machine.close();
});

test("a guest that left no vector, or one that real mode does not reach, ends with a typed error", async () => {
  for (const vector of [0, 0x10_0000]) {
    const { machine } = makeMachine(`${put32(FACS + 12, vector)} ${SLEEP}`, "nop");
    const running = machine.start();
    assert.equal(await machine.pauseAt({ time: 1e9 }), true);
    machine.powerButton();
    machine.resume();
    const outcome = await running;
    assert.equal(outcome.kind, "internal-error");
    assert.equal((outcome as { error: { code?: string } }).error.code, "MACHINE_WAKE");
    machine.close();
  }
});

test("firmware starts at the reset vector and finds the sign for a resume in CMOS", async () => {
  const rom = new Uint8Array(0x10000).fill(0x90);
  // A cold start has 0 there and sleeps; the second start tells.
  rom.set(
    assemble(
      `mov al, 0x0f; out 0x70, al; in al, 0x71; test al, al; jnz 1f; ${out16(PM + 4, 0x2400)} 2: hlt; jmp 2b; 1: out 0xf4, al`,
      16,
      0,
    ),
    0,
  );
  rom.set([0xea, 0, 0, 0, 0xf0], 0xfff0);
  const scheduler = new FakeScheduler();
  const machine = new Machine({
    accelerator,
    cpuModel: parseCpuModel("default"),
    memory: 16 * MIB,
    clock: "icount",
    scheduler,
    boot: prepareBios({ name: "rom", bytes: rom }),
    board: pcBoard({ debugExit: true }),
  });
  const running = machine.start();
  assert.equal(await machine.pauseAt({ time: 1e9 }), true);
  machine.powerButton();
  machine.resume();
  assert.deepEqual(await running, { kind: "debug-exit", value: 0xfe });
  machine.close();
});
