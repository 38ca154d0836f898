/**
 * ACPI Machine Language, as much of it as the DSDT of this machine needs. Each function encodes one
 * term and returns its bytes. ACPI specification 6.5, chapters 20 (AML) and 6.4 (resource descriptors).
 */

/** The bytes of a term. */
export type Aml = readonly number[];

const ZERO_OP = 0x00;
const ONE_OP = 0x01;
const NAME_OP = 0x08;
const BYTE_PREFIX = 0x0a;
const WORD_PREFIX = 0x0b;
const DWORD_PREFIX = 0x0c;
const STRING_PREFIX = 0x0d;
const QWORD_PREFIX = 0x0e;
const SCOPE_OP = 0x10;
const BUFFER_OP = 0x11;
const PACKAGE_OP = 0x12;
const METHOD_OP = 0x14;
const DUAL_NAME_PREFIX = 0x2e;
const MULTI_NAME_PREFIX = 0x2f;
const EXT_OP_PREFIX = 0x5b;
const LOCAL0_OP = 0x60;
const ARG0_OP = 0x68;
const STORE_OP = 0x70;
const AND_OP = 0x7b;
const OR_OP = 0x7d;
const CREATE_DWORD_FIELD_OP = 0x8a;
const LEQUAL_OP = 0x93;
const IF_OP = 0xa0;
const ELSE_OP = 0xa1;
const RETURN_OP = 0xa4;
const EXT_OPERATION_REGION = 0x80;
const EXT_FIELD = 0x81;
const EXT_DEVICE = 0x82;

/** Address spaces of operation regions. */
export const SPACE_PCI_CONFIG = 2;

const bytesOf = (value: number, count: number): number[] => {
  const out: number[] = [];
  for (let rest = value; out.length < count; rest = Math.floor(rest / 256)) out.push(rest % 256);
  return out;
};
const ascii = (text: string): number[] => [...new TextEncoder().encode(text)];

/** PkgLength (20.2.4) before `body`; the length counts its own bytes. */
function withLength(body: Aml): Aml {
  for (let size = 1; size <= 4; size++) {
    const length = body.length + size;
    if (size === 1 && length < 0x40) return [length, ...body];
    if (size > 1 && length < 2 ** (4 + 8 * (size - 1))) {
      return [((size - 1) << 6) | (length & 0xf), ...bytesOf(Math.floor(length / 16), size - 1), ...body];
    }
  }
  throw new RangeError(`an AML package of ${body.length} bytes is too long`);
}

/** A name or path such as `\\_SB.PCI0` (20.2.2); segments are padded to four characters. */
export function path(text: string): Aml {
  const root = text.startsWith("\\") ? [0x5c] : [];
  const segments = text.replace(/^\\/, "").split(".").filter(Boolean);
  const names = segments.flatMap((segment) => ascii(segment.padEnd(4, "_")));
  if (segments.length === 0) return [...root, 0];
  if (segments.length === 1) return [...root, ...names];
  if (segments.length === 2) return [...root, DUAL_NAME_PREFIX, ...names];
  return [...root, MULTI_NAME_PREFIX, segments.length, ...names];
}

/** An integer, in the fewest bytes. */
export function integer(value: number): Aml {
  if (value === 0) return [ZERO_OP];
  if (value === 1) return [ONE_OP];
  if (value < 0x100) return [BYTE_PREFIX, value];
  if (value < 0x10000) return [WORD_PREFIX, ...bytesOf(value, 2)];
  if (value < 0x100000000) return [DWORD_PREFIX, ...bytesOf(value, 4)];
  return [QWORD_PREFIX, ...bytesOf(value, 8)];
}

export function string(text: string): Aml {
  return [STRING_PREFIX, ...ascii(text), 0];
}

/** A Plug and Play id such as `PNP0A08`, compressed (19.3.4 EISAID); others stay strings. */
export function hardwareId(id: string): Aml {
  if (!/^[A-Z]{3}[0-9A-F]{4}$/.test(id)) return string(id);
  const letters = ascii(id).map((code) => code - 0x40);
  const vendor = (letters[0] << 10) | (letters[1] << 5) | letters[2];
  const product = Number.parseInt(id.slice(3), 16);
  return [DWORD_PREFIX, vendor >> 8, vendor & 0xff, product >> 8, product & 0xff];
}

export function buffer(bytes: Aml): Aml {
  return [BUFFER_OP, ...withLength([...integer(bytes.length), ...bytes])];
}

/** A UUID as ToUUID stores it: the first three groups little-endian. */
export function uuid(text: string): Aml {
  const digits = text.replaceAll("-", "");
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  return buffer(order.map((index) => Number.parseInt(digits.slice(index * 2, index * 2 + 2), 16)));
}

export function pack(...elements: Aml[]): Aml {
  return [PACKAGE_OP, ...withLength([elements.length, ...elements.flat()])];
}

export function name(at: string, value: Aml): Aml {
  return [NAME_OP, ...path(at), ...value];
}

export function scope(at: string, ...terms: Aml[]): Aml {
  return [SCOPE_OP, ...withLength([...path(at), ...terms.flat()])];
}

export function device(at: string, ...terms: Aml[]): Aml {
  return [EXT_OP_PREFIX, EXT_DEVICE, ...withLength([...path(at), ...terms.flat()])];
}

/** A serialized method where `serialized`, which methods that create named objects must be. */
export function method(at: string, argumentCount: number, serialized: boolean, ...terms: Aml[]): Aml {
  return [METHOD_OP, ...withLength([...path(at), argumentCount | (serialized ? 8 : 0), ...terms.flat()])];
}

export function operationRegion(at: string, space: number, offset: number, length: number): Aml {
  return [EXT_OP_PREFIX, EXT_OPERATION_REGION, ...path(at), space, ...integer(offset), ...integer(length)];
}

/** Byte-wide fields of a region, byte access, the rest of a field preserved; null skips a byte. */
export function byteFields(region: string, fields: readonly (string | null)[]): Aml {
  const elements = fields.flatMap((field) => (field === null ? [0, 8] : [...ascii(field.padEnd(4, "_")), 8]));
  return [EXT_OP_PREFIX, EXT_FIELD, ...withLength([...path(region), 1, ...elements])];
}

export const argument = (index: number): Aml => [ARG0_OP + index];
export const local = (index: number): Aml => [LOCAL0_OP + index];
export const store = (value: Aml, target: Aml): Aml => [STORE_OP, ...value, ...target];
export const and = (a: Aml, b: Aml, target: Aml): Aml => [AND_OP, ...a, ...b, ...target];
export const or = (a: Aml, b: Aml, target: Aml): Aml => [OR_OP, ...a, ...b, ...target];
export const equal = (a: Aml, b: Aml): Aml => [LEQUAL_OP, ...a, ...b];
export const createDwordField = (source: Aml, offset: number, field: string): Aml => [
  CREATE_DWORD_FIELD_OP,
  ...source,
  ...integer(offset),
  ...path(field),
];
export const when = (condition: Aml, ...terms: Aml[]): Aml => [IF_OP, ...withLength([...condition, ...terms.flat()])];
export const otherwise = (...terms: Aml[]): Aml => [ELSE_OP, ...withLength(terms.flat())];
export const giveBack = (value: Aml): Aml => [RETURN_OP, ...value];
/** No target: the result is only the term's value. */
export const NOWHERE: Aml = [ZERO_OP];

// ---- Resource descriptors, 6.4.

/** A resource template: the descriptors, an end tag without a checksum, in a buffer. */
export function resources(...descriptors: Aml[]): Aml {
  return buffer([...descriptors.flat(), 0x79, 0x00]);
}

/** I/O port descriptor, 16-bit decode. */
export function ports(base: number, length: number): Aml {
  return [0x47, 0x01, ...bytesOf(base, 2), ...bytesOf(base, 2), 0x01, length];
}

/** ISA interrupt, edge-triggered, active high, exclusive. */
export function irq(number: number): Aml {
  return [0x22, ...bytesOf(1 << number, 2)];
}

/** Extended interrupt descriptor: consumer, level-triggered, active high, shared. */
export function sharedInterrupts(...numbers: number[]): Aml {
  const body = [0x09, numbers.length, ...numbers.flatMap((number) => bytesOf(number, 4))];
  return [0x89, ...bytesOf(body.length, 2), ...body];
}

/** 32-bit fixed memory range. */
export function fixedMemory(base: number, length: number): Aml {
  return [0x86, ...bytesOf(9, 2), 1, ...bytesOf(base, 4), ...bytesOf(length, 4)];
}

/** Word, DWord and QWord address spaces that a bridge produces: minimum and maximum fixed, positive decode. */
function addressSpace(tag: number, width: number, kind: number, flags: number, base: number, size: number): Aml {
  const fields = [0, base, base + size - 1, 0, size].flatMap((value) => bytesOf(value, width));
  const body = [kind, 0x0c, flags, ...fields];
  return [tag, ...bytesOf(body.length, 2), ...body];
}
/** Bus numbers. */
export const busNumbers = (first: number, count: number): Aml => addressSpace(0x88, 2, 2, 0, first, count);
/** Ports, the entire range. */
export const portWindow = (base: number, size: number): Aml => addressSpace(0x88, 2, 1, 3, base, size);
/** Non-cacheable (or, prefetchable) read-write memory. */
export const memoryWindow = (base: number, size: number, cacheable = false): Aml =>
  addressSpace(0x87, 4, 0, cacheable ? 3 : 1, base, size);
export const memoryWindow64 = (base: number, size: number): Aml => addressSpace(0x8a, 8, 0, 7, base, size);
