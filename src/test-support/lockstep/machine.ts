/**
 * One side of a lockstep run: a vCPU on memory of its own, started anew for every program. The registers are written
 * into the state block as they were when the kernel was loaded: an ordinary `setState` takes longer than a program.
 */
import * as B from "../../accel/translate/layout.js";
import { GuestMemory, RAM_OFFSET } from "../../guest-memory/guest-memory.js";
import type { Accelerator, AcceleratorVm, Vcpu, VcpuExit } from "../../vcpu/accelerator.js";
import { parseCpuModel } from "../../vcpu/cpu-model.js";
import type { SegmentState, VcpuState } from "../../vcpu/state.js";
import { kernelImage, SYSCALL_ENTRY } from "./kernel.js";
import * as L from "./layout.js";
import type { Program, SliceEvent } from "./program.js";

/** Bytes of the state block that are kept: all up to the CPUID table, and then not the MMU's own. */
const KEPT_BYTES = B.CPUID_TABLE;
const EXTERNAL_VECTOR = 0x39;

export class LockstepMachine {
  readonly memory = new GuestMemory(L.RAM_BYTES);
  readonly vcpu: Vcpu;
  /** Hash of the accesses to devices, in their order. */
  accesses = 0;
  private readonly vm: AcceleratorVm;
  private readonly block: DataView;
  private readonly blockBytes: Uint8Array;
  private readonly ram: Buffer;
  private readonly snapshots = new Map<string, Uint8Array>();
  private readonly ramView: DataView;
  private randoms = 0;

  constructor(accelerator: Accelerator) {
    this.memory.setSlots([{ gpa: 0, size: L.RAM_BYTES, offset: RAM_OFFSET, readonly: false }]);
    this.vm = accelerator.createVm(this.memory);
    this.vcpu = this.vm.createVcpu({
      id: 0,
      count: 1,
      model: accelerator.offer(parseCpuModel("max")),
      bus: {
        portRead: (port, size) => this.access(port, size),
        portWrite: (port, size, value) => {
          this.access(port ^ value, size);
        },
        mmioRead: (gpa, size) => this.access(gpa, size),
        mmioWrite: (gpa, size, value) => {
          this.access(gpa ^ value, size);
        },
        acknowledgePic: () => {
          this.vcpu.setExtInt(false);
          return EXTERNAL_VECTOR;
        },
        endOfInterrupt: () => {},
        sendIpi: () => {},
      },
      clock: { mode: "icount", now: () => this.vcpu.instructions },
      random: () => Math.imul(++this.randoms, 0x9e3779b1) >>> 0,
    });
    const buffer = this.memory.memory.buffer;
    this.ramView = new DataView(buffer);
    this.block = new DataView(buffer, B.VCPU_BASE, B.VCPU_STRIDE);
    this.blockBytes = new Uint8Array(buffer, B.VCPU_BASE, B.VCPU_STRIDE);
    this.ram = Buffer.from(buffer as ArrayBuffer, RAM_OFFSET, L.RAM_BYTES);
  }

  /** Puts memory and registers as the program finds them. */
  load(program: Program, image: Buffer, noise: Buffer): void {
    this.vcpu.setExtInt(false);
    for (let at = 0; at < L.RAM_BYTES; at += L.PAGE) {
      if (this.ram.compare(image, at, at + L.PAGE, at, at + L.PAGE) === 0) continue;
      this.memory.write(at, image.subarray(at, at + L.PAGE));
    }
    // Now and then all translations go, so that a program does not depend on more than the few before it.
    if (program.seed % L.CODE_PLACES === 0)
      this.ramView.setUint32(B.MACHINE_BLOCK + B.ARENA_NEXT, B.CODE_ARENA_END, true);
    this.accesses = 0;
    this.randoms = 0;
    const key = `${program.bits} ${program.kernel} ${program.ring}`;
    let snapshot = this.snapshots.get(key);
    if (!snapshot) {
      this.vcpu.reset();
      this.vcpu.setState(initialState(this.vcpu.getState(), program));
      snapshot = this.blockBytes.slice(0, KEPT_BYTES);
      this.snapshots.set(key, snapshot);
    }
    const generation = this.block.getUint32(B.MMU_GENERATION, true);
    this.blockBytes.set(snapshot);
    this.block.setUint32(B.MMU_GENERATION, generation, true);
    const { block } = this;
    program.registers.forEach((value, index) => {
      block.setBigUint64(B.GPR + index * 8, value, true);
    });
    const start = program.bits === 16 ? 0n : program.base + BigInt(L.CODE);
    block.setBigUint64(B.RIP, start + BigInt(program.sections[0]!.offset - L.CODE), true);
    block.setBigUint64(B.RFLAGS, BigInt(program.rflags) | 2n, true);
    block.setUint32(B.MXCSR, program.mxcsr, true);
    block.setUint32(B.FCW, program.fcw, true);
    this.blockBytes.set(noise.subarray(program.noise, program.noise + 512), B.XMM);
    if (program.bits === 16) {
      const at = B.SEGMENTS + B.CS * B.SEG_BYTES;
      block.setBigUint64(at + B.SEG_BASE, BigInt(L.codeAt(program.seed)), true);
      block.setUint32(at + B.SEG_SELECTOR, L.codeAt(program.seed) / 16, true);
    }
    if (program.bits === 64) {
      for (const [segment, offset] of [
        [B.FS, L.FS_BASE],
        [B.GS, L.GS_BASE],
      ] as const) {
        const at = B.SEGMENTS + segment * B.SEG_BYTES + B.SEG_BASE;
        block.setBigUint64(at, program.base + BigInt(offset), true);
      }
    }
    // Makes what follows from the registers follow from them.
    this.vcpu.setDebug(null);
  }

  happen(event: SliceEvent): void {
    switch (event.kind) {
      case "interrupt":
        this.vcpu.interrupt({
          destination: 0,
          destinationMode: "physical",
          deliveryMode: "fixed",
          vector: event.vector,
          triggerMode: "edge",
          level: true,
          shorthand: "none",
        });
        break;
      case "external":
        this.vcpu.setExtInt(true);
        break;
      case "nmi":
        this.vcpu.nmi();
        break;
      case "write":
        this.memory.write(event.gpa, Uint8Array.from(event.bytes));
        break;
      case "reload":
        this.vcpu.setState(this.vcpu.getState());
        break;
    }
  }

  run(instructions: number): VcpuExit {
    const exit = this.vcpu.run({ instructions });
    if (exit instanceof Promise) throw new TypeError("lockstep runs need an accelerator that answers at once");
    return exit;
  }

  /** Whether the kernel ended the program. */
  get ended(): boolean {
    return this.ram.readUInt32LE(L.KERNEL.ended) !== 0;
  }

  /** RAM as it is; not to be written to. */
  get contents(): Buffer {
    return this.ram;
  }

  /** The state block; not to be written to. */
  get state(): DataView {
    return this.block;
  }

  close(): void {
    this.vm.close();
  }

  private access(where: number, size: number): number {
    const hash = Math.imul(this.accesses ^ (where >>> 0) ^ (size << 28), 0x9e3779b1);
    this.accesses = (hash ^ (hash >>> 15)) >>> 0;
    return size === 4 ? this.accesses : this.accesses & (2 ** (8 * size) - 1);
  }
}

/** RAM of a program's start, but for its code. */
export function baseImage(bits: Program["bits"]): Buffer {
  return Buffer.from(kernelImage(bits));
}

function initialState(reset: VcpuState, { bits, kernel, ring }: Program): VcpuState {
  const state = structuredClone(reset);
  const segment = (selector: number, attributes: number, base = 0): SegmentState => ({
    selector,
    base: BigInt(base),
    limit: 0xffffffff,
    attributes,
  });
  state.idtr = { base: BigInt(L.IDT), limit: 0xfff };
  state.gdtr = { base: BigInt(L.GDT), limit: L.GDT_LIMIT };
  // PE ET NE MP WP; OSFXSR OSXMMEXCPT OSXSAVE.
  state.cr0 = 0x1_0033n;
  state.cr4 = 0x4_0600n;
  state.xcr0 = 7n;
  if (bits === 16) {
    const real = (selector: number, attributes: number): SegmentState => ({
      selector,
      base: BigInt(selector * 16),
      limit: 0xffff,
      attributes,
    });
    state.cr0 = 0x32n;
    state.idtr = { base: 0n, limit: 0x3ff };
    state.segments.cs = real(L.codeAt(0) / 16, 0x9b);
    state.segments.ss = real(L.STACK_AT / 16, 0x93);
    for (const name of ["ds", "es", "fs", "gs"] as const) state.segments[name] = real(L.DATA_AT / 16, 0x93);
  } else {
    const wide = bits === 64;
    const level = ring << 5;
    const data = ring === 3 ? L.USER_SS : L.KERNEL_SS;
    const code = ring === 0 ? L.KERNEL_CS : wide ? L.USER64_CS : L.USER32_CS;
    state.segments.cs = segment(code, (wide ? 0xa09b : 0xc09b) | level);
    for (const name of ["ss", "ds", "es", "fs", "gs"] as const) state.segments[name] = segment(data, 0xc093 | level);
    if (!wide) {
      state.segments.fs = segment(L.FS_SELECTOR, 0xc0f3, L.FS_BASE);
      state.segments.gs = segment(L.GS_SELECTOR, 0xc0f3, L.GS_BASE);
    }
    state.segments.tr = segment(L.TSS_SELECTOR, 0x8b, L.TSS);
    state.segments.tr.limit = 0x67;
    state.cr0 |= 0x8000_0000n;
    state.cr3 = BigInt(L.TABLES);
    if (kernel === 64) {
      state.cr4 |= 0x1_0020n;
      // NXE LMA LME SCE.
      state.msrs[0xc0000080] = 0xd01n;
      state.msrs[0xc0000081] = (BigInt(L.USER32_CS) << 48n) | (BigInt(L.KERNEL_CS) << 32n);
      state.msrs[0xc0000082] = BigInt(SYSCALL_ENTRY);
      state.msrs[0xc0000084] = 0x4_7700n;
    }
  }
  // The local APIC is on, and LINT0 brings the PIC's interrupts.
  state.apic.registers[0x0f] = 0x1ff;
  state.apic.registers[0x35] = 0x700;
  return state;
}
