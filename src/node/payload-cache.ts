/** Kernels' unpacked payloads between runs: unpacking one takes seconds, reading it back a fraction of one. */
import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { PayloadCache } from "../boot/boot-image.js";
import { cacheFolder, sha256, writeWhole } from "./cache-folder.js";

/** Payloads kept; each is some 50 MB. */
const KEPT = 4;
const DIGEST_BYTES = 32;

/** A cache that cannot be read or written is no cache: the payload is unpacked as ever. */
export function createPayloadCache(folder: string = join(cacheFolder(), "payloads")): PayloadCache {
  const pathOf = (kernel: Uint8Array) => join(folder, `${sha256(kernel)}.payload`);
  return {
    async load(kernel) {
      const file = await readFile(pathOf(kernel)).catch(() => null);
      if (file === null || file.length <= DIGEST_BYTES) return null;
      const payload = file.subarray(DIGEST_BYTES);
      return sha256(payload) === file.subarray(0, DIGEST_BYTES).toString("hex") ? payload : null;
    },
    async store(kernel, payload) {
      try {
        await writeWhole(pathOf(kernel), Buffer.concat([Buffer.from(sha256(payload), "hex"), payload]));
        await prune(folder);
      } catch {
        // A full or read-only disk.
      }
    },
  };
}

async function prune(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".payload"));
  const files = await Promise.all(
    names.map(async (name) => ({ name, time: (await stat(join(folder, name)).catch(() => null))?.mtimeMs ?? 0 })),
  );
  files.sort((a, b) => b.time - a.time);
  for (const { name } of files.slice(KEPT)) await rm(join(folder, name), { force: true });
}
