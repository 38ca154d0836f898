/**
 * A virtual CPU on bare guest memory, for tests of an accelerator: flat segments, identity paging, an IDT
 * whose handlers only halt, and a short program at a chosen mode and ring.
 *
 *     const cpu = new TestCpu({ accelerator, mode: "long", ring: 3 });
 *     const { registers, fault } = await cpu.run("mov eax, 7; imul eax, ebx", { rbx: 6n });
 */
import { GuestMemory, RAM_OFFSET } from "../guest-memory/guest-memory.js";
import type { Accelerator, AcceleratorVm, Vcpu, VcpuBus, VcpuExit } from "../vcpu/accelerator.js";
import { type CpuModel, parseCpuModel } from "../vcpu/cpu-model.js";
import { GPR_NAMES, type SegmentState, type VcpuState } from "../vcpu/state.js";
import { assemble } from "./assemble.js";
import { bitsOf, initialState, segmentOf, TEST_LAYOUT, type TestEnvironment, writeTables } from "./test-environment.js";

export { TEST_LAYOUT, TEST_SELECTORS, type TestMode } from "./test-environment.js";

/** Software interrupt that ends a program at any ring; appended to the code of each run. */
const END_VECTOR = 0xf0;
const INT_END = Uint8Array.of(0xcd, END_VECTOR);
/**
 * HLT, which ends a program where INT is not to be had: KVM without hardware underneath emulates neither INT in
 * protected mode nor a vector above 0x7f in real mode. Outside ring 0 it is #GP(0), which counts as the end too.
 */
const HLT_END = Uint8Array.of(0xf4);
const GENERAL_PROTECTION = 13;
const ERROR_CODE_VECTORS = new Set([8, 10, 11, 12, 13, 14, 17, 21]);

export interface TestCpuOptions extends TestEnvironment {
  accelerator: Accelerator;
  /** CPU model, or its command-line text. Default `default`. The accelerator leaves out what it does not have. */
  model?: string | CpuModel;
  /** Bytes of RAM at guest-physical 0. Default 1 MiB. */
  ramSize?: number;
  bus?: Partial<VcpuBus>;
  /** What comes after a program. Default: INT, and HLT under KVM. */
  ending?: "int" | "hlt";
  /** Where the time comes from, which is the number of instructions all the same. Default `icount`. */
  clock?: "icount" | "real";
  /** Ticks a second. Default: the accelerator's. */
  tscFrequency?: number;
}

/** What a handler found on its stack. */
export interface TestFault {
  vector: number;
  errorCode: number | null;
  /** The interrupted program. */
  rip: bigint;
  cs: number;
  rflags: bigint;
  /** CR2, where the fault is #PF. */
  address: bigint | null;
}

export type TestRegisters = Record<(typeof GPR_NAMES)[number] | "rip" | "rflags", bigint>;

export interface TestRun {
  /** Why the vCPU left: `halt` after the program's end, a fault, or its own HLT. */
  exit: VcpuExit;
  /** Null when the program came to its end, or halted itself. */
  fault: TestFault | null;
  /** As the program had them when it ended or faulted. */
  registers: TestRegisters;
  /** The vCPU's state: after a fault, that of its handler. */
  state: VcpuState;
}

export class TestCpu {
  readonly memory: GuestMemory;
  readonly vm: AcceleratorVm;
  readonly vcpu: Vcpu;
  /** Port writes since the beginning. */
  readonly portWrites: { port: number; size: number; value: number }[] = [];
  private readonly bus: VcpuBus;
  private readonly ending: "int" | "hlt";
  /** Address after the program. */
  private end = 0;

  constructor(private readonly options: TestCpuOptions) {
    this.ending = options.ending ?? (options.accelerator.name === "kvm" ? "hlt" : "int");
    const size = options.ramSize ?? 0x100000;
    this.memory = new GuestMemory(size);
    this.memory.setSlots([{ gpa: 0, size, offset: RAM_OFFSET, readonly: false }]);
    this.bus = {
      portRead: (_port, width) => 2 ** (8 * width) - 1,
      portWrite: (port, width, value) => {
        this.portWrites.push({ port, size: width, value });
      },
      mmioRead: (_gpa, width) => 2 ** (8 * width) - 1,
      mmioWrite: () => {},
      acknowledgePic: () => 0xff,
      endOfInterrupt: () => {},
      sendIpi: () => {},
      ...options.bus,
    };
    const { model = "default" } = options;
    this.vm = options.accelerator.createVm(this.memory);
    this.vcpu = this.vm.createVcpu({
      id: 0,
      count: 1,
      model: options.accelerator.offer(typeof model === "string" ? parseCpuModel(model) : model),
      bus: this.bus,
      clock: { mode: options.clock ?? "icount", now: () => this.vcpu.instructions },
      random: () => 0x12345678,
      tscFrequency: options.tscFrequency,
    });
    writeTables(this.memory, options);
  }

  /** The code size of the mode, for `assemble`. */
  get bits(): 16 | 32 | 64 {
    return bitsOf(this.options.mode);
  }

  /** Puts code at `address`; text is assembled for the mode. */
  load(code: string | Uint8Array, address: number = TEST_LAYOUT.code): void {
    this.memory.write(address, typeof code === "string" ? assemble(code, this.bits, address) : code);
  }

  /**
   * Runs code at `TEST_LAYOUT.code` from the mode's initial state until its end, a HLT, or a fault.
   * @param registers general registers, `rip` and `rflags` to begin with
   * @param prepare changes the state before it is set
   */
  async run(
    code: string | Uint8Array,
    registers: Partial<TestRegisters> = {},
    prepare: (state: VcpuState) => void = () => {},
    instructions = 100_000,
  ): Promise<TestRun> {
    const bytes = typeof code === "string" ? assemble(code, this.bits, TEST_LAYOUT.code) : code;
    this.load(bytes);
    this.end = TEST_LAYOUT.code + bytes.length;
    this.load(this.ending === "hlt" ? HLT_END : INT_END, this.end);
    const state = this.initialState();
    GPR_NAMES.forEach((name, index) => {
      state.gpr[index] = registers[name] ?? state.gpr[index] ?? 0n;
    });
    state.rip = registers.rip ?? state.rip;
    state.rflags = registers.rflags ?? state.rflags;
    prepare(state);
    this.vcpu.setState(state);
    return this.resume(instructions);
  }

  /** Goes on from the state that is set. */
  async resume(instructions = 100_000): Promise<TestRun> {
    const exit = await this.runToExit(instructions);
    return this.describe(exit);
  }

  /** The state in which a program begins. */
  initialState(): VcpuState {
    this.vcpu.reset();
    return initialState(this.memory, this.vcpu.getState(), this.options);
  }

  /** A segment register as loading the selector from the GDT would make it. */
  segment(selector: number): SegmentState {
    return segmentOf(this.memory, selector);
  }

  /** Looks at runs as the other CPU does whose program goes on here. */
  adopt(other: TestCpu): void {
    this.end = other.end;
  }

  close(): void {
    this.vm.close();
  }

  private async runToExit(instructions: number): Promise<VcpuExit> {
    const end = this.vcpu.instructions + instructions;
    for (;;) {
      const exit = await this.vcpu.run({ instructions: Math.max(1, end - this.vcpu.instructions) });
      if (exit.reason === "io") {
        if (exit.write) this.bus.portWrite(exit.port, exit.size, exit.value);
        else this.vcpu.completeAccess(this.bus.portRead(exit.port, exit.size));
      } else if (exit.reason === "mmio") {
        if (exit.write) this.bus.mmioWrite(exit.gpa, exit.size, exit.value);
        else this.vcpu.completeAccess(this.bus.mmioRead(exit.gpa, exit.size));
      } else {
        return exit;
      }
    }
  }

  private describe(exit: VcpuExit): TestRun {
    const state = this.vcpu.getState();
    const registers = Object.fromEntries(GPR_NAMES.map((name, index) => [name, state.gpr[index]])) as TestRegisters;
    registers.rip = state.rip;
    registers.rflags = state.rflags;
    const at = Number(state.rip) - 1 - TEST_LAYOUT.handlers;
    if (exit.reason !== "halt" || at < 0 || at >= 1024) {
      if (exit.reason === "halt" && state.rip === BigInt(this.end + 1)) registers.rip = BigInt(this.end);
      return { exit, fault: null, registers, state };
    }
    const vector = at >> 2;
    const long = state.segments.cs.attributes & 0x2000;
    const width = this.options.mode === "real" ? 2 : long ? 8 : 4;
    const wide = long || state.segments.ss.attributes & 0x4000;
    const stack = Number(state.segments.ss.base) + Number(state.gpr[4]! & (wide ? ~0n : 0xffffn));
    const slot = (index: number): bigint => {
      const address = stack + index * width;
      if (width === 8) return this.memory.read64(address);
      return BigInt(width === 4 ? this.memory.read32(address) : this.memory.read16(address));
    };
    const hasError = width !== 2 && ERROR_CODE_VECTORS.has(vector);
    const first = hasError ? 1 : 0;
    const cs = Number(slot(first + 1)) & 0xffff;
    registers.rip = slot(first);
    registers.rflags = slot(first + 2);
    const changedRing = width !== 2 && (cs & 3) !== 0;
    registers.rsp = changedRing || width === 8 ? slot(first + 3) : BigInt(stack + 3 * width + first * width);
    const halted = this.ending === "hlt" && vector === GENERAL_PROTECTION;
    if (vector === END_VECTOR || (halted && registers.rip === BigInt(this.end))) {
      registers.rip = BigInt(this.end);
      return { exit, fault: null, registers, state };
    }
    const fault = {
      vector,
      errorCode: hasError ? Number(slot(0)) : null,
      rip: registers.rip,
      cs,
      rflags: registers.rflags,
      address: vector === 14 ? state.cr2 : null,
    };
    return { exit, fault, registers, state };
  }
}
