// VEX-encoded instructions on vector registers: availability, the hot ones themselves, SSE's by its handlers, the others
// by kind. Results of 128 bits clear the register's upper half.
//
// SSE's handlers work on 128 bits of two operands. They get a record of their own, AVX_RECORD, whose registers are places
// of the stage: operands are copied there for each lane, and the results from there. Exceptions of both lanes are
// collected before any is raised, and the destination is written last.
import { AVX_BLOCKED, AVX_RECORD, GPR, MXCSR, XMM } from "../layout";
import { execFma, execHalf } from "./avx-fma";
import { execGather, execMasked } from "./avx-memory";
import {
  AVX_ARITHMETIC, AVX_COUNT, AVX_DIRECT, AVX_KIND_SHIFT, AVX_LANES, AVX_LOW, AVX_NARROW, AVX_PACKED, AVX_SHIFT,
  AVX_WIDEN, OP_VCVTPH2PS, OP_VCVTPS2PH, OP_VDPPS, OP_VLDMXCSR, OP_VLOAD, OP_VLOAD_ALIGNED, OP_VMASKLOAD32,
  OP_VMASKSTORE64, OP_VMOV, OP_VMOVMSKPD, OP_VMOVMSKPS, OP_VPCMPESTRM, OP_VPCMPISTRM, OP_VPMOVMSKB, OP_VPTEST,
  OP_VSTMXCSR, OP_VSTORE, OP_VSTORE_ALIGNED, OP_VTESTPD, OP_VTESTPS, OP_VZEROALL, OP_VZEROUPPER, OPS_AVX_OWN, OPS_FMA,
  OPS_GATHER,
} from "./avx-ops";
import {
  STAGE_A, STAGE_B, aux, isWide, memoryPlace, regPlace, rmPlace, setBoth, setLow, sourcePlace, step, vvvvPlace,
  widePlace, write256,
} from "./avx-operands";
import { execPermute } from "./avx-permute";
import { operationOf } from "./blocks";
import { eaSized } from "./ea";
import { raise, raiseGP } from "./exceptions";
import { setArith } from "./flags";
import { loadMxcsr } from "./fpu-state";
import { write128, write32 } from "./memory";
import { OPS_AVX, OPS_SSE } from "./ops";
import { F_LONG, F_MODREG, REC_FLAGS, REC_IMM, REC_OP, REC_REG, REC_RM } from "./record";
import { execSse } from "./sse";
import { beginLanes, endLanes } from "./sse-exact";
import { dotProducts, packedArithmetic } from "./sse-float";
import { packedInteger, shift } from "./sse-integer";
import { imm8, regGpr } from "./sse-operands";
import { OP_PCMPESTRM, OP_PCMPISTRM, OP_SHIFT_IMM, OPS_FLOAT, OPS_PACKED } from "./sse-ops";
import { shiftLane } from "./sse-shuffle";

/** Executes an operation of avx-ops.ts. */
export function execAvx(cpu: usize, rec: usize, op: u32): void {
  const blocked = load<u32>(cpu, AVX_BLOCKED);
  if (blocked) raise(cpu, blocked);
  if (op < OPS_AVX_OWN) {
    execOfSse(cpu, rec, op - OPS_AVX + OPS_SSE);
    return;
  }
  switch (op) {
    case OP_VZEROUPPER:
    case OP_VZEROALL:
      zero(cpu, rec, op == OP_VZEROALL);
      return;
    case OP_VMOV: {
      const from = rmPlace(cpu, rec);
      if (isWide(rec)) setBoth(cpu, rec, v128.load(from), v128.load(from, 16));
      else setLow(cpu, rec, v128.load(from));
      return;
    }
    case OP_VLOAD:
    case OP_VLOAD_ALIGNED: {
      const size: u32 = isWide(rec) ? 32 : 16;
      const linear = eaSized(cpu, rec, size, 0);
      if (op == OP_VLOAD_ALIGNED && (linear & (size - 1)) != 0) raiseGP(cpu);
      const from = memoryPlace(cpu, linear, size);
      if (size == 32) setBoth(cpu, rec, v128.load(from), v128.load(from, 16));
      else setLow(cpu, rec, v128.load(from));
      return;
    }
    case OP_VSTORE:
    case OP_VSTORE_ALIGNED: {
      const size: u32 = isWide(rec) ? 32 : 16;
      const linear = eaSized(cpu, rec, size, 1);
      if (op == OP_VSTORE_ALIGNED && (linear & (size - 1)) != 0) raiseGP(cpu);
      const from = regPlace(cpu, rec);
      if (size == 32) write256(cpu, linear, v128.load(from), v128.load(from, 16));
      else write128(cpu, linear, v128.load(from));
      return;
    }
    case OP_VPMOVMSKB: {
      const from = rmPlace(cpu, rec);
      const high: u32 = isWide(rec) ? i8x16.bitmask(v128.load(from, 16)) << 16 : 0;
      store<u64>(regGpr(cpu, rec), <u64>(<u32>i8x16.bitmask(v128.load(from)) | high), GPR);
      return;
    }
    case OP_VMOVMSKPS: {
      const from = rmPlace(cpu, rec);
      const high: u32 = isWide(rec) ? i32x4.bitmask(v128.load(from, 16)) << 4 : 0;
      store<u64>(regGpr(cpu, rec), <u64>(<u32>i32x4.bitmask(v128.load(from)) | high), GPR);
      return;
    }
    case OP_VMOVMSKPD: {
      const from = rmPlace(cpu, rec);
      const high: u32 = isWide(rec) ? i64x2.bitmask(v128.load(from, 16)) << 2 : 0;
      store<u64>(regGpr(cpu, rec), <u64>(<u32>i64x2.bitmask(v128.load(from)) | high), GPR);
      return;
    }
    case OP_VPTEST:
      test(cpu, rec, i64x2.splat(-1));
      return;
    case OP_VTESTPS:
      test(cpu, rec, i32x4.splat(0x8000_0000));
      return;
    case OP_VTESTPD:
      test(cpu, rec, i64x2.splat(<i64>0x8000_0000_0000_0000));
      return;
    case OP_VLDMXCSR:
      loadMxcsr(cpu, rec);
      return;
    case OP_VSTMXCSR:
      write32(cpu, eaSized(cpu, rec, 4, 1), load<u32>(cpu, MXCSR));
      return;
    case OP_VPCMPESTRM:
    case OP_VPCMPISTRM:
      execSse(cpu, rec, op == OP_VPCMPESTRM ? OP_PCMPESTRM : OP_PCMPISTRM);
      v128.store(cpu, i64x2.splat(0), XMM + 16);
      return;
    case OP_VDPPS:
      dotProduct(cpu, rec);
      return;
    case OP_VCVTPH2PS:
    case OP_VCVTPS2PH:
      execHalf(cpu, rec, op);
      return;
  }
  if (op >= OPS_FMA) execFma(cpu, rec, op);
  else if (op >= OPS_GATHER) execGather(cpu, rec, op);
  else if (op >= OP_VMASKLOAD32 && op <= OP_VMASKSTORE64) execMasked(cpu, rec, op);
  else execPermute(cpu, rec, op);
}

/** VZEROUPPER, VZEROALL. Outside 64-bit mode the upper eight registers stay as they are. */
function zero(cpu: usize, rec: usize, all: bool): void {
  const end = cpu + ((load<u8>(rec, REC_FLAGS) & F_LONG) != 0 ? 512 : 256);
  for (let at = cpu; at < end; at += 32) {
    v128.store(at, i64x2.splat(0), XMM + 16);
    if (all) v128.store(at, i64x2.splat(0), XMM);
  }
}

/** VPTEST and its like: ZF, no bit of the mask is in both operands; CF, none is in the source alone. */
function test(cpu: usize, rec: usize, mask: v128): void {
  const from = widePlace(cpu, rec);
  const with_ = regPlace(cpu, rec);
  let b = v128.and(v128.load(from), mask);
  let a = v128.load(with_);
  let both = v128.and(a, b);
  let alone = v128.andnot(b, a);
  if (isWide(rec)) {
    b = v128.and(v128.load(from, 16), mask);
    a = v128.load(with_, 16);
    both = v128.or(both, v128.and(a, b));
    alone = v128.or(alone, v128.andnot(b, a));
  }
  setArith(cpu, (v128.any_true(both) ? 0 : 0x40) | (v128.any_true(alone) ? 0 : 1));
}

function dotProduct(cpu: usize, rec: usize): void {
  const b = widePlace(cpu, rec);
  const a = vvvvPlace(cpu, rec);
  const wide = isWide(rec);
  const at = dotProducts(cpu, a, b, wide ? 2 : 1, imm8(rec));
  if (wide) setBoth(cpu, rec, v128.load(at), v128.load(at, 16));
  else setLow(cpu, rec, v128.load(at));
}

// ---- SSE's instructions.

/** The record that SSE's handlers see: reg is the stage's first register. */
function ownRecord(cpu: usize, rec: usize): usize {
  const record = cpu + AVX_RECORD;
  v128.store(record, v128.load(rec));
  v128.store(record, v128.load(rec, 16), 16);
  store<u16>(record, <u16>operationOf(rec), REC_OP);
  store<u8>(record, <u8>STAGE_A, REC_REG);
  return record;
}

/** Likewise, and rm is the stage's second register. */
function stagedRecord(cpu: usize, rec: usize): usize {
  const record = ownRecord(cpu, rec);
  store<u8>(record, <u8>STAGE_B, REC_RM);
  store<u8>(record, load<u8>(record, REC_FLAGS) | <u8>F_MODREG, REC_FLAGS);
  return record;
}

/** One lane through a handler of SSE's. */
function throughSse(cpu: usize, record: usize, op: u32, a: v128, b: v128): v128 {
  const at = cpu + (STAGE_A << 5);
  v128.store(at, a, XMM);
  v128.store(at, b, XMM + 32);
  execSse(cpu, record, op);
  return v128.load(at, XMM);
}

/** `op` is one of sse-ops.ts. */
function execOfSse(cpu: usize, rec: usize, op: u32): void {
  switch ((aux(rec) >> AVX_KIND_SHIFT) & 15) {
    case AVX_DIRECT:
      execSse(cpu, rec, op);
      return;
    case AVX_PACKED: {
      const b = widePlace(cpu, rec);
      const a = vvvvPlace(cpu, rec);
      const kind = op - OPS_PACKED;
      const low = packedInteger(kind, v128.load(a), v128.load(b));
      if (isWide(rec)) setBoth(cpu, rec, low, packedInteger(kind, v128.load(a, 16), v128.load(b, 16)));
      else setLow(cpu, rec, low);
      return;
    }
    case AVX_ARITHMETIC: {
      const b = widePlace(cpu, rec);
      const a = vvvvPlace(cpu, rec);
      const kind = (op - OPS_FLOAT) >> 2;
      const form = op & 3;
      if (!isWide(rec)) {
        setLow(cpu, rec, packedArithmetic(cpu, kind, form, v128.load(a), v128.load(b)));
        return;
      }
      beginLanes();
      const low = packedArithmetic(cpu, kind, form, v128.load(a), v128.load(b));
      const high = packedArithmetic(cpu, kind, form, v128.load(a, 16), v128.load(b, 16));
      endLanes(cpu);
      setBoth(cpu, rec, low, high);
      return;
    }
    case AVX_LOW: {
      const record = ownRecord(cpu, rec);
      const at = cpu + (STAGE_A << 5);
      v128.store(at, v128.load(vvvvPlace(cpu, rec)), XMM);
      execSse(cpu, record, op);
      setLow(cpu, rec, v128.load(at, XMM));
      return;
    }
    case AVX_LANES: {
      const b = widePlace(cpu, rec);
      const a = vvvvPlace(cpu, rec);
      const record = stagedRecord(cpu, rec);
      if (!isWide(rec)) {
        setLow(cpu, rec, throughSse(cpu, record, op, v128.load(a), v128.load(b)));
        return;
      }
      const upper = v128.load(b, 16);
      beginLanes();
      const low = throughSse(cpu, record, op, v128.load(a), v128.load(b));
      store<u8>(record, <u8>(imm8(rec) >> step(rec)), REC_IMM);
      const high = throughSse(cpu, record, op, v128.load(a, 16), upper);
      endLanes(cpu);
      setBoth(cpu, rec, low, high);
      return;
    }
    case AVX_SHIFT: {
      const from = rmPlace(cpu, rec);
      const to = vvvvPlace(cpu, rec);
      const n = imm8(rec);
      const which = op - OP_SHIFT_IMM;
      const high = isWide(rec) ? shiftLane(which, v128.load(from, 16), n) : i64x2.splat(0);
      v128.store(to, shiftLane(which, v128.load(from), n));
      v128.store(to, high, 16);
      return;
    }
    case AVX_COUNT: {
      const count = load<u64>(sourcePlace(cpu, rec, 16));
      const a = vvvvPlace(cpu, rec);
      const kind = op - OPS_PACKED;
      const low = shift(kind, v128.load(a), count);
      if (isWide(rec)) setBoth(cpu, rec, low, shift(kind, v128.load(a, 16), count));
      else setLow(cpu, rec, low);
      return;
    }
    case AVX_WIDEN: {
      const bytes = step(rec);
      const b = sourcePlace(cpu, rec, bytes << 1);
      // The source may be the destination's, or end where memory does.
      const source = bytes == 8 ? v128.load(b) : i64x2.splat(bytes == 4 ? load<u64>(b) : <u64>load<u32>(b));
      const first: u64 = i64x2.extract_lane(source, 0);
      const second: u64 = bytes == 8 ? i64x2.extract_lane(source, 1) : first >> (<u64>bytes << 3);
      const record = stagedRecord(cpu, rec);
      const none = i64x2.splat(0);
      beginLanes();
      const low = throughSse(cpu, record, op, none, i64x2.splat(first));
      const high = throughSse(cpu, record, op, none, i64x2.splat(second));
      endLanes(cpu);
      setBoth(cpu, rec, low, high);
      return;
    }
    case AVX_NARROW: {
      const b = sourcePlace(cpu, rec, 32);
      const record = stagedRecord(cpu, rec);
      const upper = v128.load(b, 16);
      const none = i64x2.splat(0);
      beginLanes();
      const low = throughSse(cpu, record, op, none, v128.load(b));
      const high = throughSse(cpu, record, op, none, upper);
      endLanes(cpu);
      setLow(cpu, rec, v128.shuffle<u64>(low, high, 0, 2));
      return;
    }
  }
}
