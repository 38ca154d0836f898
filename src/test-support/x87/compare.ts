/** Compares records of test/cpu/x87/hardware.c with the emulated x87. */
import { describe, type EmulatedX87, RECORD_BYTES } from "./emulated.js";

/** F2XM1, FYL2X, FPTAN, FPATAN, FYL2XP1, FSINCOS, FSIN, FCOS: under D9. Processors differ in their last place. */
const TRANSCENDENTAL = new Map([
  [0xf0, "F2XM1"],
  [0xf1, "FYL2X"],
  [0xf2, "FPTAN"],
  [0xf3, "FPATAN"],
  [0xf9, "FYL2XP1"],
  [0xfb, "FSINCOS"],
  [0xfe, "FSIN"],
  [0xff, "FCOS"],
]);
/** C1, the direction of rounding: follows the last place. */
const C1 = 0x200;

export interface Comparison {
  cases: number;
  /** Cases that differ, other than transcendental ones by a unit of the last place. */
  mismatches: string[];
  /** Of each transcendental instruction: its cases, and those whose last place, or its rounding, is another one. */
  lastPlace: Map<string, { cases: number; other: number }>;
}

export function newComparison(): Comparison {
  return { cases: 0, mismatches: [], lastPlace: new Map() };
}

/** Adds the records in `bytes`. */
export function compareRecords(x87: EmulatedX87, bytes: Uint8Array, into: Comparison): void {
  const records = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let offset = 0; offset + RECORD_BYTES <= bytes.byteLength; offset += RECORD_BYTES) {
    x87.run(records, offset);
    into.cases++;
    const name = bytes[offset] === 0xd9 ? TRANSCENDENTAL.get(bytes[offset + 1]!) : undefined;
    const differences = x87.differences(records, offset);
    if (name !== undefined) {
      const entry = into.lastPlace.get(name) ?? { cases: 0, other: 0 };
      into.lastPlace.set(name, entry);
      entry.cases++;
      if (differences.length > 0) entry.other++;
      if (differences.length > 0 && x87.differsInLastPlace(records, offset, C1)) continue;
    }
    if (differences.length > 0) into.mismatches.push(`${describe(records, offset)}: ${differences.join("; ")}`);
  }
}
