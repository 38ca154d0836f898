/** Tells boot files apart by their contents and hands them to their loader. */
import { prepareBios } from "./bios.js";
import { BootFileError } from "./boot-file-error.js";
import type { BootImage, BootOptions } from "./boot-image.js";
import { isBzImage, prepareBzImage } from "./bzimage.js";
import { decompress } from "./decompress/decompress.js";
import { DecompressError } from "./decompress/output.js";
import { isElf } from "./elf.js";
import type { BootFile } from "./file-reader.js";
import { findMultibootHeader, prepareMultiboot } from "./multiboot.js";
import { preparePvh } from "./pvh.js";

/** More than any kernel unpacks to. */
const MAX_KERNEL_BYTES = 512 << 20;

/**
 * Checks what is to be booted and unpacks it, without a machine.
 *
 * @throws BootFileError for every file that cannot be booted
 * @throws TypeError where there is neither a kernel nor a ROM, or both
 */
export async function prepareBoot(options: BootOptions): Promise<BootImage> {
  const { bios, kernel } = options;
  if (bios && kernel) throw new TypeError("a machine boots either a kernel or a ROM");
  if (bios) return prepareBios(bios);
  if (!kernel) throw new TypeError("a machine needs a kernel or a ROM to boot");
  const unpacked = await gunzip(kernel);
  const { bytes, name } = unpacked;
  if (isBzImage(bytes)) {
    const extra = options.modules?.[0];
    if (extra) throw new BootFileError(extra.file.name, "is a module, but Linux takes an initrd only");
    return prepareBzImage(unpacked, options);
  }
  if (findMultibootHeader(bytes) >= 0) return prepareMultiboot(unpacked, options);
  if (isElf(bytes)) return preparePvh(unpacked, options);
  throw new BootFileError(name, "is no kernel that can be booted: neither bzImage nor ELF nor multiboot");
}

/** Kernels for boot loaders that decompress, such as Xen's, come as gzip files. */
async function gunzip(file: BootFile): Promise<BootFile> {
  const { bytes, name } = file;
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b || bytes.length < 18) return file;
  const size = new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 4, true);
  if (size > MAX_KERNEL_BYTES) throw new BootFileError(name, `claims to decompress to ${size} bytes`);
  try {
    return { name, bytes: await decompress(bytes, size) };
  } catch (error) {
    if (error instanceof DecompressError) throw new BootFileError(name, error.message, { cause: error });
    throw error;
  }
}
