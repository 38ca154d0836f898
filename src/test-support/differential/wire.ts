/**
 * What the native harness (test/cpu/harness.c) reads and writes, and the memory in which cases run. Both
 * sides of the comparison use the same linear addresses and the same records.
 */
export const PAGE = 4096;
/** Two pages, readable, writable and executable; what is not a case's code is INT3. */
export const CODE_BASE = 0x1000_0000;
export const CODE_BYTES = 2 * PAGE;
/** Two writable pages, then a read-only one; around them nothing is mapped. */
export const DATA_BASE = 0x2000_0000;
export const WRITABLE_BYTES = 2 * PAGE;
export const DATA_BYTES = 3 * PAGE;
/** Code size: 64-bit mode, or 32-bit code of compatibility mode with flat segments. */
export type CodeBits = 32 | 64;
export const FS_BASE = DATA_BASE + 0x800;
export const GS_BASE = DATA_BASE + 0x1400;

/** Of the local descriptor table: FS and GS of 32-bit code, with the bases above. */
export const FS_SELECTOR = 0x07;
export const GS_SELECTOR = 0x0f;

/** A case: the registers and the code to begin with. Offsets in bytes. */
export const CASE = {
  gpr: 0,
  rip: 128,
  rflags: 136,
  codeAddress: 144,
  codeLength: 152,
  code: 160,
  codeMax: 352,
  /** FXSAVE image, of which the first `FPU_BYTES` count; with what follows it an XSAVE image in standard format. */
  fpu: 512,
  xsaveHeader: 1024,
  /** The upper halves of YMM0 to YMM15. */
  ymm: 1088,
  bytes: 1344,
} as const;

/** A result; the changed words of the data pages follow it, as pairs of u64: offset and value. */
export const RESULT = {
  gpr: 0,
  rip: 128,
  rflags: 136,
  /** Exception vector, or one of `TRAP_*`. */
  trap: 144,
  error: 148,
  cr2: 152,
  changed: 160,
  /** DS, ES, FS, GS, CS, SS: 2 bytes each. */
  segments: 168,
  fpu: 256,
  xsaveHeader: 768,
  ymm: 832,
  bytes: 1088,
} as const;

/** Header, x87 registers and XMM registers of an FXSAVE image. */
export const FPU_BYTES = 416;
export const FPU_MXCSR = 24;
export const FPU_ST = 32;
export const FPU_XMM = 160;
export const YMM_BYTES = 256;

/** The case did not end. */
export const TRAP_HANG = 255;
/** The accelerator said that it does not implement the instruction at RIP. */
export const TRAP_UNIMPLEMENTED = 254;
/** The accelerator failed: a host exception, a shutdown, an exit that has no business here. */
export const TRAP_DEFECT = 253;

/** RFLAGS bits that a case chooses: CF PF AF ZF SF DF OF AC; IF is set besides. */
export const FLAGS_MASK = 0x40cd5;

const BATCH_MAGIC = 0x34565243;

/** What one side says about one case. */
export interface Outcome {
  /** `RESULT` record. */
  record: Buffer;
  /** Changed words of the data pages: offset and value, in order. */
  changes: readonly { offset: number; value: bigint }[];
  /** What went wrong, for `TRAP_DEFECT`. */
  message?: string;
}

export function encodeBatch(bits: CodeBits, data: Uint8Array, cases: readonly Uint8Array[]): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(BATCH_MAGIC, 0);
  header.writeUInt32LE(cases.length, 4);
  header.writeUInt32LE(bits, 8);
  return Buffer.concat([header, data, ...cases]);
}

export function decodeOutcomes(output: Buffer, count: number): Outcome[] {
  const outcomes: Outcome[] = [];
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (at + RESULT.bytes > output.length) throw new Error(`the harness answered ${index} of ${count} cases`);
    const record = output.subarray(at, at + RESULT.bytes);
    at += RESULT.bytes;
    const changes: { offset: number; value: bigint }[] = [];
    for (let left = record.readUInt32LE(RESULT.changed); left > 0; left--) {
      changes.push({ offset: Number(output.readBigUInt64LE(at)), value: output.readBigUInt64LE(at + 8) });
      at += 16;
    }
    outcomes.push({ record, changes });
  }
  return outcomes;
}
