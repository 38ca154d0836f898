/** DMA of devices: copies that end at what is not memory, and never change ROM. */
import { type GuestMemory, PAGE_SIZE } from "../../guest-memory/guest-memory.js";

/** Calls back for each part of the range that lies in one page; false where some of it is not memory. */
function eachPage(
  memory: GuestMemory,
  gpa: number,
  size: number,
  visit: (gpa: number, size: number, done: number) => void,
): boolean {
  if (!(Number.isSafeInteger(gpa) && gpa >= 0 && Number.isSafeInteger(gpa + size))) return false;
  for (let done = 0; done < size; ) {
    const at = gpa + done;
    const part = Math.min(size - done, PAGE_SIZE - (at % PAGE_SIZE));
    if (!memory.contains(at, part)) return false;
    visit(at, part, done);
    done += part;
  }
  return true;
}

/** Reads guest memory; null where some of the range is not memory. Ask for no more than the device has use for. */
export function dmaRead(memory: GuestMemory, gpa: number, size: number): Uint8Array | null {
  const bytes = new Uint8Array(size);
  const whole = eachPage(memory, gpa, size, (at, part, done) => bytes.set(memory.view(at, part), done));
  return whole ? bytes : null;
}

/**
 * Writes `bytes` and then zeros up to `size` bytes. What is written before the first page that is not memory stays.
 *
 * @returns false where some of the range is not memory
 */
export function dmaWrite(memory: GuestMemory, gpa: number, bytes: Uint8Array, size = bytes.length): boolean {
  const isRom = (at: number): boolean =>
    memory.slots.some((slot) => slot.readonly && at >= slot.gpa && at < slot.gpa + slot.size);
  return eachPage(memory, gpa, size, (at, part, done) => {
    if (isRom(at)) return;
    const target = memory.writableView(at, part);
    const source = bytes.subarray(Math.min(done, bytes.length), Math.min(done + part, bytes.length));
    target.set(source);
    target.fill(0, source.length);
  });
}
