/**
 * The host's side of the core: its exports typed, its imports wired to the vCPUs of one machine.
 * One instance serves all vCPUs that run on this thread.
 */
import type { GuestMemory, MemoryListener } from "../../guest-memory/guest-memory.js";
import {
  MACHINE_BLOCK,
  MAX_SLOTS,
  MAX_VCPUS,
  SLOT_BYTES,
  SLOT_COUNT,
  SLOTS,
  VCPU_BASE,
  VCPU_STRIDE,
} from "./layout.js";
import { UNWIND } from "./translator/guards.js";

/** What the core exports. `cpu` is the address of a state block. */
export interface CoreExports {
  resetVcpu(cpu: number): void;
  stateLoaded(cpu: number): void;
  run(cpu: number): void;
  settle(cpu: number): void;
  materializeFlags(cpu: number): void;
  slotsChanged(cpu: number): void;
  memoryWritten(offset: number, size: number): void;
  flushTlb(cpu: number): void;
  /** Guest-physical address, or -1. */
  translateLinear(cpu: number, linear: bigint): number;
  /** The value passes through SCRATCH; 0: no such MSR, or a value it does not take. */
  readMsr(cpu: number, index: number): number;
  writeMsr(cpu: number, index: number): number;
  apicAccept(cpu: number, vector: number, deliveryMode: number, level: number): number;
  apicMatches(cpu: number, destination: number, logical: number): number;
  apicPriority(cpu: number): number;
  apicLint0(cpu: number, level: number): void;
  apicNmi(cpu: number): void;
  apicTimerDeadline(cpu: number): number;
  apicTimerCount(cpu: number): number;
  apicResumeTimer(cpu: number): void;
  monitorLine(cpu: number, offset: number): void;
  /** Makes the guest's TSC read SCRATCH now. */
  loadTsc(cpu: number): void;
  hasPendingWork(cpu: number): number;
  pollTimers(cpu: number): void;
  /** Regions of the translator's, called by their place. */
  readonly table: WebAssembly.Table;
  publishRegion(block: number, region: number): void;
  withdrawRegion(block: number, region: number): void;
  /** The block at a linear address where it is known, else 0. */
  peekBlock(cpu: number, linear: bigint): number;
  /** The wasm offset of code at a linear address by the TLB, else 0. */
  fetchOffset(cpu: number, linear: bigint): number;
  regionRead(cpu: number, linear: bigint, size: number, rec: number, blockRip: bigint, remaining: bigint): number;
  regionWrite(cpu: number, linear: bigint, size: number, rec: number, blockRip: bigint, remaining: bigint): number;
  regionExecute(cpu: number, rec: number, blockRip: bigint, remaining: bigint): number;
  regionCondition(cpu: number, code: number): number;
  regionCarry(cpu: number): number;
  regionCall(cpu: number, back: bigint): number;
}

/** Who translates what the core runs. Blocks are told by the addresses of their headers. */
export interface CodeListener {
  /** A block was entered often. No region is running, and the vCPU's RIP is the block's. */
  hot(cpu: number, block: number): void;
  /** Translated blocks of the code page at this wasm offset were retired. A region may be running. */
  codeRetired(page: number): void;
  /** There are no blocks any more. No region is running. */
  codeCacheEmptied(): void;
}

/** What the core asks of a vCPU's surroundings. */
export interface CoreHost {
  portRead(port: number, size: number): number;
  portWrite(port: number, size: number, value: number): void;
  mmioRead(gpa: number, size: number): number;
  mmioWrite(gpa: number, size: number, value: number): void;
  acknowledgePic(): number;
  endOfInterrupt(vector: number): void;
  floatError(): void;
  sendIpi(icrLow: number, destination: number): void;
  now(): number;
  random(): number;
}

export class Core implements MemoryListener {
  readonly exports: CoreExports;
  /** Set by who translates. */
  codeListener: CodeListener | undefined;
  readonly view: DataView;
  private readonly hosts: (CoreHost | undefined)[] = new Array(MAX_VCPUS).fill(undefined);

  constructor(
    module: WebAssembly.Module,
    private readonly memory: GuestMemory,
  ) {
    this.view = new DataView(memory.memory.buffer);
    const host = (cpu: number) => this.hosts[((cpu >>> 0) - VCPU_BASE) / VCPU_STRIDE] as CoreHost;
    const instance = new WebAssembly.Instance(module, {
      env: {
        memory: memory.memory,
        abort: (_message: number, _file: number, line: number, column: number) => {
          throw new Error(`the core aborted at ${line}:${column}`);
        },
      },
      host: {
        unwind: () => {
          throw UNWIND;
        },
        portRead: (cpu: number, port: number, size: number) => host(cpu).portRead(port, size),
        portWrite: (cpu: number, port: number, size: number, value: number) =>
          host(cpu).portWrite(port, size, value >>> 0),
        mmioRead: (cpu: number, gpa: number, size: number) => host(cpu).mmioRead(gpa, size),
        mmioWrite: (cpu: number, gpa: number, size: number, value: number) =>
          host(cpu).mmioWrite(gpa, size, value >>> 0),
        acknowledgePic: (cpu: number) => host(cpu).acknowledgePic(),
        endOfInterrupt: (cpu: number, vector: number) => host(cpu).endOfInterrupt(vector),
        floatError: (cpu: number) => host(cpu).floatError(),
        sendIpi: (cpu: number, icrLow: number, destination: number) =>
          host(cpu).sendIpi(icrLow >>> 0, destination >>> 0),
        hot: (cpu: number, block: number) => this.codeListener?.hot(cpu >>> 0, block >>> 0),
        codeRetired: (page: number) => this.codeListener?.codeRetired(page >>> 0),
        codeCacheEmptied: () => this.codeListener?.codeCacheEmptied(),
        now: (cpu: number) => host(cpu).now(),
        random: (cpu: number) => host(cpu).random(),
      },
    });
    this.exports = instance.exports as unknown as CoreExports;
    this.writeSlots();
    memory.addListener(this);
  }

  /** Takes a free state block for a vCPU. Its address. */
  attach(id: number, host: CoreHost): number {
    this.hosts[id] = host;
    return VCPU_BASE + id * VCPU_STRIDE;
  }

  detach(id: number): void {
    this.hosts[id] = undefined;
    if (this.hosts.every((other) => other === undefined)) this.memory.removeListener(this);
  }

  memoryWritten(offset: number, size: number): void {
    this.exports.memoryWritten(offset, size);
  }

  slotsChanged(): void {
    this.writeSlots();
    for (const cpu of this.attached()) this.exports.slotsChanged(cpu);
  }

  /** Drops every cached address translation. */
  flushTlbs(): void {
    for (const cpu of this.attached()) this.exports.flushTlb(cpu);
  }

  /** Addresses of the state blocks in use. */
  private attached(): number[] {
    return this.hosts.flatMap((host, id) => (host === undefined ? [] : [VCPU_BASE + id * VCPU_STRIDE]));
  }

  private writeSlots(): void {
    const slots = this.memory.slots;
    if (slots.length > MAX_SLOTS) throw new RangeError(`${slots.length} memory slots; the core takes ${MAX_SLOTS}`);
    this.view.setUint32(MACHINE_BLOCK + SLOT_COUNT, slots.length, true);
    slots.forEach((slot, index) => {
      const at = MACHINE_BLOCK + SLOTS + index * SLOT_BYTES;
      this.view.setUint32(at, slot.gpa / 4096, true);
      this.view.setUint32(at + 4, slot.size / 4096, true);
      this.view.setUint32(at + 8, slot.offset, true);
      this.view.setUint32(at + 12, slot.readonly ? 1 : 0, true);
    });
  }
}
