// The decoder alone, many instructions a call.
import { decode } from "../../../src/accel/translate/core/decoder";
import { REC_BYTES } from "../../../src/accel/translate/core/record";

export { sseDecode } from "../../../src/accel/translate/core/sse-decode";
export { vexDecode } from "../../../src/accel/translate/core/vex-decode";

/**
 * Decodes `count` instructions, 16 bytes apart from `from` on, into records from `records` on and what decode answers,
 * a byte each, from `answers` on. `mode`: MODE_* of mode-bits.ts.
 */
export function decodeMany(cpu: usize, mode: u32, count: u32, from: usize, records: usize, answers: usize): void {
  for (let i: u32 = 0; i < count; i++) {
    store<u8>(answers + i, <u8>decode(cpu, records + i * REC_BYTES, from + (i << 4), 16, 0, mode));
  }
}
