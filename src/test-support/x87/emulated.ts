// The emulated x87 alone: its wasm with one vCPU state block, fed with the records of test/cpu/x87/hardware.c.
import * as L from "../../accel/translate/layout.js";
import { FEATURE_WORDS, FEATURES } from "../../vcpu/features.js";

/** Exports of test/cpu/x87/x87.entry.ts. */
interface X87Exports {
  /** Executes the x87 operation of a record. */
  exec(cpu: number, rec: number, op: number): void;
  /** RFLAGS with the lazy flags worked out. */
  flags(cpu: number): bigint;
}

/** Bytes of a record, and offsets in it. */
export const RECORD_BYTES = 480;
const FLAGS_BEFORE = 8;
const FLAGS_AFTER = 16;
const RAX_AFTER = 24;
const STATE_BEFORE = 32;
const STATE_AFTER = 144;
const MEMORY_BEFORE = 256;
const MEMORY_AFTER = 368;
const MEMORY_BYTES = 112;

const OPS_X87 = 0x400;
/** Where hardware.c has its code and its memory operand. */
const CODE_ADDRESS = 0x20000000;
const MEMORY_ADDRESS = 0x30000000;
/** Where the memory operand is in the wasm memory. */
const MEMORY_OFFSET = 0x9000000;
const RECORD_OFFSET = 0x1400000;
const CPU = L.VCPU_BASE;

/** What the emulated x87 makes of a record, in the form of the record's own "after" fields. */
export class EmulatedX87 {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #exports: X87Exports;

  private constructor(memory: WebAssembly.Memory, exports: X87Exports) {
    this.#view = new DataView(memory.buffer);
    this.#bytes = new Uint8Array(memory.buffer);
    this.#exports = exports;
  }

  static async create(wasm: Uint8Array<ArrayBuffer>): Promise<EmulatedX87> {
    const memory = new WebAssembly.Memory({ initial: 2560, maximum: 65536 });
    const host = new Proxy(
      {},
      {
        get: (_target, name) => () => {
          throw new Error(`the x87 called the host: ${String(name)}`);
        },
      },
    );
    const imports = { env: { memory, abort: () => {} }, host } as WebAssembly.Imports;
    const { instance } = await WebAssembly.instantiate(wasm, imports);
    const x87 = new EmulatedX87(memory, instance.exports as unknown as X87Exports);
    x87.#setUp();
    return x87;
  }

  #setUp(): void {
    const view = this.#view;
    view.setUint32(CPU + L.TLB, L.TLB_BASE, true);
    // Every feature but those that take pointers of the last instruction away.
    const lacking = [FEATURES.fdp_excptn_only, FEATURES.zero_fcs_fds];
    for (let word = 0; word < FEATURE_WORDS; word++) {
      const bits = lacking
        .filter((feature) => feature >> 5 === word)
        .reduce((all, feature) => all | (1 << (feature & 31)), 0);
      view.setUint32(CPU + L.FEATURES + word * 4, ~bits, true);
    }
    view.setBigUint64(CPU + L.CR0, 0x80000031n, true);
    // One page, readable and writable.
    const entry = L.TLB_BASE + ((MEMORY_ADDRESS >>> 12) & (L.TLB_ENTRIES - 1)) * L.TLB_ENTRY_BYTES;
    view.setBigUint64(entry, BigInt(MEMORY_ADDRESS), true);
    view.setBigUint64(entry + 8, BigInt(MEMORY_ADDRESS), true);
    view.setUint32(entry + 24, MEMORY_OFFSET - MEMORY_ADDRESS, true);
    view.setUint32(CPU + L.SEGMENTS + L.CS * L.SEG_BYTES + L.SEG_SELECTOR, 0x33, true);
    view.setBigUint64(CPU + L.GPR + 3 * 8, BigInt(MEMORY_ADDRESS), true);
    view.setBigUint64(CPU + L.BLOCK_RIP, BigInt(CODE_ADDRESS), true);
  }

  /** Runs the instruction of the record at `offset`; the result stays until the next call. */
  run(records: DataView, offset: number): void {
    const view = this.#view;
    const opcode = records.getUint8(offset);
    const modrm = records.getUint8(offset + 1);
    for (let i = 0; i < MEMORY_BYTES; i++)
      this.#bytes[MEMORY_OFFSET + i] = records.getUint8(offset + MEMORY_BEFORE + i);
    this.#loadState(records, offset + STATE_BEFORE);
    view.setBigUint64(CPU + L.RFLAGS, records.getBigUint64(offset + FLAGS_BEFORE, true), true);
    view.setUint32(CPU + L.CC_OP, 0, true);
    view.setBigUint64(CPU + L.GPR, 0x1111111122222222n, true);
    const rec = RECORD_OFFSET;
    this.#bytes.fill(0, rec, rec + 32);
    const memory = modrm < 0xc0;
    const op = memory
      ? OPS_X87 + 0x200 + ((opcode & 7) << 3) + ((modrm >> 3) & 7)
      : OPS_X87 + ((opcode & 7) << 6) + (modrm & 0x3f);
    view.setUint16(rec, op, true);
    view.setUint8(rec + 2, 2);
    view.setUint8(rec + 3, memory ? 128 : 128 + 64);
    view.setUint8(rec + 6, 3 * 8);
    view.setUint8(rec + 7, L.ZERO);
    view.setUint8(rec + 9, L.DS);
    view.setUint8(rec + 10, 8);
    view.setUint8(rec + 11, 4);
    view.setUint16(rec + 24, records.getUint32(offset + 4, true), true);
    view.setUint8(rec + 27, modrm);
    view.setUint32(CPU + L.CUR_REC, rec, true);
    this.#exports.exec(CPU, rec, op);
  }

  #loadState(records: DataView, at: number): void {
    const view = this.#view;
    const fsw = records.getUint16(at + 4, true);
    view.setUint32(CPU + L.FCW, records.getUint16(at, true), true);
    view.setUint32(CPU + L.FSW, fsw, true);
    view.setUint32(CPU + L.FTW, records.getUint16(at + 8, true), true);
    view.setBigUint64(CPU + L.FIP, BigInt(records.getUint32(at + 12, true)), true);
    view.setUint32(CPU + L.FCS, records.getUint16(at + 16, true), true);
    view.setUint32(CPU + L.FOP, records.getUint16(at + 18, true), true);
    view.setBigUint64(CPU + L.FDP, BigInt(records.getUint32(at + 20, true)), true);
    view.setUint32(CPU + L.FDS, records.getUint16(at + 24, true), true);
    view.setUint32(CPU + L.FPU_PENDING, 0, true);
    for (let i = 0; i < 8; i++) {
      const to = CPU + L.ST + (((fsw >> 11) + i) & 7) * 16;
      view.setBigUint64(to, records.getBigUint64(at + 28 + i * 10, true), true);
      view.setUint16(to + 8, records.getUint16(at + 36 + i * 10, true), true);
    }
  }

  #register(i: number): Extended {
    const at = CPU + L.ST + (((this.#view.getUint32(CPU + L.FSW, true) >> 11) + i) & 7) * 16;
    return { exponent: this.#view.getUint16(at + 8, true), significand: this.#view.getBigUint64(at, true) };
  }

  /** The differences between the record's "after" and the emulated state, as text; empty when there are none. */
  differences(records: DataView, offset: number): string[] {
    return this.#differences(records, offset, 0, 0n);
  }

  /** Whether nothing differs but numbers by one unit of the last place, and the bits `ignored` of the status word. */
  differsInLastPlace(records: DataView, offset: number, ignored: number): boolean {
    return this.#differences(records, offset, ignored, 1n).length === 0;
  }

  #differences(records: DataView, offset: number, ignored: number, tolerance: bigint): string[] {
    const view = this.#view;
    const found: string[] = [];
    const check = (what: string, got: bigint | number, expected: bigint | number): void => {
      if (got !== expected) found.push(`${what}: ${got.toString(16)}, hardware ${expected.toString(16)}`);
    };
    const at = offset + STATE_AFTER;
    check("FCW", view.getUint32(CPU + L.FCW, true), records.getUint16(at, true));
    check("FSW", view.getUint32(CPU + L.FSW, true) & ~ignored, records.getUint16(at + 4, true) & ~ignored);
    const tags = records.getUint16(at + 8, true);
    const ftw = view.getUint32(CPU + L.FTW, true);
    for (let i = 0; i < 8; i++) {
      check(`tag ${i} empty`, Number(((ftw >> (2 * i)) & 3) === 3), Number(((tags >> (2 * i)) & 3) === 3));
    }
    check("FIP", view.getUint32(CPU + L.FIP, true), records.getUint32(at + 12, true));
    check("FCS", view.getUint32(CPU + L.FCS, true), records.getUint16(at + 16, true));
    check("FOP", view.getUint32(CPU + L.FOP, true), records.getUint16(at + 18, true));
    check("FDP", view.getUint32(CPU + L.FDP, true), records.getUint32(at + 20, true));
    check("FDS", view.getUint32(CPU + L.FDS, true), records.getUint16(at + 24, true));
    for (let i = 0; i < 8; i++) {
      const got = this.#register(i);
      const expected = {
        exponent: records.getUint16(at + 36 + i * 10, true),
        significand: records.getBigUint64(at + 28 + i * 10, true),
      };
      if (tolerance > 0n && distance(got, expected) <= tolerance) continue;
      check(`ST${i} exponent`, got.exponent, expected.exponent);
      check(`ST${i} significand`, got.significand, expected.significand);
    }
    for (let i = 0; i < MEMORY_BYTES; i++) {
      check(`memory ${i}`, this.#bytes[MEMORY_OFFSET + i]!, records.getUint8(offset + MEMORY_AFTER + i));
    }
    check("RFLAGS", this.#exports.flags(CPU), records.getBigUint64(offset + FLAGS_AFTER, true));
    check("RAX", view.getBigUint64(CPU + L.GPR, true), records.getBigUint64(offset + RAX_AFTER, true));
    const pending = (view.getUint32(CPU + L.FSW, true) >> 7) & 1;
    check("FPU_PENDING", view.getUint32(CPU + L.FPU_PENDING, true), pending);
    return found;
  }
}

interface Extended {
  /** Sign and exponent, 16 bits. */
  exponent: number;
  significand: bigint;
}

/** Units of the last place between two numbers of one sign; huge for others. */
function distance(a: Extended, b: Extended): bigint {
  if (((a.exponent ^ b.exponent) & 0x8000) !== 0) return 1n << 80n;
  const place = (x: Extended) => (BigInt(x.exponent & 0x7fff) << 63n) + (x.significand & ((1n << 63n) - 1n));
  const difference = place(a) - place(b);
  return difference < 0n ? -difference : difference;
}

/** A record in one line, for a message. */
export function describe(records: DataView, offset: number): string {
  const hex = (value: number | bigint): string => value.toString(16);
  const at = offset + STATE_BEFORE;
  const operand = (i: number): string =>
    `${hex(records.getUint16(at + 36 + i * 10, true))}:${hex(records.getBigUint64(at + 28 + i * 10, true))}`;
  const modrm = records.getUint8(offset + 1);
  const memory = modrm < 0xc0 ? ` memory ${hex(records.getBigUint64(offset + MEMORY_BEFORE, true))}` : "";
  const state = [at, at + 4, at + 8].map((p) => hex(records.getUint16(p, true))).join(" ");
  const i = modrm & 7;
  return `${hex(records.getUint8(offset))} ${hex(modrm)} FCW FSW FTW ${state} ST0 ${operand(0)} ST${i} ${operand(i)} ST1 ${operand(1)}${memory}`;
}
