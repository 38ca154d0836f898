/** `ringvisor boot --restore`: the saved machine says what options say else, and options may not contradict it. */

import { prepareBios } from "../boot/bios.js";
import { BootFileError } from "../boot/boot-file-error.js";
import type { BootImage } from "../boot/boot-image.js";
import { StateError } from "../devices/device.js";
import { romOfState } from "../devices/vga/vga.js";
import type { Machine } from "../machine/machine.js";
import { SavedMachine } from "../machine/saved-machine/saved-machine.js";
import { SavedMachineError } from "../machine/saved-machine/saved-machine-error.js";
import { createProgress } from "../node/progress.js";
import { openSavedMachineFile } from "../node/saved-machine-file.js";
import type { Accelerator } from "../vcpu/accelerator.js";
import { modelHash } from "../vcpu/cpu-model.js";
import type { BootConfig } from "./boot-options.js";
import { UsageError } from "./errors.js";
import { boardOptions } from "./parts.js";

/** What a machine of the command line is, whether options or a saved machine say so. */
export interface MachineSetup
  extends Pick<
    BootConfig,
    "memory" | "cpus" | "cpu" | "clock" | "tscFrequency" | "debugExit" | "testDevice" | "noReboot"
  > {
  /** The VGA's option ROM, empty for none; null for no VGA. */
  vgaRom: Uint8Array | null;
  /** What firmware boots from after a reset, or null. */
  floppy: Uint8Array | null;
}

const BOOT_OPTION_NAMES = ["kernel", "initrd", "append", "bios"] as const;

export interface RestoredMachine {
  readonly setup: MachineSetup;
  /** What a reset boots. */
  readonly boot: BootImage;
  /** What to tell the user if a reset ends the run that he did not ask to end so; null where it does not. */
  readonly resetAdvice: string | null;
  /** Refuses an accelerator that cannot be the CPU that the machine had. @throws SavedMachineError */
  checkCpu(accelerator: Pick<Accelerator, "offer">): void;
  restore(machine: Machine): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens and checks the file; nothing of a machine exists yet.
 *
 * @param prepare reads what the options name as what is to be booted
 * @param floppy the image that the options name, padded
 * @throws FileError, SavedMachineError, UsageError, and what `prepare` throws
 */
export async function openRestored(
  name: string,
  config: BootConfig,
  prepare: (config: BootConfig) => Promise<BootImage>,
  floppy: Uint8Array | null,
): Promise<RestoredMachine> {
  const file = await openSavedMachineFile(name);
  const progress = createProgress();
  const report = (done: number, of: number) => progress.update(`reading ${name}: ${Math.floor((done / of) * 100)}%`);
  /** The error with the file's name before the place in it. */
  const named = (error: unknown): unknown => {
    if (error instanceof StateError)
      return new SavedMachineError("SAVED_MISMATCH", name, error.message, { cause: error });
    return error instanceof SavedMachineError
      ? new SavedMachineError(error.code, name, error.message, { cause: error })
      : error;
  };
  try {
    const saved = await SavedMachine.open(file, { progress: report });
    progress.done();
    checkContradictions(config, saved, floppy);
    const boot = await imageOf(name, config, saved, prepare);
    return {
      setup: { ...setupOf(config, saved, boot !== null), floppy },
      boot: boot ?? absentImage(name, saved.configuration.boot),
      resetAdvice: boot === null && !config.noReboot ? resetAdvice(saved) : null,
      checkCpu: (accelerator) => {
        try {
          saved.checkCpu(accelerator);
        } catch (error) {
          throw named(error);
        }
      },
      restore: async (machine) => {
        try {
          await saved.restore(machine, { progress: report });
        } catch (error) {
          throw named(error);
        } finally {
          progress.done();
        }
      },
      close: () => file.close(),
    };
  } catch (error) {
    progress.done();
    await file.close();
    throw named(error);
  }
}

function setupOf(
  config: BootConfig,
  { configuration, state }: SavedMachine,
  canReboot: boolean,
): Omit<MachineSetup, "floppy"> {
  const { memory, cpus, cpu, clock, board } = configuration;
  const noReboot = config.noReboot || !canReboot;
  const { debugExit, testDevice, vga } = boardOptions(board);
  const vgaRom = vga ? romOfState(state.board.vga) : null;
  const { tscFrequency } = state.vcpus[0];
  return { memory, cpus, cpu, clock, noReboot, tscFrequency, debugExit, testDevice, vgaRom };
}

/** Options that say the same as the file are welcome: scripts give them again. */
function checkContradictions(
  config: BootConfig,
  { configuration, state }: SavedMachine,
  floppy: Uint8Array | null,
): void {
  const { memory, cpus, cpu, clock, board } = configuration;
  const { debugExit, testDevice, vga, floppy: floppyBytes } = boardOptions(board);
  const check = (name: Parameters<typeof config.given.has>[0], same: boolean, has: string): void => {
    if (config.given.has(name) && !same) {
      throw new UsageError(`--${name} contradicts --restore: the saved machine has ${has}`);
    }
  };
  check("memory", config.memory === memory, `${memory / 2 ** 20} MiB`);
  check("cpus", config.cpus === cpus, `${cpus}`);
  check("cpu", modelHash(config.cpu) === modelHash(cpu), `the CPU model ${cpu.name}, or other features of it`);
  check("clock", config.clock === clock, `the clock ${clock}`);
  const { tscFrequency } = state.vcpus[0];
  check("tsc-frequency", config.tscFrequency === tscFrequency, `a TSC of ${tscFrequency} Hz`);
  check("debug-exit", debugExit, "no debug-exit port");
  check("testdev", testDevice, "no test device");
  check("screen", config.screen === "none" || vga, "no VGA");
  const padded = floppy?.length ?? 0;
  check("floppy", padded === floppyBytes, floppyBytes === 0 ? "none" : `one of ${floppyBytes} bytes`);
  if (padded !== floppyBytes) throw new UsageError("the saved machine has a floppy: name it by --floppy again");
  check("vga-rom", false, "the ROM that it was started with");
}

/** What a reset of the restored machine boots: what options name, or the ROM that was saved with it; null for nothing. */
async function imageOf(
  name: string,
  config: BootConfig,
  saved: SavedMachine,
  prepare: (config: BootConfig) => Promise<BootImage>,
): Promise<BootImage | null> {
  if (BOOT_OPTION_NAMES.some((option) => config.given.has(option))) {
    const image = await prepare(config);
    const booted = saved.configuration.boot;
    if (image.description.slice(0, booted.length) !== booted) {
      throw new UsageError(`the saved machine booted "${booted}"; the options name "${image.description}"`);
    }
    return image;
  }
  const rom = await saved.readRom();
  return rom === null ? null : prepareBios({ name, bytes: rom });
}

/** Never loaded: without what to boot, a reset ends the run. */
function absentImage(name: string, description: string): BootImage {
  return {
    kind: "bzimage",
    description,
    rom: null,
    load: () => {
      throw new BootFileError(name, "does not hold what the machine booted");
    },
  };
}

function resetAdvice({ configuration }: SavedMachine): string {
  return `the guest asked for a reset; to let a restored machine boot again, name what it booted (${configuration.boot}) by --kernel, --initrd and --append`;
}
