/** The interpreting accelerator: vCPUs that the AssemblyScript core runs. */
import type { GuestMemory } from "../../guest-memory/guest-memory.js";
import { type Accelerator, AcceleratorError, type AcceleratorVm, type VcpuOptions } from "../../vcpu/accelerator.js";
import { limitModel, OFFERED_FEATURES } from "../../vcpu/cpu-model.js";
import { Core } from "./core-module.js";
import { CoreDirtyLog } from "./dirty-log.js";
import { InterpreterVcpu } from "./vcpu.js";

/**
 * @param module the compiled core (`core.wasm`); the caller loads it, because this layer knows no files
 */
export function createInterpreter(module: WebAssembly.Module): Accelerator {
  return {
    name: "interpret",
    parallel: false,
    offer: (model) => limitModel(model, OFFERED_FEATURES),
    createVm: (memory) => new InterpreterVm(module, memory),
  };
}

class InterpreterVm implements AcceleratorVm {
  private readonly core: Core;
  private dirtyLogOpen = false;
  private readonly vcpus: InterpreterVcpu[] = [];

  constructor(
    module: WebAssembly.Module,
    private readonly memory: GuestMemory,
  ) {
    this.core = new Core(module, memory);
  }

  createVcpu(options: VcpuOptions): InterpreterVcpu {
    const vcpu = new InterpreterVcpu(this.core, this.memory, options);
    this.vcpus.push(vcpu);
    return vcpu;
  }

  startDirtyLog(): CoreDirtyLog {
    if (this.dirtyLogOpen) throw new AcceleratorError("ACCELERATOR_DEFECT", "a dirty log is open already");
    this.dirtyLogOpen = true;
    return new CoreDirtyLog(this.core, this.memory, () => {
      this.dirtyLogOpen = false;
    });
  }

  close(): void {
    for (const vcpu of this.vcpus.splice(0)) vcpu.close();
  }
}
