/** Where a machine's console leads: the terminal or the pipes of this process, a file, or nowhere. */
import { closeSync, openSync, writeSync } from "node:fs";
import { ReadStream } from "node:tty";
import type { CharBackend } from "../devices/device.js";
import { type EscapeAction, EscapeKeys } from "./escape-keys.js";
import { fileError } from "./files.js";
import { RawTerminal } from "./raw-terminal.js";

/** The guest writes byte by byte; more than this is not held back. */
const BUFFER_BYTES = 8192;
/** What is typed or piped in goes to the guest in pieces of this size. */
const INPUT_CHUNK = 4096;

export interface HostConsole extends CharBackend {
  /** When the guest's first byte came, on performance.now()'s clock, or null. */
  readonly firstByte: number | null;
  /** What the guest has written goes out now. */
  flush(): void;
  /** Flushes and gives everything back. May be called twice. */
  close(): void;
}

/** Collects the guest's bytes and hands them on once the event loop comes around. */
abstract class BufferedConsole implements HostConsole {
  firstByte: number | null = null;
  protected listener: (bytes: Uint8Array) => void = () => {};
  private readonly buffer = new Uint8Array(BUFFER_BYTES);
  private used = 0;
  private scheduled = false;

  write(bytes: Uint8Array): void {
    this.firstByte ??= performance.now();
    for (const byte of bytes) {
      if (this.used === BUFFER_BYTES) this.flush();
      this.buffer[this.used++] = byte;
    }
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.flush();
    });
  }

  onData(callback: (bytes: Uint8Array) => void): void {
    this.listener = callback;
  }

  flush(): void {
    if (this.used === 0) return;
    const bytes = this.buffer.slice(0, this.used);
    this.used = 0;
    this.send(bytes);
  }

  close(): void {
    this.flush();
  }

  protected abstract send(bytes: Uint8Array): void;
}

class NullConsole extends BufferedConsole {
  protected override send(): void {}
}

class FileConsole extends BufferedConsole {
  private fd: number | null;

  constructor(
    private readonly path: string,
    private readonly onFailure: (error: Error) => void,
  ) {
    super();
    try {
      this.fd = openSync(path, "w");
    } catch (error) {
      throw fileError(path, error);
    }
  }

  protected override send(bytes: Uint8Array): void {
    if (this.fd === null) return;
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.fd, bytes, at);
    } catch (error) {
      this.fd = null;
      this.onFailure(fileError(this.path, error));
    }
  }

  override close(): void {
    super.close();
    if (this.fd !== null) closeSync(this.fd);
    this.fd = null;
  }
}

export interface StdioHandlers {
  /** Keys of a terminal that are not for the guest. Pipes have none. */
  onAction(action: EscapeAction): void;
  /** Nobody reads our output any more (EPIPE), or it cannot be written. */
  onFailure(error: Error): void;
}

/** Standard input and output. A terminal is put in raw mode; the end of a pipe is not an event. */
export class StdioConsole extends BufferedConsole {
  /** Null for pipes. */
  readonly terminal: RawTerminal | null;
  private readonly keys = new EscapeKeys();
  private readonly onInput = (bytes: Uint8Array) => this.input(bytes);
  private readonly onError: (error: Error) => void;
  private detached = true;
  private paused = false;
  private closed = false;

  constructor(private readonly handlers: StdioHandlers) {
    super();
    const { stdin, stdout } = process;
    this.terminal = stdin instanceof ReadStream && stdin.isTTY ? new RawTerminal(stdin) : null;
    this.onError = (error) => handlers.onFailure(error);
    stdout.on("error", this.onError);
    stdin.on("error", () => {});
    this.attach();
  }

  /** The keyboard belongs to the guest again. */
  attach(): void {
    if (!this.detached || this.closed) return;
    this.detached = false;
    this.terminal?.enter();
    process.stdin.on("data", this.onInput);
    if (!this.paused) process.stdin.resume();
  }

  /** The guest has more than it takes: a pipe waits. A terminal is read on, because its keys may be for us. */
  pause(): void {
    if (this.terminal !== null) return;
    this.paused = true;
    process.stdin.pause();
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    if (!this.detached) process.stdin.resume();
  }

  /** Somebody else reads the keyboard until `attach`. */
  detach(): void {
    if (this.detached) return;
    this.detached = true;
    process.stdin.removeListener("data", this.onInput);
    process.stdin.pause();
    this.terminal?.leave();
  }

  override close(): void {
    if (this.closed) return;
    super.close();
    this.closed = true;
    this.detach();
    this.terminal?.restore();
    process.stdin.unref?.();
  }

  protected override send(bytes: Uint8Array): void {
    process.stdout.write(bytes);
  }

  private input(typed: Uint8Array): void {
    let rest = typed;
    while (rest.length > 0) {
      const step =
        this.terminal === null ? { bytes: rest, action: null, rest: rest.subarray(rest.length) } : this.keys.feed(rest);
      for (let at = 0; at < step.bytes.length; at += INPUT_CHUNK) {
        this.listener(step.bytes.subarray(at, at + INPUT_CHUNK));
      }
      if (step.action !== null) this.handlers.onAction(step.action);
      rest = step.rest;
    }
  }
}

export function createNullConsole(): HostConsole {
  return new NullConsole();
}

/** @throws FileError where the file cannot be opened */
export function createFileConsole(path: string, onFailure: (error: Error) => void): HostConsole {
  return new FileConsole(path, onFailure);
}
