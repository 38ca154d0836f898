// Byte strings for decoders: some random, some made like instructions, with many prefixes.

/** xorshift32: the same strings for the same seed everywhere. */
export class Random {
  constructor(seed) {
    this.state = (seed * 0x9e3779b1) >>> 0 || 1;
    for (let index = 0; index < 8; index++) this.next();
  }
  next() {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x >>> 0;
    return this.state;
  }
  below(limit) {
    return (this.next() >>> 8) % limit;
  }
}

const PREFIXES = [0x66, 0xf2, 0xf3, 0x66, 0xf2, 0xf3, 0xf0, 0x67, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65];

/** Fills `count` slots of 16 bytes. A third is random bytes, the others look like instructions. */
export function fillStrings(bytes, count, random) {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, count * 4);
  for (let index = 0; index < words.length; index++) words[index] = random.next();
  for (let slot = 0; slot < count; slot++) if (random.below(3) !== 0) shape(bytes, slot * 16, random);
}

function shape(bytes, start, random) {
  let at = start;
  // Mostly a prefix or none, sometimes so many that the instruction grows too long.
  const kind = random.below(16);
  let prefixes = kind < 6 ? 0 : kind < 11 ? 1 : kind < 14 ? 2 : kind < 15 ? random.below(6) : random.below(15);
  while (prefixes-- > 0) bytes[at++] = PREFIXES[random.below(PREFIXES.length)];
  // REX, or INC and DEC; sometimes before another prefix, where it does not count.
  if (random.below(3) === 0) bytes[at++] = 0x40 | random.below(16);
  if (random.below(24) === 0) bytes[at++] = PREFIXES[random.below(PREFIXES.length)];
  switch (random.below(12)) {
    case 0:
    case 1:
    case 2:
      break; // one byte: the random one that is there
    case 3:
    case 4:
    case 5:
    case 6:
      bytes[at++] = 0x0f;
      break;
    case 7:
      bytes[at++] = 0x0f;
      bytes[at++] = 0x38;
      break;
    case 8:
      bytes[at++] = 0x0f;
      bytes[at++] = 0x3a;
      break;
    case 9:
      bytes[at++] = 0xc5;
      if (random.below(2)) bytes[at] |= 0x78; // no second source register
      at++;
      break;
    case 10:
      bytes[at++] = 0xc4;
      bytes[at] = (bytes[at] & 0xe0) | (1 + random.below(3));
      at++;
      if (random.below(2)) bytes[at] |= 0x78;
      at++;
      break;
    default:
      // Groups and x87, whose ModRM byte decides.
      bytes[at++] = [0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xf6, 0xf7, 0xfe, 0xff, 0x8f, 0xc6, 0x80, 0x83][
        random.below(16)
      ];
      break;
  }
}
