/**
 * A virtual CPU on bare guest memory, for tests of an accelerator: flat segments, identity paging, an IDT
 * whose handlers only halt, and a short program at a chosen mode and ring.
 *
 *     const cpu = new TestCpu({ accelerator, mode: "long", ring: 3 });
 *     const { registers, fault } = await cpu.run("mov eax, 7; imul eax, ebx", { rbx: 6n });
 */
import { GuestMemory, RAM_OFFSET } from "../guest-memory/guest-memory.js";
import type { Accelerator, Vcpu, VcpuBus, VcpuExit } from "../vcpu/accelerator.js";
import { parseCpuModel } from "../vcpu/cpu-model.js";
import { GPR_NAMES, type SegmentState, type VcpuState } from "../vcpu/state.js";
import { assemble } from "./assemble.js";

/** `compatibility` is 32-bit code under long mode; `protected16` has 16-bit code, data and stack segments. */
export type TestMode = "real" | "protected16" | "protected" | "compatibility" | "long";

/** Where things lie, in guest-physical and, with identity paging, linear addresses. */
export const TEST_LAYOUT = {
  gdt: 0x1000,
  gdtEnd: 0x1800,
  ldt: 0x1800,
  idt: 0x2000,
  tss: 0x3000,
  /** The handler of vector v is a HLT at handlers + 4 * v. */
  handlers: 0x3800,
  pageTables: 0x4000,
  code: 0x8000,
  data: 0xa000,
  stackTop: 0xd000,
  /** Stacks that the TSS names for rings 0, 1 and 2. */
  ringStackTops: [0xe000, 0xe800, 0xf000],
} as const;

/** Selectors of the flat segments, by ring; the first free descriptor for a test's own is `freeGdt`. */
export const TEST_SELECTORS = {
  code: [0x08, 0x19, 0x2a, 0x3b],
  data: [0x10, 0x21, 0x32, 0x43],
  tss: 0x48,
  /** Where the handlers run: 64-bit code in long and compatibility mode, else 32-bit code. */
  handlers: 0x58,
  freeGdt: 0x60,
} as const;

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

export interface TestCpuOptions {
  accelerator: Accelerator;
  mode: TestMode;
  /** Default 0. */
  ring?: 0 | 1 | 2 | 3;
  /** Default 0. */
  iopl?: number;
  /** CPU model by its command-line text. Default `default`. */
  model?: string;
  /** Bytes of RAM at guest-physical 0. Default 1 MiB. */
  ramSize?: number;
  /** In protected mode: identity paging with 32-bit or PAE tables, all pages writable by user code. Default none. */
  paging?: "none" | "32-bit" | "pae";
  bus?: Partial<VcpuBus>;
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
  readonly vcpu: Vcpu;
  /** Port writes since the beginning. */
  readonly portWrites: { port: number; size: number; value: number }[] = [];
  private readonly ring: number;
  private readonly bus: VcpuBus;
  /** Address after the program. */
  private end = 0;

  constructor(private readonly options: TestCpuOptions) {
    const size = options.ramSize ?? 0x100000;
    this.ring = options.ring ?? 0;
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
    this.vcpu = options.accelerator.createVm(this.memory).createVcpu({
      id: 0,
      count: 1,
      model: parseCpuModel(options.model ?? "default"),
      bus: this.bus,
      clock: { mode: "icount", now: () => this.vcpu.instructions },
      random: () => 0x12345678,
    });
    this.buildTables();
  }

  /** The code size of the mode, for `assemble`. */
  get bits(): 16 | 32 | 64 {
    const { mode } = this.options;
    return mode === "long" ? 64 : mode === "real" || mode === "protected16" ? 16 : 32;
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
    this.load(this.options.accelerator.name === "kvm" ? HLT_END : INT_END, this.end);
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
    const { mode, iopl = 0, paging = "none" } = this.options;
    this.vcpu.reset();
    const state = this.vcpu.getState();
    state.rip = BigInt(TEST_LAYOUT.code);
    state.gpr = new Array<bigint>(16).fill(0n);
    state.gpr[4] = BigInt(TEST_LAYOUT.stackTop);
    state.rflags = 2n | BigInt(iopl << 12);
    state.idtr = { base: BigInt(mode === "real" ? 0 : TEST_LAYOUT.idt), limit: mode === "real" ? 0x3ff : 0xfff };
    state.gdtr = { base: BigInt(TEST_LAYOUT.gdt), limit: TEST_LAYOUT.gdtEnd - TEST_LAYOUT.gdt - 1 };
    if (mode === "real") {
      const data = { selector: 0, base: 0n, limit: 0xffff, attributes: 0x93 };
      for (const name of ["es", "ss", "ds", "fs", "gs"] as const) state.segments[name] = { ...data };
      state.segments.cs = { ...data, attributes: 0x9b };
      state.cr0 = 0x10n;
      return state;
    }
    const long = mode === "long" || mode === "compatibility";
    state.segments.cs = this.segment(TEST_SELECTORS.code[this.ring] ?? 0);
    for (const name of ["es", "ss", "ds", "fs", "gs"] as const) {
      state.segments[name] = this.segment(TEST_SELECTORS.data[this.ring] ?? 0);
    }
    state.segments.tr = { selector: TEST_SELECTORS.tss, base: BigInt(TEST_LAYOUT.tss), limit: 0x67, attributes: 0x8b };
    // PE, MP, ET, NE; OSFXSR, OSXMMEXCPT.
    state.cr0 = 0x33n;
    state.cr4 = 0x600n;
    if (long || paging !== "none") {
      state.cr0 |= 0x8000_0000n | 0x1_0000n;
      state.cr3 = BigInt(TEST_LAYOUT.pageTables);
      state.cr4 |= paging === "32-bit" ? 0x10n : 0x20n;
      for (let index = 0; index < 4; index++) {
        state.pdptrs[index] = this.memory.read64(TEST_LAYOUT.pageTables + index * 8);
      }
    }
    // SCE, LME, LMA, NXE.
    if (long) state.msrs[0xc0000080] = 0xd01n;
    return state;
  }

  /** A segment register as loading the selector from the GDT would make it. */
  segment(selector: number): SegmentState {
    const descriptor = this.memory.read64(TEST_LAYOUT.gdt + (selector & 0xfff8));
    const bits = (at: number, count: number) => Number((descriptor >> BigInt(at)) & ((1n << BigInt(count)) - 1n));
    const limit = bits(0, 16) | (bits(48, 4) << 16);
    const granular = bits(55, 1) === 1;
    return {
      selector,
      base: BigInt(bits(16, 24)) | (BigInt(bits(56, 8)) << 24n),
      limit: granular ? ((limit << 12) | 0xfff) >>> 0 : limit,
      // Present and accessed as they would be, else the descriptor's own bits.
      attributes: bits(40, 8) | 1 | (bits(52, 4) << 12),
    };
  }

  close(): void {
    this.vcpu.close();
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
    const halted = this.options.accelerator.name === "kvm" && vector === GENERAL_PROTECTION;
    if (vector === END_VECTOR || (halted && registers.rip === BigInt(this.end))) {
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

  private buildTables(): void {
    const { mode, paging } = this.options;
    const long = mode === "long" || mode === "compatibility";
    const memory = this.memory;
    for (let vector = 0; vector < 256; vector++) {
      const handler = TEST_LAYOUT.handlers + vector * 4;
      // HLT, then a jump back to it.
      memory.write(handler, Uint8Array.of(0xf4, 0xeb, 0xfd));
      if (mode === "real") {
        memory.write32(vector * 4, handler);
      } else {
        // A present interrupt gate with DPL 3, to ring 0.
        const at = TEST_LAYOUT.idt + vector * (long ? 16 : 8);
        memory.write32(at, (TEST_SELECTORS.handlers << 16) | handler);
        memory.write32(at + 4, 0xee00);
      }
    }
    if (mode === "real") return;
    const gdt = TEST_LAYOUT.gdt;
    for (let ring = 0; ring < 4; ring++) {
      const dpl = BigInt(ring) << 45n;
      const flags = mode === "long" ? 0xan : mode === "protected16" ? 0n : 0xcn;
      const code = (flags << 52n) | (mode === "protected16" ? 0n : 0xf_0000_0000_0000n) | 0x9b00_0000_ffffn;
      memory.write64(gdt + (TEST_SELECTORS.code[ring]! & ~7), dpl | code);
      const data = mode === "protected16" ? 0x0000_9300_0000_ffffn : 0x00cf_9300_0000_ffffn;
      memory.write64(gdt + (TEST_SELECTORS.data[ring]! & ~7), dpl | data);
    }
    memory.write64(gdt + TEST_SELECTORS.handlers, long ? 0x00af_9b00_0000_ffffn : 0x00cf_9b00_0000_ffffn);
    memory.write64(gdt + TEST_SELECTORS.tss, 0x0000_8b00_0000_0067n | (BigInt(TEST_LAYOUT.tss) << 16n));
    TEST_LAYOUT.ringStackTops.forEach((top, ring) => {
      if (long) {
        memory.write64(TEST_LAYOUT.tss + 4 + ring * 8, BigInt(top));
      } else {
        memory.write32(TEST_LAYOUT.tss + 4 + ring * 8, top);
        memory.write32(TEST_LAYOUT.tss + 8 + ring * 8, TEST_SELECTORS.data[ring]!);
      }
    });
    // No I/O permission bitmap.
    memory.write16(TEST_LAYOUT.tss + 0x66, 0x68);
    const tables = TEST_LAYOUT.pageTables;
    if (long) {
      memory.write64(tables, BigInt(tables + 0x1000) | 7n);
      memory.write64(tables + 0x1000, BigInt(tables + 0x2000) | 7n);
      for (let index = 0; index < 512; index++) {
        memory.write64(tables + 0x2000 + index * 8, BigInt(index * 0x200000) | 0x87n);
      }
    } else if (paging === "pae") {
      memory.write64(tables, BigInt(tables + 0x1000) | 1n);
      for (let index = 0; index < 512; index++) {
        memory.write64(tables + 0x1000 + index * 8, BigInt(index * 0x200000) | 0x87n);
      }
    } else if (paging === "32-bit") {
      for (let index = 0; index < 1024; index++) memory.write32(tables + index * 4, ((index << 22) | 0x87) >>> 0);
    }
  }
}
