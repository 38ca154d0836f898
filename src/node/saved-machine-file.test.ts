import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Machine } from "../machine/machine.js";
import { pcBoard } from "../machine/pc-board.js";
import { SavedMachine } from "../machine/saved-machine/saved-machine.js";
import { SavedMachineError } from "../machine/saved-machine/saved-machine-error.js";
import { testInterpreter } from "../test-support/interpreter.js";
import { Random } from "../test-support/random.js";
import { parseCpuModel } from "../vcpu/cpu-model.js";
import { FileError } from "./files.js";
import { openSavedMachineFile, saveMachineFile } from "./saved-machine-file.js";
import { nodeScheduler } from "./scheduler.js";

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "ringvisor-saved-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A machine that was never started, with 3 MiB of noise in its RAM. */
async function makeMachine(): Promise<Machine> {
  const machine = new Machine({
    memory: 8 << 20,
    accelerator: await testInterpreter(),
    cpuModel: parseCpuModel("default"),
    scheduler: nodeScheduler,
    boot: { kind: "bios", description: "nothing", rom: null, load: () => null },
    board: pcBoard(),
  });
  machine.memory.write(0x200000, new Random(1).fill(new Uint8Array(3 << 20)));
  return machine;
}

test("what was written is read, and only its owner may", async (t) => {
  const name = join(temporaryFolder(t), "machine");
  const machine = await makeMachine();
  const size = await saveMachineFile(machine, name);
  assert.equal(statSync(name).size, size);
  assert.equal(statSync(name).mode & 0o777, 0o600);
  const file = await openSavedMachineFile(name);
  const other = await makeMachine();
  other.memory.fill(0x200000, 4096, 0);
  await (await SavedMachine.open(file)).restore(other);
  await file.close();
  assert.deepEqual(other.memory.view(0x200000, 3 << 20), machine.memory.view(0x200000, 3 << 20));
});

test("a save that is given up in the middle leaves the older file and nothing else", async (t) => {
  const folder = temporaryFolder(t);
  const name = join(folder, "machine");
  writeFileSync(name, "the older one");
  const machine = await makeMachine();
  const stop = new AbortController();
  const progress = (bytes: number): void => {
    if (bytes > 1 << 20) stop.abort(new Error("enough"));
  };
  await assert.rejects(saveMachineFile(machine, name, { signal: stop.signal, progress }), /enough/);
  assert.deepEqual(readdirSync(folder), ["machine"]);
  assert.equal(readFileSync(name, "utf8"), "the older one");
});

test("a process that exits in the middle of a save leaves nothing", async (t) => {
  const folder = temporaryFolder(t);
  const from = (file: string) => JSON.stringify(new URL(file, import.meta.url).href);
  const script = `
    import { Machine } from ${from("../machine/machine.js")};
    import { pcBoard } from ${from("../machine/pc-board.js")};
    import { testInterpreter } from ${from("../test-support/interpreter.js")};
    import { parseCpuModel } from ${from("../vcpu/cpu-model.js")};
    import { nodeScheduler } from ${from("./scheduler.js")};
    import { saveMachineFile } from ${from("./saved-machine-file.js")};
    const machine = new Machine({
      memory: 8 << 20,
      accelerator: await testInterpreter(),
      cpuModel: parseCpuModel("default"),
      scheduler: nodeScheduler,
      boot: { kind: "bios", description: "nothing", rom: null, load: () => null },
      board: pcBoard(),
    });
    const { readdirSync } = await import("node:fs");
    const folder = ${JSON.stringify(folder)};
    await saveMachineFile(machine, folder + "/machine", {
      progress: () => process.exit(readdirSync(folder).length === 1 ? 3 : 4),
    });
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  assert.equal(code, 3, "in the middle there was a file");
  assert.deepEqual(readdirSync(folder), []);
});

test("a full disk, a folder, and what is not there: errors with the file's name", async (t) => {
  const folder = temporaryFolder(t);
  const machine = await makeMachine();
  await assert.rejects(saveMachineFile(machine, folder), (error: Error) => error instanceof FileError);
  await assert.rejects(saveMachineFile(machine, join(folder, "a", "b")), /a\/b: no such file/);
  await assert.rejects(openSavedMachineFile(join(folder, "a")), /a: no such file/);
  await assert.rejects(openSavedMachineFile(folder), /is not a regular file/);
  await assert.rejects(openSavedMachineFile("/dev/zero"), /is not a regular file/);
  assert.deepEqual(readdirSync(folder), []);
});

test("a file that shrinks after it was opened is refused", async (t) => {
  const name = join(temporaryFolder(t), "machine");
  const machine = await makeMachine();
  await saveMachineFile(machine, name);
  const file = await openSavedMachineFile(name);
  const saved = await SavedMachine.open(file);
  writeFileSync(name, readFileSync(name).subarray(0, 100_000));
  await assert.rejects(saved.restore(await makeMachine()), (error: unknown) => {
    return error instanceof SavedMachineError && error.code === "SAVED_TRUNCATED";
  });
  await file.close();
});
