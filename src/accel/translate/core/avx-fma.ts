// FMA and F16C on vector registers. An instruction's exceptions are those of all its elements.
import { AVX_STAGE, XMM } from "../layout";
import { OP_VCVTPH2PS, OPS_FMA } from "./avx-ops";
import { isWide, regPlace, sourcePlace, vvvvPlace } from "./avx-operands";
import { eaSized } from "./ea";
import { write128, write64 } from "./memory";
import { checkAlignment, probeWrite } from "./mmu";
import { begin, finish } from "./sse-exact";
import { FMA_NEGATE_ADDEND, FMA_NEGATE_PRODUCT, fmaDouble, fmaSingle } from "./sse-fma";
import { beginHalf, halfToSingle, singleToHalf } from "./sse-half";
import { imm8, isRegister, rmBase } from "./sse-operands";

// Where results are gathered before the destination changes.
const RESULT: usize = AVX_STAGE;

/** Copies the result of `used` bytes; what lies above is zero. */
function commit(cpu: usize, to: usize, used: u32): void {
  const zero = i64x2.splat(0);
  v128.store(to, v128.load(cpu + RESULT));
  v128.store(to, used == 32 ? v128.load(cpu + RESULT, 16) : zero, 16);
}

// The low digit of an opcode, from 6: FMADDSUB, FMSUBADD, FMADD, FMADD scalar, FMSUB, FMSUB scalar, FNMADD, FNMADD scalar,
// FNMSUB, FNMSUB scalar.
export function execFma(cpu: usize, rec: usize, op: u32): void {
  const number = op - OPS_FMA;
  const wide = (number & 1) != 0;
  const opcode = 0x96 + (number >> 1);
  const digit = opcode & 15;
  const scalar = digit > 8 && (digit & 1) != 0;
  const size: u32 = scalar ? (wide ? 8 : 4) : isWide(rec) ? 32 : 16;
  const third = sourcePlace(cpu, rec, size);
  const first = regPlace(cpu, rec);
  const second = vvvvPlace(cpu, rec);
  // 132, 213, 231.
  const order = opcode >> 4;
  const x = order == 9 ? first : second;
  const y = order == 10 ? first : third;
  const z = order == 9 ? second : order == 10 ? third : first;
  let negateEven: u32 = 0;
  if (digit >= 12) negateEven = FMA_NEGATE_PRODUCT;
  if (digit == 6 || digit == 10 || digit == 11 || digit >= 14) negateEven |= FMA_NEGATE_ADDEND;
  const negateOdd = digit < 8 ? negateEven ^ FMA_NEGATE_ADDEND : negateEven;
  const to = cpu + RESULT;
  // The elements above a scalar are the destination's.
  v128.store(to, v128.load(first));
  begin(cpu);
  if (wide) {
    for (let i: u32 = 0; i < size; i += 8) {
      const negate = i & 8 ? negateOdd : negateEven;
      store<u64>(to + i, fmaDouble(load<u64>(x + i), load<u64>(y + i), load<u64>(z + i), negate));
    }
  } else {
    for (let i: u32 = 0; i < size; i += 4) {
      const negate = i & 4 ? negateOdd : negateEven;
      store<u32>(to + i, fmaSingle(load<u32>(x + i), load<u32>(y + i), load<u32>(z + i), negate));
    }
  }
  finish(cpu);
  commit(cpu, first, size);
}

export function execHalf(cpu: usize, rec: usize, op: u32): void {
  const singles: u32 = isWide(rec) ? 8 : 4;
  const to = cpu + RESULT;
  if (op == OP_VCVTPH2PS) {
    const from = sourcePlace(cpu, rec, singles << 1);
    begin(cpu);
    for (let i: u32 = 0; i < singles; i++) store<u32>(to + (i << 2), halfToSingle(load<u16>(from + (i << 1))));
    finish(cpu);
    commit(cpu, regPlace(cpu, rec), singles << 2);
    return;
  }
  const from = regPlace(cpu, rec);
  const memory = !isRegister(rec);
  const linear: u64 = memory ? eaSized(cpu, rec, singles << 1, 1) : 0;
  if (memory) {
    probeWrite(cpu, linear, singles << 1);
    checkAlignment(cpu, linear, singles << 1, 0);
  }
  v128.store(to, i64x2.splat(0));
  beginHalf(cpu, imm8(rec));
  for (let i: u32 = 0; i < singles; i++) store<u16>(to + (i << 1), <u16>singleToHalf(load<u32>(from + (i << 2))));
  finish(cpu);
  if (!memory) commit(cpu, rmBase(cpu, rec) + XMM, 16);
  else if (singles == 8) write128(cpu, linear, v128.load(to));
  else write64(cpu, linear, load<u64>(to));
}
