/** Runs the built command line as its users do: as a process, with pipes. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const MAIN = fileURLToPath(new URL("../main.js", import.meta.url));

/** Runs a command to its end. */
export function ringvisor(...args: string[]): { code: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  return { code: status, stdout, stderr };
}

/** Whoever says nothing for so long has hung: the test fails with what was said before, not by its runner's limit. */
const SILENCE_MS = 120_000;

/** A command under way, and what it has said. */
export class Running {
  output = "";
  errors = "";
  readonly process: ChildProcessWithoutNullStreams;
  readonly exited: Promise<number | null>;
  private waiting: (() => void)[] = [];

  /** @param command what to run instead of the command line itself */
  constructor(
    args: readonly string[],
    command: readonly string[] = [process.execPath, MAIN],
    private readonly silence = SILENCE_MS,
  ) {
    this.process = spawn(command[0], [...command.slice(1), ...args]);
    this.process.stdout.setEncoding("latin1").on("data", (text: string) => {
      this.output += text;
      this.wake();
    });
    this.process.stderr.setEncoding("latin1").on("data", (text: string) => {
      this.errors += text;
      this.wake();
    });
    this.process.stdin.on("error", () => {});
    this.exited = new Promise((resolve) => {
      this.process.on("close", (code) => {
        resolve(code);
        this.wake();
      });
    });
  }

  /** Resolves when what was said, from `from` on, matches; rejects when the process ends before. */
  async sees(pattern: RegExp, from = 0): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec((this.output + this.errors).slice(from)) ?? pattern.exec(this.errors);
      if (match) return match;
      if (this.process.exitCode !== null || this.process.signalCode !== null) {
        throw this.unseen(`ended before it said ${pattern}`);
      }
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(this.unseen(`hangs and never said ${pattern}`)), this.silence);
        this.waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  type(text: string): void {
    this.process.stdin.write(text);
  }

  kill(signal: NodeJS.Signals = "SIGTERM"): void {
    this.process.kill(signal);
  }

  private unseen(what: string): Error {
    return new Error(`${what}:\n${this.output.slice(-2000)}\n${this.errors.slice(-2000)}`);
  }

  private wake(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

/** Why `onTerminal` cannot be used here; false where it can. */
export const NO_TERMINAL =
  spawnSync("script", ["--version"]).status === 0 ? false : "script (bsdutils) is not installed";

/** Runs the command line on a terminal of its own; `inner` is a shell command around "$@". */
export function onTerminal(args: string[], inner = '"$@"'): Running {
  const quoted = [process.execPath, MAIN, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  return new Running(["-qec", `set -- ${quoted}; ${inner}; echo; stty -a`, "/dev/null"], ["script"]);
}

/** A folder that goes away with the test. */
export function temporaryFolder(t: { after(callback: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), "ringvisor-cli-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
