/**
 * A terminal in raw mode that is put back whatever happens.
 *
 * An orderly end restores it by `restore` or, at the latest, when the process exits. If the process dies
 * without a word (SIGKILL, out of memory, a crash of the host's engine), a small shell that waits for its
 * end does it.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import type { ReadStream } from "node:tty";

export class RawTerminal {
  private readonly watcher: ChildProcess | null;
  private readonly atExit = () => this.restore();
  private raw = false;

  constructor(private readonly input: ReadStream) {
    this.watcher = startWatcher();
    process.once("exit", this.atExit);
    this.enter();
  }

  enter(): void {
    if (this.raw) return;
    this.input.setRawMode(true);
    this.raw = true;
  }

  /** Back to lines and echo; `enter` may follow. */
  leave(): void {
    if (!this.raw) return;
    this.raw = false;
    // The terminal may be gone, with whoever closed its window.
    if (!this.input.destroyed) this.input.setRawMode(false);
  }

  /** `leave` for good. */
  restore(): void {
    this.leave();
    process.removeListener("exit", this.atExit);
    this.watcher?.stdin?.end("done\n");
  }
}

/** A shell in a session of its own that ends when our side of its pipe does. Null where there is no stty. */
function startWatcher(): ChildProcess | null {
  const saved = spawnSync("stty", ["-g"], { stdio: ["inherit", "pipe", "ignore"], encoding: "utf8" });
  if (saved.status !== 0) return null;
  const script = 'read -r word; [ "$word" = done ] || stty "$0" <&3';
  const child = spawn("sh", ["-c", script, saved.stdout.trim()], {
    stdio: ["pipe", "ignore", "ignore", process.stdin.fd],
    detached: true,
  });
  child.on("error", () => {});
  child.stdin?.on("error", () => {});
  child.unref();
  (child.stdin as unknown as { unref?(): void })?.unref?.();
  return child;
}
