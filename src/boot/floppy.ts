/**
 * A floppy's image for firmware: SeaBIOS takes it by fw_cfg, copies it into RAM and boots from there. It wants an image
 * of exactly a floppy's size.
 */
import { BootFileError } from "./boot-file-error.js";
import type { BootFile } from "./file-reader.js";

/** 160 KiB to 2.88 MB. */
const SIZES = [163_840, 184_320, 327_680, 368_640, 737_280, 1_228_800, 1_474_560, 2_949_120];

/** The image with zeros behind it, as long as the smallest floppy that holds it. @throws BootFileError */
export function prepareFloppy({ name, bytes }: BootFile): Uint8Array {
  if (bytes.length === 0) throw new BootFileError(name, "is empty");
  const size = SIZES.find((each) => each >= bytes.length);
  if (size === undefined) throw new BootFileError(name, `is ${bytes.length} bytes long; a floppy has at most 2949120`);
  const image = new Uint8Array(size);
  image.set(bytes);
  return image;
}
