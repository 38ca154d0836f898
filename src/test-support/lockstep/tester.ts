/** Many generated programs in lockstep, and of each that differs the smallest form. */
import type { Accelerator } from "../../vcpu/accelerator.js";
import { PROGRAM_FEATURES, type ProgramFeature } from "./features.js";
import { type GeneratorOptions, generateProgram } from "./generator.js";
import { Lockstep, type LockstepOptions, type Mismatch } from "./lockstep.js";
import type { CodeBits, Program } from "./program.js";
import { shrink } from "./shrink.js";
import { vary } from "./surroundings.js";

export interface LockstepTestOptions extends LockstepOptions {
  /** Makes one of two accelerators: the first is the one under test. */
  accelerators: readonly [Accelerator, Accelerator];
  bits: CodeBits;
  /** Seed of the first program; the next has the next one. */
  seed: number;
  programs: number;
  /** Runs of each program, every one with other registers, data, faults and events. Default 1. */
  variants?: number;
  features?: ReadonlySet<ProgramFeature>;
  /** Stop after this many mismatches. Default 5. */
  maxMismatches?: number;
  /** Leave mismatches as they are found. */
  noShrink?: boolean;
  progress?: (programs: number) => void;
}

export interface LockstepFailure {
  seed: number;
  /** False where the program alone, on new machines, shows no difference: then those before it belong to it. */
  alone: boolean;
  mismatch: Mismatch;
}

export interface LockstepResult {
  programs: number;
  runs: number;
  instructions: number;
  ends: Record<string, number>;
  counters: Record<string, number>;
  failures: LockstepFailure[];
}

export function runLockstep(options: LockstepTestOptions): LockstepResult {
  const { accelerators, bits, seed, programs, progress, variants = 1, maxMismatches = 5 } = options;
  const generator: GeneratorOptions = {
    bits,
    features: options.features ?? new Set(PROGRAM_FEATURES),
  };
  const failures: LockstepFailure[] = [];
  const lockstep = new Lockstep(accelerators, options);
  let done = 0;
  let runs = 0;
  try {
    for (; done < programs && failures.length < maxMismatches; done++) {
      const program = generateProgram(seed + done, generator);
      for (let variant = 0; variant < variants; variant++) {
        const found = lockstep.run(vary(program, variant));
        runs++;
        if (!found) continue;
        failures.push(minimize(found, options));
        break;
      }
      if (done % 100 === 99) progress?.(done + 1);
    }
    const { instructions, ends } = lockstep;
    return { programs: done, runs, instructions, ends, counters: lockstep.counters(0), failures };
  } finally {
    lockstep.close();
  }
}

// Each candidate has machines of its own, so that nothing of the one before is left.
function minimize(found: Mismatch, options: LockstepTestOptions): LockstepFailure {
  const attempt = (program: Program): Mismatch | null => {
    const lockstep = new Lockstep(options.accelerators, options);
    try {
      return lockstep.run(program, true);
    } finally {
      lockstep.close();
    }
  };
  const { seed } = found.program;
  const again = attempt(found.program);
  if (!again) return { seed, alone: false, mismatch: found };
  return { seed, alone: true, mismatch: options.noShrink ? again : shrink(again, attempt) };
}
