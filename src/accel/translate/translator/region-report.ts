/** What the translator tells of a region, to those who want to see what it made. */
import { BLOCK_COUNT, BLOCK_HEADER, BLOCK_MODE, BLOCK_OFFSET } from "../layout.js";
import type { RegionTranslator } from "./code-cache.js";
import { MODE_64, MODE_SIZE, REC_BYTES, REC_IPOFF, REC_LEN } from "./operations.js";
import { type Region, translateRegion } from "./region.js";
import { encodeRegionModule } from "./region-module.js";

export interface ReportedInstruction {
  /** Bytes from the start of the function's body to its code. */
  readonly at: number;
  /** Bytes from the region's entry to the instruction; a region may have it several times. */
  readonly offset: number;
  /** As it was translated. */
  readonly code: Uint8Array;
  /** Its block begins with it. */
  readonly first: boolean;
}

export interface RegionReport {
  /** The region's place in the order of translation, from 1. */
  readonly number: number;
  /** RIP at its entry when it was translated; a region runs at other addresses too. */
  readonly rip: bigint;
  /** Of the guest's code. */
  readonly bits: 32 | 64;
  /** In the order of their code. */
  readonly instructions: readonly ReportedInstruction[];
  /** The function's body: locals, instructions, `end`. */
  readonly body: Uint8Array;
}

/**
 * Reports a region that was just translated: the guest's code is still what it was made from.
 * @param rip RIP at its entry
 */
export function reportRegion(
  view: DataView,
  region: Region,
  { number, rip }: { number: number; rip: bigint },
): RegionReport {
  const codeOf = new Map<number, { from: number; first: boolean }>();
  for (const block of region.blocks) {
    const offset = view.getUint32(block + BLOCK_OFFSET, true);
    const count = view.getUint16(block + BLOCK_COUNT, true);
    for (let index = 0; index < count; index++) {
      const rec = block + BLOCK_HEADER + index * REC_BYTES;
      codeOf.set(rec, { from: offset + view.getUint16(rec + REC_IPOFF, true), first: index === 0 });
    }
  }
  const instructions = region.marks.flatMap(({ at, rec, offset }): ReportedInstruction[] => {
    const place = codeOf.get(rec);
    if (place === undefined) return [];
    const code = new Uint8Array(view.buffer.slice(place.from, place.from + view.getUint8(rec + REC_LEN)));
    return [{ at, offset, code, first: place.first }];
  });
  const mode = view.getUint32(region.entry + BLOCK_MODE, true);
  const bits = (mode & MODE_SIZE) === MODE_64 ? 64 : 32;
  return { number, rip, bits, instructions, body: region.body };
}

/** The translator proper, which tells of each region that it makes, before the region can be entered. */
export function reportingTranslator(report: (region: RegionReport) => void): RegionTranslator<Region> {
  let number = 0;
  return {
    translate: (source, cpu, entry, rip) => {
      const region = translateRegion(source, cpu, entry, rip);
      if (region !== null) report(reportRegion(source.view, region, { number: ++number, rip }));
      return region;
    },
    encode: encodeRegionModule,
  };
}
