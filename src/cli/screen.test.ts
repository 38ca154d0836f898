import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeKernel } from "./testing/kernels.js";
import { NO_TERMINAL, onTerminal, Running, ringvisor, temporaryFolder } from "./testing/ringvisor.js";

const SEABIOS = "/usr/share/seabios/bios-256k.bin";
const MEMTEST = "/boot/memtest86+x64.bin";
const MEMTEST_32 = "/boot/memtest86+ia32.bin";
const GRUB = "/usr/lib/grub-rescue/grub-rescue-floppy.img";
const lacks = (file: string, name: string) => (existsSync(file) ? false : `Debian's package ${name} is not installed`);

const start = (...args: string[]) =>
  new Running(["boot", "--accel", "interpret", "--memory", "64M", "--screen", "text", ...args]);

/** Runs until the screen, printed into a pipe, shows a text; all that was printed. */
async function screenOf(pattern: RegExp, ...args: string[]): Promise<string> {
  const running = start(...args);
  try {
    await running.sees(pattern);
  } finally {
    running.kill();
    await running.exited;
  }
  return running.output;
}

test("SeaBIOS runs the VGA's option ROM and tells on its screen that there is nothing to boot", {
  skip: lacks(SEABIOS, "seabios"),
}, async () => {
  const output = await screenOf(/No bootable device/, "--bios", SEABIOS);
  assert.match(output, /^SeaBIOS \(version /m);
});

test("GRUB starts from a floppy and shows its menu; keys lead to its command line", {
  skip: lacks(SEABIOS, "seabios") || lacks(GRUB, "grub-rescue-pc"),
}, async () => {
  const running = start("--bios", SEABIOS, "--floppy", GRUB);
  try {
    await running.sees(/\*GNU\/Linux/);
    running.type("c");
    await running.sees(/grub>/);
    running.type("echo $grub_platform-$grub_cpu\r");
    await running.sees(/^pc-i386/m);
  } finally {
    running.kill();
    await running.exited;
  }
});

test("memtest86+, 64-bit: its screen, and a test under way", { skip: lacks(MEMTEST, "memtest86+") }, async () => {
  const output = await screenOf(/Test #\d/, "--kernel", MEMTEST);
  assert.match(output, /Memtest86\+ v\d/);
  assert.match(output, /Ringvisor virtual CPU/);
});

test("memtest86+ finds four CPUs and tests with them", { skip: lacks(MEMTEST, "memtest86+") }, async () => {
  const output = await screenOf(/Test #\d/, "--kernel", MEMTEST, "--cpus", "4");
  assert.match(output, /CPU: 4 Cores 4 Threads +SMP: 4T/);
});

test("what is piped in is typed on the PS/2 keyboard", { skip: lacks(MEMTEST, "memtest86+") }, async () => {
  const running = start("--kernel", MEMTEST);
  try {
    await running.sees(/Test #\d/);
    running.type("\x1bOP");
    await running.sees(/<F1> +Test selection/);
  } finally {
    running.kill();
    await running.exited;
  }
});

test("memtest86+, 32-bit", { skip: lacks(MEMTEST_32, "memtest86+") }, async () => {
  await screenOf(/Test #\d/, "--kernel", MEMTEST_32);
});

test("what contradicts itself is refused", () => {
  for (const [args, pattern] of [
    [["--screen", "text", "--console", "stdio"], /exclude each other/],
    [["--screen", "window"], /--screen/],
    [["--vga-rom", "x"], /needs --screen text/],
    [["--floppy", "x"], /needs --bios/],
    [["--screen", "text", "--vga-rom", "/dev/null/x"], /not a folder/],
  ] as const) {
    const { code, stderr } = ringvisor("boot", ...args);
    assert.equal(code, 2, stderr);
    assert.match(stderr, pattern);
  }
});

test("on a terminal: the screen is drawn, keys are typed, help and monitor come and go, Ctrl-A X quits", {
  skip: NO_TERMINAL,
}, async (t) => {
  const kernel = join(temporaryFolder(t), "kernel");
  const code = `mov rbx, 0xb8000
mov dword ptr [rbx], 0x1e691e48
1: in al, 0x64
test al, 1
jz 1b
in al, 0x60
cmp al, 0x1e
jne 1b
mov word ptr [rbx + 4], 0x1e21
jmp 1b`;
  writeFileSync(kernel, makeKernel(code));
  const options = ["--memory", "32M", "--accel", "interpret", "--kernel", kernel, "--screen", "text"];
  const running = onTerminal(["boot", ...options], '"$@"; echo "code $?"');
  await running.sees(/\[0;93;44mHi/);
  running.type("a");
  await running.sees(/\[0;93;44m!/);
  let from = running.output.length;
  running.type("\x01c");
  await running.sees(/\(ringvisor\) /, from);
  from = running.output.length;
  running.type("continue\r");
  await running.sees(/\[0;93;44mHi!/, from);
  running.type("\x01h");
  await running.sees(/Ctrl-A X {2}quit/);
  from = running.output.length;
  running.type("\x01x");
  await running.sees(/Hi!\r\n.*code 0/s, from);
  await running.sees(/[^-]icanon.* [^-]?echo /s);
  assert.equal(await running.exited, 0);
});
