import assert from "node:assert/strict";
import { test } from "node:test";
import { BOOT_OPTIONS, parseBootOptions } from "./boot-options.js";
import { NotImplementedError, UsageError } from "./errors.js";
import { parseArguments } from "./options.js";

const parse = (...args: string[]) => parseBootOptions(parseArguments(BOOT_OPTIONS, args).options);

test("defaults", () => {
  const config = parse();
  assert.equal(config.memory, 512 << 20);
  assert.equal(config.cpus, 1);
  assert.equal(config.accel, "auto");
  assert.equal(config.cpu.name, "default");
  assert.deepEqual(config.console, { kind: "stdio" });
  assert.equal(config.clock, "real");
  assert.equal(config.hostDecompress, true);
  assert.equal(config.timeout, null);
  assert.equal(config.stats, null);
});

for (const [text, bytes] of [
  ["128", 128 << 20],
  ["64M", 64 << 20],
  ["64MiB", 64 << 20],
  ["3G", 3 * 2 ** 30],
  ["4096k", 4 << 20],
] as const) {
  test(`--memory ${text}`, () => assert.equal(parse("--memory", text).memory, bytes));
}

test("values", () => {
  const config = parse("--timeout", "1.5", "--console", "file:/tmp/x:y", "--gdb=1234", "--stats", "--net=none");
  assert.equal(config.timeout, 1500);
  assert.deepEqual(config.console, { kind: "file", path: "/tmp/x:y" });
  assert.equal(config.gdbPort, 1234);
  assert.equal(config.stats, true);
});

test("verifying every million instructions, or as told", () => {
  assert.equal(parse("--clock", "icount").verify, null);
  assert.equal(parse("--clock", "icount", "--verify").verify, 1_000_000);
  assert.equal(parse("--clock", "icount", "--verify=500").verify, 500);
});

test("where profiles and regions are written to", () => {
  const { profile, printRegions } = parse("--profile", "-", "--print-regions", "a");
  assert.deepEqual([profile, printRegions], [true, "a"]);
  const none = parse();
  assert.deepEqual([none.profile, none.printRegions], [null, null]);
  assert.throws(() => parse("--profile="), UsageError);
});

test("saves", () => {
  const { saves, restore, given } = parse("--save-at", "1.25s:a:b", "--save-at=70i:/c d", "--restore", "e");
  assert.deepEqual(
    saves.map(({ point, file }) => [point, file]),
    [
      [{ time: 1.25e9 }, "a:b"],
      [{ instructions: 70 }, "/c d"],
    ],
  );
  assert.equal(restore, "e");
  assert.deepEqual([...given], ["restore", "save-at"]);
});

for (const args of [
  "--memory 0",
  "--memory 1",
  "--memory 2049K",
  "--memory -5",
  "--memory 1e9",
  "--memory 99999999999999999999",
  "--verify",
  "--verify=1000",
  "--verify=0 --clock icount",
  "--verify --clock icount --accel kvm",
  "--save-at 5:file",
  "--save-at 5s:",
  "--save-at -1s:file",
  "--save-at 1.5i:file",
  "--save-at 1s:file --save-at 2s:file",
  "--quit-when-saved",
  "--restore=",
  "--cpus 0",
  "--cpus 17",
  "--cpus 1.5",
  "--accel fast",
  "--clock sundial",
  "--console tty",
  "--console file:",
  "--timeout 0",
  "--timeout -1",
  "--timeout 1e400",
  "--timeout 99999999",
  "--gdb 65536",
  "--gdb x",
  "--net tap",
  "--kernel=",
  "--bios a --kernel b",
  "--bios a --append b",
  "--bios a --no-host-decompress",
  "--initrd a",
]) {
  test(`${args} is refused`, () => {
    assert.throws(
      () => parse(...args.split(" ")),
      (error) => error instanceof UsageError && !error.message.includes("\n") && error.message.startsWith("--"),
    );
  });
}

for (const [args, what] of [
  ["--disk a,format=raw", "--disk"],
  ["--cdrom a", "--cdrom"],
  ["--share a:b", "--share"],
  ["--net user", "--net user"],
  ["--net user,hostfwd=tcp::1-:2", "--net user"],
]) {
  test(`${args} is named as not implemented`, () => {
    assert.throws(
      () => parse(...args.split(" ")),
      (error) => error instanceof NotImplementedError && error.what === what,
    );
  });
}
