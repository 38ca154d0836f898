/** Words for whoever drives the runtime, in the two forms that engines parse: logfmt and JSON lines. */
import { appendFileSync } from "node:fs";

export type Level = "debug" | "info" | "warning" | "error";

export class Log {
  constructor(
    /** Null is standard error. */
    readonly file: string | null,
    readonly format: "text" | "json",
    readonly withDebug: boolean,
  ) {}

  write(level: Level, message: string): void {
    if (level === "debug" && !this.withDebug) return;
    const time = new Date().toISOString().replace(/\.\d+Z$/, "Z");
    const line =
      this.format === "json"
        ? JSON.stringify({ level, msg: message, time })
        : `time=${JSON.stringify(time)} level=${level} msg=${JSON.stringify(message)}`;
    if (this.file === null) process.stderr.write(`${line}\n`);
    else appendFileSync(this.file, `${line}\n`, { mode: 0o644 });
  }

  /** An error ends the command: engines look for it in the log, people on standard error. */
  fatal(message: string): void {
    try {
      this.write("error", message);
    } catch (error) {
      process.stderr.write(`cannot write the log: ${(error as Error).message}\n`);
    }
    if (this.file !== null) process.stderr.write(`${message}\n`);
  }
}
