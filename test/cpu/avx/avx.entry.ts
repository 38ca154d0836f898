// The decoder and the vector operations alone, for differential.mjs.
import { OP_UD } from "../../../src/accel/translate/core/ops-integer";
import { OPS_SSE } from "../../../src/accel/translate/core/ops";
import { DECODE_NEXT, decode } from "../../../src/accel/translate/core/decoder";
import { MODE_64 } from "../../../src/accel/translate/core/mode-bits";
import { raise, UD } from "../../../src/accel/translate/core/exceptions";
import { REC_LEN, REC_OP } from "../../../src/accel/translate/core/record";
import { execSse } from "../../../src/accel/translate/core/sse";

export { vexDecode } from "../../../src/accel/translate/core/vex-decode";

/** Decodes and executes the instruction of `length` bytes at `code`. 0, or a number for what this is not made for. */
export function execute(cpu: usize, rec: usize, code: usize, length: u32): u32 {
  const answer = decode(cpu, rec, code, length, 0, MODE_64);
  const op: u32 = load<u16>(rec, REC_OP);
  if (op == OP_UD) raise(cpu, UD);
  if (answer != DECODE_NEXT || load<u8>(rec, REC_LEN) != length) return 1;
  if (op < OPS_SSE) return 2;
  execSse(cpu, rec, op);
  return 0;
}
