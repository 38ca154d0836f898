/** Debian's stock kernel with the default guest's files, through the command line as a user runs it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { GuestBuildError, getDefaultGuest } from "../node/default-guest.js";
import { createProgress } from "../node/progress.js";

const MAIN = fileURLToPath(new URL("./main.js", import.meta.url));
const PROMPT = "ringvisor:/root# ";

interface Run {
  code: number | null;
  output: string;
}

/** Runs `ringvisor boot` and types each line when the shell's prompt has appeared once more. */
function boot(args: string[], lines: string[] = []): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, "boot", ...args], { stdio: ["pipe", "pipe", "pipe"] });
    let output = "";
    let prompts = 0;
    const take = (chunk: Buffer) => {
      output += chunk.toString("latin1");
      if (output.split(PROMPT).length - 1 > prompts) {
        const line = lines[prompts++];
        if (line !== undefined) child.stdin.write(`${line}\n`);
      }
    };
    child.stdout.on("data", take);
    child.stderr.on("data", (chunk) => {
      output += chunk.toString("latin1");
    });
    child.stdin.on("error", () => {});
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, output }));
  });
}

describe("Debian's kernel", () => {
  let folder = "";
  let kernel = "";
  let unavailable: string | null = null;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "ringvisor-linux-"));
    try {
      kernel = join(folder, "vmlinuz");
      writeFileSync(kernel, (await getDefaultGuest(createProgress())).kernel.bytes);
    } catch (error) {
      if (!(error instanceof GuestBuildError)) throw error;
      unavailable = error.message;
    }
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test("boots to a shell that works, and powers off with exit code 0", async (context) => {
    if (unavailable) return context.skip(unavailable);
    const { code, output } = await boot([], ["uname -m; echo $((6 * 7)) | md5sum", "poweroff"]);
    assert.match(output, /RINGVISOR-INIT-OK/);
    assert.match(output, /x86_64/);
    assert.match(output, /50a2fabfdd276f573ff97ace8b11c5f4/, "md5sum of 42 and a newline");
    assert.match(output, /Power down/);
    assert.equal(code, 0);
  });

  test("says the same, instruction for instruction, when time is counted in instructions", async (context) => {
    if (unavailable) return context.skip(unavailable);
    const runs = [1, 2].map(async (run) => {
      const stats = join(folder, `stats${run}`);
      const text = join(folder, `console${run}`);
      // Without a root file system: to the panic that says so.
      const args = ["--kernel", kernel, "--clock", "icount", "--append", "console=ttyS0 panic=-1", "--no-reboot"];
      const { code } = await boot([...args, "--console", `file:${text}`, `--stats=${stats}`]);
      return {
        code,
        text: readFileSync(text, "latin1"),
        instructions: JSON.parse(readFileSync(stats, "utf8")).instructions,
      };
    });
    const [first, second] = await Promise.all(runs);
    assert.match(first?.text ?? "", /Kernel panic - not syncing: VFS: Unable to mount root fs/);
    assert.deepEqual(second, first);
    assert.equal(first?.code, 126, "a panic is a crash");
  });
});
