/** Which operations regions leave to the core, by name: what to translate next. */
import { REGION_CALLOUTS, REGION_LEAVES, REGION_OPERATIONS, REGION_SYSTEM } from "../layout.js";
import * as operations from "./operations.js";

const { OPS_AVX, OPS_FPU_STATE, OPS_SSE, OPS_X87 } = operations;
/** Where VEX encodings that SSE has not begin, from OPS_AVX on: core/avx-ops.ts. */
const AVX_OWN = 0x200;
const MEMORY_FORMS = 0x200;

/** Numbers of operations and what they are called, in ascending order. Limits of groups are no operations. */
const NAMES: readonly (readonly [number, string])[] = Object.entries(operations)
  .flatMap(([name, number]): [number, string][] =>
    name.startsWith("OP_") && typeof number === "number" && !/_(FUSED|END|FIRST)$/.test(name)
      ? [[number, name.slice(3).toLowerCase()]]
      : [],
  )
  .sort(([a], [b]) => a - b);

/** The name of an operation (REC_OP): of its constant in core/, plus the distance from it where one stands for several. */
export function operationName(op: number): string {
  if (op >= OPS_X87 && op < OPS_FPU_STATE) return x87Name(op - OPS_X87);
  // SSE's instructions in VEX encoding.
  if (op >= OPS_AVX && op < OPS_AVX + AVX_OWN) return `vex.${operationName(op - OPS_AVX + OPS_SSE)}`;
  let found: readonly [number, string] | undefined;
  for (const entry of NAMES) {
    if (entry[0] > op) break;
    found = entry;
  }
  if (found === undefined) return `0x${op.toString(16)}`;
  const distance = op - found[0];
  return distance === 0 ? found[1] : `${found[1]}+${distance}`;
}

/** As manuals write them: opcode and ModRM byte, or opcode and the reg field of a memory form. */
function x87Name(number: number): string {
  if (number < MEMORY_FORMS)
    return `x87.${(0xd8 + (number >> 6)).toString(16)}.${(0xc0 | (number & 0x3f)).toString(16)}`;
  const form = number - MEMORY_FORMS;
  return `x87.${(0xd8 + (form >> 3)).toString(16)}/${form & 7}`;
}

/** `callouts:NAME`, `leaves:NAME` and `system:NAME` of all operations that came up, the most frequent first. */
export function operationCounters(view: DataView): Record<string, number> {
  return {
    ...read(view, REGION_CALLOUTS, "callouts"),
    ...read(view, REGION_LEAVES, "leaves"),
    ...read(view, REGION_SYSTEM, "system"),
  };
}

function read(view: DataView, table: number, kind: string): Record<string, number> {
  const counts: [string, number][] = [];
  for (let op = 0; op < REGION_OPERATIONS; op++) {
    const at = table + op * 8;
    const count = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
    if (count > 0) counts.push([`${kind}:${operationName(op)}`, count]);
  }
  return Object.fromEntries(counts.sort(([, a], [, b]) => b - a));
}
