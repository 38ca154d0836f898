/** Boots a kernel of Debian's to its prompt, asks it what machine it sees, lets every CPU work, and has it power off. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEFAULT_COMMAND_LINE } from "../../node/default-guest.js";
import type { DebianGuest, DebianKernel } from "./debian-guests.js";
import { MAIN, Running } from "./ringvisor.js";

export interface BootCase {
  kernel: DebianKernel;
  cpus: number;
  /** Whether the kernel is told to keep its page tables from user mode (page table isolation). */
  pti: boolean;
  vendor: "amd" | "intel";
  /** Default `real`. */
  clock?: "real" | "icount";
}

export interface BootResult {
  cpuSeconds: number;
  instructions: number;
  /** Everything that the console said. */
  output: string;
}

/** A 32-bit kernel has minutes in which it says nothing, where the host is busy. */
const SILENCE_MS = 600_000;
const VENDOR_ID = { amd: "AuthenticAMD", intel: "GenuineIntel" };

/** The marks keep a command's echo from being taken for its output. */
const QUESTIONS = [
  "echo machine''=$(uname -m)",
  "echo cpus''=$(nproc)/$(grep -c ^processor /proc/cpuinfo)",
  "echo vendor''=$(sed -n 's/^vendor_id.*: //p' /proc/cpuinfo | uniq)",
  "echo pti''=$(grep -cw pti /proc/cpuinfo)",
  "c=0; while [ $c -lt $(nproc) ]; do taskset $(printf %x $((1 << c))) sh -c 'seq 20000 | md5sum' & c=$((c + 1)); done; wait",
  "echo wor''ked",
].join("\n");
/** md5 of the numbers from 1 to 20000, a line each. */
const DIGEST = "e071f707df7bbeee2a6a1eb48011ddd0";

/** @throws AssertionError where the guest sees another machine, or ends in another way than by its power-off */
export async function bootDebian(
  { kernel, cpus, pti, vendor, clock = "real" }: BootCase,
  guest: DebianGuest,
): Promise<BootResult> {
  const folder = mkdtempSync(join(tmpdir(), "ringvisor-boot-"));
  const stats = join(folder, "stats.json");
  // The kernel's self-tests of its ciphers are left out: with 32 bits they are most of the work of a boot.
  const options = [
    ...["boot", "--kernel", guest.kernel, "--initrd", guest.initrd, "--accel", "interpret", "--clock", clock],
    ...["--append", `${DEFAULT_COMMAND_LINE} cryptomgr.notests ${pti ? "pti=on" : "nopti"}`],
    ...[
      "--cpus",
      `${cpus}`,
      "--cpu",
      `default,vendor=${vendor}`,
      "--memory",
      "512M",
      "--no-reboot",
      `--stats=${stats}`,
    ],
  ];
  const running = new Running(options, [process.execPath, MAIN], SILENCE_MS);
  try {
    await running.sees(/RINGVISOR-INIT-OK \d+\.\d+/);
    await running.sees(/ringvisor:\/root# /);
    const from = running.output.length;
    running.type(`${QUESTIONS}\n`);
    await running.sees(/\nworked\r\n/);
    const answers = running.output.slice(from);
    const answer = (name: string) => new RegExp(`\n${name}=(.*?)\r?\n`).exec(answers)?.[1];
    assert.equal(answer("machine"), kernel.machine);
    assert.equal(answer("cpus"), `${cpus}/${cpus}`);
    assert.equal(answer("vendor"), VENDOR_ID[vendor]);
    assert.equal(answer("pti"), pti ? `${cpus}` : "0");
    assert.equal(answers.split(DIGEST).length - 1, cpus, "each CPU computes the digest");
    running.type("poweroff\n");
    assert.equal(await running.exited, 0);
    assert.equal(running.errors, "");
    const { cpuSeconds, instructions } = JSON.parse(readFileSync(stats, "utf8"));
    return { cpuSeconds, instructions, output: running.output };
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${running.output.slice(-4000)}`, { cause: error });
  } finally {
    running.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
}
