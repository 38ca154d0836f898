/**
 * The simplest translator there is: a region is one block, and has each of its instructions executed by the core. It
 * holds the run-time half (entering, leaving, invalidation, faults) apart from the translator proper.
 */
import { createTranslator } from "../accel/translate/accelerator.js";
import { BLOCK_HEADER, BLOCK_OFFSET, BLOCK_RECORDS, REMAINING } from "../accel/translate/layout.js";
import type { CodeCacheOptions, RegionTranslator, TranslatedRegion } from "../accel/translate/translator/code-cache.js";
import type { CodeSource } from "../accel/translate/translator/region.js";
import type { MemoryType } from "../accel/translate/translator/region-module.js";
import { WasmCode } from "../accel/translate/translator/wasm-code.js";
import * as W from "../accel/translate/translator/wasm-opcodes.js";
import type { Accelerator } from "../vcpu/accelerator.js";
import { compiledCore } from "./compiled-core.js";

const RECORD_BYTES = 32;
const OP_MOV_RM32 = 214;
const OP_MOV_MR32 = 218;

/** Functions that a region may call, by index. */
const READ = 0;
const WRITE = 1;
const EXECUTE = 2;
const IMPORTS = ["read", "write", "execute"];

/** Locals of a region: its parameters, and what it may use. */
const CPU = 0;
const REGION_RIP = 1;
const LEFT = 2;
const HOST = 3;

export interface WrittenRegion extends TranslatedRegion {
  /** The function's instructions, without the last END. */
  readonly code: Uint8Array;
}

export class SteppingTranslator implements RegionTranslator<WrittenRegion> {
  /** Addresses of the blocks that were translated, in order. */
  readonly translated: number[] = [];

  translate({ view }: CodeSource, _cpu: number, entry: number, _rip: bigint): WrittenRegion | null {
    this.translated.push(entry);
    const code = new WasmCode();
    code.get(CPU);
    code.memory(W.I64_LOAD, REMAINING);
    code.set(LEFT);
    const records = view.getUint16(entry + BLOCK_RECORDS, true);
    for (let index = 0; index < records; index++) {
      code.get(CPU);
      code.i32(entry + BLOCK_HEADER + index * RECORD_BYTES);
      code.get(REGION_RIP);
      code.get(LEFT);
      code.call(EXECUTE);
      leaveIf(code);
    }
    // The last record ends the block.
    code.op(W.UNREACHABLE);
    return { entry, blocks: [entry], pages: [pageOf(view, entry)], code: code.finish() };
  }

  encode(memory: MemoryType, regions: readonly WrittenRegion[]): Uint8Array<ArrayBuffer> {
    return encodeRegions(memory, regions);
  }
}

/** Loads and stores of 32 bits at a register's address go through the guards; all else is executed by the core. */
export class AccessTranslator extends SteppingTranslator {
  override translate({ view }: CodeSource, _cpu: number, entry: number): WrittenRegion {
    const out = new WasmCode();
    out.get(CPU);
    out.memory(W.I64_LOAD, REMAINING);
    out.set(LEFT);
    const records = view.getUint16(entry + BLOCK_RECORDS, true);
    for (let index = 0; index < records; index++) {
      const rec = entry + BLOCK_HEADER + index * RECORD_BYTES;
      const op = view.getUint16(rec, true);
      const reads = op === OP_MOV_RM32;
      if (!reads && op !== OP_MOV_MR32) {
        out.get(CPU);
        out.i32(rec);
        out.get(REGION_RIP);
        out.get(LEFT);
        out.call(EXECUTE);
        leaveIf(out);
        continue;
      }
      const register = view.getUint8(rec + 4);
      out.get(CPU);
      out.get(CPU);
      out.memory(W.I64_LOAD, view.getUint8(rec + 6));
      out.i32(4);
      out.i32(rec);
      out.get(REGION_RIP);
      out.get(LEFT);
      out.call(reads ? READ : WRITE);
      out.tee(HOST);
      out.op(W.I32_EQZ);
      leaveIf(out);
      out.get(reads ? CPU : HOST);
      out.get(reads ? HOST : CPU);
      out.memory(reads ? W.I64_LOAD32_U : W.I32_LOAD, reads ? 0 : register);
      out.memory(reads ? W.I64_STORE : W.I32_STORE, reads ? register : 0);
    }
    out.op(W.UNREACHABLE);
    return { entry, blocks: [entry], pages: [pageOf(view, entry)], code: out.finish() };
  }
}

function leaveIf(out: WasmCode): void {
  out.if();
  out.i32(1);
  out.op(W.RETURN);
  out.end();
}

/** The code page of a block. */
function pageOf(view: DataView, block: number): number {
  return view.getUint32(block + BLOCK_OFFSET, true) & ~0xfff;
}

/** An accelerator that translates each block at its first entry. */
export async function steppingTranslator(
  options: CodeCacheOptions = {},
  translator: RegionTranslator = new SteppingTranslator(),
): Promise<Accelerator> {
  return createTranslator(await compiledCore(), { heat: 1, batch: 1, ...options, translator });
}

function encodeRegions(memory: MemoryType, regions: readonly WrittenRegion[]): Uint8Array<ArrayBuffer> {
  const out = new WasmCode();
  out.append(Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00));
  const access = [W.TYPE_I32, W.TYPE_I64, W.TYPE_I32, W.TYPE_I32, W.TYPE_I64, W.TYPE_I64];
  const types = [access, [W.TYPE_I32, W.TYPE_I32, W.TYPE_I64, W.TYPE_I64], [W.TYPE_I32, W.TYPE_I64]];
  section(out, 1, (code) => {
    code.unsigned(types.length);
    for (const parameters of types) code.append(Uint8Array.of(0x60, parameters.length, ...parameters, 1, W.TYPE_I32));
  });
  section(out, 2, (code) => {
    code.unsigned(IMPORTS.length + 1);
    text(code, "env");
    text(code, "memory");
    code.append(Uint8Array.of(0x02, memory.shared ? 0x03 : 0x01));
    code.unsigned(memory.initial);
    code.unsigned(memory.maximum);
    IMPORTS.forEach((name, index) => {
      text(code, "core");
      text(code, name);
      code.append(Uint8Array.of(0x00, index === EXECUTE ? 1 : 0));
    });
  });
  section(out, 3, (code) => {
    code.unsigned(regions.length);
    for (const _ of regions) code.unsigned(2);
  });
  section(out, 7, (code) => {
    code.unsigned(regions.length);
    regions.forEach((_, index) => {
      text(code, String(index));
      code.byte(0x00);
      code.unsigned(IMPORTS.length + index);
    });
  });
  section(out, 10, (code) => {
    code.unsigned(regions.length);
    for (const region of regions) {
      const body = new WasmCode();
      body.append(Uint8Array.of(2, 1, W.TYPE_I64, 1, W.TYPE_I32));
      body.append(region.code);
      body.byte(W.END);
      code.unsigned(body.length);
      code.append(body.finish());
    }
  });
  return new Uint8Array(out.finish());
}

function section(out: WasmCode, id: number, write: (code: WasmCode) => void): void {
  const code = new WasmCode();
  write(code);
  out.byte(id);
  out.unsigned(code.length);
  out.append(code.finish());
}

function text(code: WasmCode, value: string): void {
  code.unsigned(value.length);
  for (let i = 0; i < value.length; i++) code.byte(value.charCodeAt(i));
}
