/**
 * Catches the core's unwinding for regions. An unwind is a WebAssembly exception of one tag; a small module around the
 * core's exports catches it, because the core's language has no exceptions. A region then sees an answer that makes it
 * leave. All other errors pass.
 */
import type { CoreExports } from "../core-module.js";
import { WasmCode } from "./wasm-code.js";
import { CALL, END, I32_CONST, LOCAL_GET, TYPE_I32, TYPE_I64 } from "./wasm-opcodes.js";

/** Not among TypeScript's declarations. */
const { Tag, Exception } = WebAssembly as unknown as {
  Tag: new (type: { parameters: string[] }) => WebAssembly.ExportValue;
  Exception: new (tag: WebAssembly.ExportValue, payload: unknown[]) => object;
};

const TAG = new Tag({ parameters: [] });
/** Thrown through the core to leave its stack. One for all: it says nothing, and making one costs time. */
export const UNWIND = new Exception(TAG, []);

/** What regions import from the core. */
export interface RegionImports extends WebAssembly.ModuleImports {
  read: WebAssembly.ExportValue;
  write: WebAssembly.ExportValue;
  execute: WebAssembly.ExportValue;
  condition: WebAssembly.ExportValue;
  carry: WebAssembly.ExportValue;
  call: WebAssembly.ExportValue;
}

// Opcodes of exception handling as engines have it since 2022.
const TRY = 0x06;
const CATCH = 0x07;

interface Guard {
  name: string;
  parameters: readonly number[];
  /** The answer after an unwind. */
  caught: number;
}

const ACCESS = [TYPE_I32, TYPE_I64, TYPE_I32, TYPE_I32, TYPE_I64, TYPE_I64];
const GUARDS: readonly Guard[] = [
  { name: "read", parameters: ACCESS, caught: 0 },
  { name: "write", parameters: ACCESS, caught: 0 },
  { name: "execute", parameters: [TYPE_I32, TYPE_I32, TYPE_I64, TYPE_I64], caught: 1 },
];

let compiled: WebAssembly.Module | undefined;

/** The core's exports for regions, none of which unwinds. */
export function guardCore(core: CoreExports): RegionImports {
  compiled ??= new WebAssembly.Module(encodeGuards());
  const { exports } = new WebAssembly.Instance(compiled, {
    core: {
      tag: TAG,
      read: core.regionRead,
      write: core.regionWrite,
      execute: core.regionExecute,
    },
  });
  return {
    ...(exports as Pick<RegionImports, "read" | "write" | "execute">),
    condition: core.regionCondition,
    carry: core.regionCarry,
    // The regions that it runs are guarded themselves.
    call: core.regionCall,
  };
}

function encodeGuards(): Uint8Array<ArrayBuffer> {
  const out = new WasmCode();
  out.append(Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00));
  // Types: the guards', and the tag's behind them.
  section(out, 1, (code) => {
    code.unsigned(GUARDS.length + 1);
    for (const { parameters } of GUARDS) {
      code.append(Uint8Array.of(0x60, parameters.length, ...parameters, 1, TYPE_I32));
    }
    code.append(Uint8Array.of(0x60, 0, 0));
  });
  section(out, 2, (code) => {
    code.unsigned(GUARDS.length + 1);
    GUARDS.forEach(({ name }, type) => {
      importName(code, name);
      code.append(Uint8Array.of(0x00, type));
    });
    importName(code, "tag");
    code.append(Uint8Array.of(0x04, 0x00, GUARDS.length));
  });
  section(out, 3, (code) => {
    code.append(Uint8Array.of(GUARDS.length, ...GUARDS.keys()));
  });
  section(out, 7, (code) => {
    code.unsigned(GUARDS.length);
    GUARDS.forEach(({ name }, index) => {
      text(code, name);
      code.append(Uint8Array.of(0x00, GUARDS.length + index));
    });
  });
  section(out, 10, (code) => {
    code.unsigned(GUARDS.length);
    GUARDS.forEach(({ parameters, caught }, index) => {
      const body = Uint8Array.of(
        ...[0, TRY, TYPE_I32],
        ...parameters.flatMap((_, local) => [LOCAL_GET, local]),
        ...[CALL, index, CATCH, 0, I32_CONST, caught, END, END],
      );
      code.unsigned(body.length);
      code.append(body);
    });
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

function importName(code: WasmCode, name: string): void {
  text(code, "core");
  text(code, name);
}

function text(code: WasmCode, value: string): void {
  code.unsigned(value.length);
  for (let i = 0; i < value.length; i++) code.byte(value.charCodeAt(i));
}
