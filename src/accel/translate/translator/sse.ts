/** Vector instructions: SSE's and AVX's. Their meaning is the core's: core/sse.ts and core/avx.ts. */
import { translateAvx } from "./avx.js";
import type { Emitter } from "./emitter.js";
import type { Instruction } from "./instruction.js";
import { OP_MOVNTI, OPS_AVX, OPS_AVX_OWN, OPS_MMX, OPS_SSE } from "./operations.js";
import { translateConvert } from "./sse-convert.js";
import { translateFloat } from "./sse-float.js";
import { translateMove } from "./sse-move.js";
import { checkUsable } from "./sse-operands.js";
import { translatePacked } from "./sse-packed.js";
import { translateShuffle } from "./sse-shuffle.js";

/** Translates an operation from OPS_SSE on. False: this operation is the core's. */
export function translateSse(e: Emitter, i: Instruction): boolean {
  const { op } = i;
  if (op >= OPS_MMX && op < OPS_AVX) return false;
  if (op !== OP_MOVNTI) checkUsable(e, i);
  if (op >= OPS_AVX_OWN) return translateAvx(e, i);
  const operation = op < OPS_AVX ? op : op - OPS_AVX + OPS_SSE;
  return (
    translateMove(e, i, operation) ||
    translatePacked(e, i, operation) ||
    translateFloat(e, i, operation) ||
    translateShuffle(e, i, operation) ||
    translateConvert(e, i, operation)
  );
}
