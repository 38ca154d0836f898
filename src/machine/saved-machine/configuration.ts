/** What a saved machine says of itself: enough to build a machine like it, and to refuse another one. */
import type { PlainData } from "../../devices/device.js";
import { StateError } from "../../devices/device.js";
import { count, integer, list, literal, object, type Shape, type StateOf, text } from "../../devices/state-shape.js";
import { type CpuModel, modelHash } from "../../vcpu/cpu-model.js";
import { FEATURE_WORDS } from "../../vcpu/features.js";

const CPU_SHAPE = object({
  name: text(64),
  vendor: literal("amd", "intel"),
  features: list(integer(0, 0xffff_ffff), FEATURE_WORDS),
  family: integer(0, 270),
  modelNumber: integer(0, 255),
  stepping: integer(0, 15),
  brand: text(47),
  physicalBits: integer(32, 52),
  linearBits: literal(32, 48, 57),
  /** Of all the fields above: see `modelHash`. */
  hash: text(64),
});

const LARGEST_PLAIN_DATA = 1000;

/** Plain data of any shape, as long as it is small. */
const plain: Shape<PlainData> = {
  parse: (value, where) => {
    try {
      if (JSON.stringify(value ?? null).length <= LARGEST_PLAIN_DATA) return (value ?? null) as PlainData;
    } catch {
      // Nested too deeply for the stack.
    }
    throw new StateError(`saved state: ${where} is longer than ${LARGEST_PLAIN_DATA} characters`);
  },
};

const CONFIGURATION_SHAPE = object({
  /** RAM and ROM in bytes. */
  memory: count,
  romSize: integer(0, 0x100_0000),
  cpus: integer(1, 256),
  clock: literal("real", "icount"),
  cpu: CPU_SHAPE,
  /** As the board describes itself: its name, its version, its options. */
  board: plain,
  /** Under which accelerator the machine was saved. For people: any may restore it that can. */
  accelerator: text(64),
  /** What was booted. For people. */
  boot: text(400),
});

export interface MachineConfiguration extends Omit<StateOf<typeof CONFIGURATION_SHAPE>, "cpu"> {
  readonly cpu: CpuModel;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

export function encodeConfiguration(configuration: MachineConfiguration): Uint8Array {
  const { cpu } = configuration;
  const model = { ...cpu, features: [...cpu.features], hash: modelHash(cpu) };
  return encodeJson(CONFIGURATION_SHAPE.parse({ ...configuration, cpu: model }, "configuration"));
}

/** @throws StateError */
export function decodeConfiguration(bytes: Uint8Array): MachineConfiguration {
  const { cpu, ...rest } = CONFIGURATION_SHAPE.parse(decodeJson(bytes), "configuration");
  const { hash, ...model } = { ...cpu, features: Uint32Array.from(cpu.features) };
  if (modelHash(model) !== hash) throw new StateError("saved state: the CPU model's hash is not that of its fields");
  return { ...rest, cpu: model };
}

export function encodeJson(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

/** @throws StateError */
export function decodeJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch (error) {
    throw new StateError(`saved state: this is not JSON: ${(error as Error).message}`);
  }
}
