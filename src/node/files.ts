/** Files that the user names: read completely, with errors that say which and why. */
import { readFile, stat } from "node:fs/promises";
import type { BootFile } from "../boot/file-reader.js";

/** A file that cannot be read or written. */
export class FileError extends Error {
  override readonly name = "FileError";
  readonly code = "FILE";
  constructor(
    readonly file: string,
    readonly problem: string,
    options?: ErrorOptions,
  ) {
    super(`${file}: ${problem}`, options);
  }
}

/** Nothing larger fits into a machine's memory. */
const MAX_BOOT_FILE = 0x1_0000_0000;

/** @throws FileError */
export async function readBootFile(name: string): Promise<BootFile> {
  try {
    const { size } = await stat(name);
    if (size > MAX_BOOT_FILE) throw new FileError(name, `is ${size} bytes long: more than a machine's memory`);
    return { name, bytes: await readFile(name) };
  } catch (error) {
    throw fileError(name, error);
  }
}

/** The system's error in words, with the file's name. */
export function fileError(name: string, error: unknown): FileError {
  if (error instanceof FileError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  return new FileError(name, PROBLEMS[code ?? ""] ?? message, { cause: error });
}

const PROBLEMS: Record<string, string> = {
  ENOENT: "no such file",
  ENOTDIR: "part of its path is not a folder",
  EISDIR: "is a folder",
  EACCES: "permission denied",
  EPERM: "permission denied",
  ENAMETOOLONG: "the name is too long",
  ELOOP: "too many symbolic links",
  ENOSPC: "no space left",
  EROFS: "the file system is read-only",
  ERR_FS_FILE_TOO_LARGE: "is too large to read at once",
};
