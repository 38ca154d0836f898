/** Runs a short program on a whole machine: board, devices, clock, run loop, on any accelerator. */
import type { BootImage } from "../../boot/boot-image.js";
import { virtualWire } from "../../boot/boot-state.js";
import { Machine } from "../../machine/machine.js";
import type { MachineOutcome } from "../../machine/outcome.js";
import type { PcBoardOptions } from "../../machine/pc-board.js";
import { pcBoard } from "../../machine/pc-board.js";
import { nodeScheduler } from "../../node/scheduler.js";
import type { Accelerator } from "../../vcpu/accelerator.js";
import { parseCpuModel } from "../../vcpu/cpu-model.js";
import { assemble } from "../assemble.js";
import {
  bitsOf,
  initialState,
  setHandler,
  TEST_LAYOUT,
  type TestEnvironment,
  writeTables,
} from "../test-environment.js";

/** A guest that hangs is ended after this time; a host under load is no reason to fail. */
const PATIENCE_MS = 120_000;
/** Interrupt handlers are put here, a page apart from each other by HANDLER_BYTES. */
const HANDLERS = 0x9000;
const HANDLER_BYTES = 0x80;

/** Port of the debug exit: the value that is written ends the machine. */
export const DEBUG_EXIT = 0xf4;

export interface GuestProgram extends TestEnvironment {
  /** Assembled to run at TEST_LAYOUT.code. */
  code: string;
  /** Assembly of interrupt handlers, by vector. */
  handlers?: Record<number, string>;
}

export interface GuestOptions {
  memory?: number;
  cpus?: number;
  board?: PcBoardOptions;
  noReboot?: boolean;
  model?: string;
  tscFrequency?: number;
}

/** A machine with a guest in it, and what it says. */
export class Guest {
  readonly machine: Machine;
  /** What came out of the serial port. */
  output = "";
  private send: (bytes: Uint8Array) => void = () => {};

  constructor(accelerator: Accelerator, boot: BootImage, options: GuestOptions = {}) {
    this.machine = new Machine({
      memory: options.memory ?? 2 << 20,
      cpus: options.cpus ?? 1,
      accelerator,
      cpuModel: parseCpuModel(options.model ?? "default"),
      scheduler: nodeScheduler,
      boot,
      board: pcBoard({ debugExit: true, testDevice: true, ...options.board }),
      noReboot: options.noReboot,
      tscFrequency: options.tscFrequency,
      console: {
        write: (bytes) => {
          this.output += Buffer.from(bytes).toString("latin1");
        },
        onData: (callback) => {
          this.send = callback;
        },
      },
    });
  }

  /** Types into the serial port. */
  type(text: string): void {
    this.send(Buffer.from(text, "latin1"));
  }

  /** Runs to the end and closes the machine. A guest that hangs is an error with the place where it was. */
  async run(): Promise<MachineOutcome> {
    try {
      return await this.finish(this.machine.start());
    } finally {
      this.machine.close();
    }
  }

  /** Waits for the end of a machine that was started. */
  async finish(running: Promise<MachineOutcome>): Promise<MachineOutcome> {
    let hung = false;
    const timer = setTimeout(() => {
      hung = true;
      void this.machine.stop();
    }, PATIENCE_MS);
    const outcome = await running;
    clearTimeout(timer);
    if (hung) {
      const { rip, rflags, gpr } = this.machine.vcpus[0]!.getState();
      const registers = gpr.map((value) => value.toString(16)).join(" ");
      throw new Error(`the guest hangs at ${rip.toString(16)}, flags ${rflags.toString(16)}, registers ${registers}`);
    }
    if (outcome.kind === "internal-error") throw outcome.error;
    return outcome;
  }
}

/** A program without a loader around it. */
export function flatImage(program: GuestProgram): BootImage {
  const bits = bitsOf(program.mode);
  const code = assemble(program.code, bits, TEST_LAYOUT.code);
  const handlers = Object.entries(program.handlers ?? {}).map(([vector, source], index) => {
    const address = HANDLERS + index * HANDLER_BYTES;
    return { vector: Number(vector), address, bytes: assemble(source, bits, address) };
  });
  return {
    kind: "multiboot",
    description: "test program",
    rom: null,
    load: ({ memory }) => {
      writeTables(memory, program);
      memory.write(TEST_LAYOUT.code, code);
      for (const { vector, address, bytes } of handlers) {
        memory.write(address, bytes);
        setHandler(memory, program.mode, vector, address);
      }
      return (reset) => initialState(memory, { ...reset, apic: virtualWire(reset.apic) }, program);
    },
  };
}

/** Runs a program to its end. */
export async function runProgram(
  accelerator: Accelerator,
  program: GuestProgram,
  options: GuestOptions = {},
): Promise<{ outcome: MachineOutcome; guest: Guest }> {
  const guest = new Guest(accelerator, flatImage(program), options);
  return { outcome: await guest.run(), guest };
}

/** Waits for what a running guest does. */
export async function until(condition: () => boolean): Promise<void> {
  const start = performance.now();
  while (!condition()) {
    if (performance.now() - start > 60_000) throw new Error("the guest does not come so far");
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Pieces that programs are made of. They clobber EAX and EDX. */
export const CODE = {
  exit: (value: number | "al") => `${value === "al" ? "" : `mov al, ${value}\n`}out ${DEBUG_EXIT}, al\nhlt`,
  print: (text: string) =>
    ["mov dx, 0x3f8", ...[...text].flatMap((one) => [`mov al, ${one.charCodeAt(0)}`, "out dx, al"])].join("\n"),
  outb: (port: number, value: number) => `mov dx, ${port}\nmov al, ${value}\nout dx, al`,
  /** Both PICs: vectors from 0x20 and 0x28, all lines masked but those of `open`. */
  pic: (open: number) =>
    [
      [0x20, 0x11],
      [0x21, 0x20],
      [0x21, 4],
      [0x21, 1],
      [0xa0, 0x11],
      [0xa1, 0x28],
      [0xa1, 2],
      [0xa1, 1],
      [0x21, ~open & 0xff],
      [0xa1, (~open >> 8) & 0xff],
    ]
      .map(([port, value]) => `mov al, ${value}\nout ${port}, al`)
      .join("\n"),
  /** PIT channel 0: periodic, at 1193182 / divisor Hz. */
  pit: (divisor: number) =>
    `mov al, 0x34\nout 0x43, al\nmov al, ${divisor & 0xff}\nout 0x40, al\nmov al, ${divisor >> 8}\nout 0x40, al`,
  /** Writes an IOAPIC redirection entry (32-bit flat or 64-bit code). Clobbers EBX. */
  ioapic: (pin: number, low: number, destination = 0) =>
    `mov ebx, 0xfec00000
mov dword ptr [ebx], ${0x10 + pin * 2 + 1}
mov dword ptr [ebx + 0x10], ${destination << 24}
mov dword ptr [ebx], ${0x10 + pin * 2}
mov dword ptr [ebx + 0x10], ${low}`,
  /** Turns the local APIC on. Clobbers EBX. */
  apicOn: "mov ebx, 0xfee00000\nmov dword ptr [ebx + 0xf0], 0x1ff",
  apicWrite: (offset: number, value: number) => `mov ebx, 0xfee00000\nmov dword ptr [ebx + ${offset}], ${value}`,
} as const;
