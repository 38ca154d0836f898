import assert from "node:assert/strict";
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeKernel } from "./testing/kernels.js";
import { ringvisor, temporaryFolder } from "./testing/ringvisor.js";

/** The command ends with 2 and one line that has these words. */
function refuses(args: string[], ...words: string[]): void {
  const { code, stdout, stderr } = ringvisor(...args);
  assert.equal(code, 2, stderr);
  assert.equal(stdout, "");
  assert.match(stderr, /^ringvisor: [^\n]+\n$/);
  for (const word of words) assert.ok(stderr.includes(word), `${stderr} has no "${word}"`);
}

test("help and version", () => {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  assert.deepEqual(ringvisor("--version"), { code: 0, stdout: `ringvisor ${version}\n`, stderr: "" });
  for (const args of [
    ["--help"],
    ["boot", "--help"],
    ["boot", "-h"],
    ["guest", "--help"],
    ["doctor", "--help"],
    ["run", "--help"],
  ]) {
    const { code, stdout, stderr } = ringvisor(...args);
    assert.equal(code, 0, args.join(" "));
    assert.match(stdout, /^usage: ringvisor/);
    assert.equal(stderr, "");
  }
});

test("no command: the help, as an error", () => {
  const { code, stdout, stderr } = ringvisor();
  assert.equal(code, 2);
  assert.equal(stdout, "");
  assert.match(stderr, /^usage: ringvisor/);
});

test("what is not a command or option is refused", () => {
  refuses(["frobnicate"], "unknown command frobnicate");
  refuses(["--frob"], "unknown option --frob");
  refuses(["toString"], "unknown command toString");
  refuses(["boot", "--frob"], "unknown option --frob");
  refuses(["boot", "file"], '"file"');
  refuses(["boot", "--cpu", "z80"], "z80");
  refuses(["guest", "eat"], "eat");
  refuses(["doctor", "who"], "who");
  refuses(["doctor", "--yaml"], "--yaml");
});

test("commands that are to come say so", () => {
  const commands = "run exec ps logs stop kill rm cp snapshot image audit compare".split(" ");
  for (const command of commands) refuses([command, "x"], `"${command}"`, "not implemented yet");
});

test("files that cannot be booted", (t) => {
  const folder = temporaryFolder(t);
  const file = (name: string, bytes: Uint8Array | string) => {
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  };
  mkdirSync(join(folder, "folder"));
  const good = makeKernel("hlt");
  const kernel = file("kernel", good);
  const huge = file("huge", "");
  truncateSync(huge, 2 ** 40);
  const random = Uint8Array.from({ length: 5000 }, (_, index) => (index * 7919 + (index >> 3)) & 0xff);

  for (const option of ["--kernel", "--bios", "--symbols"]) {
    refuses(["boot", option, join(folder, "none")], "none", "no such file");
    refuses(["boot", option, join(folder, "folder")], "folder", "is a folder");
    refuses(["boot", option, huge], "huge", "bytes");
  }
  refuses(["boot", "--kernel", `${kernel}/x`], "kernel/x");
  refuses(["boot", "--kernel", file("empty", "")], "empty");
  refuses(["boot", "--kernel", file("text", "hello\n")], "text");
  refuses(["boot", "--kernel", file("random", random)], "random");
  refuses(["boot", "--kernel", file("elf", "\x7fELF\x02\x01\x01")], "elf");
  refuses(["boot", "--kernel", file("short", good.subarray(0, good.length - 100))], "short");
  refuses(["boot", "--kernel", file("header", good.subarray(0, 600))], "header");
  refuses(["boot", "--kernel", kernel, "--initrd", join(folder, "none")], "none");
  refuses(["boot", "--kernel", kernel, "--append", "x".repeat(100_000)], "kernel", "command line");
  refuses(["boot", "--bios", file("rom", new Uint8Array(1000))], "rom");
  refuses(["boot", "--symbols", file("nosymbols", "hello\n")], "nosymbols");
  refuses(["boot", "--kernel", kernel, "--console", `file:${folder}`], folder);
});

test("memory that no machine can have", (t) => {
  const kernel = join(temporaryFolder(t), "kernel");
  writeFileSync(kernel, makeKernel("hlt"));
  refuses(["boot", "--kernel", kernel, "--memory", "64G"], "memory", "MiB");
});
