// PCLMULQDQ: carry-less multiplication.
import { getReg, imm8, setReg, source128 } from "./sse-operands";

const HOLES: u64 = 0x1111_1111_1111_1111;

/**
 * The low 64 bits of a carry-less product, by integer products of every fourth bit: at most 16 ones meet in a
 * place, and where their carry reaches the next place of the same class it lies beyond bit 63.
 */
function lowProduct(a: u64, b: u64): u64 {
  const a0 = a & HOLES;
  const a1 = a & (HOLES << 1);
  const a2 = a & (HOLES << 2);
  const a3 = a & (HOLES << 3);
  const b0 = b & HOLES;
  const b1 = b & (HOLES << 1);
  const b2 = b & (HOLES << 2);
  const b3 = b & (HOLES << 3);
  const r0 = (a0 * b0) ^ (a1 * b3) ^ (a2 * b2) ^ (a3 * b1);
  const r1 = (a0 * b1) ^ (a1 * b0) ^ (a2 * b3) ^ (a3 * b2);
  const r2 = (a0 * b2) ^ (a1 * b1) ^ (a2 * b0) ^ (a3 * b3);
  const r3 = (a0 * b3) ^ (a1 * b2) ^ (a2 * b1) ^ (a3 * b0);
  return (r0 & HOLES) | (r1 & (HOLES << 1)) | (r2 & (HOLES << 2)) | (r3 & (HOLES << 3));
}

function reverseBits(x0: u64): u64 {
  let x = bswap<u64>(x0);
  x = ((x >> 4) & 0x0f0f_0f0f_0f0f_0f0f) | ((x & 0x0f0f_0f0f_0f0f_0f0f) << 4);
  x = ((x >> 2) & 0x3333_3333_3333_3333) | ((x & 0x3333_3333_3333_3333) << 2);
  return ((x >> 1) & 0x5555_5555_5555_5555) | ((x & 0x5555_5555_5555_5555) << 1);
}

export function execCarrylessMultiply(cpu: usize, rec: usize): void {
  const y = source128(cpu, rec);
  const x = getReg(cpu, rec);
  const imm = imm8(rec);
  const a: u64 = imm & 1 ? i64x2.extract_lane(x, 1) : i64x2.extract_lane(x, 0);
  const b: u64 = imm & 0x10 ? i64x2.extract_lane(y, 1) : i64x2.extract_lane(y, 0);
  // The reverse of the reversed operands' product is the upper half, one bit off.
  const high = reverseBits(lowProduct(reverseBits(a), reverseBits(b))) >> 1;
  setReg(cpu, rec, i64x2.replace_lane(i64x2.splat(lowProduct(a, b)), 1, high));
}
