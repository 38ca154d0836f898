/**
 * Device rules, as cgroup v1's devices controller understands a sequence of writes to devices.allow and
 * devices.deny (Documentation/admin-guide/cgroup-v1/devices.rst), for both versions alike.
 */

import type { DeviceRule } from "../../spec/config.js";
import { invalid } from "../errors.js";

export const READ = 1;
export const WRITE = 2;
export const MKNOD = 4;
const ACCESS: Record<string, number> = { r: READ, w: WRITE, m: MKNOD };
const MAX_NUMBER = 0xffff_ffff;
/** A program of the kernel's has a million instructions at most; nobody has this many devices. */
const MAX_RULES = 4096;

/** An exception from the default. Undefined numbers stand for all. */
export interface DeviceException {
  readonly type: "c" | "b";
  readonly major?: number;
  readonly minor?: number;
  /** READ, WRITE and MKNOD. */
  readonly access: number;
}

export interface DevicePolicy {
  /** What holds for a device without an exception. */
  readonly defaultAllow: boolean;
  /** With a default of deny, one exception must cover all that is asked; otherwise any overlap denies. */
  readonly exceptions: readonly DeviceException[];
}

/**
 * What a list of rules amounts to, beginning with everything denied.
 * @throws CgroupError for rules that are malformed or that cut a hole in a rule with wildcards: the v1 controller
 *   ignores these without a word, and a device that looks denied would be open
 */
export function devicePolicy(rules: readonly DeviceRule[]): DevicePolicy {
  if (rules.length > MAX_RULES) throw invalid("devices", `${rules.length} rules: more than ${MAX_RULES}`);
  let defaultAllow = false;
  const exceptions = new Map<string, DeviceException>();
  for (const [index, rule] of rules.entries()) {
    const exception = parseRule(rule, index);
    if (exception === undefined) {
      defaultAllow = rule.allow;
      exceptions.clear();
      continue;
    }
    if (rule.allow !== defaultAllow) {
      const key = keyOf(exception);
      const access = exception.access | (exceptions.get(key)?.access ?? 0);
      exceptions.set(key, { ...exception, access });
      continue;
    }
    for (const [key, other] of exceptions) {
      if (!meet(other, exception)) continue;
      if (!covers(exception, other)) {
        const what = `${describe(exception)} ${rule.allow ? "allowed" : "denied"}`;
        throw invalid("devices", `rule ${index}: ${what} would cut a hole in the rule for ${describe(other)}`);
      }
      const access = other.access & ~exception.access;
      if (access === 0) exceptions.delete(key);
      else exceptions.set(key, { ...other, access });
    }
  }
  return { defaultAllow, exceptions: [...exceptions.values()] };
}

/** Undefined for a rule about all devices, whose other fields the kernel does not look at. */
function parseRule(rule: DeviceRule, index: number): DeviceException | undefined {
  const refuse = (detail: string) => invalid("devices", `rule ${index}: ${detail}`);
  const { type = "a", access = "rwm" } = rule;
  if (typeof rule.allow !== "boolean") throw refuse("allow is not true or false");
  if (!/^[rwm]*$/.test(access)) throw refuse(`access ${JSON.stringify(access)} is not of r, w and m`);
  if (type === "a") return undefined;
  if (type !== "c" && type !== "b") throw refuse(`type ${JSON.stringify(type)} is none of a, b and c`);
  if (access === "") throw refuse("access is empty");
  return {
    type,
    major: number(rule.major, "major", refuse),
    minor: number(rule.minor, "minor", refuse),
    access: [...access].reduce((bits, letter) => bits | ACCESS[letter]!, 0),
  };
}

/** Minus one is what the kernel's tools write for a wildcard. */
function number(value: number | undefined, field: string, refuse: (detail: string) => Error): number | undefined {
  if (value === undefined || value === null || value === -1) return undefined;
  if (!Number.isInteger(value) || value < 0 || value > MAX_NUMBER) throw refuse(`${field} is ${JSON.stringify(value)}`);
  return value;
}

function keyOf({ type, major, minor }: DeviceException): string {
  return `${type} ${major ?? "*"}:${minor ?? "*"}`;
}

/** Speak of the same access to the same device somewhere. */
function meet(one: DeviceException, other: DeviceException): boolean {
  const overlap = (a?: number, b?: number) => a === undefined || b === undefined || a === b;
  return (
    one.type === other.type &&
    overlap(one.major, other.major) &&
    overlap(one.minor, other.minor) &&
    (one.access & other.access) !== 0
  );
}

/** Every device of the second is one of the first. */
function covers(one: DeviceException, other: DeviceException): boolean {
  const within = (a?: number, b?: number) => a === undefined || a === b;
  return one.type === other.type && within(one.major, other.major) && within(one.minor, other.minor);
}

/** As devices.allow takes it. */
export function describe(exception: DeviceException): string {
  const access = Object.keys(ACCESS).filter((letter) => exception.access & ACCESS[letter]!);
  return `${keyOf(exception)} ${access.join("")}`;
}

/** The policy that devices.list shows; a list of what is denied is shown as "a *:* rwm" too. */
export function parseDeviceList(text: string): DevicePolicy {
  const exceptions: DeviceException[] = [];
  for (const line of text.split("\n")) {
    const match = /^([abc]) (\d+|\*):(\d+|\*) ([rwm]+)$/.exec(line.trim());
    if (!match) continue;
    if (match[1] === "a") return { defaultAllow: true, exceptions: [] };
    exceptions.push({
      type: match[1] as "b" | "c",
      major: match[2] === "*" ? undefined : Number(match[2]),
      minor: match[3] === "*" ? undefined : Number(match[3]),
      access: [...match[4]!].reduce((bits, letter) => bits | ACCESS[letter]!, 0),
    });
  }
  return { defaultAllow: false, exceptions };
}

/** A write to devices.allow or devices.deny. */
export interface DeviceWrite {
  readonly file: "devices.allow" | "devices.deny";
  readonly value: string;
}

/** The fewest writes from one policy to another. A running container loses nothing meanwhile that it keeps. */
export function deviceWrites(from: DevicePolicy, to: DevicePolicy): DeviceWrite[] {
  const writes: DeviceWrite[] = [];
  let before = from.exceptions;
  // What a list of denials contains is not shown: only a reset makes it known.
  if (from.defaultAllow || from.defaultAllow !== to.defaultAllow) {
    writes.push({ file: to.defaultAllow ? "devices.allow" : "devices.deny", value: "a" });
    before = [];
  }
  const [add, remove] = to.defaultAllow
    ? (["devices.deny", "devices.allow"] as const)
    : (["devices.allow", "devices.deny"] as const);
  const accessIn = (list: readonly DeviceException[], exception: DeviceException) =>
    list.find((other) => keyOf(other) === keyOf(exception))?.access ?? 0;
  for (const exception of before) {
    const access = exception.access & ~accessIn(to.exceptions, exception);
    if (access) writes.push({ file: remove, value: describe({ ...exception, access }) });
  }
  for (const exception of to.exceptions) {
    const access = exception.access & ~accessIn(before, exception);
    if (access) writes.push({ file: add, value: describe({ ...exception, access }) });
  }
  return writes;
}
