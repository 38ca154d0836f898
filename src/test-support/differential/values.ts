/** Operands that find mistakes: limits, powers of two, special floating-point values, and noise. */
import type { Random } from "../random.js";

const EDGES_64 = [
  0n,
  1n,
  2n,
  3n,
  7n,
  8n,
  0x7fn,
  0x80n,
  0x81n,
  0xffn,
  0x100n,
  0x7fffn,
  0x8000n,
  0xffffn,
  0x1_0000n,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  0x1_0000_0000n,
  0x7fff_ffff_ffff_ffffn,
  0x8000_0000_0000_0000n,
  0xffff_ffff_8000_0000n,
  0xffff_ffff_ffff_ff80n,
  0xffff_ffff_ffff_8000n,
  0xffff_ffff_ffff_fffen,
  0xffff_ffff_ffff_ffffn,
  0x0123_4567_89ab_cdefn,
  0x5555_5555_5555_5555n,
  0xaaaa_aaaa_aaaa_aaaan,
  0x0000_0099_0000_0009n,
  0x8000_0000_0000_0001n,
];

// Zeroes, denormals, smallest normal, one and its neighbours, integer limits, largest, infinity, NaNs quiet and signalling.
const FLOATS_32 = [
  0, 0x8000_0000, 1, 0x007f_ffff, 0x8000_0001, 0x0080_0000, 0x0080_0001, 0x3f80_0000, 0xbf80_0000, 0x3f7f_ffff,
  0x3f80_0001, 0x3f00_0000, 0x3fc0_0000, 0x4020_0000, 0x4f00_0000, 0xcf00_0000, 0x4eff_ffff, 0x5f00_0000, 0xdf00_0000,
  0x7f7f_ffff, 0xff7f_ffff, 0x7f00_0000, 0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 0xffc0_0000, 0x7fc1_2345, 0x7f80_0001,
  0xffa5_5555, 0x4b00_0000, 0x4b7f_ffff, 0x1f80_0000, 0x2000_0000, 0x4049_0fdb,
];
const FLOATS_64 = [
  0n,
  0x8000_0000_0000_0000n,
  1n,
  0x000f_ffff_ffff_ffffn,
  0x8000_0000_0000_0001n,
  0x0010_0000_0000_0000n,
  0x3ff0_0000_0000_0000n,
  0xbff0_0000_0000_0000n,
  0x3fef_ffff_ffff_ffffn,
  0x3ff0_0000_0000_0001n,
  0x3fe0_0000_0000_0000n,
  0x3ff8_0000_0000_0000n,
  0x4004_0000_0000_0000n,
  0x41df_ffff_ffc0_0000n,
  0x41e0_0000_0000_0000n,
  0xc1e0_0000_0000_0000n,
  0xc1e0_0000_0020_0000n,
  0x43e0_0000_0000_0000n,
  0xc3e0_0000_0000_0000n,
  0x43df_ffff_ffff_ffffn,
  0x7fef_ffff_ffff_ffffn,
  0xffef_ffff_ffff_ffffn,
  0x7ff0_0000_0000_0000n,
  0xfff0_0000_0000_0000n,
  0x7ff8_0000_0000_0000n,
  0xfff8_0000_0000_0000n,
  0x7ff8_0000_1234_5678n,
  0x7ff0_0000_0000_0001n,
  0xfff4_5555_5555_5555n,
  0x36a0_0000_0000_0000n,
  0x3690_0000_0000_0000n,
  0x380f_ffff_f000_0000n,
  0x47ef_ffff_f000_0000n,
  0x47ef_ffff_e000_0000n,
  0x1ff0_0000_0000_0000n,
  0x4330_0000_0000_0000n,
  0x4009_21fb_5444_2d18n,
];

export function integer64(random: Random): bigint {
  switch (random.int(8)) {
    case 0:
      return random.u64();
    case 1:
      return BigInt(random.int(256));
    case 2:
      return BigInt.asUintN(64, 1n << BigInt(random.int(64)));
    case 3:
      return BigInt.asUintN(64, -BigInt(random.int(65536)));
    case 4:
      return BigInt(random.u32());
    default:
      return random.pick(EDGES_64);
  }
}

export function float32(random: Random): number {
  const kind = random.int(8);
  if (kind === 0) return random.u32();
  // Small integers, and values of similar magnitude so that sums cancel and round.
  if (kind === 1) return bits32(random.int(2000) - 1000);
  if (kind === 2) return (((random.u32() & 0x80ff_ffff) | 0x3e00_0000) + (random.int(4) << 23)) >>> 0;
  return random.pick(FLOATS_32);
}

export function float64(random: Random): bigint {
  const kind = random.int(8);
  if (kind === 0) return random.u64();
  if (kind === 1) return bits64(random.int(2000) - 1000);
  if (kind === 2) return (random.u64() & 0x800f_ffff_ffff_ffffn) + ((0x3fcn + BigInt(random.int(8))) << 52n);
  // Just beyond or below what single precision holds.
  if (kind === 3) return (random.u64() & 0x800f_ffff_ffff_ffffn) | (BigInt(0x367 + random.int(0x118)) << 52n);
  return random.pick(FLOATS_64);
}

const scratch = new DataView(new ArrayBuffer(8));

function bits32(value: number): number {
  scratch.setFloat32(0, value);
  return scratch.getUint32(0);
}

function bits64(value: number): bigint {
  scratch.setFloat64(0, value);
  return scratch.getBigUint64(0);
}

/** Fills whole 16-byte units, each with one kind of values. */
export function fillWithValues(random: Random, bytes: Buffer): void {
  for (let unit = 0; unit + 16 <= bytes.length; unit += 16) {
    const kind = random.int(4);
    for (let at = unit; at < unit + 16; at += 4) {
      if (kind === 0) bytes.writeUInt32LE(random.u32(), at);
      else if (kind === 1) bytes.writeUInt32LE(float32(random), at);
      else if (at % 8 === 0) bytes.writeBigUInt64LE(kind === 2 ? float64(random) : integer64(random), at);
    }
  }
}

/** An 80-bit register: exponents and significands at the limits, unnormal forms included. 10 bytes. */
export function float80(random: Random, to: Buffer, at: number): void {
  const exponents = [0, 1, 2, 0x3ffe, 0x3fff, 0x4000, 0x401e, 0x403e, 0x403f, 0x7ffe, 0x7fff];
  const significands = [
    0n,
    1n,
    0x7fff_ffff_ffff_ffffn,
    0x8000_0000_0000_0000n,
    0x8000_0000_0000_0001n,
    0xc000_0000_0000_0000n,
    0xffff_ffff_ffff_ffffn,
    0x4000_0000_0000_0000n,
    0xffff_ffff_ffff_f800n,
    0xffff_ff80_0000_0000n,
  ];
  const exponent = random.chance(0.5) ? random.pick(exponents) : 0x3fff - 70 + random.int(140);
  let significand = random.chance(0.5) ? random.pick(significands) : random.u64();
  // Mostly normal numbers: the integer bit is set.
  if (exponent !== 0 && random.chance(0.9)) significand |= 1n << 63n;
  to.writeBigUInt64LE(significand, at);
  to.writeUInt16LE(exponent | (random.int(2) << 15), at + 8);
}
