/**
 * The container of a saved machine: a prologue, then sections one after the other, the last one `END `.
 *
 *     prologue   magic (8 bytes), format version (u32), 0 (u32)
 *     section    kind (4 ASCII characters), stored length (u32), length (u32), flags (u32), CRC-32C (u32), payload
 *
 * Numbers are little-endian. The checksum is that of the 16 bytes before it and of the payload as stored. Flag 0: the
 * payload is stored as raw DEFLATE. What `END ` holds is how many sections there were, so that nothing is cut off
 * unnoticed.
 */
import { crc32c } from "./crc32c.js";
import { deflate, inflate } from "./deflate.js";
import { SavedMachineError } from "./saved-machine-error.js";

export const FORMAT_VERSION = 1;

/** The most bytes of a section's payload, before and after compression. */
export const MAX_SECTION = 0x11_0000;

/** As PNG's: a byte that is no ASCII, and line ends that careless copying would change. */
const MAGIC = Uint8Array.of(0x89, 0x52, 0x56, 0x4d, 0x0d, 0x0a, 0x1a, 0x0a);
const PROLOGUE = 16;
const HEADER = 20;
const COMPRESSED = 1;
const END = "END ";
/** Compressing less than this is not worth the work. */
const MIN_COMPRESSED = 512;

/** Where a saved machine is written to, from its first byte to its last. */
export interface SavedMachineSink {
  /** The bytes are the caller's again when the promise resolves. */
  write(bytes: Uint8Array): Promise<void>;
}

/** Where a saved machine is read from, in any order and more than once. */
export interface SavedMachineSource {
  /** In bytes. */
  readonly size: number;
  /** `length` bytes from `offset`, or fewer where it ends. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

export interface Section {
  /** Four characters. */
  readonly kind: string;
  readonly payload: Uint8Array;
  /** For messages: its kind and place. */
  readonly where: string;
  /** Where the next section begins, in bytes from the file's start. */
  readonly end: number;
}

export class SectionWriter {
  private sections = 0;
  /** Bytes written so far. */
  length = 0;

  /** @param compress sections are compressed where that makes them shorter */
  constructor(
    private readonly sink: SavedMachineSink,
    private readonly compress: boolean,
  ) {}

  async begin(): Promise<void> {
    const prologue = new Uint8Array(PROLOGUE);
    prologue.set(MAGIC);
    new DataView(prologue.buffer).setUint32(8, FORMAT_VERSION, true);
    await this.put(prologue);
  }

  /** @param payload at most {@link MAX_SECTION} bytes */
  async write(kind: string, payload: Uint8Array): Promise<void> {
    if (payload.length > MAX_SECTION) throw new RangeError(`section ${kind} has ${payload.length} bytes`);
    let stored = payload;
    if (this.compress && payload.length >= MIN_COMPRESSED) {
      const shorter = await deflate(payload);
      if (shorter.length < payload.length) stored = shorter;
    }
    const header = new Uint8Array(HEADER);
    const view = new DataView(header.buffer);
    for (let index = 0; index < 4; index++) header[index] = kind.charCodeAt(index);
    view.setUint32(4, stored.length, true);
    view.setUint32(8, payload.length, true);
    view.setUint32(12, stored === payload ? 0 : COMPRESSED, true);
    view.setUint32(16, crc32c(stored, crc32c(header.subarray(0, 16))), true);
    await this.put(header);
    await this.put(stored);
    this.sections++;
  }

  async end(): Promise<void> {
    const payload = new Uint8Array(4);
    new DataView(payload.buffer).setUint32(0, this.sections, true);
    await this.write(END, payload);
  }

  private async put(bytes: Uint8Array): Promise<void> {
    await this.sink.write(bytes);
    this.length += bytes.length;
  }
}

/**
 * Reads the sections in their order, each checked; the last one, `END `, is not among them. After the last section
 * the whole file has been found sound. One section at a time is in memory.
 *
 * @throws SavedMachineError SAVED_FORMAT, SAVED_VERSION, SAVED_TRUNCATED, SAVED_CHECKSUM, SAVED_CONTENT
 */
export async function* readSections(source: SavedMachineSource): AsyncGenerator<Section, void, undefined> {
  await checkPrologue(source);
  let at = PROLOGUE;
  for (let count = 0; ; count++) {
    const section = await readSection(source, at);
    if (section.kind === END) {
      checkEnd(section, count, source.size - section.end);
      return;
    }
    yield section;
    at = section.end;
  }
}

async function checkPrologue(source: SavedMachineSource): Promise<void> {
  const prologue = await source.read(0, PROLOGUE);
  const known = Math.min(prologue.length, MAGIC.length);
  if (known === 0 || MAGIC.subarray(0, known).some((byte, index) => byte !== prologue[index])) {
    throw new SavedMachineError("SAVED_FORMAT", "start", "this is not a saved machine");
  }
  if (prologue.length < PROLOGUE) throw truncated("start", PROLOGUE - prologue.length);
  const view = new DataView(prologue.buffer, prologue.byteOffset, PROLOGUE);
  const version = view.getUint32(8, true);
  if (version !== FORMAT_VERSION) {
    const problem = `the file has version ${version} of the format; this program reads ${FORMAT_VERSION}`;
    throw new SavedMachineError("SAVED_VERSION", "start", problem);
  }
  if (view.getUint32(12, true) !== 0) throw new SavedMachineError("SAVED_CONTENT", "start", "unknown flags are set");
}

async function readSection(source: SavedMachineSource, at: number): Promise<Section> {
  const header = await source.read(at, HEADER);
  if (header.length < HEADER) throw truncated(`byte ${at}`, HEADER - header.length);
  const view = new DataView(header.buffer, header.byteOffset, HEADER);
  const kind = String.fromCharCode(...header.subarray(0, 4));
  const where = `section ${/^[A-Z ]{4}$/.test(kind) ? kind.trimEnd() : "?"} at byte ${at}`;
  const storedLength = view.getUint32(4, true);
  const length = view.getUint32(8, true);
  const flags = view.getUint32(12, true);
  // A length that no writer makes is damage, or malice: it is not read, let alone allocated.
  if (storedLength > MAX_SECTION || length > MAX_SECTION) {
    throw new SavedMachineError("SAVED_CHECKSUM", where, "its header is damaged: the length is impossible");
  }
  const stored = await source.read(at + HEADER, storedLength);
  if (stored.length < storedLength) throw truncated(where, storedLength - stored.length);
  if (crc32c(stored, crc32c(header.subarray(0, 16))) !== view.getUint32(16, true)) {
    throw new SavedMachineError("SAVED_CHECKSUM", where, "the checksum does not match: the file is damaged");
  }
  if ((flags & ~COMPRESSED) !== 0) throw new SavedMachineError("SAVED_CONTENT", where, "unknown flags are set");
  let payload: Uint8Array | null = stored;
  if (flags & COMPRESSED) payload = await inflate(stored, length);
  else if (storedLength !== length) payload = null;
  if (payload === null) {
    throw new SavedMachineError("SAVED_CONTENT", where, `what is stored does not make ${length} bytes`);
  }
  return { kind, payload, where, end: at + HEADER + storedLength };
}

function checkEnd({ payload, where }: Section, count: number, rest: number): void {
  const expected = payload.length === 4 ? new DataView(payload.buffer, payload.byteOffset, 4).getUint32(0, true) : -1;
  if (expected !== count) {
    throw new SavedMachineError("SAVED_CONTENT", where, `it tells of ${expected} sections, and there are ${count}`);
  }
  if (rest !== 0) throw new SavedMachineError("SAVED_CONTENT", where, `${rest} bytes follow the end`);
}

function truncated(where: string, missing: number): SavedMachineError {
  return new SavedMachineError("SAVED_TRUNCATED", where, `the file ends ${missing} bytes too early`);
}
