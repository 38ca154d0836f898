/** What every accelerator must pass: short guests on a whole machine. The table in docs comes from these. */
import type { Accelerator } from "../../vcpu/accelerator.js";
import { deviceCases } from "./devices.js";
import { loaderCases } from "./loaders.js";
import { machineCases } from "./machine.js";
import { videoCases } from "./video.js";

export interface GuestCase {
  group: "machine" | "devices" | "loaders";
  name: string;
  /** Why it cannot be tried on this host; false where it can. */
  readonly skip?: string | false;
  /** Throws where the guest does not see what a PC would show it. */
  run(accelerator: Accelerator): Promise<void>;
}

export const GUEST_CASES: readonly GuestCase[] = [...machineCases, ...deviceCases, ...videoCases, ...loaderCases];
