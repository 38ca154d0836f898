// VEX-encoded instructions on vector registers.
import { AVX_BLOCKED, XMM } from "../layout";
import { OP_VZEROALL } from "./avx-ops";
import { raise } from "./exceptions";
import { F_LONG, REC_FLAGS } from "./record";

/** Executes an operation of avx-ops.ts. */
export function execAvx(cpu: usize, rec: usize, op: u32): void {
  const blocked = load<u32>(cpu, AVX_BLOCKED);
  if (blocked) raise(cpu, blocked);
  const zero = i64x2.splat(0);
  // Outside 64-bit mode the upper eight registers stay as they are.
  const end = cpu + ((load<u8>(rec, REC_FLAGS) & F_LONG) != 0 ? 512 : 256);
  for (let at = cpu; at < end; at += 32) {
    v128.store(at, zero, XMM + 16);
    if (op == OP_VZEROALL) v128.store(at, zero, XMM);
  }
}
