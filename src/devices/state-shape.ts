/**
 * Shapes of saved states. A device names the shape of its state once; its type, the copy that `save`
 * hands out and the check that `restore` makes before anything changes all follow from it.
 *
 *     const SHAPE = object({ version: literal(1), mask: byte, request: byte });
 *     type State = StateOf<typeof SHAPE>;
 */
import { StateError } from "./device.js";

export interface Shape<T> {
  /** A copy of `value`, which has this shape. `where` names it in the error. @throws StateError */
  parse(value: unknown, where: string): T;
}

export type StateOf<S> = S extends Shape<infer T> ? T : never;

function fail(where: string, expected: string): never {
  throw new StateError(`saved state: ${where} is not ${expected}`);
}

/** An integer between `min` and `max`, both included. */
export function integer(min: number, max: number): Shape<number> {
  return {
    parse: (value, where) =>
      Number.isInteger(value) && (value as number) >= min && (value as number) <= max
        ? (value as number)
        : fail(where, `an integer from ${min} to ${max}`),
  };
}

export const byte = integer(0, 0xff);
export const word = integer(0, 0xffff);
export const dword = integer(0, 0xffff_ffff);
/** A count that may grow for as long as the machine runs. */
export const count = integer(0, Number.MAX_SAFE_INTEGER);

/** A time of the machine's clock in nanoseconds. */
export const time: Shape<number> = {
  parse: (value, where) =>
    Number.isFinite(value) && (value as number) >= 0 && (value as number) <= Number.MAX_SAFE_INTEGER
      ? (value as number)
      : fail(where, "a time in nanoseconds"),
};

/** A point in time that is worked out from guest values, in nanoseconds: it may lie before power-on or very far ahead. */
export const finite: Shape<number> = {
  parse: (value, where) => (Number.isFinite(value) ? (value as number) : fail(where, "a time in nanoseconds")),
};

/** An unsigned 64-bit number in decimal digits. */
export const wideText: Shape<string> = {
  parse: (value, where) =>
    typeof value === "string" && /^[0-9]{1,20}$/.test(value) && BigInt(value) < 2n ** 64n
      ? value
      : fail(where, "a 64-bit number"),
};

/** A wall-clock time, or a distance between two, in milliseconds; a fraction is possible. */
export const milliseconds: Shape<number> = {
  parse: (value, where) =>
    Number.isFinite(value) && Math.abs(value as number) <= 1e15
      ? (value as number)
      : fail(where, "a time in milliseconds"),
};

export const flag: Shape<boolean> = {
  parse: (value, where) => (typeof value === "boolean" ? value : fail(where, "true or false")),
};

/** A string of at most `longest` UTF-16 units. */
export function text(longest: number): Shape<string> {
  return {
    parse: (value, where) =>
      typeof value === "string" && value.length <= longest
        ? value
        : fail(where, `a text of at most ${longest} characters`),
  };
}

/** `min` to `max` bytes as hexadecimal digits; exactly `min` without `max`. */
export function hexBytes(min: number, max = min): Shape<string> {
  return {
    parse: (value, where) => {
      const bytes = typeof value === "string" && /^(?:[0-9a-f]{2})*$/.test(value) ? value.length / 2 : -1;
      if (bytes >= min && bytes <= max) return value as string;
      return fail(where, `${min === max ? min : `${min} to ${max}`} bytes in hexadecimal`);
    },
  };
}

/** One of a few values. A version is a literal of one. */
export function literal<const T extends number | string>(...values: readonly T[]): Shape<T> {
  return {
    parse: (value, where) => values.find((each) => each === value) ?? fail(where, values.join(" or ")),
  };
}

/** A field that may be absent, and then stays so. */
export function optional<T>(shape: Shape<T>): Shape<T | undefined> {
  return { parse: (value, where) => (value === undefined ? undefined : shape.parse(value, where)) };
}

export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return { parse: (value, where) => (value === null ? null : shape.parse(value, where)) };
}

/** An array of `min` to `max` elements; of exactly `min` without `max`. */
export function list<T>(shape: Shape<T>, min: number, max = min): Shape<T[]> {
  return {
    parse: (value, where) => {
      if (!Array.isArray(value) || value.length < min || value.length > max) {
        fail(where, min === max ? `a list of ${min}` : `a list of ${min} to ${max}`);
      }
      return value.map((element, index) => shape.parse(element, `${where}[${index}]`));
    },
  };
}

type Parsed<Fields extends Record<string, Shape<unknown>>> = { [Key in keyof Fields]: StateOf<Fields[Key]> };

/** An object of exactly these fields. */
export function object<Fields extends Record<string, Shape<unknown>>>(fields: Fields): Shape<Parsed<Fields>> {
  const keys = Object.keys(fields);
  return {
    parse: (value, where) => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) fail(where, "an object");
      const source = value as Record<string, unknown>;
      const unknown = Object.keys(source).find((key) => !Object.hasOwn(fields, key));
      if (unknown !== undefined) fail(`${where}.${unknown}`, "known here");
      const parsed = keys.map((key) => [
        key,
        fields[key].parse(Object.hasOwn(source, key) ? source[key] : undefined, `${where}.${key}`),
      ]);
      return Object.fromEntries(parsed.filter(([, field]) => field !== undefined)) as Parsed<Fields>;
    },
  };
}
