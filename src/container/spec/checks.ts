/** Checks of JSON values, made of small ones. A check throws; the field's path is in the message. */
import { ContainerError } from "../errors.js";

/** @throws ContainerError `SPEC_INVALID` */
export type Check = (value: unknown, path: string) => void;

/** Above any real configuration; what is longer exhausts memory further on. */
const MAX_ENTRIES = 65_536;
const MAX_TEXT = 1 << 20;

function refuse(path: string, problem: string): ContainerError {
  return new ContainerError("SPEC_INVALID", `${path || "config.json"} ${problem}`);
}

export const boolean: Check = (value, path) => {
  if (typeof value !== "boolean") throw refuse(path, "must be true or false");
};

export function integer(min: number, max: number): Check {
  return (value, path) => {
    if (typeof value !== "number" || !Number.isInteger(value)) throw refuse(path, "must be an integer");
    if (value < min || value > max) throw refuse(path, `must be from ${min} to ${max}`);
  };
}

export function string({ absolute = false, nonEmpty = false } = {}): Check {
  return (value, path) => {
    if (typeof value !== "string") throw refuse(path, "must be a string");
    // The kernel would see the part before it.
    if (value.includes("\0")) throw refuse(path, "must not contain NUL");
    if (value.length > MAX_TEXT) throw refuse(path, `must not be longer than ${MAX_TEXT}`);
    if (absolute && !value.startsWith("/"))
      throw refuse(path, `must be an absolute path, not ${JSON.stringify(value)}`);
    if (nonEmpty && value === "") throw refuse(path, "must not be empty");
  };
}

export function oneOf(values: readonly string[]): Check {
  return (value, path) => {
    if (typeof value !== "string" || !values.includes(value)) {
      throw refuse(path, `must be one of ${values.filter(Boolean).join(", ")}, not ${JSON.stringify(value)}`);
    }
  };
}

export function array(check: Check): Check {
  return (value, path) => {
    if (!Array.isArray(value)) throw refuse(path, "must be an array");
    if (value.length > MAX_ENTRIES) throw refuse(path, `must not have more than ${MAX_ENTRIES} entries`);
    for (let index = 0; index < value.length; index++) check(value[index], `${path}[${index}]`);
  };
}

/** An object as a dictionary. */
export function record(check: Check): Check {
  return (value, path) => {
    const entries = Object.entries(asObject(value, path));
    if (entries.length > MAX_ENTRIES) throw refuse(path, `must not have more than ${MAX_ENTRIES} entries`);
    for (const [name, one] of entries) {
      if (name.includes("\0")) throw refuse(path, "has a name with NUL");
      check(one, `${path}[${JSON.stringify(name)}]`);
    }
  };
}

function asObject(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw refuse(path, "must be an object");
  return value as Record<string, unknown>;
}

export interface Fields {
  readonly required?: Readonly<Record<string, Check>>;
  readonly optional?: Readonly<Record<string, Check>>;
}

/**
 * An object with these fields. Others are let be: a runtime must ignore what it does not know (specification,
 * "Extensibility"). null stands for absence, as tools in Go write it; it is removed.
 */
export function checkObject({ required = {}, optional = {} }: Fields): Check {
  return (value, path) => {
    const object = asObject(value, path);
    for (const [name, check] of Object.entries(required)) {
      const at = path === "" ? name : `${path}.${name}`;
      if (!Object.hasOwn(object, name) || object[name] === null) throw refuse(at, "is missing");
      check(object[name], at);
    }
    for (const [name, check] of Object.entries(optional)) {
      if (object[name] === undefined || !Object.hasOwn(object, name)) continue;
      if (object[name] === null) delete object[name];
      else check(object[name], path === "" ? name : `${path}.${name}`);
    }
  };
}
