/** Generated cases on the real CPU and on an accelerator, compared. */
import { Decoder, DecoderOptions, Formatter, FormatterSyntax } from "iced-x86";
import type { Accelerator } from "../../vcpu/accelerator.js";
import type { FeatureName } from "../../vcpu/features.js";
import { Random } from "../random.js";
import { AVX_TABLE } from "./avx-table.js";
import { BMI_TABLE } from "./bmi-table.js";
import { compare } from "./compare.js";
import { randomEncoding } from "./encodings.js";
import { forBits, type GeneratedCase, generateCase, generateData, keepInstructions } from "./generator.js";
import { GuestRunner } from "./guest.js";
import type { Spec } from "./instruction.js";
import { INTEGER_TABLE } from "./integer-table.js";
import { nativeHas, runNative } from "./native.js";
import { MMX_TABLE, SSE_TABLE } from "./sse-table.js";
import { CASE, type CodeBits } from "./wire.js";
import { X87_TABLE } from "./x87-table.js";

type HasFeature = (feature: FeatureName) => boolean;
/** Makes cases, of instructions that `has` allows. */
type CaseSource = (has: HasFeature, bits: CodeBits) => (random: Random) => GeneratedCase;

export const TABLES: Readonly<Record<string, CaseSource>> = {
  integer: ofTable(INTEGER_TABLE),
  sse: ofTable(SSE_TABLE),
  mmx: ofTable(MMX_TABLE),
  x87: ofTable(X87_TABLE),
  bmi: ofTable(BMI_TABLE),
  avx: ofTable(AVX_TABLE),
  encodings: (has, bits) => (random) => randomEncoding(random, has, bits, false),
  vex: (has, bits) => (random) => randomEncoding(random, has, bits, true),
};

function ofTable(all: readonly Spec[]): CaseSource {
  return (has, bits) => {
    const table = all.flatMap((spec) => forBits(spec, bits)).filter(({ feature }) => !feature || has(feature));
    if (table.length === 0) throw new RangeError(`both CPUs lack ${[...new Set(all.map(({ feature }) => feature))]}`);
    const weight = table.reduce((sum, spec) => sum + (spec.weight ?? 1), 0);
    return (random) => generateCase(random, table, weight, bits);
  };
}

/** Cases in a batch: each batch has data pages and a seed of its own. */
export const BATCH_CASES = 2000;

export interface DifferentialOptions {
  accelerator: Accelerator;
  /** Names in `TABLES`. */
  tables: readonly string[];
  /** Default 64. */
  bits?: CodeBits;
  cases: number;
  seed: number;
  /** Enter cases by a jump, so that a translator may find them hot. */
  jumps?: boolean;
  /** Stop after this many failures. Default 20. */
  maxFailures?: number;
  progress?: (cases: number) => void;
}

export interface Failure {
  table: string;
  /** Running one batch of this table with this seed meets the case again. */
  seed: number;
  index: number;
  /** The instructions that are needed for the difference, disassembled. */
  instructions: string[];
  /** The registers that they start from. */
  registers: string[];
  differences: string[];
}

export interface DifferentialResult {
  cases: number;
  failures: Failure[];
}

/** Runs cases of each table in turn. Throws HarnessError where the native side cannot be had. */
export async function runDifferential(options: DifferentialOptions): Promise<DifferentialResult> {
  const bits = options.bits ?? 64;
  const runner = new GuestRunner(options.accelerator, bits, undefined, options.jumps);
  const failures: Failure[] = [];
  const has = (feature: FeatureName) => nativeHas(feature) && runner.has(feature);
  const sources = new Map(options.tables.map((name) => [name, sourceOf(name, bits, has)]));
  let done = 0;
  try {
    for (let batch = 0; done < options.cases; batch++) {
      const name = options.tables[batch % options.tables.length]!;
      const generate = sources.get(name)!;
      const seed = options.seed + Math.floor(batch / options.tables.length);
      const random = new Random(seed);
      const data = generateData(random);
      const count = Math.min(BATCH_CASES, options.cases - done);
      const cases = Array.from({ length: count }, () => generate(random));
      const records = cases.map(({ record }) => record);
      // Without AVX in the guest the upper halves of the YMM registers stay clear on both sides.
      if (!runner.has("avx")) for (const record of records) record.fill(0, CASE.ymm);
      const native = runNative(bits, data, records);
      const guest = await runner.run(data, records);
      for (let index = 0; index < count; index++) {
        const generated = cases[index]!;
        const differences = compare(generated, native[index]!, guest[index]!, bits);
        if (differences.length === 0) continue;
        const shrunk = await shrink(runner, bits, data, generated, differences);
        failures.push({
          table: name,
          seed,
          index,
          instructions: shrunk.generated.instructions.map(({ bytes, address }) => disassemble(bytes, address, bits)),
          registers: describeRegisters(shrunk.generated),
          differences: shrunk.differences,
        });
        if (failures.length >= (options.maxFailures ?? 20)) return { cases: done + index + 1, failures };
      }
      done += count;
      options.progress?.(done);
    }
  } finally {
    runner.close();
  }
  return { cases: done, failures };
}

function sourceOf(name: string, bits: CodeBits, has: HasFeature): (random: Random) => GeneratedCase {
  const source = TABLES[name];
  if (!source) throw new RangeError(`there is no table "${name}"; there are ${Object.keys(TABLES).join(", ")}`);
  return source(has, bits);
}

// Leaves out instructions as long as a difference remains. All candidates of a round go in one batch.
async function shrink(
  runner: GuestRunner,
  bits: CodeBits,
  data: Buffer,
  generated: GeneratedCase,
  differences: string[],
) {
  let best = { generated, differences };
  let kept = generated.instructions.map((_, index) => index);
  for (;;) {
    const candidates = kept.length > 2 ? kept.map((index) => [index]) : [];
    candidates.push(...kept.map((index) => kept.filter((other) => other !== index)));
    const smaller = candidates.filter((candidate) => candidate.length > 0 && candidate.length < kept.length);
    if (smaller.length === 0) return best;
    const cases = smaller.map((candidate) => keepInstructions(generated, candidate));
    const records = cases.map(({ record }) => record);
    const native = runNative(bits, data, records);
    const guest = await runner.run(data, records);
    const results = cases.map((each, index) => compare(each, native[index]!, guest[index]!, bits));
    const found = results.findIndex((result) => result.length > 0);
    if (found < 0) return best;
    best = { generated: cases[found]!, differences: results[found]! };
    kept = smaller[found]!;
  }
}

function disassemble(bytes: Uint8Array, address: number, bits: CodeBits): string {
  const decoder = new Decoder(bits, bytes, DecoderOptions.AMD);
  decoder.ip = BigInt(address);
  const instruction = decoder.decode();
  const formatter = new Formatter(FormatterSyntax.Intel);
  const text = formatter.format(instruction);
  instruction.free();
  formatter.free();
  decoder.free();
  return `${Buffer.from(bytes).toString("hex")}  ${text}`;
}

function describeRegisters({ record }: GeneratedCase): string[] {
  const fpu = record.subarray(CASE.fpu);
  const reversed = (at: number, bytes: number) =>
    Buffer.from(fpu.subarray(at, at + bytes))
      .reverse()
      .toString("hex");
  return [
    Array.from({ length: 16 }, (_, index) => record.readBigUInt64LE(CASE.gpr + index * 8).toString(16)).join(" "),
    `rip ${record.readBigUInt64LE(CASE.rip).toString(16)} rflags ${record.readBigUInt64LE(CASE.rflags).toString(16)}`,
    `mxcsr ${reversed(24, 4)} fcw ${reversed(0, 2)} fsw ${reversed(2, 2)} ftw ${reversed(4, 1)}`,
    `xmm ${Array.from({ length: 16 }, (_, index) => reversed(160 + index * 16, 16)).join(" ")}`,
    `st ${Array.from({ length: 8 }, (_, index) => reversed(32 + index * 16, 10)).join(" ")}`,
  ];
}
