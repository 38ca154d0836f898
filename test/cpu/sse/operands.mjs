// Operand values that find mistakes: limits of the formats, ties, neighbours, strings with zeros.

/** A generator of 32-bit numbers from a seed (mulberry32). */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}

const SINGLES = [
  0, 1, 2, 0x7fffff, 0x7ffffe, 0x400000, 0x800000, 0x800001, 0x1000000, 0x1000001, 0x3f800000, 0x3f800001, 0x3f7fffff,
  0x3fc00000, 0x3f000000, 0x40200000, 0x40600000, 0x4b000000, 0x4b000001, 0x4b7fffff, 0x4b800000, 0x4effffff,
  0x4f000000, 0x4f000001, 0x5effffff, 0x5f000000, 0x7f7fffff, 0x7f7ffffe, 0x7f000000, 0x7f800000, 0x7f800001,
  0x7fbfffff, 0x7fc00000, 0x7fc00001, 0x7fffffff, 0x20000000, 0x1f800000, 0x5f800000, 0x60000000,
];
const DOUBLES = [
  0n,
  1n,
  2n,
  0xfffffffffffffn,
  0xffffffffffffen,
  0x8000000000000n,
  0x10000000000000n,
  0x10000000000001n,
  0x20000000000000n,
  0x3ff0000000000000n,
  0x3ff0000000000001n,
  0x3fefffffffffffffn,
  0x3ff8000000000000n,
  0x3fe0000000000000n,
  0x4004000000000000n,
  0x400c000000000000n,
  0x41dfffffffc00000n,
  0x41dfffffffe00000n,
  0x41dfffffffffffffn,
  0x41e0000000000000n,
  0x41e0000000200000n,
  0x43dfffffffffffffn,
  0x43e0000000000000n,
  0x4330000000000000n,
  0x4330000000000001n,
  0x4340000000000000n,
  0x7fefffffffffffffn,
  0x7feffffffffffffen,
  0x7fe0000000000000n,
  0x7ff0000000000000n,
  0x7ff0000000000001n,
  0x7ff7ffffffffffffn,
  0x7ff8000000000000n,
  0x7ff8000000000001n,
  0x7fffffffffffffffn,
  0x47efffffe0000000n,
  0x47efffffefffffffn,
  0x47effffff0000000n,
  0x3810000000000000n,
  0x380fffffffffffffn,
  0x380fffffe0000000n,
  0x380ffffff0000000n,
  0x36a0000000000000n,
  0x3690000000000000n,
  0x3690000000000001n,
  0x380fffffc0000000n,
];

export function single(random) {
  const sign = random() & 0x80000000;
  switch (random() & 7) {
    case 0:
    case 1:
      return (SINGLES[random() % SINGLES.length] | sign) >>> 0;
    case 2:
      return random();
    case 3: // few bits: exact results and ties
      return (sign | ((0x70 + (random() & 31)) << 23) | ((random() & 15) << 19) | (random() & 3)) >>> 0;
    case 4: // small exponents: products and quotients below the least normal number
      return (sign | ((random() % 80) << 23) | (random() & 0x7fffff)) >>> 0;
    case 5: // denormals
      return (sign | (random() & 0x7fffff & (0xffffffff >>> (random() & 31)))) >>> 0;
    default: // near one
      return (sign | ((0x78 + (random() & 15)) << 23) | (random() & 0x7fffff)) >>> 0;
  }
}

export function double(random) {
  const wide = () => (BigInt(random()) << 32n) | BigInt(random());
  const sign = BigInt(random() & 1) << 63n;
  switch (random() & 7) {
    case 0:
    case 1:
      return DOUBLES[random() % DOUBLES.length] | sign;
    case 2:
      return wide();
    case 3:
      return sign | (BigInt(0x3e8 + (random() & 63)) << 52n) | (BigInt(random() & 15) << 48n) | BigInt(random() & 3);
    case 4:
      return sign | (BigInt(random() % 600) << 52n) | (wide() & 0xfffffffffffffn);
    case 5:
      return sign | (wide() & 0xfffffffffffffn & (0xfffffffffffffn >> BigInt(random() % 52)));
    case 6: // single precision's range and its limits
      return sign | (BigInt(0x3ff - 155 + (random() % 290)) << 52n) | (wide() & 0xfffffffffffffn & ~0xfffffn);
    default:
      return sign | (BigInt(0x3f8 + (random() & 15)) << 52n) | (wide() & 0xfffffffffffffn);
  }
}

/** Fills `bytes` bytes at `at`; what: 0 integers, 1 singles, 2 doubles. */
export function fill(view, at, bytes, random, what) {
  if (what === 1) for (let i = 0; i < bytes; i += 4) view.setUint32(at + i, single(random), true);
  else if (what === 2) for (let i = 0; i < bytes; i += 8) view.setBigUint64(at + i, double(random), true);
  else {
    const style = random() & 7;
    for (let i = 0; i < bytes; i++) {
      const r = random();
      let value = r & 255;
      if (style === 0) value = [0, 1, 0x7f, 0x80, 0xff][r % 5];
      else if (style === 1)
        value = r & 3; // strings: few letters and ends
      else if (style === 2) value = r % 24 === 0 ? 0 : 0x61 + (r & 3);
      else if (style === 3) value = i % 8 === 0 ? r & 127 : 0; // shift counts
      view.setUint8(at + i, value);
    }
  }
}

/** MXCSR: half the time what programs run with, else anything. */
export function mxcsr(random) {
  switch (random() & 7) {
    case 0:
      return 0x1f80;
    case 1:
    case 2:
    case 3:
      return 0x1fa0;
    case 4:
      return 0x1f80 | (random() & 0xe07f);
    case 5:
      return (random() & 0x7fff) | 0x1f80;
    default:
      return random() & 0xffff & ~(random() & 0x3f);
  }
}
