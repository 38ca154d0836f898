/** Saved machines through the command line. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CODE, makeKernel } from "./testing/kernels.js";
import { MAIN, Running, ringvisor, temporaryFolder } from "./testing/ringvisor.js";

/** Prints "a" to "z" with a pause of some hundred thousand instructions between them. */
const ALPHABET = [
  "mov bl, 'a'",
  "1: mov dx, 0x3f8\nmov al, bl\nout dx, al\nmov ecx, 200000",
  "2: loop 2b\ninc bl\ncmp bl, 'z'\njbe 1b",
];
const LETTERS = "abcdefghijklmnopqrstuvwxyz";

function kernelFile(folder: string, ...code: string[]): string {
  const kernel = join(folder, "kernel");
  writeFileSync(kernel, makeKernel(...code));
  return kernel;
}

/** Boots the alphabet and saves it after a million instructions. */
function saveAlphabet(folder: string, ...options: string[]): { file: string; kernel: string; stdout: string } {
  const kernel = kernelFile(folder, ...ALPHABET, CODE.powerOff);
  const file = join(folder, "machine");
  const args = ["--memory", "32M", "--kernel", kernel, "--clock", "icount", ...options];
  const { code, stdout, stderr } = ringvisor("boot", ...args, "--save-at", `1000000i:${file}`, "--quit-when-saved");
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  return { file, kernel, stdout };
}

test("a machine that was saved goes on in another process, to the same end", (t) => {
  const folder = temporaryFolder(t);
  const { file, kernel, stdout: head } = saveAlphabet(folder);
  const [whole, rest] = ["whole", "rest"].map((name) => join(folder, name));
  const again = ringvisor("boot", "--memory", "32M", "--kernel", kernel, "--clock", "icount", `--stats=${whole}`);
  const { code, stdout: tail, stderr } = ringvisor("boot", "--restore", file, `--stats=${rest}`);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assert.equal(again.stdout, LETTERS);
  assert.equal(head + tail, LETTERS);
  assert.ok(head.length >= 2 && tail.length >= 2, `${head} ${tail}`);
  const instructions = [whole, rest].map((name) => JSON.parse(readFileSync(name, "utf8")).instructions);
  assert.equal(instructions[0], instructions[1]);
});

test("several saves of one run, which goes on; a time in real mode", (t) => {
  const folder = temporaryFolder(t);
  const kernel = kernelFile(folder, ...ALPHABET, CODE.powerOff);
  const files = ["one", "two"].map((name) => join(folder, name));
  const { code, stdout } = ringvisor(
    ...["boot", "--memory", "32M", "--kernel", kernel],
    ...["--save-at", `0.0001s:${files[0]}`, "--save-at", `3000000i:${files[1]}`],
  );
  assert.deepEqual([code, stdout], [0, LETTERS]);
  for (const file of files) {
    const restored = ringvisor("boot", "--restore", file);
    assert.equal(restored.code, 0);
    assert.ok(LETTERS.endsWith(restored.stdout) && restored.stdout.length > 0, restored.stdout);
  }
});

test("a saved machine takes an older one's place at once, is its owner's, and leaves nothing beside it", (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, "machine");
  const link = join(folder, "link");
  writeFileSync(file, "the older one", { mode: 0o644 });
  symlinkSync("machine", link);
  const kernel = kernelFile(folder, ...ALPHABET, CODE.powerOff);
  const args = ["boot", "--memory", "32M", "--kernel", kernel, "--quit-when-saved", "--save-at"];
  assert.equal(ringvisor(...args, `1000000i:${link}`).code, 0);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(folder).sort(), ["kernel", "link", "machine"]);
  assert.equal(ringvisor("boot", "--restore", link).code, 0);
});

test("where a machine cannot be saved: one line, and 2", (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, "folder"));
  const kernel = kernelFile(folder, ...ALPHABET, CODE.powerOff);
  for (const [place, pattern] of [
    ["none/machine", /none\/machine: no such file/],
    ["folder", /folder: is not a regular file/],
    ["kernel/machine", /kernel\/machine: part of its path is not a folder/],
  ] as const) {
    const saveAt = `1000i:${join(folder, place)}`;
    const { code, stderr } = ringvisor("boot", "--memory", "32M", "--kernel", kernel, "--save-at", saveAt);
    assert.equal(code, 2, stderr);
    assert.match(stderr, pattern);
  }
  assert.equal(ringvisor("boot", "--kernel", kernel, "--save-at", "1000i:/dev/null").code, 2);
  assert.ok(statSync("/dev/null").isCharacterDevice());
});

test("a run that ends before its --save-at is no success", (t) => {
  const folder = temporaryFolder(t);
  const kernel = kernelFile(folder, CODE.print("short"), CODE.powerOff);
  const late = `5000000i:${join(folder, "machine")}`;
  const { code, stdout, stderr } = ringvisor("boot", "--memory", "32M", "--kernel", kernel, "--save-at", late);
  assert.deepEqual([code, stdout], [2, "short"]);
  assert.match(stderr, /the run ended before 1 of its --save-at/);
});

test("options that contradict the saved machine are refused, those that agree are not", (t) => {
  const { file, kernel } = saveAlphabet(temporaryFolder(t), "--cpu", "x86-64-v2");
  for (const [options, pattern] of [
    [["--memory", "64M"], /--memory contradicts --restore: the saved machine has 32 MiB/],
    [["--cpus", "2"], /--cpus contradicts --restore: the saved machine has 1/],
    [["--cpu", "default"], /--cpu contradicts --restore: the saved machine has the CPU model x86-64-v2/],
    [["--clock", "real"], /--clock contradicts --restore: the saved machine has the clock icount/],
    [["--debug-exit"], /--debug-exit contradicts --restore/],
    [["--testdev"], /--testdev contradicts --restore/],
  ] as const) {
    const { code, stdout, stderr } = ringvisor("boot", "--restore", file, ...options);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, pattern);
  }
  const agreeing = ["--memory", "32M", "--cpus", "1", "--cpu", "x86-64-v2", "--clock", "icount", "--kernel", kernel];
  assert.equal(ringvisor("boot", "--restore", file, ...agreeing).code, 0);
});

test("what is no saved machine, or a damaged one, is refused with its place", (t) => {
  const folder = temporaryFolder(t);
  const { file, kernel } = saveAlphabet(folder);
  const good = readFileSync(file);
  const damaged = join(folder, "damaged");
  const refuse = (bytes: Uint8Array, pattern: RegExp): void => {
    writeFileSync(damaged, bytes);
    const { code, stdout, stderr } = ringvisor("boot", "--restore", damaged);
    assert.deepEqual([code, stdout], [2, ""], stderr);
    assert.match(stderr, pattern);
    assert.equal(stderr.split("\n").length, 2, "one line");
  };
  refuse(readFileSync(kernel), /damaged: start: this is not a saved machine/);
  refuse(good.subarray(0, good.length / 2), /the file ends \d+ bytes too early/);
  const flipped = Buffer.from(good);
  flipped[good.length >> 1] ^= 4;
  refuse(flipped, /section PAGE at byte \d+: the checksum does not match/);
  assert.match(ringvisor("boot", "--restore", join(folder, "none")).stderr, /none: no such file/);
  assert.match(ringvisor("boot", "--restore", folder).stderr, /is not a regular file/);
});

test("a reset of a restored machine: with what it booted it boots again, without that the run ends and says why", (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, "machine");
  // RAM survives a reset: the second time around the mark is there.
  const mark = ["mov rax, 0x1800000", "cmp byte ptr [rax], 7", "je 9f", "mov byte ptr [rax], 7"];
  const wait = "mov ecx, 2000000\n3: loop 3b";
  const kernel = kernelFile(folder, ...mark, CODE.print("1"), wait, CODE.reset, "9:", CODE.print("2"), CODE.powerOff);
  const args = ["--memory", "32M", "--kernel", kernel, "--save-at", `1000000i:${file}`, "--quit-when-saved"];
  assert.equal(ringvisor("boot", ...args).stdout, "1");
  const alone = ringvisor("boot", "--restore", file);
  assert.deepEqual([alone.code, alone.stdout], [0, ""]);
  assert.match(alone.stderr, /the guest asked for a reset; to let a restored machine boot again, name what it booted/);
  const helped = ringvisor("boot", "--restore", file, "--kernel", kernel);
  assert.deepEqual([helped.code, helped.stdout, helped.stderr], [0, "2", ""]);
  assert.equal(ringvisor("boot", "--restore", file, "--no-reboot").stderr, "");
});

const script = spawnSync("script", ["--version"]).status === 0 ? false : "script (bsdutils) is not installed";

test("on a terminal: the monitor saves", { skip: script }, async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, "my machine");
  const kernel = kernelFile(folder, CODE.print("?"), CODE.echo, CODE.print("!"), CODE.powerOff);
  const quoted = [process.execPath, MAIN, "boot", "--memory", "32M", "--kernel", kernel].map((word) => `'${word}'`);
  const running = new Running(["-qec", quoted.join(" "), "/dev/null"], ["script"]);
  await running.sees(/\?/);
  running.type("\x01c");
  await running.sees(/\(ringvisor\) /);
  running.type("save\r");
  await running.sees(/a file name is missing \(usage: save FILE\)/);
  running.type(`save ${folder}\r`);
  await running.sees(/that failed: .*is not a regular file/);
  running.type(`save ${file}\r`);
  await running.sees(/saved to .*my machine: \d+\.\d MiB/);
  running.type("quit\r");
  assert.equal(await running.exited, 0);

  const restored = new Running(["boot", "--restore", file]);
  restored.type("yq");
  assert.equal(await restored.exited, 0);
  assert.equal(restored.output, "y!");
});
