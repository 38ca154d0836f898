/** What every accelerator asks of a state before it takes it over. */
import { AcceleratorError } from "./accelerator.js";
import { type CpuModel, modelHash } from "./cpu-model.js";
import { VCPU_STATE_VERSION, type VcpuState } from "./state.js";

/** @throws AcceleratorError STATE_MISMATCH for another version, another CPU model, or a state inside a nested guest */
export function checkState(state: VcpuState, model: CpuModel): void {
  if (state.version !== VCPU_STATE_VERSION) {
    throw new AcceleratorError("STATE_MISMATCH", `vCPU state has version ${state.version}, not ${VCPU_STATE_VERSION}`);
  }
  const own = modelHash(model);
  if (state.modelHash !== own) {
    throw new AcceleratorError("STATE_MISMATCH", `vCPU state is of CPU model ${state.modelHash}, this vCPU of ${own}`);
  }
  if (state.nested !== null) {
    throw new AcceleratorError("STATE_MISMATCH", "vCPU state is inside a nested guest, which this accelerator lacks");
  }
}
