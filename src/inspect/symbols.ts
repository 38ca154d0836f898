/** Names of addresses: from a System.map, a copy of /proc/kallsyms or an ELF file's symbol table. */
import type { BootFile } from "../boot/file-reader.js";

/** A file that has no symbols in a form that we know. */
export class SymbolFileError extends Error {
  override readonly name = "SymbolFileError";
  readonly code = "SYMBOL_FILE";
  constructor(
    readonly file: string,
    readonly problem: string,
  ) {
    super(`${file}: ${problem}`);
  }
}

interface Symbol {
  readonly address: bigint;
  readonly name: string;
}

/** An address this far behind a symbol is not part of it. */
const MAX_OFFSET = 1n << 20n;

export class SymbolTable {
  private readonly sorted: Symbol[];

  constructor(symbols: readonly Symbol[]) {
    this.sorted = [...symbols].sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  }

  get size(): number {
    return this.sorted.length;
  }

  /** `name+0xoffset` of the symbol that an address belongs to, or null. */
  describe(address: bigint): string | null {
    let low = 0;
    let high = this.sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.sorted[middle].address <= address) low = middle + 1;
      else high = middle;
    }
    const symbol = this.sorted[low - 1];
    if (symbol === undefined || address - symbol.address >= MAX_OFFSET) return null;
    const offset = address - symbol.address;
    return offset === 0n ? symbol.name : `${symbol.name}+0x${offset.toString(16)}`;
  }

  /** The address of a name, or null. */
  find(name: string): bigint | null {
    return this.sorted.find((symbol) => symbol.name === name)?.address ?? null;
  }
}

/** @throws SymbolFileError */
export function parseSymbols(file: BootFile): SymbolTable {
  const { bytes } = file;
  const isElf = bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
  const symbols = isElf ? readElf(file) : readMap(file);
  if (symbols.length === 0) throw new SymbolFileError(file.name, "has no symbols");
  return new SymbolTable(symbols);
}

/** Lines of "address type name", as nm prints them; /proc/kallsyms has the module's name in brackets behind it. */
function readMap(file: BootFile): Symbol[] {
  const symbols: Symbol[] = [];
  for (const line of new TextDecoder().decode(file.bytes).split("\n")) {
    if (line.trim() === "") continue;
    const match = /^([0-9a-fA-F]{1,16}) +\S +(\S+)/.exec(line);
    if (!match) throw new SymbolFileError(file.name, "is neither an ELF file nor a System.map");
    symbols.push({ address: BigInt(`0x${match[1]}`), name: match[2] });
  }
  if (symbols.length > 0 && symbols.every(({ address }) => address === 0n)) {
    throw new SymbolFileError(file.name, "has no addresses: /proc/kallsyms shows them to root alone");
  }
  return symbols;
}

const SHT_SYMTAB = 2;
/** The symbols that dynamic linking needs: all that a stripped file has. */
const SHT_DYNSYM = 11;
const STT_FUNC = 2;
const SHN_UNDEF = 0;

/** System V ABI, chapter 4: section headers, symbol table, string table. */
function readElf(file: BootFile): Symbol[] {
  const { bytes } = file;
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const is64 = bytes[4] === 2;
  const symbols: Symbol[] = [];
  try {
    if (bytes[5] !== 1) throw new SymbolFileError(file.name, "is a big-endian ELF file");
    const word = (at: number) => (is64 ? Number(data.getBigUint64(at, true)) : data.getUint32(at, true));
    const sections = word(is64 ? 0x28 : 0x20);
    const size = data.getUint16(is64 ? 0x3a : 0x2e, true);
    const count = data.getUint16(is64 ? 0x3c : 0x30, true);
    const section = (index: number) => {
      const at = sections + index * size;
      return {
        type: data.getUint32(at + 4, true),
        offset: word(at + (is64 ? 0x18 : 0x10)),
        size: word(at + (is64 ? 0x20 : 0x14)),
        link: data.getUint32(at + (is64 ? 0x28 : 0x18), true),
      };
    };
    const tables = Array.from({ length: count }, (_, index) => section(index));
    const type = tables.some((table) => table.type === SHT_SYMTAB) ? SHT_SYMTAB : SHT_DYNSYM;
    for (const table of tables) {
      if (table.type !== type) continue;
      const strings = section(table.link);
      const entry = is64 ? 24 : 16;
      for (let at = table.offset; at + entry <= Math.min(table.offset + table.size, bytes.length); at += entry) {
        const info = bytes[at + (is64 ? 4 : 12)];
        const home = data.getUint16(at + (is64 ? 6 : 14), true);
        // Functions, and labels without a type, which is what assembly has.
        if (home === SHN_UNDEF || (info & 15) > STT_FUNC || (info & 15) === 1) continue;
        const address = is64 ? data.getBigUint64(at + 8, true) : BigInt(data.getUint32(at + 4, true));
        const name = string(bytes, strings.offset + data.getUint32(at, true));
        if (name !== "") symbols.push({ address, name });
      }
    }
  } catch (error) {
    if (error instanceof RangeError) throw new SymbolFileError(file.name, "is a damaged ELF file");
    throw error;
  }
  return symbols;
}

const MAX_NAME = 512;

function string(bytes: Uint8Array, at: number): string {
  let end = at;
  while (end < bytes.length && end - at < MAX_NAME && bytes[end] !== 0) end++;
  return new TextDecoder().decode(bytes.subarray(at, end));
}
