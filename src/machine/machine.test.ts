import assert from "node:assert/strict";
import { test } from "node:test";
import type { BootImage } from "../boot/boot-image.js";
import { enterProtectedMode } from "../boot/boot-state.js";
import type { CharBackend, PlainData, Stateful } from "../devices/device.js";
import { StateError } from "../devices/device.js";
import { parseCpuModel } from "../vcpu/cpu-model.js";
import type { BoardBuilder } from "./board.js";
import { Machine, MachineError, type MachineOptions } from "./machine.js";
import { type FakeScript, fakeAccelerator } from "./testing/fake-accelerator.js";
import { FakeScheduler } from "./testing/fake-scheduler.js";

const POWER = 0x10;
const RESET = 0x11;
const LATCH = 0x12;
const CONSOLE = 0x13;

/** A board of one latch with a state, a console port, and ports for power and reset. */
const board: BoardBuilder = ({ ports, power, console, clock }) => {
  let latch = 0;
  const received: number[] = [];
  console?.onData((bytes) => received.push(...bytes));
  ports.add("power", POWER, 1, { read: () => 0, write: () => power.powerOff() });
  ports.add("reset", RESET, 1, { read: () => 0, write: () => power.reset() });
  ports.add("latch", LATCH, 1, {
    read: () => latch,
    write: (_, __, value) => {
      latch = value;
    },
  });
  ports.add("console", CONSOLE, 1, {
    read: () => received.shift() ?? 0,
    write: (_, __, value) => console?.write(Uint8Array.of(value)),
  });
  const state: Stateful<PlainData> = {
    save: () => ({ latch, at: clock.now() }),
    check: () => {},
    restore: (saved) => {
      latch = (saved as { latch: number }).latch;
    },
  };
  return {
    description: { name: "test" },
    acknowledgePic: () => 0,
    floatError: () => {},
    endOfInterrupt: () => {},
    writeAcpiTables: () => 0xe0000,
    powerButton: () => {
      latch = 0xff;
    },
    states: new Map([["latch", state]]),
  };
};

/** Counts its loads and enters at 0x100000. */
function makeImage(): BootImage & { loads: number } {
  return {
    kind: "multiboot",
    description: "test",
    rom: null,
    loads: 0,
    load({ memory, rsdp }) {
      this.loads++;
      assert.equal(rsdp, 0xe0000);
      return (reset) => enterProtectedMode(memory, reset, { rip: 0x100000n });
    },
  };
}

function makeMachine(script: FakeScript, options: Partial<MachineOptions> = {}) {
  const accelerator = fakeAccelerator([script]);
  const image = makeImage();
  const machine = new Machine({
    memory: 4 << 20,
    accelerator,
    cpuModel: parseCpuModel("default"),
    clock: "icount",
    scheduler: new FakeScheduler(),
    boot: image,
    board,
    ...options,
  });
  return { machine, image, vcpu: accelerator.vcpus[0] };
}

const off = { op: "out", port: POWER, size: 1, value: 0 } as const;
const reset = { op: "out", port: RESET, size: 1, value: 0 } as const;

test("several vCPUs need local APICs", () => {
  const cpuModel = parseCpuModel("486");
  assert.throws(() => makeMachine(function* () {}, { cpuModel, cpus: 2 }), { code: "MACHINE_OPTION", message: /486/ });
});

test("the image is loaded at power-on and the vCPU enters it", async () => {
  const { machine, image, vcpu } = makeMachine(function* () {
    yield off;
  });
  assert.equal(machine.status, "created");
  assert.equal(image.loads, 0);
  assert.deepEqual(await machine.start(), { kind: "poweroff" });
  assert.equal(image.loads, 1);
  assert.equal(vcpu.state.rip, 0x100000n);
  assert.equal(machine.memory.read16(0x413), 639, "conventional memory in KiB, as a BIOS would leave it");
  assert.equal(machine.memory.read16(0x40e), 0x9fc0);
  assert.equal(machine.status, "ended");
  assert.equal(machine.stats().instructions, 1);
  assert.throws(() => machine.start(), MachineError);
});

test("a reset builds the board again and loads the image again", async () => {
  let boots = 0;
  const seen: number[] = [];
  const { machine, image } = makeMachine(function* () {
    boots++;
    seen.push(yield { op: "in", port: LATCH, size: 1 });
    yield { op: "out", port: LATCH, size: 1, value: 7 };
    yield boots < 3 ? reset : off;
    yield { op: "spin", instructions: 1e9 };
  });
  assert.deepEqual(await machine.start(), { kind: "poweroff" });
  assert.equal(image.loads, 3);
  assert.deepEqual(seen, [0, 0, 0]);
  assert.equal(machine.stats().resets, 2);
});

test("noReboot makes a reset the outcome", async () => {
  const { machine } = makeMachine(
    function* () {
      yield reset;
      yield { op: "spin", instructions: 1e9 };
    },
    { noReboot: true },
  );
  assert.deepEqual(await machine.start(), { kind: "reset" });
});

test("console bytes go out at once and come in between slices, also after a reset", async () => {
  const written: number[] = [];
  let send: (bytes: Uint8Array) => void = () => {};
  const console: CharBackend = {
    write: (bytes) => written.push(...bytes),
    onData: (callback) => {
      send = callback;
    },
  };
  let boots = 0;
  const { machine } = makeMachine(
    function* () {
      boots++;
      if (boots === 1) yield reset;
      yield { op: "out", port: CONSOLE, size: 1, value: 0x3e };
      for (;;) {
        const byte = yield { op: "in", port: CONSOLE, size: 1 };
        if (byte === 0x71) yield off;
        else if (byte !== 0) yield { op: "out", port: CONSOLE, size: 1, value: byte };
        yield { op: "spin", instructions: 100_000 };
      }
    },
    { console },
  );
  setImmediate(() => send(Uint8Array.of(0x61, 0x62, 0x71)));
  await machine.start();
  assert.deepEqual(written, [0x3e, 0x61, 0x62]);
});

test("stop, and the power button", async () => {
  const { machine } = makeMachine(function* () {
    for (;;) {
      const latch = yield { op: "in", port: LATCH, size: 1 };
      if (latch === 0xff) yield off;
      yield { op: "spin", instructions: 100_000 };
    }
  });
  const running = machine.start();
  setImmediate(() => machine.powerButton());
  assert.deepEqual(await running, { kind: "poweroff" });

  const other = makeMachine(function* () {
    yield { op: "spin", instructions: 1e15 };
  }).machine;
  void other.start();
  assert.deepEqual(await other.stop(), { kind: "stopped" });
});

test("a paused machine is saved and another goes on with it", async () => {
  const script: FakeScript = function* () {
    yield { op: "out", port: LATCH, size: 1, value: 42 };
    yield { op: "spin", instructions: 1e15 };
  };
  const { machine } = makeMachine(script);
  void machine.start();
  await machine.pause();
  assert.equal(machine.status, "paused");
  const state = structuredClone(machine.save());
  assert.deepEqual(state.board.latch, { latch: 42, at: state.clock.now });
  await machine.stop();

  const seen: number[] = [];
  const { machine: next, image } = makeMachine(function* () {
    seen.push(yield { op: "in", port: LATCH, size: 1 });
    yield off;
  });
  next.restore(state);
  assert.equal(next.clock.now(), state.clock.now);
  await next.start();
  assert.equal(image.loads, 0, "a restored machine does not boot");
  assert.deepEqual(seen, [42]);
  assert.equal(next.clock.now(), state.clock.now + 2);

  assert.throws(() => makeMachine(script, { cpus: 2 }).machine.restore(state), StateError);
  assert.throws(() => makeMachine(script).machine.restore({ ...state, version: 9 as 1 }), StateError);
  assert.throws(() => makeMachine(script).machine.restore({ ...state, board: {} }), StateError);
  const { clock } = state;
  assert.throws(() => makeMachine(script, { clock: "real" }).machine.restore({ ...state, clock }), /icount clock/);
});

test("a running machine cannot be saved or restored", async () => {
  const { machine } = makeMachine(function* () {
    yield { op: "spin", instructions: 1e15 };
  });
  const state = machine.save();
  void machine.start();
  assert.throws(() => machine.save(), MachineError);
  assert.throws(() => machine.restore(state), MachineError);
  await machine.stop();
});

test("options that no machine can have are refused", () => {
  const idle: FakeScript = function* () {};
  assert.throws(() => makeMachine(idle, { cpus: 0 }), MachineError);
  assert.throws(() => makeMachine(idle, { cpus: 17 }), MachineError);
  assert.throws(() => makeMachine(idle, { memory: 1000 }), /memory must be between 2 and/);
});
