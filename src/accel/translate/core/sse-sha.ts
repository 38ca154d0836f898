// The SHA extensions. FIPS 180-4; Intel SDM volume 2.
import { VENDOR, XMM } from "../layout";
import {
  OP_SHA1MSG1, OP_SHA1MSG2, OP_SHA1NEXTE, OP_SHA1RNDS4, OP_SHA256MSG1, OP_SHA256MSG2, OP_SHA256RNDS2,
} from "./sse-ops";
import { getReg, imm8, setReg, source128, source128Unaligned } from "./sse-operands";

// @ts-ignore: decorator
@inline
function lane(x: v128, i: u8): u32 {
  switch (i) {
    case 0:
      return i32x4.extract_lane(x, 0);
    case 1:
      return i32x4.extract_lane(x, 1);
    case 2:
      return i32x4.extract_lane(x, 2);
    default:
      return i32x4.extract_lane(x, 3);
  }
}

function join(x0: u32, x1: u32, x2: u32, x3: u32): v128 {
  return i32x4.replace_lane(i32x4.replace_lane(i32x4.replace_lane(i32x4.splat(x0), 1, x1), 2, x2), 3, x3);
}

// @ts-ignore: decorator
@inline
function smallSigma0(x: u32): u32 {
  return rotr<u32>(x, 7) ^ rotr<u32>(x, 18) ^ (x >> 3);
}

// @ts-ignore: decorator
@inline
function smallSigma1(x: u32): u32 {
  return rotr<u32>(x, 17) ^ rotr<u32>(x, 19) ^ (x >> 10);
}

function sha1Rounds(x: v128, y: v128, imm: u32): v128 {
  let a = lane(x, 3);
  let b = lane(x, 2);
  let c = lane(x, 1);
  let d = lane(x, 0);
  let e: u32 = 0;
  const which = imm & 3;
  const k: u32 = which == 0 ? 0x5a827999 : which == 1 ? 0x6ed9eba1 : which == 2 ? 0x8f1bbcdc : 0xca62c1d6;
  for (let i = 3; i >= 0; i--) {
    const f = which == 0 ? (b & c) ^ (~b & d) : which == 2 ? (b & c) ^ (b & d) ^ (c & d) : b ^ c ^ d;
    const next = f + rotl<u32>(a, 5) + lane(y, <u8>i) + e + k;
    e = d;
    d = c;
    c = rotl<u32>(b, 30);
    b = a;
    a = next;
  }
  return join(d, c, b, a);
}

function sha256Rounds(x: v128, y: v128, wk: v128): v128 {
  let a = lane(y, 3);
  let b = lane(y, 2);
  let e = lane(y, 1);
  let f = lane(y, 0);
  let c = lane(x, 3);
  let d = lane(x, 2);
  let g = lane(x, 1);
  let h = lane(x, 0);
  for (let i = 0; i < 2; i++) {
    const sum1 = rotr<u32>(e, 6) ^ rotr<u32>(e, 11) ^ rotr<u32>(e, 25);
    const sum0 = rotr<u32>(a, 2) ^ rotr<u32>(a, 13) ^ rotr<u32>(a, 22);
    const t = ((e & f) ^ (~e & g)) + sum1 + (i == 0 ? lane(wk, 0) : lane(wk, 1)) + h;
    const u = ((a & b) ^ (a & c) ^ (b & c)) + sum0;
    h = g;
    g = f;
    f = e;
    e = d + t;
    d = c;
    c = b;
    b = a;
    a = t + u;
  }
  return join(f, e, b, a);
}

export function execSha(cpu: usize, rec: usize, op: u32): void {
  // AMD's processors take a memory operand of any alignment.
  const y = load<u32>(cpu, VENDOR) == 0 ? source128Unaligned(cpu, rec) : source128(cpu, rec);
  const x = getReg(cpu, rec);
  switch (op) {
    case OP_SHA1RNDS4:
      setReg(cpu, rec, sha1Rounds(x, y, imm8(rec)));
      return;
    case OP_SHA1NEXTE:
      setReg(cpu, rec, i32x4.replace_lane(y, 3, lane(y, 3) + rotl<u32>(lane(x, 3), 30)));
      return;
    case OP_SHA1MSG1:
      setReg(cpu, rec, v128.xor(x, v128.shuffle<u64>(y, x, 1, 2)));
      return;
    case OP_SHA1MSG2: {
      const w16 = rotl<u32>(lane(x, 3) ^ lane(y, 2), 1);
      const w17 = rotl<u32>(lane(x, 2) ^ lane(y, 1), 1);
      const w18 = rotl<u32>(lane(x, 1) ^ lane(y, 0), 1);
      const w19 = rotl<u32>(lane(x, 0) ^ w16, 1);
      setReg(cpu, rec, join(w19, w18, w17, w16));
      return;
    }
    case OP_SHA256RNDS2:
      setReg(cpu, rec, sha256Rounds(x, y, v128.load(cpu, XMM)));
      return;
    case OP_SHA256MSG1: {
      const w0 = lane(x, 0) + smallSigma0(lane(x, 1));
      const w1 = lane(x, 1) + smallSigma0(lane(x, 2));
      const w2 = lane(x, 2) + smallSigma0(lane(x, 3));
      setReg(cpu, rec, join(w0, w1, w2, lane(x, 3) + smallSigma0(lane(y, 0))));
      return;
    }
    case OP_SHA256MSG2: {
      const w16 = lane(x, 0) + smallSigma1(lane(y, 2));
      const w17 = lane(x, 1) + smallSigma1(lane(y, 3));
      const w18 = lane(x, 2) + smallSigma1(w16);
      setReg(cpu, rec, join(w16, w17, w18, lane(x, 3) + smallSigma1(w17)));
      return;
    }
  }
  unreachable();
}
