/** Saved machines as files. */
import { randomBytes } from "node:crypto";
import { constants, unlinkSync } from "node:fs";
import { type FileHandle, lstat, open, realpath, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Machine } from "../machine/machine.js";
import { type SaveOptions, saveMachine } from "../machine/saved-machine/save-machine.js";
import type { SavedMachineSource } from "../machine/saved-machine/sections.js";
import { FileError, fileError } from "./files.js";

/** Only its owner may read it: a machine's memory holds whatever the guest's users typed. */
const PRIVATE = 0o600;

/**
 * Saves a paused machine to a file. It takes the place of an older one in one step, when it is complete and on the
 * disk; whatever goes wrong before leaves the older one, and nothing else, behind.
 *
 * @returns bytes written
 * @throws FileError
 * @throws MachineError as `saveMachine` does, and the signal's reason
 */
export async function saveMachineFile(machine: Machine, name: string, options: SaveOptions = {}): Promise<number> {
  const target = await regularFile(name);
  const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString("hex")}.tmp`);
  const discard = (): void => {
    try {
      unlinkSync(temporary);
    } catch {
      // It is in its place already, or was never made.
    }
  };
  const file = await open(temporary, "wx", PRIVATE).catch((error) => {
    throw fileError(name, error);
  });
  // Also where something calls process.exit in the middle.
  process.once("exit", discard);
  try {
    const sink = {
      write: async (bytes: Uint8Array): Promise<void> => {
        try {
          for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
        } catch (error) {
          throw fileError(name, error);
        }
      },
    };
    const size = await saveMachine(machine, sink, options);
    await place(file, temporary, target).catch((error) => {
      throw fileError(name, error);
    });
    return size;
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw error;
  } finally {
    await file.close();
    process.removeListener("exit", discard);
  }
}

/** Puts the finished file where it belongs, so that a power failure leaves the old one or the new one. */
async function place(file: FileHandle, temporary: string, target: string): Promise<void> {
  await file.sync();
  await rename(temporary, target);
  const folder = await open(dirname(target), "r");
  try {
    // Not every file system can.
    await folder.sync().catch(() => {});
  } finally {
    await folder.close();
  }
}

/** The file that the name stands for, symbolic links followed: there is none yet, or it is a regular one. */
async function regularFile(name: string): Promise<string> {
  try {
    const target = await realpath(name);
    if ((await lstat(target)).isFile()) return target;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw fileError(name, error);
    return name;
  }
  throw new FileError(name, "is not a regular file: a saved machine would take its place");
}

export interface SavedMachineFile extends SavedMachineSource {
  close(): Promise<void>;
}

/** @throws FileError; so does `read` of the result */
export async function openSavedMachineFile(name: string): Promise<SavedMachineFile> {
  let file: FileHandle | null = null;
  try {
    // Without waiting, in case it is a pipe that nobody writes to.
    file = await open(name, constants.O_RDONLY | constants.O_NONBLOCK);
    const information = await file.stat();
    if (!information.isFile()) throw new FileError(name, "is not a regular file");
    return new OpenFile(name, file, information.size);
  } catch (error) {
    await file?.close();
    throw fileError(name, error);
  }
}

class OpenFile implements SavedMachineFile {
  constructor(
    private readonly name: string,
    private readonly file: FileHandle,
    readonly size: number,
  ) {}

  async read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    let got = 0;
    try {
      while (got < length) {
        const { bytesRead } = await this.file.read(bytes, got, length - got, offset + got);
        if (bytesRead === 0) break;
        got += bytesRead;
      }
    } catch (error) {
      throw fileError(this.name, error);
    }
    return bytes.subarray(0, got);
  }

  close(): Promise<void> {
    return this.file.close();
  }
}
