/** What the translator tells of a region, to those who want to see what it made. */

/** Guest code of one block. A region may have a block several times. */
export interface ReportedBlock {
  /** Bytes from the region's entry to the block. */
  readonly offset: number;
  /** Its code as it was translated. */
  readonly code: Uint8Array;
  /** How many instructions that is. */
  readonly instructions: number;
}

export interface RegionReport {
  /** The region's place in the order of translation, from 1. */
  readonly number: number;
  /** RIP at its entry when it was translated; a region runs at other addresses too. */
  readonly rip: bigint;
  /** Of the guest's code. */
  readonly bits: 16 | 32 | 64;
  /** In the order of the function's text. */
  readonly blocks: readonly ReportedBlock[];
  /** The function's body: locals, instructions, `end`. */
  readonly body: Uint8Array;
  /** Where in the body the code of a guest instruction begins, in ascending order. */
  readonly marks: readonly RegionMark[];
}

export interface RegionMark {
  /** Bytes from the start of the body. */
  readonly at: number;
  /** Index of the block in `blocks`, and bytes from that block's start to the instruction. */
  readonly block: number;
  readonly ipOffset: number;
}
