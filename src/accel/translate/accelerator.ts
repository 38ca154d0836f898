/** The accelerators that the AssemblyScript core runs: interpreting, and translating what is hot. */
import type { GuestMemory } from "../../guest-memory/guest-memory.js";
import { type Accelerator, AcceleratorError, type AcceleratorVm, type VcpuOptions } from "../../vcpu/accelerator.js";
import { limitModel, OFFERED_FEATURES } from "../../vcpu/cpu-model.js";
import type { CodeProfile } from "./code-profile.js";
import { Core } from "./core-module.js";
import { CoreDirtyLog } from "./dirty-log.js";
import { CodeCache, type CodeCacheOptions, REGION_TRANSLATOR, type RegionTranslator } from "./translator/code-cache.js";
import { operationCounters } from "./translator/operation-counters.js";
import { CoreVcpu } from "./vcpu.js";

/**
 * @param module the compiled core (`core.wasm`); the caller loads it, because this layer knows no files
 */
export function createInterpreter(module: WebAssembly.Module, { profile }: ProfileOptions = {}): Accelerator {
  return {
    name: "interpret",
    parallel: false,
    offer: (model) => limitModel(model, OFFERED_FEATURES),
    createVm: (memory) => {
      const core = new Core(module, memory);
      profile?.attach(core);
      return new CoreVm(core, memory);
    },
  };
}

export interface ProfileOptions {
  /** Counts what the guest's code does, of the machine that is made last. */
  profile?: CodeProfile;
}

export interface TranslatorOptions extends CodeCacheOptions, ProfileOptions {
  /** What makes regions. Default: the translator proper; another one is for tests. */
  translator?: RegionTranslator;
}

/**
 * Interprets, and translates what is hot to WebAssembly.
 * @param module as for {@link createInterpreter}
 */
export function createTranslator(module: WebAssembly.Module, options: TranslatorOptions = {}): Accelerator {
  return {
    ...createInterpreter(module),
    name: "translate",
    createVm: (memory) => {
      const core = new Core(module, memory);
      const codeCache = new CodeCache(core, memory.memory, options.translator ?? REGION_TRANSLATOR, options);
      options.profile?.attach(core);
      return new CoreVm(core, memory, codeCache);
    },
  };
}

class CoreVm implements AcceleratorVm {
  private dirtyLogOpen = false;
  private readonly vcpus: CoreVcpu[] = [];

  constructor(
    private readonly core: Core,
    private readonly memory: GuestMemory,
    private readonly codeCache?: { counters(): Record<string, number> },
  ) {}

  createVcpu(options: VcpuOptions): CoreVcpu {
    const vcpu = new CoreVcpu(this.core, this.memory, options, () => this.counters());
    this.vcpus.push(vcpu);
    return vcpu;
  }

  /** What is counted for the machine. */
  private counters(): Record<string, number> {
    return this.codeCache === undefined ? {} : { ...this.codeCache.counters(), ...operationCounters(this.core.view) };
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
