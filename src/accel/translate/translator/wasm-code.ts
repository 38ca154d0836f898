/** Encodes the instructions of one WebAssembly function. WebAssembly core specification, 5.4. */
import {
  BLOCK,
  BR,
  BR_IF,
  CALL,
  ELSE,
  END,
  I32_CONST,
  I64_CONST,
  IF,
  LOCAL_GET,
  LOCAL_SET,
  LOCAL_TEE,
  LOOP,
  TYPE_NONE,
} from "./wasm-opcodes.js";

/** Prefix of the vector instructions. */
const SIMD = 0xfd;
/** Prefix of bulk memory and saturating truncation. */
const NUMERIC = 0xfc;

/** A place that can be branched to: how many blocks were open around it, itself included. */
export type Label = number;

export class WasmCode {
  private bytes = new Uint8Array(1 << 12);
  private depth = 0;
  /** Bytes written. */
  length = 0;

  /** What was written. The array is a copy. */
  finish(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }

  byte(value: number): void {
    if (this.length === this.bytes.length) this.grow(1);
    this.bytes[this.length++] = value;
  }

  append(bytes: Uint8Array): void {
    this.grow(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** An unsigned number of at most 32 bits. */
  unsigned(value: number): void {
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.byte(rest);
  }

  /** A signed number: an integer that a double holds exactly. */
  signed(value: number): void {
    let rest = value;
    for (;;) {
      const low = ((rest % 128) + 128) % 128;
      rest = (rest - low) / 128;
      if ((rest === 0 && low < 0x40) || (rest === -1 && low >= 0x40)) {
        this.byte(low);
        return;
      }
      this.byte(low | 0x80);
    }
  }

  /** Instructions without immediates, in order. */
  op(...opcodes: number[]): void {
    for (const opcode of opcodes) this.byte(opcode);
  }

  i32(value: number): void {
    this.byte(I32_CONST);
    this.signed(value | 0);
  }

  /** @param value an integer that a double holds exactly, or a bigint of 64 bits, signed or not */
  i64(value: number | bigint): void {
    this.byte(I64_CONST);
    if (typeof value === "number") this.signed(value);
    else this.signed64(BigInt.asIntN(64, value));
  }

  get(local: number): void {
    this.byte(LOCAL_GET);
    this.unsigned(local);
  }

  set(local: number): void {
    this.byte(LOCAL_SET);
    this.unsigned(local);
  }

  tee(local: number): void {
    this.byte(LOCAL_TEE);
    this.unsigned(local);
  }

  /** A load or store with its constant offset. Alignment is not promised. */
  memory(opcode: number, offset: number): void {
    this.byte(opcode);
    this.byte(0);
    this.unsigned(offset);
  }

  /** A vector instruction without immediates. */
  simd(opcode: number): void {
    this.byte(SIMD);
    this.unsigned(opcode);
  }

  /** A vector instruction with a lane number. */
  simdLane(opcode: number, lane: number): void {
    this.simd(opcode);
    this.byte(lane);
  }

  /** A load or store of a vector, without a lane. */
  simdMemory(opcode: number, offset: number): void {
    this.simd(opcode);
    this.byte(0);
    this.unsigned(offset);
  }

  /** A saturating truncation. */
  numeric(opcode: number): void {
    this.byte(NUMERIC);
    this.unsigned(opcode);
  }

  call(index: number): void {
    this.byte(CALL);
    this.unsigned(index);
  }

  // ---- Structured control flow.

  block(type: number = TYPE_NONE): Label {
    return this.open(BLOCK, type);
  }

  loop(type: number = TYPE_NONE): Label {
    return this.open(LOOP, type);
  }

  if(type: number = TYPE_NONE): Label {
    return this.open(IF, type);
  }

  else(): void {
    this.byte(ELSE);
  }

  end(): void {
    this.byte(END);
    this.depth--;
  }

  br(label: Label): void {
    this.byte(BR);
    this.unsigned(this.depth - label);
  }

  brIf(label: Label): void {
    this.byte(BR_IF);
    this.unsigned(this.depth - label);
  }

  private open(opcode: number, type: number): Label {
    this.byte(opcode);
    this.byte(type);
    return ++this.depth;
  }

  private signed64(value: bigint): void {
    let rest = value;
    for (;;) {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      if ((rest === 0n && low < 0x40) || (rest === -1n && low >= 0x40)) {
        this.byte(low);
        return;
      }
      this.byte(low | 0x80);
    }
  }

  private grow(more: number): void {
    if (this.length + more < this.bytes.length) return;
    const bytes = new Uint8Array((this.length + more) * 2);
    bytes.set(this.bytes);
    this.bytes = bytes;
  }
}
