/** Writes a paused machine to a sink. */
import { type Machine, MachineError, type MachineState } from "../machine.js";
import { encodeConfiguration, encodeJson } from "./configuration.js";
import { memoryRegions, pagePayloads } from "./pages.js";
import { type SavedMachineSink, SectionWriter } from "./sections.js";
import { vcpuToJson } from "./vcpu-shape.js";

export interface SaveOptions {
  /** Compress (default). */
  compress?: boolean;
  /** Told after each section how many bytes were written. */
  progress?(bytes: number): void;
  /** Gives up between two sections, with the signal's reason. */
  signal?: AbortSignal;
}

/**
 * Saves a machine that is paused, and stays so until the promise resolves: what it is, the state of its vCPUs and
 * devices, its RAM and ROM. One section at a time is in memory.
 *
 * @returns bytes written
 * @throws MachineError MACHINE_STATUS where the machine runs, or has ended
 */
export async function saveMachine(
  machine: Machine,
  sink: SavedMachineSink,
  options: SaveOptions = {},
): Promise<number> {
  const { compress = true, progress, signal } = options;
  const state = machine.save();
  const writer = new SectionWriter(sink, compress);
  const write = async (kind: string, payload: Uint8Array): Promise<void> => {
    signal?.throwIfAborted();
    if (machine.status === "running" || machine.status === "ended") {
      throw new MachineError("MACHINE_STATUS", "the machine went on while it was being saved");
    }
    await writer.write(kind, payload);
    progress?.(writer.length);
  };
  await writer.begin();
  const { configuration } = machine;
  await write("HEAD", encodeConfiguration(configuration));
  for (const [kind, payload] of stateSections(state)) await write(kind, payload);
  const regions = memoryRegions(configuration.memory, configuration.romSize);
  for (const index of regions.keys()) {
    for (const payload of pagePayloads(machine.memory, regions, index)) await write("PAGE", payload);
  }
  await writer.end();
  return writer.length;
}

function* stateSections(state: MachineState): Generator<[kind: string, payload: Uint8Array], void, undefined> {
  const { version, clock, random, loop } = state;
  yield ["MACH", encodeJson({ version, clock, random, loop })];
  for (const vcpu of state.vcpus) yield ["VCPU", new TextEncoder().encode(vcpuToJson(vcpu))];
  for (const [name, device] of Object.entries(state.board)) yield ["DEVS", encodeJson({ name, state: device })];
}
