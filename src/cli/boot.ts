/** `ringvisor boot`: reads what is to be booted, builds the machine, runs a session of it. */

import { existsSync } from "node:fs";
import { CodeProfile } from "../accel/translate/code-profile.js";
import type { RegionReport } from "../accel/translate/translator/region-report.js";
import type { BootImage } from "../boot/boot-image.js";
import { isBzImage } from "../boot/bzimage.js";
import type { BootFile } from "../boot/file-reader.js";
import { prepareFloppy } from "../boot/floppy.js";
import { prepareBoot } from "../boot/prepare.js";
import { LARGEST_ROM } from "../devices/vga/vga.js";
import { formatProfile } from "../inspect/profile.js";
import { parseSymbols } from "../inspect/symbols.js";
import { Machine } from "../machine/machine.js";
import {
  createFileConsole,
  createNullConsole,
  type HostConsole,
  StdioConsole,
  type StdioHandlers,
} from "../node/console.js";
import { DEFAULT_COMMAND_LINE, getDefaultGuest, SCREEN_COMMAND_LINE } from "../node/default-guest.js";
import { FileError, readBootFile } from "../node/files.js";
import { createPayloadCache } from "../node/payload-cache.js";
import { createProgress } from "../node/progress.js";
import { nodeScheduler } from "../node/scheduler.js";
import { createScreen } from "../node/screen/screen.js";
import { keysOf } from "../node/screen/terminal-keys.js";
import { Typist } from "../node/screen/typist.js";
import { BOOT_OPTIONS, type BootConfig, parseBootOptions } from "./boot-options.js";
import { UsageError } from "./errors.js";
import { describeOptions, parseArguments } from "./options.js";
import { createAccelerator, createBoard } from "./parts.js";
import { RegionPrinter } from "./region-printer.js";
import { type MachineSetup, openRestored } from "./restore.js";
import { Session } from "./session.js";
import { collectStats, writeReport } from "./stats.js";

/** In Debian's package seabios. */
const VGA_ROM = "/usr/share/seabios/vgabios-stdvga.bin";

const HELP = `usage: ringvisor boot [OPTIONS]

Boots a kernel or a ROM, or goes on with a saved machine. Without --kernel, --bios and --restore:
Debian's kernel with a busybox shell.

${describeOptions(BOOT_OPTIONS)}

Exit codes: 0 the guest powered off, or you quit; (v<<1)|1 it wrote v to the debug-exit port;
2 wrong usage or unusable input; 124 --timeout; 125 our own failure; 126 the guest crashed (triple
fault, or a kernel panic without a reboot); 128+n ended by signal n.
`;

/** Runs the command; its exit code. @throws what main.ts turns into a line */
export async function run(args: string[]): Promise<number> {
  const started = performance.now();
  const { options, operands, help } = parseArguments(BOOT_OPTIONS, args);
  if (help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (operands.length > 0) throw new UsageError(`boot takes options only, not "${operands[0]}"`);
  const config = parseBootOptions(options);
  const symbols = config.symbols === null ? null : parseSymbols(await readBootFile(config.symbols));
  const floppy = config.floppy === null ? null : prepareFloppy(await readBootFile(config.floppy));
  const restored = config.restore === null ? null : await openRestored(config.restore, config, prepareImage, floppy);
  const setup: MachineSetup = restored?.setup ?? {
    ...config,
    floppy,
    vgaRom: config.screen === "text" ? await readVgaRom(config.vgaRomFile) : null,
  };
  const { accel, verify } = config;
  const regions = config.printRegions === null ? null : new RegionPrinter(config.printRegions, symbols);
  const onRegion = regions === null ? undefined : (region: RegionReport) => regions.print(region);
  const profile = config.profile === null ? undefined : new CodeProfile();
  const parts = await createAccelerator({ accel, clock: setup.clock, verify, onRegion, profile });
  const { accelerator, reason: accelReason, tscFrequency } = parts;
  if (regions !== null && accelerator.name !== "translate") {
    throw new UsageError(`--print-regions needs --accel translate; this run takes ${accelerator.name}`);
  }
  if (profile !== undefined && accelerator.name === "kvm") {
    throw new UsageError("--profile and KVM exclude each other: KVM does not count what its guests do");
  }
  restored?.checkCpu(accelerator);
  const boot = restored?.boot ?? (await prepareImage(config));

  let session: Session | null = null;
  let machine: Machine | null = null;
  const handlers: StdioHandlers = {
    onAction: (action) => session?.onAction(action),
    onFailure: (error) => session?.onConsoleFailure(error),
  };
  const console = openConsole(config, handlers);
  // With a screen the terminal's keys are the PS/2 keyboard's.
  const keys = config.screen === "text" ? new StdioConsole(handlers) : null;
  const screen = keys === null ? null : createScreen(process.stdout);
  let typist: Typist | null = null;
  try {
    machine = new Machine({
      memory: setup.memory,
      cpus: setup.cpus,
      accelerator,
      cpuModel: setup.cpu,
      clock: setup.clock,
      tscFrequency: setup.tscFrequency ?? tscFrequency,
      scheduler: nodeScheduler,
      boot,
      board: createBoard(setup),
      noReboot: setup.noReboot,
      console: {
        write: (bytes) => {
          console.write(bytes);
          session?.observe(bytes);
        },
        onData: (callback) => console.onData(callback),
        pause: () => console.pause?.(),
        resume: () => console.resume?.(),
      },
    });
    session = new Session(machine, {
      timeout: config.timeout,
      gdbPort: config.gdbPort,
      longMode: setup.cpu.linearBits > 32,
      symbols,
      saves: config.saves,
      quitWhenSaved: config.quitWhenSaved,
      resetAdvice: restored?.resetAdvice ?? null,
      screen,
    });
    await restored?.restore(machine);
    typist = new Typist(machine);
    keys?.onData((bytes) => typist?.type(keysOf(bytes)));
    screen?.start(machine);
    const { exitCode, reason } = await session.run(keys ?? console);
    if (config.stats !== null) {
      const { firstByte } = console;
      const run = { started, firstByte, exitCode, reason, machine: machine.stats() };
      const stats = collectStats({ ...run, accel: accelerator.name, accelReason });
      writeReport(config.stats, `${JSON.stringify(stats)}\n`);
    }
    if (config.profile !== null && profile !== undefined) {
      const total = machine.stats().instructions;
      writeReport(config.profile, formatProfile(profile.entries(), { symbols, total }));
    }
    await regions?.finish();
    return exitCode;
  } finally {
    typist?.close();
    screen?.close();
    machine?.close();
    keys?.close();
    console.close();
    regions?.close();
    await restored?.close();
  }
}

/** The ROM that the user names, or Debian's where it is installed, or none: only firmware needs it. */
async function readVgaRom(name: string | null): Promise<Uint8Array> {
  if (name === null && !existsSync(VGA_ROM)) return new Uint8Array(0);
  const { bytes } = await readBootFile(name ?? VGA_ROM);
  if (bytes.length > LARGEST_ROM)
    throw new FileError(name ?? VGA_ROM, `is ${bytes.length} bytes long; an option ROM has at most 64 KiB`);
  return bytes;
}

function openConsole(config: BootConfig, handlers: StdioHandlers): HostConsole {
  switch (config.console.kind) {
    case "stdio":
      return new StdioConsole(handlers);
    case "file":
      return createFileConsole(config.console.path, handlers.onFailure);
    case "none":
      return createNullConsole();
  }
}

/** Reads and unpacks everything that is booted, before a machine is built. */
async function prepareImage(config: BootConfig): Promise<BootImage> {
  if (config.bios !== null) return prepareBoot({ bios: await readBootFile(config.bios) });
  const progress = createProgress();
  try {
    const { kernel, initrd, commandLine } = await chooseKernel(config);
    progress.update(`unpacking ${kernel.name}`);
    return await prepareBoot({
      kernel,
      initrd,
      commandLine,
      hostDecompress: config.hostDecompress,
      payloadCache: createPayloadCache(),
    });
  } finally {
    progress.done();
  }
}

/** Linux's console is what the user sees: its last one has the shell. */
function defaultCommandLine({ screen, console }: BootConfig): string {
  if (screen === "none") return DEFAULT_COMMAND_LINE;
  return console.kind === "none" ? SCREEN_COMMAND_LINE : `${DEFAULT_COMMAND_LINE} console=tty0`;
}

async function chooseKernel(
  config: BootConfig,
): Promise<{ kernel: BootFile; initrd: BootFile | undefined; commandLine: string }> {
  const { append } = config;
  if (config.kernel === null) {
    const guest = await getDefaultGuest(createProgress());
    const commandLine = defaultCommandLine(config);
    return { ...guest, commandLine: append === null ? commandLine : `${commandLine} ${append}` };
  }
  const kernel = await readBootFile(config.kernel);
  const initrd = config.initrd === null ? undefined : await readBootFile(config.initrd);
  return { kernel, initrd, commandLine: append ?? (isBzImage(kernel.bytes) ? defaultCommandLine(config) : "") };
}
