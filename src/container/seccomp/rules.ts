/** A profile as rules: checked, with names resolved to the numbers of one ABI. */
import { ContainerError } from "../errors.js";
import type { LinuxSeccomp, LinuxSeccompArg, LinuxSyscall } from "../spec/seccomp.js";
import { IPC, SOCKETCALL, SYSCALLS } from "./syscalls.js";

export type Abi = keyof typeof SYSCALLS;

/** What a filter returns (linux/seccomp.h); the low 16 bits are data. */
export const RETURN = {
  KILL_PROCESS: 0x8000_0000,
  KILL_THREAD: 0x0000_0000,
  TRAP: 0x0003_0000,
  ERRNO: 0x0005_0000,
  USER_NOTIF: 0x7fc0_0000,
  TRACE: 0x7ff0_0000,
  LOG: 0x7ffc_0000,
  ALLOW: 0x7fff_0000,
} as const;

const RETURN_OF: Readonly<Record<string, number>> = {
  SCMP_ACT_KILL: RETURN.KILL_THREAD,
  SCMP_ACT_KILL_THREAD: RETURN.KILL_THREAD,
  SCMP_ACT_KILL_PROCESS: RETURN.KILL_PROCESS,
  SCMP_ACT_TRAP: RETURN.TRAP,
  SCMP_ACT_ERRNO: RETURN.ERRNO,
  SCMP_ACT_TRACE: RETURN.TRACE,
  SCMP_ACT_ALLOW: RETURN.ALLOW,
  SCMP_ACT_LOG: RETURN.LOG,
  SCMP_ACT_NOTIFY: RETURN.USER_NOTIF,
};

const OPERATORS = [
  "SCMP_CMP_NE",
  "SCMP_CMP_LT",
  "SCMP_CMP_LE",
  "SCMP_CMP_EQ",
  "SCMP_CMP_GE",
  "SCMP_CMP_GT",
  "SCMP_CMP_MASKED_EQ",
] as const;
export type Operator = (typeof OPERATORS)[number];

const EPERM = 1;
/** The kernel makes this of anything above it (MAX_ERRNO). */
const MAX_ERRNO = 4095;
const ARGUMENTS = 6;
const MAX_U64 = (1n << 64n) - 1n;

/** @param where path from the root of config.json @param problem what is wrong there, to follow the path */
export function profileError(where: string, problem: string): ContainerError {
  return new ContainerError("SPEC_INVALID", `${where}: ${problem}`);
}

/** A value of the profile as a message shows it. */
export function quote(value: unknown): string {
  return typeof value === "bigint" ? `${value}` : `${JSON.stringify(value)}`.slice(0, 100);
}

export interface Condition {
  /** Of the argument, 0 to 5. */
  index: number;
  op: Operator;
  /** With SCMP_CMP_MASKED_EQ, else all ones. */
  mask: bigint;
  value: bigint;
}

/** When all conditions hold, the filter returns `value`. */
export interface Rule {
  conditions: readonly Condition[];
  value: number;
}

/** A rule for some names, before they are resolved. */
export interface NamedRule extends Rule {
  names: readonly string[];
}

export interface Profile {
  /** What the filter returns for a call without a rule. */
  defaultValue: number;
  rules: readonly NamedRule[];
  /** Every name in the profile, also those whose rules change nothing. */
  names: ReadonlySet<string>;
}

/** @throws ContainerError `SPEC_INVALID` unless the action is one of the specification's, and takes the errno if there is one */
function returnValue(action: unknown, errno: unknown, where: string, errnoKey: string): number {
  const value = typeof action === "string" && Object.hasOwn(RETURN_OF, action) ? RETURN_OF[action] : undefined;
  if (value === undefined) throw profileError(where, `${quote(action)} is not a seccomp action`);
  const takesErrno = value === RETURN.ERRNO || value === RETURN.TRACE;
  if (errno === undefined || errno === null) return takesErrno ? value | EPERM : value;
  if (!takesErrno) throw profileError(where, `${action} takes no ${errnoKey}`);
  const limit = value === RETURN.ERRNO ? MAX_ERRNO : 0xffff;
  if (!Number.isInteger(errno) || (errno as number) < 0 || (errno as number) > limit) {
    throw profileError(where, `${errnoKey} is not an integer from 0 to ${limit}`);
  }
  return value | (errno as number);
}

function u64(value: unknown, where: string): bigint {
  if (typeof value === "bigint" ? value >= 0n && value <= MAX_U64 : Number.isSafeInteger(value) && Number(value) >= 0) {
    return BigInt(value as number | bigint);
  }
  throw profileError(where, "not an unsigned integer of 64 bits (beyond 2^53 it has to be a bigint)");
}

function condition(arg: LinuxSeccompArg, where: string): Condition {
  if (!Number.isInteger(arg?.index) || arg.index < 0 || arg.index >= ARGUMENTS) {
    throw profileError(`${where}.index`, `not an integer from 0 to ${ARGUMENTS - 1}`);
  }
  const op = OPERATORS.find((each) => each === arg.op);
  if (op === undefined) {
    throw profileError(`${where}.op`, `${quote(arg.op)} is not a seccomp operator`);
  }
  const value = u64(arg.value, `${where}.value`);
  const second = u64(arg.valueTwo ?? 0, `${where}.valueTwo`);
  // As libseccomp has it, bits of the datum outside the mask do not count.
  if (op === "SCMP_CMP_MASKED_EQ") return { index: arg.index, op, mask: value, value: second & value };
  return { index: arg.index, op, mask: MAX_U64, value };
}

/** All conditions in one rule; but if two are on the same argument, a rule for each, as runc and crun do. */
function alternatives(args: readonly Condition[]): Condition[][] {
  const repeated = new Set(args.map(({ index }) => index)).size < args.length;
  return repeated ? args.map((one) => [one]) : [[...args]];
}

/** A list that may be absent. */
export function list<T>(value: readonly T[] | undefined | null, where: string): readonly T[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw profileError(where, "not a list");
  return value;
}

function namedRules(syscall: LinuxSyscall, where: string, notifies: (where: string) => void): NamedRule[] {
  const names = list(syscall?.names, `${where}.names`);
  if (names.length === 0) throw profileError(`${where}.names`, "names no system call");
  for (const [index, name] of names.entries()) {
    if (typeof name !== "string" || name === "") throw profileError(`${where}.names[${index}]`, "not a name");
  }
  const value = returnValue(syscall.action, syscall.errnoRet, `${where}.action`, "errnoRet");
  if (value === RETURN.USER_NOTIF) {
    // The set-up hands the listener over by them, after the filter is in force: nobody could answer yet.
    const needed = names.find((name) => name === "write" || name === "sendmsg");
    if (needed !== undefined) throw profileError(where, `SCMP_ACT_NOTIFY cannot be used for ${needed}`);
    notifies(where);
  }
  const args = list(syscall.args, `${where}.args`).map((arg, index) => condition(arg, `${where}.args[${index}]`));
  return alternatives(args).map((conditions) => ({ names, conditions, value }));
}

/**
 * Checks what the profile says about actions and calls.
 * @throws ContainerError `SPEC_INVALID`
 */
export function readProfile(seccomp: LinuxSeccomp, where: string): Profile {
  if (typeof seccomp !== "object" || seccomp === null) throw profileError(where, "not an object");
  const defaultValue = returnValue(
    seccomp.defaultAction,
    seccomp.defaultErrnoRet,
    `${where}.defaultAction`,
    "defaultErrnoRet",
  );
  const notifies = (at: string) => {
    if (!seccomp.listenerPath) throw profileError(at, "SCMP_ACT_NOTIFY needs linux.seccomp.listenerPath");
  };
  if (defaultValue === RETURN.USER_NOTIF) {
    throw profileError(`${where}.defaultAction`, "SCMP_ACT_NOTIFY cannot be the default action");
  }
  const all = list(seccomp.syscalls, `${where}.syscalls`).flatMap((syscall, index) =>
    namedRules(syscall, `${where}.syscalls[${index}]`, notifies),
  );
  return {
    defaultValue,
    // As runc and crun do: a rule with the default's outcome does not stand in a later rule's way.
    rules: all.filter(({ value }) => value !== defaultValue),
    names: new Set(all.flatMap(({ names }) => names)),
  };
}

/** An action that lets the call go on: it must not be given to more calls than the profile means. */
function isPermissive(value: number): boolean {
  const action = (value & 0xffff_0000) >>> 0;
  return action === RETURN.ALLOW || action === RETURN.LOG || action === RETURN.TRACE || action === RETURN.USER_NOTIF;
}

/**
 * On i386 the socket and System V IPC calls are also reached through socketcall(2) and ipc(2), whose first
 * argument says which one is meant. Their arguments are in memory, where no filter can see them. So a rule
 * without conditions holds there too; one with conditions only if it forbids, and then without them.
 */
function multiplexed(name: string, rule: Rule): { name: string; rule: Rule }[] {
  if (rule.conditions.length > 0 && isPermissive(rule.value)) return [];
  return [
    { name: "socketcall", code: SOCKETCALL.get(name) },
    { name: "ipc", code: IPC.get(name) },
  ].flatMap(({ name, code }) => {
    if (code === undefined) return [];
    const which: Condition = { index: 0, op: "SCMP_CMP_EQ", mask: MAX_U64, value: BigInt(code) };
    return [{ name, rule: { conditions: [which], value: rule.value } }];
  });
}

/**
 * The rules of every system call that has some, by number. Names that the ABI does not have are left out, as
 * the specification's users expect: a profile names calls of many kernels and architectures.
 *
 * Of several rules for one call the last one without conditions decides; if there is none, the first whose
 * conditions hold.
 */
export function rulesByNumber(profile: Profile, abi: Abi): Map<number, Rule[]> {
  const found = new Map<number, Rule[]>();
  const add = (name: string, rule: Rule) => {
    const number = SYSCALLS[abi].get(name);
    if (number === undefined) return;
    const rules = found.get(number);
    if (rule.conditions.length === 0) found.set(number, [rule]);
    else if (rules === undefined) found.set(number, [rule]);
    else if (rules[0]!.conditions.length > 0) rules.push(rule);
  };
  for (const { names, conditions, value } of profile.rules) {
    for (const name of names) {
      add(name, { conditions, value });
      if (abi === "i386") for (const other of multiplexed(name, { conditions, value })) add(other.name, other.rule);
    }
  }
  return found;
}
