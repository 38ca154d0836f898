import assert from "node:assert/strict";
import { before, test } from "node:test";
import type { BootImage } from "../../boot/boot-image.js";
import { enterLongMode } from "../../boot/boot-state.js";
import { StateError } from "../../devices/device.js";
import { RAM_OFFSET } from "../../guest-memory/guest-memory.js";
import { assemble } from "../../test-support/assemble.js";
import { testInterpreter } from "../../test-support/interpreter.js";
import { Random } from "../../test-support/random.js";
import type { Accelerator } from "../../vcpu/accelerator.js";
import { AcceleratorError } from "../../vcpu/accelerator.js";
import { type CpuModel, parseCpuModel } from "../../vcpu/cpu-model.js";
import { Machine, MachineError, type MachineOptions } from "../machine.js";
import { pcBoard } from "../pc-board.js";
import { FakeScheduler } from "../testing/fake-scheduler.js";
import { saveMachine } from "./save-machine.js";
import { SavedMachine } from "./saved-machine.js";
import { SavedMachineError } from "./saved-machine-error.js";
import { readSections, SectionWriter } from "./sections.js";
import { MemoryFile } from "./testing/memory-file.js";

const CODE = 0x100000;
const MEMORY = 4 << 20;

/** Counts in memory and on the serial port for ever. */
const COUNTING = assemble(
  `
  mov rbx, 0x200000
1: inc qword ptr [rbx]
  mov eax, [rbx]
  and al, 63
  add al, 32
  mov edx, 0x3f8
  out dx, al
  mov ecx, 100
2: loop 2b
  jmp 1b
`,
  64,
  CODE,
);

let accelerator: Accelerator;
before(async () => {
  accelerator = await testInterpreter();
});

const image: BootImage = {
  kind: "pvh",
  description: "a test",
  rom: null,
  load: ({ memory }) => {
    memory.write(CODE, COUNTING);
    return (reset) => enterLongMode(memory, reset, { rip: BigInt(CODE) });
  },
};

function makeMachine(options: Partial<MachineOptions> = {}) {
  const output: number[] = [];
  const machine = new Machine({
    memory: MEMORY,
    accelerator,
    cpuModel: parseCpuModel("default"),
    clock: "icount",
    scheduler: new FakeScheduler(),
    boot: image,
    board: pcBoard(),
    console: { write: (bytes) => output.push(...bytes), onData: () => {} },
    ...options,
  });
  return { machine, output };
}

/** Runs to an instruction and saves there. */
async function saveAt(instructions: number, options: Partial<MachineOptions> = {}, compress = true) {
  const { machine, output } = makeMachine(options);
  const there = machine.pauseAt({ instructions });
  void machine.start();
  assert.equal(await there, true);
  assert.equal(machine.stats().instructions, instructions);
  const file = new MemoryFile();
  assert.equal(await saveMachine(machine, file, { compress }), file.size);
  return { machine, output, file };
}

const refused =
  (code: string, pattern = /./) =>
  (error: unknown) => {
    assert.ok(error instanceof SavedMachineError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, pattern);
    return true;
  };

test("a restored machine goes on as the saved one does", async () => {
  for (const [cpus, compress] of [
    [1, true],
    [2, false],
  ] as const) {
    const { machine: first, output, file } = await saveAt(123_457, { cpus }, compress);
    const { machine: second, output: rest } = makeMachine({ cpus });
    const saved = await SavedMachine.open(file);
    assert.equal(saved.configuration.memory, MEMORY);
    assert.equal(saved.configuration.accelerator, "interpret");
    await saved.restore(second);
    const before = output.length;
    const there = [first, second].map((machine) => machine.pauseAt({ instructions: 500_000 }));
    void second.start();
    first.resume();
    assert.deepEqual(await Promise.all(there), [true, true]);
    assert.deepEqual(rest, output.slice(before));
    assert.ok(rest.length > 1000);
    assert.deepEqual(second.save(), first.save());
    assert.deepEqual(second.memory.bytes.slice(RAM_OFFSET), first.memory.bytes.slice(RAM_OFFSET));
    for (const machine of [first, second]) await machine.stop();
  }
});

test("pages of zeros are left out, and RAM that was not zero becomes so", async () => {
  const { file, machine: saved } = await saveAt(1000);
  assert.ok(file.size < 40_000, `${file.size} bytes`);
  const { machine } = makeMachine();
  machine.memory.fill(0x300000, 4096, 0xee);
  await (await SavedMachine.open(file)).restore(machine);
  assert.equal(machine.memory.read8(0x300000), 0);
  assert.equal(machine.memory.read64(0x200000), saved.memory.read64(0x200000));
});

test("progress is told, and a signal stops it", async () => {
  const { machine, file } = await saveAt(1000);
  const told: number[] = [];
  await SavedMachine.open(file, { progress: (bytes, of) => told.push(bytes / of) });
  assert.ok(told.length > 10 && told.every((part, index) => part <= 1 && part > (told[index - 1] ?? 0)));
  const stopped = AbortSignal.abort(new Error("enough"));
  await assert.rejects(saveMachine(machine, new MemoryFile(), { signal: stopped }), /enough/);
  await assert.rejects(SavedMachine.open(file, { signal: stopped }), /enough/);
});

test("a machine that runs or has ended is not saved", async () => {
  const { machine } = makeMachine();
  void machine.start();
  await assert.rejects(saveMachine(machine, new MemoryFile()), MachineError);
  await machine.pause();
  const slow = new MemoryFile();
  const saving = saveMachine(machine, slow);
  machine.resume();
  await assert.rejects(saving, /went on while it was being saved/);
  await machine.stop();
  await assert.rejects(saveMachine(machine, new MemoryFile()), /has ended/);
});

test("another machine is refused with all differences, and is not changed", async () => {
  const { file } = await saveAt(1000);
  const saved = await SavedMachine.open(file);
  const { machine } = makeMachine({ memory: 8 << 20, cpus: 2, clock: "real", board: pcBoard({ debugExit: true }) });
  machine.memory.write32(0x200000, 0x1234);
  await assert.rejects(saved.restore(machine), refused("SAVED_MISMATCH", /memory.*vCPUs: 1 and not 2.*clock.*board/));
  const other = makeMachine({ cpuModel: parseCpuModel("default,-sha") }).machine;
  await assert.rejects(saved.restore(other), refused("SAVED_MISMATCH", /CPU model/));
  assert.equal(machine.memory.read32(0x200000), 0x1234);
});

test("CPU features that the accelerator lacks are named", async () => {
  const { file } = await saveAt(1000);
  const saved = await SavedMachine.open(file);
  saved.checkCpu(accelerator);
  const { features } = parseCpuModel("x86-64-v2");
  const offers = (change: Partial<CpuModel>) => ({ offer: (model: CpuModel) => ({ ...model, ...change }) });
  assert.throws(() => saved.checkCpu(offers({ features })), refused("SAVED_CPU", /features .*aes, .*sha.* not offer/));
  assert.throws(() => saved.checkCpu(offers({ physicalBits: 36 })), refused("SAVED_CPU", /40 .*bits.* offers 36/));
  assert.throws(() => saved.checkCpu(offers({ brand: "x" })), refused("SAVED_CPU", /another CPU model/));
});

/** The file with one section changed, its checksums right. */
async function rewrite(
  file: MemoryFile,
  change: (kind: string, payload: Uint8Array, index: number) => Uint8Array | null,
): Promise<MemoryFile> {
  const result = new MemoryFile();
  const writer = new SectionWriter(result, false);
  await writer.begin();
  let index = 0;
  for await (const { kind, payload } of readSections(file)) {
    const changed = change(kind, payload.slice(), index++);
    if (changed !== null) await writer.write(kind, changed);
  }
  await writer.end();
  return result;
}

function changeJson(kind: string, edit: (value: Record<string, never>) => unknown) {
  let done = false;
  return (found: string, payload: Uint8Array) => {
    if (found !== kind || done) return payload;
    done = true;
    const edited = edit(JSON.parse(new TextDecoder().decode(payload)));
    return edited === null ? null : new TextEncoder().encode(JSON.stringify(edited));
  };
}

async function openAndRestore(file: MemoryFile): Promise<Machine> {
  const saved = await SavedMachine.open(file);
  const { machine } = makeMachine();
  await saved.restore(machine);
  return machine;
}

test("hostile sections with right checksums are refused by what is wrong with them", async () => {
  const { file } = await saveAt(1000);
  const cases: [string, (value: Record<string, never>) => unknown, string, RegExp][] = [
    ["HEAD", (head) => ({ ...head, memory: 1e15 }), "SAVED_MISMATCH", /memory/],
    ["HEAD", (head) => ({ ...head, cpus: 1e9 }), "SAVED_CONTENT", /configuration\.cpus/],
    ["HEAD", (head) => ({ ...head, board: "x".repeat(5000) }), "SAVED_CONTENT", /configuration\.board/],
    ["HEAD", (head) => ({ ...head, cpu: { ...(head.cpu as object), brand: "another" } }), "SAVED_CONTENT", /hash/],
    ["HEAD", () => null, "SAVED_CONTENT", /first section/],
    ["MACH", (state) => ({ ...state, version: 9 }), "SAVED_VERSION", /version 9/],
    ["MACH", () => null, "SAVED_CONTENT", /not there/],
    ["VCPU", () => null, "SAVED_CONTENT", /not there/],
    ["VCPU", (state) => ({ ...state, rip: "0x10000000000000000" }), "SAVED_CONTENT", /vCPU 0\.rip/],
    ["VCPU", (state) => ({ ...state, gpr: [] }), "SAVED_CONTENT", /vCPU 0\.gpr/],
    ["VCPU", (state) => ({ ...state, msrs: { "-1": "0x0" } }), "SAVED_CONTENT", /msrs/],
    ["DEVS", (device) => ({ ...device, name: "floppy" }), "SAVED_STATE", /no device floppy/],
    ["DEVS", () => null, "SAVED_STATE", /no device/],
    ["DEVS", (device) => ({ ...device, name: "__proto__" }), "SAVED_STATE", /no device/],
    ["DEVS", (device) => ({ ...device, state: { version: 7 } }), "SAVED_STATE", /version/],
  ];
  for (const [kind, edit, code, pattern] of cases) {
    const changed = await rewrite(file, changeJson(kind, edit));
    await assert.rejects(openAndRestore(changed), (error: Error & { code?: string }) => {
      assert.equal(error.code, code, `${kind}: ${error.message}`);
      assert.match(error.message, pattern);
      return true;
    });
  }
  const noJson = await rewrite(file, (kind, payload) => (kind === "DEVS" ? Uint8Array.of(0xff, 0xfe) : payload));
  await assert.rejects(SavedMachine.open(noJson), refused("SAVED_CONTENT", /not JSON/));
  const deep = await rewrite(file, (kind, payload) =>
    kind === "HEAD" ? new TextEncoder().encode(`{"board":${"[".repeat(200_000)}${"]".repeat(200_000)}}`) : payload,
  );
  await assert.rejects(SavedMachine.open(deep), refused("SAVED_CONTENT"));
});

test("hostile pages are refused: outside of RAM, twice, cut off", async () => {
  const { file } = await saveAt(1000);
  const changePages = (change: (view: DataView) => void) =>
    rewrite(file, (kind, payload) => {
      if (kind === "PAGE") change(new DataView(payload.buffer));
      return payload;
    });
  const cases: [(view: DataView) => void, RegExp][] = [
    [(view) => view.setUint32(0, 3, true), /region 3/],
    [(view) => view.setUint32(4, 0xffff_ffff, true), /cut off/],
    [(view) => view.setUint32(4, 0, true), /bytes follow/],
    [(view) => view.setUint32(8, 0x7fff_ffff, true), /not in the machine's RAM/],
    [(view) => view.setUint32(12, 0x10_0000, true), /not in the machine's RAM/],
    [(view) => view.setUint32(12, 0, true), /not in the machine's RAM/],
    [(view) => view.setUint32(16, view.getUint32(8, true), true), /twice or out of order/],
  ];
  for (const [change, pattern] of cases) {
    await assert.rejects(SavedMachine.open(await changePages(change)), refused("SAVED_CONTENT", pattern));
  }
});

test("random damage under right checksums: a typed error, or a machine that runs", async () => {
  const { file } = await saveAt(1000);
  const sections = [];
  for await (const section of readSections(file)) sections.push(section);
  const random = new Random(3);
  const { machine: judge } = makeMachine();
  let refusals = 0;
  let runs = 0;
  for (let round = 0; round < 300; round++) {
    const target = random.int(sections.length);
    const changed = await rewrite(file, (_, payload, index) => {
      if (index !== target || payload.length === 0) return payload;
      for (let count = 1 + random.int(3); count > 0; count--) {
        payload[random.int(payload.length)] = random.pick([random.u32(), 0x30 + random.int(10)]);
      }
      return random.chance(0.1) ? payload.subarray(0, random.int(payload.length)) : payload;
    });
    try {
      const saved = await SavedMachine.open(changed);
      await saved.restore(judge);
      // A machine costs a while: not every one is run.
      if (runs++ >= 20) continue;
      const { machine } = makeMachine();
      await saved.restore(machine);
      const there = machine.pauseAt({ instructions: machine.stats().instructions + 2000 });
      void machine.start();
      if (await there) await machine.stop();
    } catch (error) {
      const typed = [SavedMachineError, StateError, AcceleratorError].some((kind) => error instanceof kind);
      assert.ok(typed, `round ${round}: ${(error as Error).stack}`);
      refusals++;
    }
  }
  assert.ok(refusals > 100 && runs > 20, `${refusals} refused, ${runs} not`);
});
