/** struct kvm_run and the ring of coalesced writes behind it: what KVM and this VMM tell each other at an exit. */
import type { VcpuBus } from "../../vcpu/accelerator.js";
import { KVM_CAP_COALESCED_MMIO, RUN } from "./api.js";
import type { KvmDevice } from "./device.js";
import { libc, MAP_SHARED, PROT_READ, PROT_WRITE, systemError, viewOf } from "./libc.js";

const MAP_FAILED = 2 ** 64 - 1;
const PAGE_BYTES = 4096;
/** struct kvm_coalesced_mmio_ring: first, last, then entries: address u64, length u32, is a port u32, 8 bytes. */
const RING_HEADER = 8;
const RING_ENTRY = 24;
const RING_ENTRIES = Math.floor((PAGE_BYTES - RING_HEADER) / RING_ENTRY);

export class RunPage {
  private readonly address: number;
  private readonly size: number;
  private readonly view: DataView;
  private readonly ring: number;

  /** Maps the page of a vCPU. Throws AcceleratorError. */
  constructor(device: KvmDevice, fd: number) {
    this.size = device.runPageSize();
    this.address = libc().mmap(0, this.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (this.address >= MAP_FAILED)
      throw systemError("ACCELERATOR_UNAVAILABLE", "the vCPU's run page cannot be mapped");
    this.view = new DataView(viewOf(this.address, this.size));
    this.ring = device.capability(KVM_CAP_COALESCED_MMIO) * PAGE_BYTES;
  }

  u8(offset: number): number {
    return this.view.getUint8(offset);
  }
  setU8(offset: number, value: number): void {
    this.view.setUint8(offset, value);
  }
  u16(offset: number): number {
    return this.view.getUint16(offset, true);
  }
  u32(offset: number): number {
    return this.view.getUint32(offset, true);
  }
  u64(offset: number): bigint {
    return this.view.getBigUint64(offset, true);
  }

  /** Performs what KVM collected instead of leaving, in order. */
  drainRing(bus: VcpuBus): void {
    if (this.ring === 0) return;
    const { view, ring } = this;
    for (;;) {
      const first = view.getUint32(ring, true);
      if (first === view.getUint32(ring + 4, true) || first >= RING_ENTRIES) return;
      const entry = ring + RING_HEADER + first * RING_ENTRY;
      const address = Number(view.getBigUint64(entry, true));
      const length = view.getUint32(entry + 8, true);
      const port = view.getUint32(entry + 12, true) !== 0;
      view.setUint32(ring, (first + 1) % RING_ENTRIES, true);
      this.write(bus, port, address, entry + 16, length);
    }
  }

  /** The access of KVM_EXIT_IO, a string's elements one after the other. */
  performIo(bus: VcpuBus): void {
    const size = this.u8(RUN.ioSize);
    const port = this.u16(RUN.ioPort);
    const write = this.u8(RUN.ioDirection) === 1;
    const start = Number(this.u64(RUN.ioDataOffset));
    const end = start + size * this.u32(RUN.ioCount);
    for (let at = start; at < end; at += size) {
      if (write) bus.portWrite(port, size, this.value(at, size));
      else this.setValue(at, size, bus.portRead(port, size));
    }
  }

  /** The access of KVM_EXIT_MMIO, in parts that a bus has. */
  performMmio(bus: VcpuBus): void {
    const address = Number(this.u64(RUN.mmioAddress));
    const length = Math.min(8, this.u32(RUN.mmioLength));
    if (this.u8(RUN.mmioIsWrite) !== 0) {
      this.write(bus, false, address, RUN.mmioData, length);
      return;
    }
    for (let done = 0; done < length; ) {
      const size = partSize(length - done);
      this.setValue(RUN.mmioData + done, size, bus.mmioRead(address + done, size));
      done += size;
    }
  }

  close(): void {
    libc().munmap(this.address, this.size);
  }

  private write(bus: VcpuBus, port: boolean, address: number, at: number, length: number): void {
    for (let done = 0; done < length; ) {
      const size = partSize(length - done);
      const value = this.value(at + done, size);
      if (port) bus.portWrite(address + done, size, value);
      else bus.mmioWrite(address + done, size, value);
      done += size;
    }
  }

  private value(at: number, size: number): number {
    return size === 1 ? this.u8(at) : size === 2 ? this.u16(at) : this.u32(at);
  }

  private setValue(at: number, size: number, value: number): void {
    if (size === 1) this.view.setUint8(at, value);
    else if (size === 2) this.view.setUint16(at, value, true);
    else this.view.setUint32(at, value, true);
  }
}

function partSize(left: number): number {
  return left >= 4 ? 4 : left >= 2 ? 2 : 1;
}
