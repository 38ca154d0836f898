import type { PlainData, Stateful } from "../devices/device.js";
import type { GuestMemory } from "../guest-memory/guest-memory.js";
import type { DebugStop } from "../machine/machine-loop.js";
import type { Vcpu } from "../vcpu/accelerator.js";

/** What the monitor and the debugger need of a machine. `Machine` is one. */
export interface InspectedMachine {
  readonly vcpus: readonly Vcpu[];
  readonly memory: GuestMemory;
  readonly board: { readonly states: ReadonlyMap<string, Stateful<PlainData>> };
  readonly loop: { onDebugStop: (stop: DebugStop) => void };
  pause(): Promise<void>;
  resume(): void;
}
