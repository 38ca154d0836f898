/** The interpreting accelerator: vCPUs that the AssemblyScript core runs. */
import type { GuestMemory } from "../../guest-memory/guest-memory.js";
import type { Accelerator, VcpuOptions } from "../../vcpu/accelerator.js";
import { Core } from "./core-module.js";
import { InterpreterVcpu } from "./vcpu.js";

/**
 * @param module the compiled core (`core.wasm`); the caller loads it, because this layer knows no files
 */
export function createInterpreter(module: WebAssembly.Module): Accelerator {
  const cores = new WeakMap<GuestMemory, Core>();
  return {
    name: "interpret",
    createVcpu(memory: GuestMemory, options: VcpuOptions) {
      let core = cores.get(memory);
      if (!core) {
        core = new Core(module, memory);
        cores.set(memory, core);
      }
      return new InterpreterVcpu(core, memory, options);
    },
  };
}
