/** The core's predecoded records as the translator reads them. See core/record.ts and core/blocks.ts. */
import { BLOCK_COUNT, BLOCK_FIRST_OP, BLOCK_HEADER, BLOCK_MODE, BLOCK_OFFSET, BLOCK_SECOND_PAGE } from "../layout.js";
import {
  OP_FUSED,
  OP_FUSED_END,
  OP_REGION,
  OP_RELOOKUP,
  OP_SPECIAL,
  REC_ASIZE,
  REC_AUX,
  REC_BASE,
  REC_BYTES,
  REC_DISP,
  REC_FLAGS,
  REC_IMM,
  REC_INDEX,
  REC_IPOFF,
  REC_LEN,
  REC_OP,
  REC_OSIZE,
  REC_REG,
  REC_RM,
  REC_SCALE,
  REC_SEG,
  REC_SEQ,
} from "./operations.js";

export interface Instruction {
  /** Address of the record. */
  readonly rec: number;
  /** The operation itself: what OP_SPECIAL, OP_REGION and fused pairs stand for is resolved. */
  readonly op: number;
  readonly length: number;
  readonly flags: number;
  readonly reg: number;
  readonly rm: number;
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly segment: number;
  readonly addressSize: number;
  readonly size: number;
  readonly displacement: number;
  readonly immLow: number;
  readonly immHigh: number;
  /** Bytes from the block's start. */
  readonly ipOffset: number;
  /** Instructions of the block before this one. */
  readonly sequence: number;
  readonly aux: number;
}

export interface GuestBlock {
  /** Address of its header. */
  readonly address: number;
  /** Wasm offset of its first code byte. */
  readonly offset: number;
  /** Of the page that its one instruction goes on at; 0 where it lies on one page. */
  readonly secondPage: number;
  readonly mode: number;
  readonly instructions: readonly Instruction[];
  /** Code bytes. */
  readonly end: number;
}

/** The immediate as a signed number, or null where a double does not hold it exactly. */
export function immediate(i: Instruction): number | null {
  const value = i.immHigh * 0x1_0000_0000 + (i.immLow >>> 0);
  return Number.isSafeInteger(value) ? value : null;
}

/** The immediate as 64 bits. */
export function immediate64(i: Instruction): bigint {
  return (BigInt(i.immHigh) << 32n) | BigInt(i.immLow >>> 0);
}

/** Reads a block. Null where its code has changed. */
export function readBlock(view: DataView, address: number): GuestBlock | null {
  const count = view.getUint16(address + BLOCK_COUNT, true);
  const instructions: Instruction[] = [];
  let rec = address + BLOCK_HEADER;
  for (let n = 0; n < count; n++, rec += REC_BYTES) {
    let op = view.getUint16(rec + REC_OP, true);
    if (op === OP_REGION) op = view.getUint16(address + BLOCK_FIRST_OP, true);
    if (op === OP_RELOOKUP) return null;
    const aux = view.getUint32(rec + REC_AUX, true);
    if (op === OP_SPECIAL || (op >= OP_FUSED && op < OP_FUSED_END)) op = aux;
    instructions.push({
      rec,
      op,
      length: view.getUint8(rec + REC_LEN),
      flags: view.getUint8(rec + REC_FLAGS),
      reg: view.getUint8(rec + REC_REG),
      rm: view.getUint8(rec + REC_RM),
      base: view.getUint8(rec + REC_BASE),
      index: view.getUint8(rec + REC_INDEX),
      scale: view.getUint8(rec + REC_SCALE),
      segment: view.getUint8(rec + REC_SEG),
      addressSize: view.getUint8(rec + REC_ASIZE),
      size: view.getUint8(rec + REC_OSIZE),
      displacement: view.getInt32(rec + REC_DISP, true),
      immLow: view.getInt32(rec + REC_IMM, true),
      immHigh: view.getInt32(rec + REC_IMM + 4, true),
      ipOffset: view.getUint16(rec + REC_IPOFF, true),
      sequence: view.getUint8(rec + REC_SEQ),
      aux,
    });
  }
  // The record behind the last instruction.
  if (view.getUint16(rec + REC_OP, true) === OP_RELOOKUP) return null;
  return {
    address,
    offset: view.getUint32(address + BLOCK_OFFSET, true),
    secondPage: view.getUint32(address + BLOCK_SECOND_PAGE, true),
    mode: view.getUint32(address + BLOCK_MODE, true),
    instructions,
    end: view.getUint16(rec + REC_IPOFF, true),
  };
}
