import assert from "node:assert/strict";
import { test } from "node:test";
import { GuestMemory } from "../guest-memory/guest-memory.js";
import { Bus } from "./bus.js";
import { type ClockMode, MachineClock } from "./clock.js";
import { InterruptRouter } from "./interrupts.js";
import { RunLoop } from "./run-loop.js";
import { type FakeOptions, type FakeScript, fakeAccelerator } from "./testing/fake-accelerator.js";
import { FakeScheduler } from "./testing/fake-scheduler.js";

const POWER = 0x604;

/** vCPUs, buses, a clock and a port that switches off. */
function makeLoop(scripts: FakeScript[], mode: ClockMode = "icount", options: FakeOptions = {}) {
  const scheduler = new FakeScheduler();
  const clock = new MachineClock({ mode, monotonic: () => scheduler.monotonic(), startTime: 0 });
  const ports = new Bus(0x10000);
  const mmio = new Bus(2 ** 52);
  const router = new InterruptRouter();
  const accelerator = fakeAccelerator(scripts, options);
  const memory = new GuestMemory(0x10000);
  const bus = {
    portRead: (port: number, size: number) => ports.read(port, size),
    portWrite: (port: number, size: number, value: number) => ports.write(port, size, value),
    mmioRead: (gpa: number, size: number) => mmio.read(gpa, size),
    mmioWrite: (gpa: number, size: number, value: number) => mmio.write(gpa, size, value),
    acknowledgePic: () => 0,
    endOfInterrupt: () => {},
    sendIpi: () => {},
  };
  const vm = accelerator.createVm(memory);
  for (let id = 0; id < scripts.length; id++) {
    const model = undefined as never;
    router.attach(vm.createVcpu({ id, count: scripts.length, model, bus, clock }));
  }
  const { vcpus } = accelerator;
  let resets = 0;
  const reset = () => {
    resets++;
    for (const vcpu of vcpus) vcpu.reset();
  };
  const loop = new RunLoop({ vcpus, vm, clock, ports, mmio, scheduler, reset });
  ports.add("power", POWER, 1, { read: () => 0, write: () => loop.end({ kind: "poweroff" }) });
  return { loop, clock, ports, mmio, router, vcpus, scheduler, resets: () => resets };
}

const off = { op: "out", port: POWER, size: 1, value: 0 } as const;

test("a device ends the run from inside an access", async () => {
  const { loop, vcpus } = makeLoop([
    function* () {
      yield { op: "spin", instructions: 10 };
      yield off;
      yield { op: "spin", instructions: 1e12 };
    },
  ]);
  assert.deepEqual(await loop.run(), { kind: "poweroff" });
  assert.equal(vcpus[0].instructions, 11);
});

test("accesses that the accelerator leaves to the loop reach the buses", async () => {
  for (const promises of [false, true]) {
    const seen: number[] = [];
    const { loop, ports, mmio } = makeLoop(
      [
        function* () {
          seen.push(yield { op: "in", port: 0x10, size: 1 });
          seen.push(yield { op: "load", gpa: 0xfec00010, size: 4 });
          yield { op: "store", gpa: 0xfec00000, size: 4, value: 9 };
          yield off;
        },
      ],
      "icount",
      { leaveForAccesses: true, promises },
    );
    ports.add("a", 0x10, 1, { read: () => 0x42, write: () => {} });
    mmio.add("b", 0xfec00000, 0x20, { read: (offset) => offset, write: (_, __, value) => seen.push(value) });
    assert.deepEqual(await loop.run(), { kind: "poweroff" });
    assert.deepEqual(seen, [0x42, 0x10, 9]);
  }
});

test("icount: a timer fires exactly at its deadline, also one that is armed in the middle of a slice", async () => {
  const fired: number[] = [];
  const { loop, clock, ports } = makeLoop([
    function* () {
      yield { op: "spin", instructions: 100 };
      yield { op: "out", port: 0x40, size: 1, value: 0 };
      yield { op: "spin", instructions: 10_000 };
      yield off;
    },
  ]);
  const timer = clock.timer(() => {
    fired.push(clock.now());
    timer.arm(clock.now() + 1000);
  });
  ports.add("timer", 0x40, 1, { read: () => 0, write: () => timer.arm(clock.now() + 50) });
  await loop.run();
  assert.deepEqual(fired.slice(0, 3), [151, 1151, 2151]);
  assert.equal(fired.length, 10);
});

test("icount: who waits jumps to the next timer, of the board or of a vCPU, without waiting on the host", async () => {
  const times: number[] = [];
  const { loop, clock, vcpus, scheduler } = makeLoop([
    function* (vcpu) {
      yield { op: "hlt" };
      times.push(vcpu.options.clock.now());
      vcpu.extInt = false;
      yield { op: "apic-timer", deadline: 9e9 };
      yield { op: "hlt" };
      times.push(vcpu.options.clock.now());
      yield off;
    },
  ]);
  clock.timer(() => vcpus[0].setExtInt(true)).arm(5e9);
  await loop.run();
  assert.deepEqual(times, [5e9 + 1, 9e9 + 1]);
  assert.deepEqual(scheduler.waits, []);
});

test("real time: who waits sleeps until the next timer", async () => {
  const { loop, clock, vcpus, scheduler } = makeLoop(
    [
      function* () {
        yield { op: "hlt" };
        yield off;
      },
    ],
    "real",
  );
  clock.timer(() => vcpus[0].setExtInt(true)).arm(250e6);
  await loop.run();
  assert.equal(scheduler.waits[0], 249);
  assert.ok(clock.now() >= 250e6);
});

test("an input from outside wakes a machine that has no timer", async () => {
  const { loop, vcpus } = makeLoop([
    function* () {
      yield { op: "hlt" };
      yield off;
    },
  ]);
  setImmediate(() => loop.post(() => vcpus[0].setExtInt(true)));
  assert.deepEqual(await loop.run(), { kind: "poweroff" });
  assert.equal(loop.stats.inputs, 1);
});

test("vCPUs take turns, and who is woken by an IPI runs", async () => {
  const log: string[] = [];
  const { loop, router } = makeLoop([
    function* () {
      yield { op: "spin", instructions: 120_000 };
      log.push("0 sends");
      router.deliver({
        destination: 1,
        destinationMode: "physical",
        deliveryMode: "fixed",
        vector: 0x30,
        triggerMode: "edge",
        level: true,
        shorthand: "none",
      });
      yield { op: "spin", instructions: 1e9 };
    },
    function* (vcpu) {
      yield { op: "hlt" };
      log.push(`1 got ${vcpu.arrived[0].vector} at ${vcpu.options.clock.now()}`);
      yield off;
    },
  ]);
  await loop.run();
  assert.deepEqual(log, ["0 sends", "1 got 48 at 150001"]);
});

test("a reset starts all vCPUs again", async () => {
  let starts = 0;
  const made = makeLoop([
    function* () {
      starts++;
      if (starts === 3) yield off;
      yield { op: "out", port: 0x64, size: 1, value: 0xfe };
    },
  ]);
  made.ports.add("i8042", 0x64, 1, { read: () => 0, write: () => made.loop.requestReset() });
  await made.loop.run();
  assert.equal(made.resets(), 2);
});

test("a triple fault is a crash with the vCPU's state", async () => {
  const { loop } = makeLoop([
    function* () {
      yield { op: "exit", exit: { reason: "shutdown" } };
    },
  ]);
  const outcome = await loop.run();
  assert.ok(outcome.kind === "crash");
  assert.equal(outcome.state.instructions, 1);
});

test("a device that throws and an intercept that nobody handles are internal errors", async () => {
  const broken = makeLoop([
    function* () {
      yield { op: "in", port: 0x99, size: 1 };
    },
  ]);
  broken.ports.add("broken", 0x99, 1, {
    read: () => {
      throw new Error("defect");
    },
    write: () => {},
  });
  const outcome = await broken.loop.run();
  assert.ok(outcome.kind === "internal-error");
  assert.equal(outcome.error.message, "defect");
  assert.equal(outcome.vcpu, 0);

  const script: FakeScript = function* () {
    yield { op: "exit", exit: { reason: "hypercall" } };
    yield off;
  };
  assert.equal((await makeLoop([script]).loop.run()).kind, "internal-error");
  const handled = makeLoop([script]);
  handled.loop.onIntercept = () => {};
  assert.equal((await handled.loop.run()).kind, "poweroff");
});

test("a paused machine does nothing and its clock stands still", async () => {
  const { loop, clock, vcpus, scheduler } = makeLoop(
    [
      function* () {
        yield { op: "spin", instructions: 1e12 };
      },
    ],
    "real",
  );
  const running = loop.run();
  await loop.pause();
  const [now, retired] = [clock.now(), vcpus[0].instructions];
  scheduler.time += 1e9;
  assert.equal(clock.now(), now);
  assert.equal(vcpus[0].instructions, retired);
  loop.resume();
  setImmediate(() => loop.end({ kind: "stopped" }));
  assert.deepEqual(await running, { kind: "stopped" });
  assert.ok(vcpus[0].instructions > retired);
});

test("a debug exit pauses the machine before it is reported", async () => {
  const made = makeLoop([
    function* () {
      yield { op: "exit", exit: { reason: "debug", cause: "breakpoint", address: 0x1000n } };
      yield off;
    },
  ]);
  const stops: bigint[] = [];
  made.loop.onDebugStop = (stop) => {
    assert.ok(made.loop.isPaused);
    stops.push(stop.exit.address);
    made.loop.resume();
  };
  await made.loop.run();
  assert.deepEqual(stops, [0x1000n]);
});

test("a machine that is stopped while it is paused ends", async () => {
  const { loop } = makeLoop([
    function* () {
      yield { op: "spin", instructions: 1e12 };
    },
  ]);
  const running = loop.run();
  await loop.pause();
  loop.end({ kind: "stopped" });
  assert.deepEqual(await running, { kind: "stopped" });
});

test("a timer that comes due while the loop decides to wait is not slept over", async () => {
  // The fake host's clock goes on by 100 ns whenever it is looked at: one of these deadlines falls in between.
  for (let deadline = 50; deadline < 6000; deadline += 50) {
    const { loop } = makeLoop(
      [
        function* () {
          yield { op: "apic-timer", deadline };
          yield { op: "hlt" };
          yield off;
        },
      ],
      "real",
    );
    assert.deepEqual(await loop.run(), { kind: "poweroff" });
  }
});

test("stop points: exact in instructions, and in time across a wait; the end comes before the last", async () => {
  const { loop, clock, vcpus } = makeLoop([
    function* () {
      yield { op: "spin", instructions: 1000 };
      yield { op: "apic-timer", deadline: 50_000 };
      yield { op: "hlt" };
      yield { op: "spin", instructions: 1000 };
      yield off;
    },
  ]);
  const seen: [number, number][] = [];
  const stops = [{ instructions: 700 }, { time: 900 }, { time: 30_000 }, { instructions: 5000 }].map(async (point) => {
    const reached = await loop.pauseAt(point);
    if (!reached) return false;
    assert.ok(loop.isPaused);
    seen.push([vcpus[0].instructions, clock.now()]);
    loop.resume();
    return true;
  });
  assert.deepEqual(await loop.run(), { kind: "poweroff" });
  assert.deepEqual(await Promise.all(stops), [true, true, true, false]);
  assert.deepEqual(seen, [
    [700, 700],
    [900, 900],
    [1001, 30_000],
  ]);
});

test("a stop point does not change whose turn it is, nor for how long", async () => {
  const turns = async (points: number[]): Promise<string> => {
    let order = "";
    const spinner = (name: string): FakeScript =>
      function* () {
        for (let count = 0; count < 30; count++) {
          yield { op: "spin", instructions: 9999 };
          order += name;
          yield { op: "spin", instructions: 1 };
        }
        if (name === "b") yield off;
      };
    const { loop } = makeLoop([spinner("a"), spinner("b")]);
    for (const instructions of points) {
      void loop.pauseAt({ instructions }).then(() => {
        // Also what is saved and restored there.
        const state = structuredClone(loop.save());
        loop.restore(state);
        loop.resume();
      });
    }
    await loop.run();
    return order;
  };
  const undisturbed = await turns([]);
  assert.match(undisturbed, /^a{5}b{5}a{5}/);
  assert.equal(await turns([1, 20_000, 49_999, 50_000, 70_001, 123_456]), undisturbed);
});
