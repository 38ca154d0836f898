/** A WebAssembly module of translated regions. WebAssembly core specification, 5.5. */
import type { Region } from "./region.js";
import { WasmCode } from "./wasm-code.js";
import { TYPE_I32, TYPE_I64 } from "./wasm-opcodes.js";

/** What regions import from the core, by function index. */
export const IMPORT_READ = 0;
export const IMPORT_WRITE = 1;
export const IMPORT_EXECUTE = 2;
export const IMPORT_CONDITION = 3;
export const IMPORT_CARRY = 4;
export const IMPORT_CALL = 5;
const IMPORTS = 6;

const TYPE_REGION = 0;
const TYPE_ACCESS = 1;
const TYPE_EXECUTE = 2;
const TYPE_CONDITION = 3;
const TYPE_CARRY = 4;

/** The memory that a region's module imports; its flags are part of the import's type. */
export interface MemoryType {
  /** Pages of 64 KiB. */
  readonly initial: number;
  readonly maximum: number;
  readonly shared: boolean;
}

/** The bytes of a module that exports each region by its place in the list: "0", "1" ... */
export function encodeRegionModule(memory: MemoryType, regions: readonly Region[]): Uint8Array<ArrayBuffer> {
  const out = new WasmCode();
  for (const byte of [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]) out.byte(byte);

  section(out, 1, (code) => {
    const types = [
      { parameters: [TYPE_I32, TYPE_I64], results: [TYPE_I32] },
      { parameters: [TYPE_I32, TYPE_I64, TYPE_I32, TYPE_I32, TYPE_I64, TYPE_I64], results: [TYPE_I32] },
      { parameters: [TYPE_I32, TYPE_I32, TYPE_I64, TYPE_I64], results: [TYPE_I32] },
      { parameters: [TYPE_I32, TYPE_I32], results: [TYPE_I32] },
      { parameters: [TYPE_I32], results: [TYPE_I32] },
    ];
    code.unsigned(types.length);
    for (const { parameters, results } of types) {
      code.byte(0x60);
      code.unsigned(parameters.length);
      for (const type of parameters) code.byte(type);
      code.unsigned(results.length);
      for (const type of results) code.byte(type);
    }
  });

  section(out, 2, (code) => {
    code.unsigned(IMPORTS + 1);
    name(code, "env");
    name(code, "memory");
    code.byte(0x02);
    code.byte(memory.shared ? 0x03 : 0x01);
    code.unsigned(memory.initial);
    code.unsigned(memory.maximum);
    const functions: [string, number][] = [
      ["read", TYPE_ACCESS],
      ["write", TYPE_ACCESS],
      ["execute", TYPE_EXECUTE],
      ["condition", TYPE_CONDITION],
      ["carry", TYPE_CARRY],
      ["call", TYPE_REGION],
    ];
    for (const [field, type] of functions) {
      name(code, "core");
      name(code, field);
      code.byte(0x00);
      code.unsigned(type);
    }
  });

  section(out, 3, (code) => {
    code.unsigned(regions.length);
    for (const _ of regions) code.unsigned(TYPE_REGION);
  });

  section(out, 7, (code) => {
    code.unsigned(regions.length);
    regions.forEach((_, index) => {
      name(code, String(index));
      code.byte(0x00);
      code.unsigned(IMPORTS + index);
    });
  });

  section(out, 10, (code) => {
    code.unsigned(regions.length);
    for (const { body } of regions) {
      code.unsigned(body.length);
      code.append(body);
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

function name(code: WasmCode, text: string): void {
  code.unsigned(text.length);
  for (let i = 0; i < text.length; i++) code.byte(text.charCodeAt(i));
}
