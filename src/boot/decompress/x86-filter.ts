/**
 * The BCJ filter for x86 of .xz: the compressor made the targets of CALL and JMP (opcodes E8 and E9)
 * absolute, this makes them relative again. Which of them it took depends on the bytes before.
 */

/** By the pattern of opcode bytes seen in the last three positions: whether a target may be taken. */
const ALLOWED = [true, true, true, false, true, false, false, false];
const BIT_OF = [0, 1, 2, 2, 3, 3, 3, 3];

const isSign = (byte: number) => byte === 0x00 || byte === 0xff;

/** Undoes the filter in place; `bytes` are a whole block, at whose start addresses count from 0. */
export function undoX86Filter(bytes: Uint8Array): void {
  const end = bytes.length - 4;
  let mask = 0;
  let previous = -1;
  let at = 0;
  while (at < end) {
    if ((bytes[at] & 0xfe) !== 0xe8) {
      at++;
      continue;
    }
    const gap = at - previous;
    previous = at;
    if (gap > 3) {
      mask = 0;
    } else {
      mask = (mask << (gap - 1)) & 7;
      if (mask !== 0) {
        const suspect = bytes[at + 4 - BIT_OF[mask]];
        if (!ALLOWED[mask] || isSign(suspect)) {
          mask = (mask << 1) | 1;
          at++;
          continue;
        }
      }
    }
    if (!isSign(bytes[at + 4])) {
      mask = (mask << 1) | 1;
      at++;
      continue;
    }
    let value = bytes[at + 1] | (bytes[at + 2] << 8) | (bytes[at + 3] << 16) | (bytes[at + 4] << 24);
    for (;;) {
      value = (value - (at + 5)) | 0;
      if (mask === 0) break;
      const shift = BIT_OF[mask] * 8;
      if (!isSign((value >>> (24 - shift)) & 0xff)) break;
      value ^= (1 << (32 - shift)) - 1;
    }
    value &= 0x01ffffff;
    if (value & 0x01000000) value |= 0xff000000;
    bytes[at + 1] = value;
    bytes[at + 2] = value >> 8;
    bytes[at + 3] = value >> 16;
    bytes[at + 4] = value >> 24;
    at += 5;
    mask = 0;
  }
}
