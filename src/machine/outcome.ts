import type { VcpuState } from "../vcpu/state.js";

/** How a machine's run ended. */
export type MachineOutcome =
  /** The guest switched the machine off. */
  | { kind: "poweroff" }
  /** The guest asked for a reset, and the machine was told not to reboot. */
  | { kind: "reset" }
  /** The guest wrote `value` to the debug-exit port. */
  | { kind: "debug-exit"; value: number }
  /** Triple fault. `state` is the vCPU's at that moment. */
  | { kind: "crash"; vcpu: number; state: VcpuState }
  /** Ours: an instruction or feature that is missing, or a defect. `state` is null where it cannot be had. */
  | { kind: "internal-error"; error: Error; vcpu: number | null; state: VcpuState | null }
  /** `stop` was called. */
  | { kind: "stopped" };
