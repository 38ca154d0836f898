/** How the control files are reached: the real ones, or a test's. */
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeSync,
} from "node:fs";

/** The few operations that cgroupfs knows. All throw the system's errors (`code` ENOENT, EBUSY and so on). */
export interface CgroupFiles {
  read(path: string): string;
  /** One write(2) to a file that is there already: the kernel takes each write as one command. */
  write(path: string, value: string): void;
  mkdir(path: string): void;
  rmdir(path: string): void;
  exists(path: string): boolean;
  /** Names of the folders in a folder. */
  folders(path: string): string[];
  /** Sends a signal to a process. */
  kill(pid: number, signal: number): void;
}

export const systemFiles: CgroupFiles = {
  read: (path) => readFileSync(path, "utf8"),
  write(path, value) {
    const file = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW);
    try {
      writeSync(file, value);
    } finally {
      closeSync(file);
    }
  },
  mkdir: (path) => mkdirSync(path, 0o755),
  rmdir: (path) => rmdirSync(path),
  exists: (path) => existsSync(path),
  folders: (path) =>
    readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name),
  kill: (pid, signal) => {
    process.kill(pid, signal);
  },
};

/** A system error's name, "" for anything else. */
export function errnoOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | undefined)?.code ?? "";
}
