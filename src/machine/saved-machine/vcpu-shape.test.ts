import assert from "node:assert/strict";
import { test } from "node:test";
import { StateError } from "../../devices/device.js";
import { GuestMemory, RAM_OFFSET } from "../../guest-memory/guest-memory.js";
import { testInterpreter } from "../../test-support/interpreter.js";
import { Random } from "../../test-support/random.js";
import { AcceleratorError, type Vcpu } from "../../vcpu/accelerator.js";
import { parseCpuModel } from "../../vcpu/cpu-model.js";
import type { VcpuState } from "../../vcpu/state.js";
import { VCPU_SHAPE, vcpuToJson } from "./vcpu-shape.js";

const RAM_BYTES = 0x10_0000;

async function makeVcpu(): Promise<{ vcpu: Vcpu; memory: GuestMemory }> {
  const memory = new GuestMemory(RAM_BYTES);
  memory.setSlots([{ gpa: 0, size: RAM_BYTES, offset: RAM_OFFSET, readonly: false }]);
  const vcpu: Vcpu = (await testInterpreter()).createVm(memory).createVcpu({
    id: 0,
    count: 1,
    model: parseCpuModel("default"),
    bus: {
      portRead: () => 0,
      portWrite: () => {},
      mmioRead: () => 0,
      mmioWrite: () => {},
      acknowledgePic: () => 0,
      endOfInterrupt: () => {},
      sendIpi: () => {},
    },
    clock: { mode: "icount", now: () => vcpu?.instructions ?? 0 },
    random: () => 1,
  });
  return { vcpu, memory };
}

const parse = (text: string): VcpuState => VCPU_SHAPE.parse(JSON.parse(text), "vCPU");

test("every field goes through the file", async () => {
  const { vcpu } = await makeVcpu();
  const reset = vcpu.getState();
  // What reset leaves at zero or out.
  const state: VcpuState = {
    ...reset,
    gpr: reset.gpr.map((_, index) => 2n ** 64n - BigInt(index + 1)),
    fpu: { ...reset.fpu, vectors: reset.fpu.vectors.map((_, index) => index.toString(16).padStart(2, "0").repeat(32)) },
    event: { kind: "exception", vector: 14, errorCode: 2, payload: 0x1234n },
    pendingDebug: 0x4001n,
    pkru: 0x55555554,
    interruptShadow: "mov-ss",
    nmiPending: true,
    apic: { ...reset.apic, timerStart: -1.5, timerDeadline: 2 ** 60, pendingErrors: 0x40 },
  };
  const read = parse(vcpuToJson(state));
  assert.deepEqual(read, state);
  vcpu.setState(read);
  assert.deepEqual(vcpu.getState(), state);
  // And is gone with the next state.
  vcpu.setState(reset);
  assert.deepEqual(vcpu.getState(), reset);
});

test("random nonsense in a state is refused, or it is a state that the vCPU survives", async () => {
  const { vcpu, memory } = await makeVcpu();
  const random = new Random(7);
  const numbers = ["0x0", "0xffffffffffffffff", "0x8000000000000000", "0x80050033", "0xd01", "0x6a0", "0xfee00c00"];
  const words = [
    "none",
    "sti",
    "mov-ss",
    "exception",
    "software",
    "halted",
    "wait-for-sipi",
    "init-received",
    "shutdown",
  ];
  const nonsense = (value: unknown): unknown => {
    if (typeof value === "boolean") return !value;
    if (typeof value === "number") return random.pick([0, 1, 255, 0xffff, random.u32(), random.int(256), 1e300, -1]);
    if (typeof value !== "string") return random.pick([null, 0, 13, "0x1"]);
    if (value.startsWith("0x")) {
      return random.chance(0.5) ? random.pick(numbers) : `0x${(random.u64() >> BigInt(random.int(64))).toString(16)}`;
    }
    return value.length === 64 ? value.replaceAll("0", () => random.int(16).toString(16)) : random.pick(words);
  };
  const spoil = (value: unknown, probability: number): unknown => {
    if (Array.isArray(value)) return value.map((each) => spoil(each, probability));
    if (typeof value !== "object" || value === null) return random.chance(probability) ? nonsense(value) : value;
    const kept = ["version", "modelHash", "nested"];
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [key, kept.includes(key) ? each : spoil(each, probability)]),
    );
  };
  const good = JSON.parse(vcpuToJson(vcpu.getState()));
  let taken = 0;
  for (let round = 0; round < 1000; round++) {
    memory.write(random.int(RAM_BYTES - 4096), random.fill(new Uint8Array(4096)));
    const before = vcpu.getState();
    try {
      vcpu.setState(VCPU_SHAPE.parse(spoil(good, random.pick([0.01, 0.05])), "vCPU"));
    } catch (error) {
      const typed =
        error instanceof StateError || (error instanceof AcceleratorError && error.code === "STATE_MISMATCH");
      assert.ok(typed, `round ${round}: ${(error as Error).stack}`);
      assert.deepEqual(vcpu.getState(), before, "nothing has changed");
      continue;
    }
    taken++;
    const exit = await vcpu.run({ instructions: 500 });
    if (exit.reason === "internal-error") assert.notEqual(exit.error.code, "ACCELERATOR_DEFECT", exit.error.message);
  }
  assert.ok(taken > 50 && taken < 950, `${taken} taken`);
});
