/** WebAssembly functions as text, an instruction a line: enough to read what the translator made. */
import { type Immediate, OPCODES } from "./wasm-opcodes.js";

/** Bytes that are no function body, or an instruction that the table in wasm-opcodes.ts lacks. */
export class WasmTextError extends Error {
  override readonly name = "WasmTextError";
  readonly code = "WASM_TEXT";
  constructor(
    readonly offset: number,
    problem: string,
  ) {
    super(`at byte ${offset} of the function: ${problem}`);
  }
}

/** Names for what a body refers to by number; a number is printed where a function answers undefined. */
export interface WasmNames {
  local?(index: number): string | undefined;
  function?(index: number): string | undefined;
  /** What stands in the place of a constant. */
  constant?(value: bigint): string | undefined;
  /** What lies at this offset from the first parameter. */
  field?(offset: number): string | undefined;
}

export interface WasmLine {
  /** Of the instruction's first byte, in the body. */
  readonly offset: number;
  /** Nesting, from 0. */
  readonly depth: number;
  readonly text: string;
}

export interface WasmFunctionText {
  /** Types of the locals behind the parameters, in runs. */
  readonly locals: readonly { readonly count: number; readonly type: string }[];
  readonly lines: readonly WasmLine[];
}

const VALUE_TYPES: Record<number, string> = {
  127: "i32",
  126: "i64",
  125: "f32",
  124: "f64",
  123: "v128",
  112: "funcref",
  111: "externref",
};
const EMPTY_BLOCK = 0x40;

class Reader {
  at = 0;
  constructor(readonly bytes: Uint8Array) {}

  get end(): boolean {
    return this.at >= this.bytes.length;
  }

  byte(): number {
    if (this.end) throw new WasmTextError(this.at, "the bytes end within an instruction");
    return this.bytes[this.at++];
  }

  /** LEB128, without a sign. */
  unsigned(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.byte();
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      if (factor > 2 ** 35) throw new WasmTextError(this.at, "a number is longer than 32 bits");
    }
  }

  /** LEB128 with a sign. */
  signed(): bigint {
    let value = 0n;
    for (let shift = 0n; ; ) {
      const byte = this.byte();
      value |= BigInt(byte & 127) << shift;
      shift += 7n;
      if (byte < 128) return byte & 64 ? value - (1n << shift) : value;
      if (shift > 70n) throw new WasmTextError(this.at, "a number is longer than 64 bits");
    }
  }

  data(size: number): DataView {
    if (this.at + size > this.bytes.length) throw new WasmTextError(this.at, "the bytes end within an instruction");
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset + this.at, size);
    this.at += size;
    return view;
  }
}

/**
 * A function's text.
 * @param body what stands in the code section behind a function's size: locals, instructions, the last `end`
 * @throws WasmTextError
 */
export function wasmFunctionText(body: Uint8Array, names: WasmNames = {}): WasmFunctionText {
  const reader = new Reader(body);
  const locals = [];
  for (let runs = reader.unsigned(); runs > 0; runs--)
    locals.push({ count: reader.unsigned(), type: valueType(reader) });
  const lines: WasmLine[] = [];
  let depth = 0;
  /** Whether each of the last instructions pushed the first parameter; the newest first. */
  let pushed: readonly boolean[] = [];
  while (!reader.end) {
    const offset = reader.at;
    const { name, text } = instruction(reader, names, { depth, pushed });
    pushed = [name === "local.get" && body[offset + 1] === 0, ...pushed.slice(0, 1)];
    const closes = name === "end" || name === "delegate";
    if (closes) depth--;
    if (depth < 0) {
      if (!reader.end) throw new WasmTextError(offset, "the function goes on behind its end");
      return { locals, lines };
    }
    const outdented = name === "else" || name === "catch" || name === "catch_all";
    lines.push({ offset, depth: outdented ? depth - 1 : depth, text });
    if (name === "block" || name === "loop" || name === "if" || name === "try") depth++;
  }
  throw new WasmTextError(reader.at, "the function has no end");
}

interface Place {
  readonly depth: number;
  readonly pushed: readonly boolean[];
}

function instruction(reader: Reader, names: WasmNames, place: Place): { name: string; text: string } {
  const offset = reader.at;
  const first = reader.byte();
  const prefix = OPCODES.has(first) && first !== 0 ? first : 0;
  const number = prefix === 0 ? first : reader.unsigned();
  const opcode = OPCODES.get(prefix)?.get(number);
  if (opcode === undefined) {
    const bytes = prefix === 0 ? `0x${first.toString(16)}` : `0x${prefix.toString(16)} ${number}`;
    throw new WasmTextError(offset, `${bytes} is no instruction that this printer knows`);
  }
  // A store's address is pushed before its value: a simple one is found, others are not looked for.
  const ofParameter = place.pushed[opcode.name.includes("store") ? 1 : 0] ?? false;
  const fields = ofParameter ? names.field : undefined;
  const operand = immediate(reader, opcode.immediate, { ...names, field: fields }, place.depth);
  return { name: opcode.name, text: operand === "" ? opcode.name : `${opcode.name} ${operand}` };
}

function valueType(reader: Reader): string {
  const offset = reader.at;
  const type = VALUE_TYPES[reader.byte()];
  if (type === undefined) throw new WasmTextError(offset, "there is no such value type");
  return type;
}

function blockType(reader: Reader): string {
  const byte = reader.bytes[reader.at];
  if (byte === EMPTY_BLOCK || VALUE_TYPES[byte] !== undefined) {
    reader.at++;
    return byte === EMPTY_BLOCK ? "" : `(result ${VALUE_TYPES[byte]})`;
  }
  return `(type ${reader.signed()})`;
}

const named = (name: string | undefined, index: number): string => (name === undefined ? `${index}` : `$${name}`);

/** The offset, where it is not 0. The alignment is a hint, and left out. */
function memoryArgument(reader: Reader, names: WasmNames): string {
  reader.unsigned();
  const offset = reader.unsigned();
  const field = names.field?.(offset);
  if (field !== undefined) return `offset=$${field}`;
  return offset === 0 ? "" : `offset=${offset > 9 ? `0x${offset.toString(16)}` : offset}`;
}

/** Large numbers in hexadecimal: they are masks and addresses. */
function integer(value: bigint, bits: number, names: WasmNames): string {
  const name = names.constant?.(value);
  if (name !== undefined) return name;
  if (value > -256n && value < 256n) return `${value}`;
  return `0x${BigInt.asUintN(bits, value).toString(16)}`;
}

function immediate(reader: Reader, kind: Immediate, names: WasmNames, depth: number): string {
  switch (kind) {
    case "none":
      return "";
    case "block":
      return [`$${depth}`, blockType(reader)].filter((part) => part !== "").join(" ");
    case "label":
      return label(reader, depth);
    case "labels": {
      const count = reader.unsigned();
      if (count > reader.bytes.length) throw new WasmTextError(reader.at, "a br_table is longer than the function");
      return Array.from({ length: count + 1 }, () => label(reader, depth)).join(" ");
    }
    case "function": {
      const index = reader.unsigned();
      return named(names.function?.(index), index);
    }
    case "local": {
      const index = reader.unsigned();
      return named(names.local?.(index), index);
    }
    case "table-type": {
      const type = reader.unsigned();
      return `${reader.unsigned()} (type ${type})`;
    }
    case "global":
    case "table":
    case "tag":
    case "data":
      return `${reader.unsigned()}`;
    case "tables":
    case "memory-indices":
    case "data-memory":
    case "element-table":
      return `${reader.unsigned()} ${reader.unsigned()}`;
    case "types":
      return Array.from({ length: reader.unsigned() }, () => `(result ${valueType(reader)})`).join(" ");
    case "memory-index": {
      const index = reader.unsigned();
      return index === 0 ? "" : `${index}`;
    }
    case "memory-access":
      return memoryArgument(reader, names);
    case "memory-lane":
      return `${memoryArgument(reader, names)} ${reader.byte()}`.trim();
    case "i32":
      return integer(reader.signed(), 32, names);
    case "i64":
      return integer(reader.signed(), 64, names);
    case "f32":
      return `${reader.data(4).getFloat32(0, true)}`;
    case "f64":
      return `${reader.data(8).getFloat64(0, true)}`;
    case "v128": {
      const data = reader.data(16);
      return `i32x4 ${[0, 4, 8, 12].map((at) => `0x${data.getUint32(at, true).toString(16)}`).join(" ")}`;
    }
    case "shuffle":
      return Array.from({ length: 16 }, () => reader.byte()).join(" ");
    case "lane":
      return `${reader.byte()}`;
  }
}

/** Labels are called by the nesting at which their block stands. */
function label(reader: Reader, depth: number): string {
  const up = reader.unsigned();
  return up >= depth ? "$function" : `$${depth - 1 - up}`;
}
