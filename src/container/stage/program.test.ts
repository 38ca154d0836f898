/** Stage programs, run for real: what the emitted machine code does. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { identify } from "../state/process-identity.js";
import { ERRNO } from "./constants.js";
import { MESSAGE_EVENT, MESSAGE_FAILED, MESSAGE_SIZE, StageProgram } from "./program.js";
import { Stage, type StageError } from "./run.js";

const skip = (process.platform !== "linux" || process.arch !== "x64") && "stages run on Linux on x86-64";

/** Runs a program whose channel is its standard output. */
function run(emit: (program: StageProgram) => void): { status: number | null; output: Buffer; program: StageProgram } {
  const program = new StageProgram(1);
  emit(program);
  const folder = mkdtempSync(join(tmpdir(), "ringvisor-stage-"));
  try {
    const file = join(folder, "stage");
    writeFileSync(file, program.link());
    chmodSync(file, 0o755);
    const { status, stdout } = spawnSync(file, [], { stdio: ["ignore", "pipe", "ignore"] });
    return { status, output: stdout, program };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("strings and structures reach the kernel", { skip }, () => {
  const { output, status } = run((program) => {
    const text = program.string("hello\n");
    const vector = program.words([text, 6]);
    program.call("write", "write", [1, text, 6]);
    program.call("read the vector", "write", [1, vector, 0]);
    program.exit(42);
  });
  assert.equal(output.toString(), "hello\n");
  assert.equal(status, 42);
});

test("a failing call tells its step and errno, and ends the program", { skip }, () => {
  const { output, status, program } = run((stage) => {
    stage.call("open what is not there", "openat", [-100, stage.string("/no/such/file"), 0]);
    stage.call("never", "write", [1, stage.string("no"), 2]);
  });
  assert.equal(status, 1);
  assert.equal(output.length, MESSAGE_SIZE);
  assert.equal(output.readUInt32LE(0), MESSAGE_FAILED);
  assert.equal(program.describe(output.readUInt32LE(4)), "open what is not there");
  assert.equal(Number(output.readBigInt64LE(8)), ERRNO.ENOENT);
});

test("errors that are expected are passed over, others not", { skip }, () => {
  const open = (ignore: number[]) =>
    run((program) => {
      program.call("open", "openat", [-100, program.string("/no/such/file"), 0], { ignore });
      program.exit(7);
    }).status;
  assert.equal(open([ERRNO.ENOENT]), 7);
  assert.equal(open([ERRNO.EPERM, ERRNO.ENOENT]), 7);
  assert.equal(open([ERRNO.EPERM]), 1);
});

test("slots count, compare and jump", { skip }, () => {
  const { output } = run((program) => {
    const left = program.slot();
    const again = program.label();
    program.set(left, 3);
    program.place(again);
    program.call("write", "write", [1, program.string("."), 1]);
    program.subtract(left, 1);
    program.jumpIf(left, "notEqual", 0, again);
    program.set(left, -5);
    program.when(left, "less", 0, () => program.call("write", "write", [1, program.string("negative"), 8]));
    program.when(left, "below", 10, () => program.call("write", "write", [1, program.string("wrong"), 5]));
    program.mask(left, 0xf);
    program.when(left, "equal", 11, () => program.call("write", "write", [1, program.string(" 11"), 3]));
    program.exit(0);
  });
  assert.equal(output.toString(), "...negative 11");
});

test("paths of descriptors have the number that the kernel expects", { skip }, () => {
  for (const number of [0, 7, 10, 99, 100, 12345]) {
    const { output } = run((program) => {
      const fd = program.slot();
      program.set(fd, number);
      const path = program.fdPath(fd);
      program.call("write", "write", [1, path, "/proc/self/fd/".length + String(number).length]);
      program.exit(0);
    });
    assert.equal(output.toString(), `/proc/self/fd/${number}`);
  }
});

test("64-bit values, negative ones and bytes are written whole", { skip }, () => {
  const { output } = run((program) => {
    const memory = program.buffer(32);
    const slot = program.slot();
    program.write(memory, 0x1122_3344_5566_7788n, 8);
    program.write(program.at(memory, 8), -2, 4);
    program.writeByte(program.at(memory, 12), 0xab);
    program.read(slot, program.at(memory, 6), 2);
    program.tell(9, slot);
    program.call("write", "write", [1, memory, 13]);
    program.exit(0);
  });
  assert.equal(output.readUInt32LE(0), MESSAGE_EVENT);
  assert.equal(output.readUInt32LE(4), 9);
  assert.equal(Number(output.readBigInt64LE(8)), 0x1122);
  assert.equal(output.subarray(MESSAGE_SIZE).toString("hex"), "8877665544332211feffffffab");
});

test("a stage waits for its runtime, and ends where that has gone", { skip }, async () => {
  const emit = () => {
    const program = new StageProgram(3);
    program.tell(1, 5);
    program.awaitByte();
    program.tell(2, 6);
    program.fail("do more", ERRNO.EPERM);
    return program;
  };
  const options = { folder: tmpdir(), stdio: ["ignore", "ignore", "ignore"] as const };
  const stage = new Stage(emit(), options);
  assert.equal(await stage.expect(1), 5);
  stage.proceed();
  assert.equal(await stage.expect(2), 6);
  await assert.rejects(stage.next(), (error: StageError) => error.step === "do more" && error.errno === ERRNO.EPERM);
  await stage.exited;

  const left = new Stage(emit(), options);
  await left.expect(1);
  left.close();
  while (identify(left.child.pid as number) !== null) await delay(10);
});
