// How much of a guest's RAM a virtual machine's process has in memory, from the kernel's own tables.
import { closeSync, openSync, readFileSync, readSync } from "node:fs";

const PAGE = 4096n;
/** Of a page's eight bytes in /proc/PID/pagemap. */
const PRESENT = 1n << 63n;

/**
 * Bytes of a guest's RAM that are in memory: QEMU's RAM is a mapping by itself, Ringvisor's is the end of its
 * WebAssembly memory, which is the smallest mapping that is larger. Null where the kernel does not tell.
 *
 * @param bytes the size of the RAM
 */
export function touchedBytes(pid, bytes) {
  try {
    const ends = [...readFileSync(`/proc/${pid}/maps`, "latin1").matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw/gm)]
      .map(([, start, end]) => ({ end: BigInt(`0x${end}`), size: Number(BigInt(`0x${end}`) - BigInt(`0x${start}`)) }))
      .filter(({ size }) => size >= bytes)
      .sort((a, b) => a.size - b.size);
    return presentBytes(pid, ends[0].end - BigInt(bytes), ends[0].end);
  } catch {
    return null;
  }
}

function presentBytes(pid, start, end) {
  const pages = Number((end - start) / PAGE);
  const entries = new BigUint64Array(pages);
  const file = openSync(`/proc/${pid}/pagemap`, "r");
  try {
    const view = new Uint8Array(entries.buffer);
    let done = 0;
    while (done < view.length) {
      const count = readSync(file, view, done, view.length - done, Number((start / PAGE) * 8n) + done);
      if (count === 0) throw new Error("the mapping is gone");
      done += count;
    }
  } finally {
    closeSync(file);
  }
  return entries.reduce((sum, entry) => sum + (entry & PRESENT ? 4096 : 0), 0);
}
