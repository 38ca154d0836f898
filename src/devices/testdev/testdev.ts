/**
 * The test device that kvm-unit-tests expects of a PC: ports and memory that can be read back, and ports that set
 * interrupt lines.
 *
 *     const testdev = new TestDevice({ line: (gsi) => router.line(gsi) });
 *     ports.add("testdev", 0xe0, 4, testdev.data); ports.add("testdev-flush", 0xe4, 4, testdev.flush);
 *     ports.add("testdev-byte", 0xe8, 4, testdev.data); ports.add("testdev-irq", 0x2000, 24, testdev.interrupts);
 *     mmio.add("testdev", 0xff000000, TESTDEV_MEMORY_BYTES, testdev.memory);
 */
import type { BusDevice, InterruptLine, PlainData, Stateful } from "../device.js";
import { dword, hexBytes, integer, literal, object } from "../state-shape.js";

export const TESTDEV_LINES = 24;
export const TESTDEV_MEMORY_BYTES = 0x1_0000;

const SHAPE = object({
  version: literal(1),
  data: dword,
  levels: integer(0, 2 ** TESTDEV_LINES - 1),
  /** Without the zeros at its end. */
  memory: hexBytes(0, TESTDEV_MEMORY_BYTES),
});

export interface TestDeviceOptions {
  /** Makes a wire to a global system interrupt. */
  line(gsi: number): InterruptLine;
  /** The guest asks that everything cached about a page be dropped. */
  flushPage?(gpa: number): void;
}

export class TestDevice implements Stateful<PlainData> {
  /** Four bytes that read back as they were written, at any width. */
  readonly data: BusDevice;
  /** Takes the address of a page. */
  readonly flush: BusDevice;
  /** Port n sets interrupt line n: high for anything but zero. */
  readonly interrupts: BusDevice;
  readonly memory: BusDevice;
  private readonly dataBytes = new Uint8Array(4);
  private readonly memoryBytes = new Uint8Array(TESTDEV_MEMORY_BYTES);
  private readonly lines: InterruptLine[];
  private levels = 0;

  constructor(options: TestDeviceOptions) {
    this.lines = Array.from({ length: TESTDEV_LINES }, (_, gsi) => options.line(gsi));
    this.data = byteStore(this.dataBytes);
    this.memory = byteStore(this.memoryBytes);
    this.flush = {
      read: () => 0,
      write: (_offset, _size, value) => options.flushPage?.(value >>> 0),
    };
    this.interrupts = {
      read: () => 0,
      write: (offset, _size, value) => this.setLine(offset, value !== 0),
    };
  }

  save(): PlainData {
    const used = this.memoryBytes.findLastIndex((value) => value !== 0) + 1;
    const hex = Array.from(this.memoryBytes.subarray(0, used), (value) => value.toString(16).padStart(2, "0"));
    return {
      version: 1,
      data: new DataView(this.dataBytes.buffer).getUint32(0, true),
      levels: this.levels,
      memory: hex.join(""),
    };
  }

  check(state: unknown): void {
    SHAPE.parse(state, "testdev");
  }

  restore(state: PlainData): void {
    const { data, levels, memory } = SHAPE.parse(state, "testdev");
    new DataView(this.dataBytes.buffer).setUint32(0, data, true);
    this.memoryBytes.fill(0);
    for (let index = 0; index < memory.length / 2; index++) {
      this.memoryBytes[index] = Number.parseInt(memory.slice(index * 2, index * 2 + 2), 16);
    }
    for (let index = 0; index < TESTDEV_LINES; index++) this.setLine(index, (levels & (1 << index)) !== 0);
  }

  private setLine(index: number, level: boolean): void {
    this.levels = level ? this.levels | (1 << index) : this.levels & ~(1 << index);
    this.lines[index].set(level);
  }
}

/** Registers without any behaviour, little-endian. Offsets wrap around in them. */
function byteStore(bytes: Uint8Array): BusDevice {
  return {
    read: (offset, size) => {
      let value = 0;
      for (let index = size - 1; index >= 0; index--) value = value * 256 + bytes[(offset + index) % bytes.length];
      return value;
    },
    write: (offset, size, value) => {
      for (let index = 0; index < size; index++)
        bytes[(offset + index) % bytes.length] = (value >>> (index * 8)) & 0xff;
    },
  };
}
