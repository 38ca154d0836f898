/** The options of `ringvisor boot`, checked and turned into values. Nothing is opened or started here. */
import { VERIFY_INTERVAL } from "../accel/translate/verifier/accelerator.js";
import type { StopPoint } from "../machine/machine-loop.js";
import { type CpuModel, parseCpuModel } from "../vcpu/cpu-model.js";
import { NotImplementedError, UsageError } from "./errors.js";
import type { OptionTable, ParsedOptions } from "./options.js";

export const BOOT_OPTIONS = {
  kernel: {
    kind: "value",
    placeholder: "FILE",
    help: "boot this kernel: bzImage, ELF with a PVH note, or multiboot (default: Debian's own, see `ringvisor guest`)",
  },
  initrd: { kind: "value", placeholder: "FILE", help: "initial RAM disk, or a multiboot kernel's module" },
  append: {
    kind: "value",
    placeholder: "TEXT",
    help: "the kernel's command line (default for Linux: console=ttyS0 earlyprintk=ttyS0 no_timer_check; with --screen text console=tty0 in the place of both consoles); with the default guest it is added to that",
  },
  bios: { kind: "value", placeholder: "FILE", help: "run this ROM image from the reset vector instead of a kernel" },
  floppy: {
    kind: "value",
    placeholder: "FILE",
    help: "a floppy's image that the ROM of --bios boots from, kept in memory (SeaBIOS)",
  },
  memory: { kind: "value", placeholder: "SIZE", help: "RAM, with K, M or G; a bare number is MiB (default 512M)" },
  cpus: { kind: "value", placeholder: "N", help: "virtual CPUs (default 1)" },
  accel: {
    kind: "value",
    placeholder: "NAME",
    help: "auto, kvm, translate or interpret (default auto: the fastest that is built and works here; see `ringvisor doctor`)",
  },
  cpu: {
    kind: "value",
    placeholder: "MODEL",
    help: "CPU model, with changes: NAME[,vendor=amd|intel][,+feature][,-feature] (default: default)",
  },
  disk: { kind: "list", placeholder: "FILE[,format=F][,readonly][,snapshot]", help: "not implemented yet" },
  cdrom: { kind: "value", placeholder: "FILE", help: "not implemented yet" },
  net: { kind: "value", placeholder: "none|user[,hostfwd=...]", help: "none (default); user is not implemented yet" },
  share: { kind: "list", placeholder: "DIR:TAG[:ro]", help: "not implemented yet" },
  console: {
    kind: "value",
    placeholder: "stdio|file:PATH|none",
    help: "where the first serial port leads (default stdio; on a terminal Ctrl-A H shows its keys)",
  },
  screen: {
    kind: "value",
    placeholder: "none|text",
    help: "text: the machine has a VGA, whose text screen is shown here, and the console is none unless it is told (default none: no VGA)",
  },
  "vga-rom": {
    kind: "value",
    placeholder: "FILE",
    help: "the VGA's option ROM, which firmware runs (default: that of Debian's package seabios, where it is installed)",
  },
  "no-reboot": { kind: "flag", help: "a reset ends the run (exit code 0, or 126 after a kernel panic)" },
  "debug-exit": { kind: "flag", help: "a write of v to port 0xf4 ends the run with exit code (v<<1)|1" },
  testdev: { kind: "flag", help: "add the test device that kvm-unit-tests expect" },
  timeout: { kind: "value", placeholder: "SECONDS", help: "end the run after this time with exit code 124" },
  stats: {
    kind: "optional",
    placeholder: "FILE",
    help: "at the end write one JSON object of counters to FILE (default: standard error)",
  },
  profile: {
    kind: "value",
    placeholder: "FILE|-",
    help: "at the end write a table of the guest's hot code to FILE (-: standard error): address, symbol, interpreted or translated, executions, instructions, share; not under KVM",
  },
  "print-regions": {
    kind: "value",
    placeholder: "FILE|-",
    help: "write every region that is translated to FILE (-: standard error): the guest's instructions, and the WebAssembly that each became; needs --accel translate",
  },
  clock: {
    kind: "value",
    placeholder: "real|icount",
    help: "real time (default), or one nanosecond an instruction: every run is the same",
  },
  verify: {
    kind: "optional",
    placeholder: "INSTRUCTIONS",
    help: "with --clock icount: the interpreter does everything again on memory of its own, and all registers and pages written are compared every so many instructions (default 1000000); a difference ends the run with exit code 125",
  },
  "tsc-frequency": {
    kind: "value",
    placeholder: "HZ",
    help: "ticks a second of the guest's TSC (default: this host's under KVM and where KVM is at hand, else 1000000000)",
  },
  restore: {
    kind: "value",
    placeholder: "FILE",
    help: "go on with a saved machine: memory, CPUs, CPU model, clock and board are those it had",
  },
  "save-at": {
    kind: "list",
    placeholder: "WHEN:FILE",
    help: "save the machine to FILE, and go on, when its clock gets to WHEN (5s, 1.25s) or it has executed so many instructions (2000000i)",
  },
  "quit-when-saved": { kind: "flag", help: "the run ends with exit code 0 after the last --save-at" },
  gdb: { kind: "value", placeholder: "PORT", help: "wait for gdb on 127.0.0.1:PORT before the first instruction" },
  "no-host-decompress": { kind: "flag", help: "leave a bzImage's payload to the guest's own decompressor" },
  symbols: {
    kind: "value",
    placeholder: "FILE",
    help: "System.map, copy of /proc/kallsyms or ELF file with symbols, for crash reports, the monitor, --profile and --print-regions",
  },
} as const satisfies OptionTable;

export type AcceleratorName = "auto" | "kvm" | "translate" | "interpret";

export type ConsoleTarget = { kind: "stdio" } | { kind: "none" } | { kind: "file"; path: string };

/** What `--save-at` asks for. */
export interface SaveRequest {
  /** As it was written, for messages. */
  readonly text: string;
  readonly point: StopPoint;
  readonly file: string;
}

export interface BootConfig {
  kernel: string | null;
  initrd: string | null;
  append: string | null;
  bios: string | null;
  /** Bytes. */
  memory: number;
  cpus: number;
  accel: AcceleratorName;
  cpu: CpuModel;
  console: ConsoleTarget;
  screen: "none" | "text";
  floppy: string | null;
  /** Path, or null for the default. */
  vgaRomFile: string | null;
  noReboot: boolean;
  debugExit: boolean;
  testDevice: boolean;
  /** Milliseconds, or null for none. */
  timeout: number | null;
  /** A file's path, true for standard error. */
  stats: string | true | null;
  /** Likewise. */
  profile: string | true | null;
  printRegions: string | true | null;
  clock: "real" | "icount";
  /** Instructions between two comparisons with the interpreter, or null for none. */
  verify: number | null;
  /** Hertz, or null for the default. */
  tscFrequency: number | null;
  gdbPort: number | null;
  hostDecompress: boolean;
  symbols: string | null;
  restore: string | null;
  saves: readonly SaveRequest[];
  quitWhenSaved: boolean;
  /** The options that were given, by their names. */
  given: ReadonlySet<keyof typeof BOOT_OPTIONS>;
}

const DEFAULT_MEMORY = 512 << 20;
const MIN_MEMORY = 2 << 20;
const MAX_CPUS = 16;
const MIN_TSC_FREQUENCY = 1_000_000;
const MAX_TSC_FREQUENCY = 9_999_999_999;
/** What the host's timers can count. */
const MAX_TIMEOUT_SECONDS = 2_000_000;

/** @throws UsageError, NotImplementedError, CpuModelError */
export function parseBootOptions(options: ParsedOptions<typeof BOOT_OPTIONS>): BootConfig {
  if (options.disk.length > 0) throw new NotImplementedError("--disk");
  if (options.cdrom !== undefined) throw new NotImplementedError("--cdrom");
  if (options.share.length > 0) throw new NotImplementedError("--share");
  checkNet(options.net);
  if (options.bios !== undefined) {
    for (const other of ["kernel", "initrd", "append"] as const) {
      if (options[other] !== undefined) throw new UsageError(`--bios and --${other} exclude each other`);
    }
  }
  const noHostDecompress = options["no-host-decompress"];
  if (options.bios !== undefined && noHostDecompress) {
    throw new UsageError("--bios and --no-host-decompress exclude each other");
  }
  if (options.initrd !== undefined && options.kernel === undefined) {
    throw new UsageError("--initrd needs --kernel: the default guest has its own");
  }
  if (options.floppy !== undefined && options.bios === undefined && options.restore === undefined) {
    throw new UsageError("--floppy needs --bios: firmware boots from it");
  }
  const screen = oneOf("screen", options.screen ?? "none", ["none", "text"]);
  if (screen === "text" && options.console === "stdio") {
    throw new UsageError("--screen text and --console stdio exclude each other: lead one of them elsewhere");
  }
  if (screen === "none" && options["vga-rom"] !== undefined) throw new UsageError("--vga-rom needs --screen text");
  return {
    kernel: path("kernel", options.kernel),
    initrd: path("initrd", options.initrd),
    append: options.append ?? null,
    bios: path("bios", options.bios),
    memory: options.memory === undefined ? DEFAULT_MEMORY : parseMemory(options.memory),
    cpus: options.cpus === undefined ? 1 : parseCount("cpus", options.cpus, 1, MAX_CPUS),
    accel: oneOf("accel", options.accel ?? "auto", ["auto", "kvm", "translate", "interpret"]),
    cpu: parseCpuModel(options.cpu ?? "default"),
    console: parseConsole(options.console ?? (screen === "text" ? "none" : "stdio")),
    screen,
    floppy: path("floppy", options.floppy),
    vgaRomFile: path("vga-rom", options["vga-rom"]),
    noReboot: options["no-reboot"],
    debugExit: options["debug-exit"],
    testDevice: options.testdev,
    timeout: options.timeout === undefined ? null : parseSeconds(options.timeout),
    stats: options.stats ?? null,
    profile: output("profile", options.profile),
    printRegions: output("print-regions", options["print-regions"]),
    clock: oneOf("clock", options.clock ?? "real", ["real", "icount"]),
    verify: parseVerify(options),
    tscFrequency:
      options["tsc-frequency"] === undefined
        ? null
        : parseCount("tsc-frequency", options["tsc-frequency"], MIN_TSC_FREQUENCY, MAX_TSC_FREQUENCY),
    gdbPort: options.gdb === undefined ? null : parseCount("gdb", options.gdb, 0, 65535),
    hostDecompress: !noHostDecompress,
    symbols: path("symbols", options.symbols),
    restore: path("restore", options.restore),
    saves: parseSaves(options["save-at"], options["quit-when-saved"]),
    quitWhenSaved: options["quit-when-saved"],
    given: new Set(OPTION_NAMES.filter((name) => isGiven(options[name]))),
  };
}

function parseVerify({ verify, clock, accel, restore }: ParsedOptions<typeof BOOT_OPTIONS>): number | null {
  if (verify === undefined) return null;
  // A saved machine brings its clock along.
  if (clock !== "icount" && restore === undefined) {
    throw new UsageError("--verify needs --clock icount: in real time no run is like another");
  }
  if (accel === "kvm") throw new UsageError("--verify and --accel kvm exclude each other: KVM counts no instructions");
  return verify === true ? VERIFY_INTERVAL : parseCount("verify", verify, 1, 9_999_999_999);
}

const OPTION_NAMES = Object.keys(BOOT_OPTIONS) as (keyof typeof BOOT_OPTIONS)[];

function isGiven(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false;
}

function parseSaves(texts: readonly string[], quit: boolean): SaveRequest[] {
  if (quit && texts.length === 0) throw new UsageError("--quit-when-saved needs --save-at");
  const saves = texts.map((text): SaveRequest => {
    const match = /^(?:([0-9]{1,15}(?:\.[0-9]{1,9})?)s|([0-9]{1,15})i):(.+)$/s.exec(text);
    if (!match) throw new UsageError(`--save-at ${text} is not like 5s:FILE, 1.25s:FILE or 2000000i:FILE`);
    const [, seconds, instructions, file] = match;
    const point = seconds === undefined ? { instructions: Number(instructions) } : { time: Number(seconds) * 1e9 };
    return { text, point, file };
  });
  const twice = saves.find(({ file }, index) => saves.findIndex((other) => other.file === file) !== index);
  if (twice !== undefined) throw new UsageError(`--save-at names the file ${twice.file} twice`);
  return saves;
}

const UNITS: Record<string, number> = { "": 1 << 20, K: 1 << 10, M: 1 << 20, G: 1 << 30 };

/** A size with K, M or G, a bare number in MiB; a multiple of 4 KiB and at least 2 MiB. */
function parseMemory(text: string): number {
  const match = /^([0-9]{1,15})(?:([KMG])(?:i?B)?)?$/i.exec(text);
  if (!match) throw new UsageError(`--memory ${text} is not a size like 512M or 2G`);
  const bytes = Number(match[1]) * UNITS[(match[2] ?? "").toUpperCase()];
  if (bytes < MIN_MEMORY) throw new UsageError(`--memory ${text} is less than 2M`);
  if (bytes % 4096 !== 0) throw new UsageError(`--memory ${text} is not a multiple of 4K`);
  return bytes;
}

function parseCount(name: string, text: string, min: number, max: number): number {
  const value = /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) throw new UsageError(`--${name} ${text} is not a number from ${min} to ${max}`);
  return value;
}

/** Milliseconds. */
function parseSeconds(text: string): number {
  const seconds = /^[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds > 0 && seconds <= MAX_TIMEOUT_SECONDS)) {
    throw new UsageError(`--timeout ${text} is not a number of seconds above 0 and up to ${MAX_TIMEOUT_SECONDS}`);
  }
  return Math.ceil(seconds * 1000);
}

function parseConsole(text: string): ConsoleTarget {
  if (text === "stdio" || text === "none") return { kind: text };
  if (text.startsWith("file:") && text.length > "file:".length) return { kind: "file", path: text.slice(5) };
  throw new UsageError(`--console ${text} is none of stdio, file:PATH, none`);
}

function checkNet(text: string | undefined): void {
  if (text === undefined || text === "none") return;
  if (text === "user" || text.startsWith("user,")) throw new NotImplementedError("--net user");
  throw new UsageError(`--net ${text} is neither none nor user`);
}

function oneOf<const Choice extends string>(name: string, text: string, choices: readonly Choice[]): Choice {
  const found = choices.find((choice) => choice === text);
  if (found === undefined) throw new UsageError(`--${name} ${text} is none of ${choices.join(", ")}`);
  return found;
}

/** Where something is written to. */
function output(name: string, text: string | undefined): string | true | null {
  return text === "-" ? true : path(name, text);
}

function path(name: string, text: string | undefined): string | null {
  if (text === "") throw new UsageError(`--${name} has an empty file name`);
  return text ?? null;
}
