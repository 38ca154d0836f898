/**
 * A saved machine that can be restored.
 *
 *     const saved = await SavedMachine.open(source);
 *     const machine = new Machine({ ...optionsFrom(saved.configuration) });
 *     await saved.restore(machine);
 *     await machine.start();
 */
import { type PlainData, StateError } from "../../devices/device.js";
import { byte, list, object, type Shape, text } from "../../devices/state-shape.js";
import { type Accelerator, AcceleratorError } from "../../vcpu/accelerator.js";
import { cpuObstacle } from "../../vcpu/compatibility.js";
import { modelHash } from "../../vcpu/cpu-model.js";
import type { VcpuState } from "../../vcpu/state.js";
import { MACHINE_STATE_VERSION, type Machine, type MachineState } from "../machine.js";
import { decodeConfiguration, decodeJson, type MachineConfiguration } from "./configuration.js";
import { memoryRegions, PageReader } from "./pages.js";
import { SavedMachineError } from "./saved-machine-error.js";
import { readSections, type SavedMachineSource, type Section } from "./sections.js";
import { VCPU_SHAPE } from "./vcpu-shape.js";

/** More devices than any board has. */
const MAX_DEVICES = 256;
/** Sections but those of pages are small; the largest holds a serial port with all that waits in it. */
const MAX_STATE = 0x8_0000;

const anything: Shape<unknown> = { parse: (value) => value };
const MACHINE_SHAPE = object({ version: byte, clock: anything, random: list(anything, 4), loop: anything });
const DEVICE_SHAPE = object({ name: text(64), state: anything });

export interface RestoreOptions {
  /** Told after each section how many bytes of the file are done, and how many there are. */
  progress?(bytes: number, of: number): void;
  /** Gives up between two sections, with the signal's reason. */
  signal?: AbortSignal;
}

export class SavedMachine {
  private constructor(
    private readonly source: SavedMachineSource,
    readonly configuration: MachineConfiguration,
    /** All but RAM and ROM. Checked for its form; whether a machine takes it, `restore` finds out. */
    readonly state: MachineState,
  ) {}

  /**
   * Reads the file to its end, so that afterwards all of it has been found whole and sound. RAM is not kept.
   *
   * @throws SavedMachineError SAVED_FORMAT, SAVED_VERSION, SAVED_TRUNCATED, SAVED_CHECKSUM, SAVED_CONTENT
   */
  static async open(source: SavedMachineSource, options: RestoreOptions = {}): Promise<SavedMachine> {
    const sections = new Progress(source, options).sections();
    const head = await sections.next();
    if (head.done || head.value.kind !== "HEAD") {
      throw new SavedMachineError("SAVED_CONTENT", "start", "the first section does not say what the machine is");
    }
    const configuration = parse(head.value, decodeConfiguration);
    const { state, pages } = await readState(sections, configuration);
    // The first section of pages has been taken from the sequence already.
    const reader = new PageReader(memoryRegions(configuration.memory, configuration.romSize));
    if (pages !== null) reader.parse(pages);
    for await (const section of sections) {
      if (section.kind !== "PAGE") throw unexpected(section);
      reader.parse(section);
    }
    return new SavedMachine(source, configuration, state);
  }

  /**
   * Refuses an accelerator that cannot be the CPU that the machine had.
   *
   * @throws SavedMachineError SAVED_CPU
   */
  checkCpu(accelerator: Pick<Accelerator, "offer">): void {
    const { cpu } = this.configuration;
    const obstacle = cpuObstacle(cpu, accelerator.offer(cpu));
    if (obstacle !== null) throw new SavedMachineError("SAVED_CPU", "the CPU model", obstacle);
  }

  /** The contents of the ROM, or null where the machine has none. @throws as `open` does */
  async readRom(): Promise<Uint8Array | null> {
    const { memory, romSize } = this.configuration;
    if (romSize === 0) return null;
    const rom = new Uint8Array(romSize);
    const regions = memoryRegions(memory, romSize);
    const reader = new PageReader(regions);
    for await (const section of readSections(this.source)) {
      if (section.kind !== "PAGE") continue;
      for (const { region, offset, bytes } of reader.parse(section)) {
        if (region.name === "ROM") rom.set(bytes, offset - region.offset);
      }
    }
    return rom;
  }

  /**
   * Makes a machine that was not started go on from here. Everything is checked before anything is changed; only a
   * file that changes or cannot be read any more in the middle leaves RAM half written.
   *
   * @throws SavedMachineError SAVED_MISMATCH where the machine is another one, SAVED_STATE where a device or a vCPU
   * does not take its state, and as `open` does
   * @throws MachineError MACHINE_STATUS
   */
  async restore(machine: Machine, options: RestoreOptions = {}): Promise<void> {
    checkSame(this.configuration, machine.configuration);
    checkState(machine, this.state);
    const regions = memoryRegions(this.configuration.memory, this.configuration.romSize);
    for (const { offset, size } of regions) machine.memory.clearAt(offset, size);
    const reader = new PageReader(regions);
    for await (const section of new Progress(this.source, options).sections()) {
      if (section.kind !== "PAGE") continue;
      for (const { offset, bytes } of reader.parse(section)) machine.memory.writeAt(offset, bytes);
    }
    machine.restore(this.state);
  }
}

/** @throws SavedMachineError SAVED_STATE */
function checkState(machine: Machine, state: MachineState): void {
  try {
    machine.check(state);
  } catch (error) {
    const refusal =
      error instanceof StateError || (error instanceof AcceleratorError && error.code === "STATE_MISMATCH");
    if (!refusal) throw error;
    throw new SavedMachineError("SAVED_STATE", "the saved machine", error.message, { cause: error });
  }
}

/** Sections with progress told and the signal obeyed in between. */
class Progress {
  constructor(
    private readonly source: SavedMachineSource,
    private readonly options: RestoreOptions,
  ) {}

  async *sections(): AsyncGenerator<Section, void, undefined> {
    const { progress, signal } = this.options;
    for await (const section of readSections(this.source)) {
      signal?.throwIfAborted();
      progress?.(section.end, this.source.size);
      yield section;
    }
  }
}

/** Reads the sections between HEAD and the pages; the first one of pages, which ends them, comes along. */
async function readState(
  sections: AsyncGenerator<Section, void, undefined>,
  configuration: MachineConfiguration,
): Promise<{ state: MachineState; pages: Section | null }> {
  let machine: ReturnType<typeof MACHINE_SHAPE.parse> | null = null;
  const vcpus: VcpuState[] = [];
  const devices = new Map<string, PlainData>();
  let pages: Section | null = null;
  for (;;) {
    const { value: section, done } = await sections.next();
    if (done) break;
    if (section.kind === "PAGE") {
      pages = section;
      break;
    }
    if (section.payload.length > MAX_STATE) throw unexpected(section, `it is ${section.payload.length} bytes long`);
    if (section.kind === "MACH" && machine === null) {
      machine = parse(section, (bytes) => MACHINE_SHAPE.parse(decodeJson(bytes), "machine"));
    } else if (section.kind === "VCPU" && vcpus.length < configuration.cpus) {
      vcpus.push(parse(section, (bytes) => VCPU_SHAPE.parse(decodeJson(bytes), `vCPU ${vcpus.length}`)));
    } else if (section.kind === "DEVS" && devices.size < MAX_DEVICES) {
      const { name, state } = parse(section, (bytes) => DEVICE_SHAPE.parse(decodeJson(bytes), "device"));
      if (devices.has(name)) throw unexpected(section, `device ${name} comes twice`);
      devices.set(name, state as PlainData);
    } else throw unexpected(section);
  }
  if (machine === null || vcpus.length !== configuration.cpus) {
    throw new SavedMachineError("SAVED_CONTENT", "the states", "that of the machine or of a vCPU is not there");
  }
  if (machine.version !== MACHINE_STATE_VERSION) {
    throw new SavedMachineError("SAVED_VERSION", "the machine's state", `it has version ${machine.version}`);
  }
  const { clock, random, loop } = machine as Pick<MachineState, "clock" | "random" | "loop">;
  const board = Object.fromEntries(devices);
  return { state: { version: MACHINE_STATE_VERSION, clock, random, loop, vcpus, board }, pages };
}

/** A section's contents; what is wrong with them is told with the section's place. */
function parse<T>(section: Section, read: (bytes: Uint8Array) => T): T {
  try {
    return read(section.payload);
  } catch (error) {
    if (!(error instanceof StateError)) throw error;
    throw new SavedMachineError("SAVED_CONTENT", section.where, error.message, { cause: error });
  }
}

function unexpected({ where }: Section, problem = "it is not expected here"): SavedMachineError {
  return new SavedMachineError("SAVED_CONTENT", where, problem);
}

/** @throws SavedMachineError SAVED_MISMATCH that names all differences */
function checkSame(saved: MachineConfiguration, target: MachineConfiguration): void {
  const differences: string[] = [];
  const compare = (what: string, ours: unknown, theirs: unknown) => {
    if (ours !== theirs) differences.push(`${what} ${ours} and not ${theirs}`);
  };
  compare("memory in bytes:", saved.memory, target.memory);
  compare("ROM in bytes:", saved.romSize, target.romSize);
  compare("vCPUs:", saved.cpus, target.cpus);
  compare("clock:", saved.clock, target.clock);
  compare("board:", JSON.stringify(saved.board), JSON.stringify(target.board));
  if (modelHash(saved.cpu) !== modelHash(target.cpu)) {
    differences.push(`CPU model: ${saved.cpu.name} (${modelHash(saved.cpu)}) and not ${target.cpu.name}`);
  }
  if (differences.length > 0) {
    throw new SavedMachineError("SAVED_MISMATCH", "the saved machine", `it has ${differences.join("; ")}`);
  }
}
