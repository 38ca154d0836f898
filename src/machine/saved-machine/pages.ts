/** RAM, ROM and video memory as sections of pages. Pages of zeros are left out. */
import {
  type GuestMemory,
  PAGE_SIZE,
  RAM_OFFSET,
  ROM_OFFSET,
  VIDEO_BYTES,
  VIDEO_OFFSET,
} from "../../guest-memory/guest-memory.js";
import { SavedMachineError } from "./saved-machine-error.js";
import type { Section } from "./sections.js";

/** Pages in one section at most. */
const MAX_PAGES = 256;
const HEADER = 8;
const RUN = 8;

/** A part of the machine's memory that is saved. */
export interface MemoryRegion {
  readonly name: "RAM" | "ROM" | "video memory";
  /** In the wasm memory. */
  readonly offset: number;
  /** In bytes: a multiple of 4096. */
  readonly size: number;
}

/** By their numbers in the file. */
export function memoryRegions(ramSize: number, romSize: number): readonly MemoryRegion[] {
  return [
    { name: "RAM", offset: RAM_OFFSET, size: ramSize },
    { name: "ROM", offset: ROM_OFFSET, size: romSize },
    { name: "video memory", offset: VIDEO_OFFSET, size: VIDEO_BYTES },
  ];
}

interface Run {
  /** Page number in its region. */
  readonly first: number;
  readonly count: number;
}

/**
 * The payloads of a region's sections: region (u32), number of runs (u32), each run's first page and count (u32), then
 * the pages. A payload is valid until the next one is asked for.
 */
export function* pagePayloads(
  memory: GuestMemory,
  regions: readonly MemoryRegion[],
  index: number,
): Generator<Uint8Array, void, undefined> {
  const region = regions[index];
  const buffer = new Uint8Array(HEADER + MAX_PAGES * (RUN + PAGE_SIZE));
  const view = new DataView(buffer.buffer);
  for (const runs of runBatches(memory, region)) {
    view.setUint32(0, index, true);
    view.setUint32(4, runs.length, true);
    let at = HEADER;
    for (const { first, count } of runs) {
      view.setUint32(at, first, true);
      view.setUint32(at + 4, count, true);
      at += RUN;
    }
    for (const { first, count } of runs) {
      const start = region.offset + first * PAGE_SIZE;
      buffer.set(memory.bytes.subarray(start, start + count * PAGE_SIZE), at);
      at += count * PAGE_SIZE;
    }
    yield buffer.subarray(0, at);
  }
}

/** The region's pages that are not zero, in runs, as many at a time as a section takes. */
function* runBatches(memory: GuestMemory, region: MemoryRegion): Generator<Run[], void, undefined> {
  const words = new Int32Array(memory.memory.buffer, region.offset, region.size / 4);
  const pages = region.size / PAGE_SIZE;
  let runs: Run[] = [];
  let used = 0;
  for (let page = 0; page < pages; page++) {
    if (isZero(words, page)) continue;
    const first = page;
    while (page < pages && page - first < MAX_PAGES - used && !isZero(words, page)) page++;
    runs.push({ first, count: page - first });
    used += page - first;
    if (used === MAX_PAGES) {
      yield runs;
      runs = [];
      used = 0;
    }
    // The loop's own step looks at this page.
    page--;
  }
  if (runs.length > 0) yield runs;
}

function isZero(words: Int32Array, page: number): boolean {
  const start = (page * PAGE_SIZE) / 4;
  for (let at = start, end = start + PAGE_SIZE / 4; at < end; at += 4) {
    if ((words[at] | words[at + 1] | words[at + 2] | words[at + 3]) !== 0) return false;
  }
  return true;
}

interface PageRun {
  readonly region: MemoryRegion;
  /** In the wasm memory. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Takes the sections of pages in their order; what it accepts covers each page once at most. */
export class PageReader {
  private region = 0;
  /** The first page that may come next. */
  private next = 0;

  constructor(private readonly regions: readonly MemoryRegion[]) {}

  /**
   * The runs of a section: its region, where in the wasm memory each one belongs, and its bytes.
   *
   * @throws SavedMachineError SAVED_CONTENT
   */
  parse({ payload, where }: Section): PageRun[] {
    const fail = (problem: string): never => {
      throw new SavedMachineError("SAVED_CONTENT", where, problem);
    };
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
    if (payload.length < HEADER) fail("it is too short");
    const index = view.getUint32(0, true);
    const runCount = view.getUint32(4, true);
    if (index >= this.regions.length || index < this.region) fail(`memory region ${index} is not expected`);
    if (index > this.region) this.next = 0;
    this.region = index;
    const region = this.regions[index];
    if (runCount > MAX_PAGES || payload.length < HEADER + runCount * RUN) fail("its runs of pages are cut off");
    const result: PageRun[] = [];
    let at = HEADER + runCount * RUN;
    for (let run = 0; run < runCount; run++) {
      const first = view.getUint32(HEADER + run * RUN, true);
      const count = view.getUint32(HEADER + run * RUN + 4, true);
      if (first < this.next) fail(`page ${first} of ${region.name} comes twice or out of order`);
      if (count === 0 || (first + count) * PAGE_SIZE > region.size) {
        fail(`${count} pages from page ${first} on are not in the machine's ${region.name}`);
      }
      const size = count * PAGE_SIZE;
      if (size > payload.length - at) fail("its pages are cut off");
      result.push({ region, offset: region.offset + first * PAGE_SIZE, bytes: payload.subarray(at, at + size) });
      at += size;
      this.next = first + count;
    }
    if (at !== payload.length) fail(`${payload.length - at} bytes follow its pages`);
    return result;
  }
}
