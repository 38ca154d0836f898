/** Starts a stage program and speaks with it over its channel. */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmdirSync, unlinkSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { ContainerError } from "../errors.js";
import { errnoText } from "./errno-text.js";
import { MESSAGE_EVENT, MESSAGE_FAILED, MESSAGE_SIZE, type StageProgram } from "./program.js";

/** What a stage told. */
export interface StageEvent {
  readonly event: number;
  readonly value: number;
}

/** A system call of the stage failed. */
export class StageError extends ContainerError {
  constructor(
    /** What could not be done, as the plan says it. */
    readonly step: string,
    readonly errno: number,
  ) {
    super("STAGE_FAILED", `${step}: ${errnoText(errno)}`);
  }
}

export interface StageOptions {
  /** Folder for the program's file, which is gone once the stage runs. */
  readonly folder: string;
  /** Descriptors of the stage: ours by number, "ignore" is /dev/null. The channel comes after them. */
  readonly stdio: readonly (number | "ignore" | "pipe")[];
}

export class Stage {
  readonly #program: StageProgram;
  readonly #channel: Socket;
  readonly child: ChildProcess;
  #received: Buffer = Buffer.alloc(0);
  #ended = false;
  #wake: (() => void) | null = null;
  /** Resolves when the stage's first process has ended. */
  readonly exited: Promise<void>;

  constructor(program: StageProgram, { folder, stdio }: StageOptions) {
    if (process.arch !== "x64") {
      throw new ContainerError("UNSUPPORTED_BY_HOST", `containers need an x86-64 host, this one is ${process.arch}`);
    }
    this.#program = program;
    if (stdio.length !== program.channel) throw new Error("the stage's channel is not its last descriptor");
    const file = program.link();
    this.child = spawnFile(file, folder, [...stdio, "pipe"]);
    this.#channel = this.child.stdio[program.channel as 4] as Socket;
    this.exited = new Promise((resolve) => {
      this.child.once("exit", () => resolve());
    });
    this.#channel.on("data", (chunk: Buffer) => {
      this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
      this.#wakeUp();
    });
    const end = () => {
      this.#ended = true;
      this.#wakeUp();
    };
    this.#channel.on("end", end);
    this.#channel.on("close", end);
    this.#channel.on("error", end);
  }

  /** The next message; null where the stage has closed its channel. @throws StageError what it could not do */
  async next(): Promise<StageEvent | null> {
    while (this.#received.length < MESSAGE_SIZE) {
      if (this.#ended) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const message = this.#received.subarray(0, MESSAGE_SIZE);
    this.#received = this.#received.subarray(MESSAGE_SIZE);
    const kind = message.readUInt32LE(0);
    const detail = message.readUInt32LE(4);
    const value = Number(message.readBigInt64LE(8));
    if (kind === MESSAGE_FAILED) throw new StageError(this.#program.describe(detail), value);
    if (kind !== MESSAGE_EVENT) throw new ContainerError("STAGE_FAILED", "the stage sent what is no message");
    return { event: detail, value };
  }

  /** The next message, which has to be `event`. */
  async expect(event: number): Promise<number> {
    const got = await this.next();
    if (got?.event !== event) throw new ContainerError("STAGE_FAILED", "the container's first process ended early");
    return got.value;
  }

  /** Lets a stage that waits for a byte go on. */
  proceed(): void {
    this.#channel.write("g");
  }

  send(bytes: Uint8Array): void {
    this.#channel.write(bytes);
  }

  /** Closes the channel: a stage that still waits for us ends. */
  close(): void {
    this.#channel.destroy();
    this.child.unref();
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}

/**
 * Runs a program from a private file that is removed at once: what a container can reach through /proc/PID/exe is this
 * nameless copy, never a file of ours (CVE-2019-5736).
 */
function spawnFile(file: Uint8Array, folder: string, stdio: StdioOptions): ChildProcess {
  let refused: unknown;
  for (const place of [folder, process.env.TMPDIR ?? "/tmp", "/var/tmp"]) {
    let own: string | null = null;
    try {
      own = mkdtempSync(join(place, ".stage-"));
      const path = join(own, "stage");
      writeFileSync(path, file, { mode: 0o500 });
      chmodSync(path, 0o500);
      // Nothing of our environment goes along.
      const child = spawn(path, [], { stdio, env: {}, cwd: "/" });
      if (child.pid !== undefined) return child;
      // The reason comes as an event; a folder mounted noexec is the usual one.
      child.on("error", () => {});
      refused = new ContainerError("FILE", `cannot run a program from ${place}: is it mounted noexec?`);
    } catch (error) {
      refused = error;
    } finally {
      if (own !== null) removeFolder(own);
    }
  }
  throw refused;
}

/** fs.rmSync would do, and load much code for it at every start of a container. */
function removeFolder(folder: string): void {
  try {
    unlinkSync(join(folder, "stage"));
  } catch {
    // It was never written.
  }
  rmdirSync(folder);
}
