/**
 * Writes cpio archives in the "newc" format, which Linux unpacks as initramfs.
 * Documentation/driver-api/early-userspace/buffer-format.rst in the kernel's sources.
 */

export const S_IFREG = 0o100000;
export const S_IFDIR = 0o040000;
export const S_IFLNK = 0o120000;
export const S_IFCHR = 0o020000;

export interface CpioEntry {
  /** Path without a leading slash. Its folders must come before it. */
  readonly path: string;
  /** Type and permissions. */
  readonly mode: number;
  /** A file's contents, a link's target. */
  readonly data?: Uint8Array;
  /** A device's major and minor number. */
  readonly device?: readonly [major: number, minor: number];
}

const TRAILER = "TRAILER!!!";
const HEADER_BYTES = 110;

/** The same entries give the same bytes: all belong to root and date from 1970. */
export function writeCpio(entries: readonly CpioEntry[]): Uint8Array {
  const chunks: Uint8Array[] = [];
  entries.forEach((entry, index) => {
    append(chunks, entry, index + 1);
  });
  append(chunks, { path: TRAILER, mode: 0 }, 0);
  const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const archive = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    archive.set(chunk, at);
    at += chunk.length;
  }
  return archive;
}

function append(chunks: Uint8Array[], entry: CpioEntry, inode: number): void {
  const encoder = new TextEncoder();
  const name = encoder.encode(`${entry.path}\0`);
  const data = entry.data ?? new Uint8Array(0);
  const [major, minor] = entry.device ?? [0, 0];
  const fields = [
    inode,
    entry.mode,
    0, // user
    0, // group
    1, // links
    0, // modification time
    data.length,
    0, // the archive's own device, major and minor
    0,
    major,
    minor,
    name.length,
    0, // no checksum
  ];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
  chunks.push(encoder.encode(header), name, padding(HEADER_BYTES + name.length), data, padding(data.length));
}

/** Names and data end at multiples of four. */
function padding(length: number): Uint8Array {
  return new Uint8Array((4 - (length % 4)) % 4);
}
