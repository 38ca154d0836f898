/**
 * Two accelerators as one: what the first does to a machine, the second does again on memory of its own, with the same
 * answers from devices, and both are compared every so many instructions. For the translator against the interpreter.
 *
 * Interrupts that arrive while a vCPU runs wait until it has left `run`, so that both sides take them at the same
 * instruction: within a run each side looks for them where it likes.
 */
import type { GuestMemory } from "../../../guest-memory/guest-memory.js";
import {
  type Accelerator,
  AcceleratorError,
  type AcceleratorVm,
  type DirtyLog,
  type VcpuExit,
  type VcpuOptions,
} from "../../../vcpu/accelerator.js";
import { AccessLog } from "./access-log.js";
import { MemoryMirror } from "./mirror.js";
import { VerifiedVcpu } from "./vcpu.js";

export interface VerifierOptions {
  /** The one that the machine runs on. It must answer at once, and count instructions. */
  tested: Accelerator;
  reference: Accelerator;
  /** Instructions between comparisons. Default 1,000,000. */
  interval?: number;
}

export const VERIFY_INTERVAL = 1_000_000;

/** vCPUs of it need the clock `icount`: createVcpu throws AcceleratorError UNIMPLEMENTED_FEATURE for another. */
export function createVerifier({ tested, reference, interval = VERIFY_INTERVAL }: VerifierOptions): Accelerator {
  return {
    name: tested.name,
    parallel: false,
    offer: (model) => reference.offer(tested.offer(model)),
    createVm: (memory) => new VerifiedVm(tested, reference, interval, memory),
  };
}

export class VerifiedVm implements AcceleratorVm {
  readonly mirror: MemoryMirror;
  readonly log: AccessLog;
  /** The vCPU that runs on the first side: what happens now has to happen on the second one later. */
  private running: VerifiedVcpu | null = null;
  /** Interrupts that came meanwhile. */
  private waiting: (() => void)[] = [];
  private readonly vms: readonly [AcceleratorVm, AcceleratorVm];
  private readonly dirty: readonly [DirtyLog, DirtyLog];
  /** Pages written since the machine's own log was asked, where it has one. */
  private marks: Uint8Array | null = null;
  /** Pages that this log took away before they were compared. */
  private taken = new Uint8Array(0);

  constructor(
    tested: Accelerator,
    reference: Accelerator,
    readonly interval: number,
    private readonly memory: GuestMemory,
  ) {
    this.mirror = new MemoryMirror(memory);
    this.vms = [tested.createVm(memory), reference.createVm(this.mirror.copy)];
    this.log = new AccessLog(() => this.bringOver());
    this.dirty = [this.vms[0].startDirtyLog(), this.vms[1].startDirtyLog()];
  }

  createVcpu(options: VcpuOptions): VerifiedVcpu {
    if (options.clock.mode !== "icount") {
      throw new AcceleratorError("UNIMPLEMENTED_FEATURE", "only runs by the icount clock can be verified");
    }
    return new VerifiedVcpu(this, this.vms, options);
  }

  get recording(): boolean {
    return this.running !== null;
  }

  /** Runs a vCPU of the first side, and notes what happens to the machine meanwhile. */
  record(vcpu: VerifiedVcpu, run: () => VcpuExit): VcpuExit {
    this.running = vcpu;
    try {
      return run();
    } finally {
      this.running = null;
    }
  }

  /** Keeps an interrupt until the vCPU that runs has left, which is soon. */
  later(interrupt: () => void): void {
    this.waiting.push(interrupt);
    this.running?.kick();
  }

  deliverWaiting(): void {
    for (const interrupt of this.waiting.splice(0)) interrupt();
  }

  /** Does something to the second side: now, or where the run that is being recorded comes to this point. */
  both(apply: () => void): void {
    if (this.recording && this.log.isOpen) this.log.effect(apply);
    else apply();
  }

  /** What others than vCPUs wrote goes to the second side. */
  bringOver(): void {
    const apply = this.mirror.take();
    if (apply !== null) this.both(apply);
  }

  /** Lines about pages that one side wrote otherwise than the other. */
  compareMemory(): string[] {
    const [first, second] = [this.collect(), this.dirty[1].collect()];
    const lines: string[] = [];
    for (let index = 0; index < first.length && lines.length < 8; index++) {
      const bits = first[index]! | second[index]!;
      for (let bit = 0; bits >> bit !== 0; bit++) {
        const at = (bits >> bit) & 1 ? this.mirror.difference(index * 8 + bit) : -1;
        if (at < 0) continue;
        const slot = this.memory.slots.find(({ offset, size }) => at >= offset && at < offset + size);
        const where =
          slot === undefined ? `wasm offset 0x${at.toString(16)}` : `0x${(slot.gpa + at - slot.offset).toString(16)}`;
        lines.push(
          `memory at ${where}: 0x${this.memory.bytes[at]!.toString(16)}, 0x${this.mirror.copy.bytes[at]!.toString(16)}`,
        );
      }
    }
    return lines;
  }

  /** A machine's own log beside the one that comparing needs. */
  startDirtyLog(): DirtyLog {
    if (this.marks !== null) throw new AcceleratorError("ACCELERATOR_DEFECT", "a dirty log is open already");
    this.taken = union(this.taken, this.dirty[0].collect());
    this.marks = new Uint8Array(0);
    return {
      collect: () => {
        const pages = this.dirty[0].collect();
        this.taken = union(this.taken, pages);
        const marks = union(this.marks ?? new Uint8Array(0), pages);
        this.marks = new Uint8Array(0);
        return marks;
      },
      stop: () => {
        this.marks = null;
      },
    };
  }

  close(): void {
    for (const log of this.dirty) log.stop();
    for (const vm of this.vms) vm.close();
    this.mirror.close();
  }

  private collect(): Uint8Array {
    const pages = this.dirty[0].collect();
    if (this.marks !== null) this.marks = union(this.marks, pages);
    const all = union(this.taken, pages);
    this.taken = new Uint8Array(0);
    return all;
  }
}

function union(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const result = Uint8Array.from(a.length > b.length ? a : b);
  const other = a.length > b.length ? b : a;
  for (let index = 0; index < other.length; index++) result[index]! |= other[index]!;
  return result;
}
