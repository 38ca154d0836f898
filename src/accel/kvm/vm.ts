/** A VM of KVM: memory slots, interrupt routing, doorbells, and the file descriptor that they hang on. */
import type { GuestMemory, MemoryListener, MemorySlot } from "../../guest-memory/guest-memory.js";
import { PAGE_SIZE } from "../../guest-memory/guest-memory.js";
import {
  AcceleratorError,
  type AcceleratorVm,
  type DoorbellWindow,
  type InterruptMessage,
  type VcpuOptions,
} from "../../vcpu/accelerator.js";
import * as api from "./api.js";
import type { KvmDevice } from "./device.js";
import { KvmDirtyLog } from "./dirty-log.js";
import { createEventDescriptor, watchEventDescriptor } from "./event-descriptors.js";
import { addressOf, libc, systemError } from "./libc.js";
import { KvmVcpu } from "./vcpu.js";

/** Three pages that Intel hosts need for real mode, below the firmware's and above every slot of ours. */
const TSS_ADDRESS = 0xfeff_d000;
const IDENTITY_MAP_ADDRESS = 0xfeff_c000;
/** Pins of our IOAPIC: KVM's split irqchip wants their number, to know which EOIs to report. */
const IOAPIC_PINS = 24;
/** Routes beyond the IOAPIC's pins are for interrupt descriptors. */
const MAX_ROUTES = 256;
const DELIVERY_MODES: Record<InterruptMessage["deliveryMode"], number> = {
  fixed: 0,
  lowest: 1,
  smi: 2,
  nmi: 4,
  init: 5,
  startup: 6,
  extint: 7,
};

interface InstalledSlot {
  index: number;
  slot: MemorySlot;
}

export class KvmVm implements AcceleratorVm, MemoryListener {
  readonly fd: number;
  private readonly base: number;
  private installed: InstalledSlot[] = [];
  private readonly vcpus: KvmVcpu[] = [];
  private dirtyLog: KvmDirtyLog | null = null;
  /** By GSI: what the IOAPIC's pins and the interrupt descriptors send. */
  private readonly routes = new Map<number, InterruptMessage>();
  private readonly cleanups = new Set<() => void>();
  private closed = false;

  constructor(
    readonly device: KvmDevice,
    private readonly memory: GuestMemory,
  ) {
    this.fd = device.createVm();
    this.base = addressOf(memory.bytes);
    try {
      this.check(libc().ioctl(this.fd, api.KVM_SET_TSS_ADDR, TSS_ADDRESS), "KVM_SET_TSS_ADDR");
      const identity = new Uint8Array(8);
      new DataView(identity.buffer).setBigUint64(0, BigInt(IDENTITY_MAP_ADDRESS), true);
      this.ioctl(api.KVM_SET_IDENTITY_MAP_ADDR, identity, "KVM_SET_IDENTITY_MAP_ADDR");
      this.enableSplitIrqchip();
      this.slotsChanged();
    } catch (error) {
      libc().close(this.fd);
      throw error;
    }
    memory.addListener(this);
  }

  createVcpu(options: VcpuOptions): KvmVcpu {
    const vcpu = new KvmVcpu(this, options);
    this.vcpus.push(vcpu);
    return vcpu;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.memory.removeListener(this);
    for (const cleanup of this.cleanups) cleanup();
    for (const vcpu of this.vcpus.splice(0)) vcpu.close();
    libc().close(this.fd);
  }

  /** KVM's own mapping sees every write: nothing is cached here. */
  memoryWritten(): void {}

  slotsChanged(): void {
    const wanted = this.memory.slots;
    const same = (a: MemorySlot, b: MemorySlot) =>
      a.gpa === b.gpa && a.size === b.size && a.offset === b.offset && a.readonly === b.readonly;
    for (const { index, slot } of this.installed) {
      if (wanted.some((other) => same(slot, other))) continue;
      this.dirtyLog?.merge(slot, this.readDirtySlot(index, slot));
      this.setRegion(index, { ...slot, size: 0 });
    }
    const kept = this.installed.filter(({ slot }) => wanted.some((other) => same(slot, other)));
    const used = new Set(kept.map(({ index }) => index));
    for (const slot of wanted) {
      if (kept.some((other) => same(other.slot, slot))) continue;
      let index = 0;
      while (used.has(index)) index++;
      used.add(index);
      this.setRegion(index, slot);
      kept.push({ index, slot });
    }
    this.installed = kept;
  }

  /** The directory pointers of PAE paging as memory has them; zeros where there is no memory. */
  directoryPointers(cr3: bigint): bigint[] {
    const table = Number(cr3 & 0xffff_ffe0n);
    const there = this.memory.contains(table, 32);
    return Array.from({ length: 4 }, (_, index) => (there ? this.memory.read64(table + index * 8) : 0n));
  }

  /** A byte of guest memory, for messages. */
  byteAt(gpa: number): number | null {
    return this.memory.contains(gpa, 1) ? this.memory.read8(gpa) : null;
  }

  // ---- Interrupts.

  readonly deliver = (message: InterruptMessage): boolean => {
    const { address, data } = messageSignalled(message);
    const bytes = new Uint8Array(32);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, address, true);
    view.setUint32(8, data, true);
    return this.ioctl(api.KVM_SIGNAL_MSI, bytes, "KVM_SIGNAL_MSI") > 0;
  };

  readonly routeIoapicPin = (pin: number, message: InterruptMessage | null): void => {
    const old = this.routes.get(pin) ?? null;
    // Edge-triggered pins are ours alone: KVM needs to know of those whose end it must report.
    const next = message?.triggerMode === "level" ? message : null;
    if (JSON.stringify(old) === JSON.stringify(next)) return;
    this.setRoute(pin, next);
  };

  readonly addInterruptDescriptor = (message: InterruptMessage): { descriptor: number; close(): void } => {
    let gsi = IOAPIC_PINS;
    while (this.routes.has(gsi)) gsi++;
    if (gsi >= MAX_ROUTES) {
      throw new AcceleratorError("ACCELERATOR_DEFECT", `more than ${MAX_ROUTES - IOAPIC_PINS} interrupt descriptors`);
    }
    const descriptor = createEventDescriptor();
    const close = () => {
      if (!this.cleanups.delete(close)) return;
      this.setIrqfd(descriptor, gsi, api.KVM_IRQFD_DEASSIGN);
      libc().close(descriptor);
      this.setRoute(gsi, null);
    };
    this.setRoute(gsi, message);
    try {
      this.setIrqfd(descriptor, gsi, 0);
    } catch (error) {
      libc().close(descriptor);
      this.setRoute(gsi, null);
      throw error;
    }
    this.cleanups.add(close);
    return { descriptor, close };
  };

  // ---- Writes that need no exit.

  readonly addDoorbell = (window: DoorbellWindow, ring: () => void): (() => void) => {
    const descriptor = createEventDescriptor();
    let unwatch: (() => void) | null = null;
    const remove = () => {
      if (!this.cleanups.delete(remove)) return;
      this.setIoeventfd(window, descriptor, api.KVM_IOEVENTFD_DEASSIGN);
      unwatch?.();
      libc().close(descriptor);
    };
    try {
      unwatch = watchEventDescriptor(descriptor, ring);
      this.setIoeventfd(window, descriptor, 0);
    } catch (error) {
      unwatch?.();
      libc().close(descriptor);
      throw error;
    }
    this.cleanups.add(remove);
    return remove;
  };

  readonly coalesce = (space: "ports" | "memory", address: number, size: number): void => {
    const capability = space === "ports" ? api.KVM_CAP_COALESCED_PIO : api.KVM_CAP_COALESCED_MMIO;
    // Without it each write is an exit: slower, and right.
    if (this.device.capability(capability) === 0) return;
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, BigInt(address), true);
    view.setUint32(8, size, true);
    view.setUint32(12, space === "ports" ? 1 : 0, true);
    this.ioctl(api.KVM_REGISTER_COALESCED_MMIO, bytes, "KVM_REGISTER_COALESCED_MMIO");
  };

  // ---- Dirty pages.

  startDirtyLog(): KvmDirtyLog {
    if (this.dirtyLog !== null) throw new AcceleratorError("ACCELERATOR_DEFECT", "a dirty log is open already");
    this.dirtyLog = new KvmDirtyLog(this, this.memory);
    this.reinstall();
    return this.dirtyLog;
  }

  dirtyLogStopped(): void {
    if (this.dirtyLog === null || this.closed) return;
    this.dirtyLog = null;
    this.reinstall();
  }

  readDirtySlots(visit: (slot: MemorySlot, bits: Uint8Array) => void): void {
    for (const { index, slot } of this.installed) {
      if (slot.readonly) continue;
      const bits = this.readDirtySlot(index, slot);
      visit(slot, bits);
    }
  }

  // ---- Time.

  readonly pauseTime = (): void => {
    for (const vcpu of this.vcpus) vcpu.pauseTime();
  };

  readonly resumeTime = (): void => {
    for (const vcpu of this.vcpus) vcpu.resumeTime();
  };

  private enableSplitIrqchip(): void {
    const bytes = new Uint8Array(104);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, api.KVM_CAP_SPLIT_IRQCHIP, true);
    view.setBigUint64(8, BigInt(IOAPIC_PINS), true);
    this.ioctl(api.KVM_ENABLE_CAP, bytes, "KVM_CAP_SPLIT_IRQCHIP");
  }

  /** Sets the slots again with other flags. */
  private reinstall(): void {
    for (const { index, slot } of this.installed) this.setRegion(index, slot);
  }

  private setRegion(index: number, slot: MemorySlot): void {
    const bytes = new Uint8Array(32);
    const view = new DataView(bytes.buffer);
    const logged = this.dirtyLog !== null && !slot.readonly && slot.size > 0;
    view.setUint32(0, index, true);
    view.setUint32(4, (slot.readonly ? api.KVM_MEM_READONLY : 0) | (logged ? api.KVM_MEM_LOG_DIRTY_PAGES : 0), true);
    view.setBigUint64(8, BigInt(slot.gpa), true);
    view.setBigUint64(16, BigInt(slot.size), true);
    view.setBigUint64(24, BigInt(this.base + slot.offset), true);
    this.ioctl(api.KVM_SET_USER_MEMORY_REGION, bytes, "KVM_SET_USER_MEMORY_REGION");
  }

  private readDirtySlot(index: number, slot: MemorySlot): Uint8Array {
    const bits = new Uint8Array(Math.ceil(slot.size / PAGE_SIZE / 64) * 8);
    if (slot.readonly) return bits;
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, index, true);
    view.setBigUint64(8, BigInt(addressOf(bits)), true);
    this.ioctl(api.KVM_GET_DIRTY_LOG, bytes, "KVM_GET_DIRTY_LOG");
    return bits;
  }

  private setRoute(gsi: number, message: InterruptMessage | null): void {
    if (message === null) this.routes.delete(gsi);
    else this.routes.set(gsi, message);
    const bytes = new Uint8Array(8 + this.routes.size * 48);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, this.routes.size, true);
    let at = 8;
    for (const [number, routed] of this.routes) {
      const { address, data } = messageSignalled(routed);
      view.setUint32(at, number, true);
      view.setUint32(at + 4, api.KVM_IRQ_ROUTING_MSI, true);
      view.setUint32(at + 16, address, true);
      view.setUint32(at + 24, data, true);
      at += 48;
    }
    this.ioctl(api.KVM_SET_GSI_ROUTING, bytes, "KVM_SET_GSI_ROUTING");
  }

  private setIrqfd(descriptor: number, gsi: number, flags: number): void {
    const bytes = new Uint8Array(32);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, descriptor, true);
    view.setUint32(4, gsi, true);
    view.setUint32(8, flags, true);
    this.ioctl(api.KVM_IRQFD, bytes, "KVM_IRQFD");
  }

  private setIoeventfd(window: DoorbellWindow, descriptor: number, flags: number): void {
    const bytes = new Uint8Array(64);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, window.value ?? 0n, true);
    view.setBigUint64(8, BigInt(window.address), true);
    view.setUint32(16, window.size, true);
    view.setInt32(20, descriptor, true);
    const match = window.value === undefined ? 0 : api.KVM_IOEVENTFD_DATAMATCH;
    view.setUint32(24, flags | match | (window.space === "ports" ? api.KVM_IOEVENTFD_PIO : 0), true);
    this.ioctl(api.KVM_IOEVENTFD, bytes, "KVM_IOEVENTFD");
  }

  private ioctl(request: number, bytes: Uint8Array, what: string): number {
    return this.check(libc().ioctlBuffer(this.fd, request, bytes), what);
  }

  private check(result: number, what: string): number {
    if (result < 0) throw systemError("ACCELERATOR_DEFECT", what);
    return result;
  }
}

/** An interrupt message as the bus write that carries it. Intel SDM 3A 11.11. */
function messageSignalled(message: InterruptMessage): { address: number; data: number } {
  const logical = message.destinationMode === "logical" ? 4 : 0;
  const level = message.triggerMode === "level" ? 0x8000 | (message.level ? 0x4000 : 0) : 0;
  return {
    address: (0xfee0_0000 | ((message.destination & 0xff) << 12) | logical) >>> 0,
    data: (message.vector & 0xff) | (DELIVERY_MODES[message.deliveryMode] << 8) | level,
  };
}
