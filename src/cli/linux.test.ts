/** Debian's stock kernel, through the command line, from power-on to its end. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { aptAvailable } from "../node/apt.js";
import { Running, ringvisor, temporaryFolder } from "./testing/ringvisor.js";

const cached = ringvisor("guest", "info").stdout.startsWith("folder");
const skip = cached || aptAvailable() ? false : "this host has no apt";

// So that no test waits for packages.
before(() => {
  if (!cached && skip === false) assert.equal(ringvisor("guest", "build").code, 0);
});

/** Boots the default guest to its prompt. */
async function bootToPrompt(t: { after(callback: () => void): void }, ...options: string[]): Promise<Running> {
  const running = new Running(["boot", ...options]);
  t.after(() => running.kill("SIGKILL"));
  await running.sees(/RINGVISOR-INIT-OK \d+\.\d+/);
  await running.sees(/ringvisor:\/root# /);
  return running;
}

test("a shell at the prompt, with job control; poweroff ends with 0", { skip }, async (t) => {
  const stats = join(temporaryFolder(t), "stats.json");
  const running = await bootToPrompt(t, "--memory", "128M", `--stats=${stats}`);
  running.type("uname -sm; echo $((6*7)); tty\n");
  await running.sees(/Linux x86_64\r\n42\r\n\/dev\/ttyS0/);
  // Who prints is the foreground job already: before that, Ctrl-C would go to the shell, which does not mind.
  running.type("sh -c \"echo start''ed; exec sleep 1000\"\n");
  await running.sees(/\nstarted\r\n/);
  running.type("\x03");
  running.type("echo interrupted\n");
  await running.sees(/\ninterrupted\r\n/);
  running.type("awk 'BEGIN { printf \"%.6f\\n\", 355 / 113 }'; echo hello | md5sum | cut -c1-8\n");
  await running.sees(/3\.141593\r\nb1946ac9\r\n/);
  running.type("poweroff\n");
  assert.equal(await running.exited, 0);
  assert.equal(running.errors, "");
  const { instructions, outcome } = JSON.parse(readFileSync(stats, "utf8"));
  assert.equal(outcome, "poweroff");
  assert.ok(instructions > 1e8);
});

test("reboot starts the kernel again; with --no-reboot it ends with 0", { skip }, async (t) => {
  const running = await bootToPrompt(t, "--no-reboot", "--append", "quiet");
  running.type("reboot\n");
  assert.equal(await running.exited, 0);
  assert.match(running.output, /reboot: Restarting system/);
});

test("a panic ends with 126 and registers", { skip }, async (t) => {
  const running = await bootToPrompt(t, "--append", "quiet");
  running.type("echo c >/proc/sysrq-trigger\n");
  assert.equal(await running.exited, 126);
  assert.match(running.output, /Kernel panic - not syncing: sysrq triggered crash/);
  assert.match(running.errors, /the guest crashed: Kernel panic - not syncing/);
  assert.match(running.errors, /RIP ffffffff[0-9a-f]{8}/);
});

test("icount: two boots say the same, byte for byte and instruction for instruction", { skip }, async (t) => {
  const folder = temporaryFolder(t);
  const { folder: guest, kernel } = JSON.parse(ringvisor("guest", "info", "--json").stdout);
  const runs = [];
  for (const index of [1, 2]) {
    const stats = join(folder, `stats${index}`);
    const text = join(folder, `console${index}`);
    // Without a root file system: to the panic that says so.
    const args = ["--kernel", join(guest, kernel.file), "--clock", "icount", "--append", "console=ttyS0 panic=-1"];
    const { code } = ringvisor("boot", ...args, "--no-reboot", "--console", `file:${text}`, `--stats=${stats}`);
    assert.equal(code, 126, "a panic is a crash");
    runs.push([readFileSync(text, "latin1"), JSON.parse(readFileSync(stats, "utf8")).instructions]);
  }
  assert.match(runs[0][0], /Kernel panic - not syncing: VFS: Unable to mount root fs/);
  assert.deepEqual(runs[0], runs[1]);
});
