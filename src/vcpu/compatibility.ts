/** Whether an accelerator can be the CPU that a saved machine had. */
import { type CpuModel, modelHash } from "./cpu-model.js";
import { FEATURE_WORDS, FEATURES } from "./features.js";

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(FEATURES).map(([name, number]) => [number, name]));

/** Features of the first model that the second lacks, by name; those without a name as `feature 70`. */
export function missingFeatures(model: CpuModel, offered: CpuModel): string[] {
  const missing: string[] = [];
  for (let number = 0; number < FEATURE_WORDS * 32; number++) {
    const has = (words: Uint32Array) => (((words[number >> 5] ?? 0) >>> (number & 31)) & 1) !== 0;
    if (has(model.features) && !has(offered.features)) missing.push(NAMES.get(number) ?? `feature ${number}`);
  }
  return missing;
}

/**
 * Why a machine of this CPU model cannot go on where the accelerator makes that of it, in words; null where it can.
 *
 * @param offered what `Accelerator.offer` answers to `model`
 */
export function cpuObstacle(model: CpuModel, offered: CpuModel): string | null {
  const missing = missingFeatures(model, offered);
  if (missing.length > 0) {
    const what = missing.length === 1 ? "the CPU feature" : "the CPU features";
    return `the machine has ${what} ${missing.join(", ")}, which the accelerator does not offer here`;
  }
  const { physicalBits, linearBits } = offered;
  if (model.physicalBits !== physicalBits || model.linearBits !== linearBits) {
    const widths = `physical addresses of ${model.physicalBits} and linear ones of ${model.linearBits} bits`;
    return `the machine has ${widths}, the accelerator offers ${physicalBits} and ${linearBits}`;
  }
  return modelHash(model) === modelHash(offered) ? null : "the accelerator makes another CPU model of it";
}
