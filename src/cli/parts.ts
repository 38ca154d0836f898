/** Which accelerator and which board a machine of the command line gets. */

import { createInterpreter, createTranslator } from "../accel/translate/accelerator.js";
import type { CodeProfile } from "../accel/translate/code-profile.js";
import { type RegionReport, reportingTranslator } from "../accel/translate/translator/region-report.js";
import { createVerifier } from "../accel/translate/verifier/accelerator.js";
import type { PlainData } from "../devices/device.js";
import { dword, flag, literal, object, type StateOf } from "../devices/state-shape.js";
import type { BoardBuilder } from "../machine/board.js";
import { pcBoard } from "../machine/pc-board.js";
import { loadCore } from "../node/core-wasm.js";
import { type AccelerationProbeOptions, probeAcceleration } from "../node/host/acceleration.js";
import { hostView } from "../node/host/host-view.js";
import type { TechniqueName } from "../node/host/techniques.js";
import { optimizeLate } from "../node/wasm-tiering.js";
import type { Accelerator } from "../vcpu/accelerator.js";
import type { AcceleratorName } from "./boot-options.js";
import { chooseAccelerator, type RealAcceleratorName } from "./choose-accelerator.js";

/** What this version has. */
export const AVAILABLE_ACCELERATORS: readonly RealAcceleratorName[] = ["kvm", "translate", "interpret"];
export const BUILT_TECHNIQUES: ReadonlySet<TechniqueName> = new Set<TechniqueName>(["full", "hardware"]);

/** Not resolved by the compiler: the package may be missing where native code was left out. */
const NATIVE_CALLS_PACKAGE: string = "koffi";

/** How this process is looked at. */
export const PROBE_OPTIONS: AccelerationProbeOptions = {
  loadNativeCalls: () => import(NATIVE_CALLS_PACKAGE),
  kvmCapabilities: async () => (await import("../accel/kvm/capabilities.js")).probeCapabilities(),
};

export interface AcceleratorOptions {
  accel: AcceleratorName;
  clock: "real" | "icount";
  /** Compares with the interpreter every so many instructions. */
  verify?: number | null;
  /** Told of every region that the translator makes. */
  onRegion?: (region: RegionReport) => void;
  /** Counts what the guest's code does; not under KVM. */
  profile?: CodeProfile;
}

export interface AcceleratorParts {
  accelerator: Accelerator;
  /** One sentence: why this one. */
  reason: string;
  /** What this host's KVM gives a guest's TSC, where there is one: with it, a machine can move there. KVM's own need none. */
  tscFrequency: number | undefined;
}

/** @throws AcceleratorError ACCELERATOR_UNAVAILABLE */
export async function createAccelerator(options: AcceleratorOptions): Promise<AcceleratorParts> {
  const parts = await createChosen(options);
  const { verify: interval = null } = options;
  if (interval === null) return parts;
  const reference = createInterpreter(await loadCore());
  return { ...parts, accelerator: createVerifier({ tested: parts.accelerator, reference, interval }) };
}

async function createChosen({ accel, clock, onRegion, profile }: AcceleratorOptions): Promise<AcceleratorParts> {
  const host = await probeAcceleration(hostView, PROBE_OPTIONS);
  // KVM counts no instructions.
  const automatic = AVAILABLE_ACCELERATORS.filter((name) => clock !== "icount" || name !== "kvm");
  const available = accel === "auto" ? automatic : AVAILABLE_ACCELERATORS;
  const { accelerator, reason } = chooseAccelerator(host, accel, available);
  if (accelerator === "kvm") {
    const kvm = (await import("../accel/kvm/accelerator.js")).createKvm();
    return { accelerator: kvm, reason, tscFrequency: undefined };
  }
  const tscFrequency = host.kvm.device === "open" && clock === "real" ? await hostTscFrequency() : undefined;
  const core = await loadCore();
  if (accelerator === "interpret") return { accelerator: createInterpreter(core, { profile }), reason, tscFrequency };
  optimizeLate();
  const translator = onRegion === undefined ? undefined : reportingTranslator(onRegion);
  return {
    accelerator: createTranslator(core, { translator, profile, now: () => performance.now() }),
    reason,
    tscFrequency,
  };
}

async function hostTscFrequency(): Promise<number | undefined> {
  try {
    const { createKvm } = await import("../accel/kvm/accelerator.js");
    const kvm = createKvm();
    try {
      return kvm.tscFrequency;
    } finally {
      kvm.close();
    }
  } catch {
    // A KVM that cannot be used is no place to move to.
    return undefined;
  }
}

const BOARD_SHAPE = object({
  name: literal("pc"),
  version: dword,
  debugExit: flag,
  testDevice: flag,
  vga: flag,
  floppy: dword,
});

/** The options of the board that a saved machine had. @throws StateError where it is another kind of board */
export function boardOptions(description: PlainData): Omit<StateOf<typeof BOARD_SHAPE>, "name" | "version"> {
  const { debugExit, testDevice, vga, floppy } = BOARD_SHAPE.parse(description, "the board");
  return { debugExit, testDevice, vga, floppy };
}

export interface BoardParts {
  debugExit: boolean;
  testDevice: boolean;
  /** The VGA's option ROM, empty for none; null for no VGA. */
  vgaRom: Uint8Array | null;
  /** A floppy's image for firmware, or null. */
  floppy: Uint8Array | null;
}

export function createBoard({ debugExit, testDevice, vgaRom, floppy }: BoardParts): BoardBuilder {
  const vga = vgaRom === null ? undefined : { rom: vgaRom };
  return pcBoard({ debugExit, testDevice, vga, floppy: floppy ?? undefined });
}
