import { type PlainData, StateError } from "./device.js";

/** Helpers for `restore`: a saved state is untrusted input, so that each value is checked before it is taken. */

/** The state as an object of the given version. Throws StateError. */
export function checkVersion(device: string, state: PlainData, version: number): { readonly [key: string]: PlainData } {
  if (state === null || typeof state !== "object" || Array.isArray(state)) {
    throw new StateError(`${device}: the saved state is not an object`);
  }
  const fields = state as { readonly [key: string]: PlainData };
  if (fields.version !== version) {
    throw new StateError(`${device}: the saved state has version ${String(fields.version)}, not ${version}`);
  }
  return fields;
}

/** A whole number from 0 to `max`. Throws StateError. */
export function checkNumber(device: string, value: PlainData | undefined, max: number, name: string): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > max) {
    throw new StateError(`${device}: ${name} is not a whole number from 0 to ${max}`);
  }
  return value;
}

/** A finite time in nanoseconds, or null. Throws StateError. */
export function checkTime(device: string, value: PlainData | undefined, name: string): number | null {
  if (value === null) return null;
  if (typeof value !== "number" || !(Math.abs(value) <= Number.MAX_SAFE_INTEGER))
    throw new StateError(`${device}: ${name} is not a time`);
  return value;
}

/** An array of `length` numbers (any length up to `maxLength` where `length` is null), each from 0 to `max`. */
export function checkNumbers(
  device: string,
  value: PlainData | undefined,
  length: number,
  max: number,
  name: string,
  exact = true,
): number[] {
  if (!Array.isArray(value) || (exact ? value.length !== length : value.length > length)) {
    throw new StateError(`${device}: ${name} is not a list of ${length} numbers`);
  }
  return value.map((item) => checkNumber(device, item as PlainData, max, name));
}

export function checkBoolean(device: string, value: PlainData | undefined, name: string): boolean {
  if (typeof value !== "boolean") throw new StateError(`${device}: ${name} is not true or false`);
  return value;
}
