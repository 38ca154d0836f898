/** A flat ROM: it ends at 4 GiB, and the vCPU starts at the reset vector in its last 16 bytes. */
import { ROM_BYTES } from "../guest-memory/guest-memory.js";
import { BootFileError } from "./boot-file-error.js";
import type { BootImage } from "./boot-image.js";
import type { BootFile } from "./file-reader.js";

/** Sizes of ROM chips are multiples of this. */
const ROM_UNIT = 0x10000;
const FOUR_GIB = 0x1_0000_0000;

/** @throws BootFileError */
export function prepareBios(file: BootFile): BootImage {
  const { name, bytes } = file;
  if (bytes.length === 0 || bytes.length % ROM_UNIT !== 0 || bytes.length > ROM_BYTES) {
    throw new BootFileError(name, `is ${bytes.length} bytes long; a ROM is a multiple of 64 KiB, at most 16 MiB`);
  }
  return {
    kind: "bios",
    description: `ROM of ${bytes.length / 1024} KiB`,
    rom: bytes,
    load: ({ memory }) => {
      memory.write(FOUR_GIB - bytes.length, bytes);
      return null;
    },
  };
}
