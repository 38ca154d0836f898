/** Whether an accelerator can be the CPU that a saved machine had. */
import { type CpuModel, missingFeatures, modelHash } from "./cpu-model.js";

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
