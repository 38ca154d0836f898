/**
 * Compiles a seccomp profile to the program that seccomp(2) takes: what libseccomp does for other runtimes.
 *
 * The program tells the ABIs apart (audit architecture; the x32 bit in the number), then finds the call's
 * number by bisection, then looks at arguments where the profile has conditions on them. Calls in an ABI that
 * the profile does not list end the thread, as with libseccomp.
 *
 * A container's program may know system calls that its profile does not: newer ones. It falls back to older
 * ones on ENOSYS, not on the profile's EPERM. So a number above every number that the profile names gets ENOSYS,
 * unless the profile lets unnamed calls through (runc does the same).
 */
import { ContainerError } from "../errors.js";
import type { LinuxSeccomp } from "../spec/seccomp.js";
import { BackwardProgram, BPF, INSTRUCTION_SIZE, MAX_INSTRUCTIONS, type Target } from "./bpf.js";
import {
  type Abi,
  type Condition,
  list,
  type Profile,
  profileError,
  quote,
  RETURN,
  type Rule,
  readProfile,
  rulesByNumber,
} from "./rules.js";
import { SYSCALLS, X32_SYSCALL_BIT } from "./syscalls.js";

const WHERE = "linux.seccomp";
const ENOSYS = 38;

/** linux/audit.h */
export const AUDIT_ARCH = { X86_64: 0xc000_003e, I386: 0x4000_0003 } as const;

/** Flags of seccomp(SECCOMP_SET_MODE_FILTER). */
export const FILTER_FLAG = {
  TSYNC: 1 << 0,
  LOG: 1 << 1,
  SPEC_ALLOW: 1 << 2,
  NEW_LISTENER: 1 << 3,
  TSYNC_ESRCH: 1 << 4,
  WAIT_KILLABLE_RECV: 1 << 5,
} as const;

const FLAG_OF: Readonly<Record<string, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: FILTER_FLAG.TSYNC,
  SECCOMP_FILTER_FLAG_LOG: FILTER_FLAG.LOG,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: FILTER_FLAG.SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: FILTER_FLAG.WAIT_KILLABLE_RECV,
};

const ABI_OF: Readonly<Record<string, Abi>> = {
  SCMP_ARCH_X86_64: "x86_64",
  SCMP_ARCH_X86: "i386",
  SCMP_ARCH_X32: "x32",
};

/** SCMP_ARCH_ and one of these: the specification has them, and no process of an x86 host is one. */
const OTHER_ARCHITECTURES = (
  "ARM AARCH64 MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32 PPC " +
  "PPC64 PPC64LE S390 S390X PARISC PARISC64 RISCV64 LOONGARCH64 M68K SH SHEB"
).split(" ");

/** Offsets in struct seccomp_data. */
const NUMBER = 0;
const ARCHITECTURE = 4;
const low = (argument: number) => 16 + 8 * argument;
const high = (argument: number) => low(argument) + 4;

/** What the stage hands to seccomp(2). */
export interface CompiledSeccomp {
  /** An array of `struct sock_filter`, 8 bytes each, little-endian. */
  readonly program: Uint8Array;
  /** SECCOMP_FILTER_FLAG_*, with NEW_LISTENER where `notify` is set. */
  readonly flags: number;
  /** Some rule notifies: seccomp(2) returns a descriptor that has to reach `listenerPath`. */
  readonly notify: boolean;
}

/** From this number on, up to the next range, these rules hold. */
interface Range {
  from: number;
  rules: readonly Rule[];
}

function always(value: number): Rule[] {
  return [{ conditions: [], value }];
}

/** Jumps to `ifTrue` if the condition holds. `wide`: the ABI's arguments have 64 bits. */
function compare(
  program: BackwardProgram,
  { index, op, mask, value }: Condition,
  wide: boolean,
  ifTrue: Target,
  ifFalse: Target,
): Target {
  const halves = [
    { at: low(index), mask: Number(mask & 0xffff_ffffn), value: Number(value & 0xffff_ffffn) },
    ...(wide ? [{ at: high(index), mask: Number(mask >> 32n), value: Number(value >> 32n) }] : []),
  ];
  const equal = (yes: Target, no: Target) =>
    halves.reduce((next, half) => {
      if (half.mask === 0) return next;
      const test = program.jump(BPF.JUMP_EQUAL, half.value, next, no);
      return program.load(half.at, half.mask === 0xffff_ffff ? test : program.and(half.mask, test));
    }, yes);
  /** Above, or above or equal by the comparison of the low half. */
  const above = (comparison: typeof BPF.JUMP_GREATER | typeof BPF.JUMP_GREATER_EQUAL, yes: Target, no: Target) => {
    const [lower, upper] = halves;
    const test = program.load(lower!.at, program.jump(comparison, lower!.value, yes, no));
    if (upper === undefined) return test;
    const same = program.jump(BPF.JUMP_EQUAL, upper.value, test, no);
    return program.load(upper.at, program.jump(BPF.JUMP_GREATER, upper.value, yes, same));
  };
  switch (op) {
    case "SCMP_CMP_EQ":
    case "SCMP_CMP_MASKED_EQ":
      return equal(ifTrue, ifFalse);
    case "SCMP_CMP_NE":
      return equal(ifFalse, ifTrue);
    case "SCMP_CMP_GT":
      return above(BPF.JUMP_GREATER, ifTrue, ifFalse);
    case "SCMP_CMP_GE":
      return above(BPF.JUMP_GREATER_EQUAL, ifTrue, ifFalse);
    case "SCMP_CMP_LE":
      return above(BPF.JUMP_GREATER, ifFalse, ifTrue);
    case "SCMP_CMP_LT":
      return above(BPF.JUMP_GREATER_EQUAL, ifFalse, ifTrue);
  }
}

/** The first rule whose conditions hold, or the default. */
function decide(program: BackwardProgram, rules: readonly Rule[], defaultValue: number, wide: boolean): Target {
  return rules.toReversed().reduce((otherwise, { conditions, value }) => {
    return conditions
      .toReversed()
      .reduce((next, condition) => compare(program, condition, wide, next, otherwise), program.return(value));
  }, program.return(defaultValue));
}

/** Finds the range of the number in the accumulator. */
function search(program: BackwardProgram, ranges: readonly Range[], target: (range: Range) => Target): Target {
  if (ranges.length === 1) return target(ranges[0]!);
  const middle = ranges.length >> 1;
  const upper = search(program, ranges.slice(middle), target);
  const lower = search(program, ranges.slice(0, middle), target);
  return program.jump(BPF.JUMP_GREATER_EQUAL, ranges[middle]!.from, upper, lower);
}

/** The calls of one ABI: ranges up to the end of its numbers. */
function rangesOf(profile: Profile, abi: Abi, first: number): Range[] {
  const byDefault = always(profile.defaultValue);
  const ranges: Range[] = [{ from: first, rules: byDefault }];
  const found = rulesByNumber(profile, abi);
  for (const number of Float64Array.from(found.keys()).sort()) {
    if (ranges.at(-1)!.from === number) ranges.pop();
    ranges.push({ from: number, rules: found.get(number)! }, { from: number + 1, rules: byDefault });
  }
  const action = (profile.defaultValue & 0xffff_0000) >>> 0;
  if (action === RETURN.ALLOW || action === RETURN.LOG || action === RETURN.TRACE) return ranges;
  let last = -1;
  for (const name of profile.names) last = Math.max(last, SYSCALLS[abi].get(name) ?? -1);
  if (last < 0) return ranges;
  // The last range starts after the last number with a rule.
  last = Math.max(last, ranges.at(-1)!.from - 1);
  if (ranges.at(-1)!.from === last + 1) ranges.pop();
  ranges.push({ from: last + 1, rules: always(RETURN.ERRNO | ENOSYS) });
  return ranges;
}

/** The same for rules that mean the same. */
function identity(rules: readonly Rule[]): string {
  const texts = rules.map(({ conditions, value }) =>
    [value, ...conditions.map((one) => `${one.index} ${one.op} ${one.mask} ${one.value}`)].join(),
  );
  return texts.join(";");
}

/** Neighbours with the same outcome as one range. */
function merge(ranges: readonly Range[]): Range[] {
  const plain = (rules: readonly Rule[]) => (rules[0]!.conditions.length === 0 ? rules[0]!.value : undefined);
  const same = (a: readonly Rule[], b: readonly Rule[]) =>
    plain(a) === undefined && plain(b) === undefined ? identity(a) === identity(b) : plain(a) === plain(b);
  return ranges.filter(({ rules }, index) => index === 0 || !same(rules, ranges[index - 1]!.rules));
}

function abisOf(seccomp: LinuxSeccomp): Set<Abi> {
  // The host's own is always there.
  const abis = new Set<Abi>(["x86_64"]);
  for (const [index, name] of list(seccomp.architectures, `${WHERE}.architectures`).entries()) {
    if (typeof name === "string" && Object.hasOwn(ABI_OF, name)) abis.add(ABI_OF[name]!);
    else if (!OTHER_ARCHITECTURES.some((other) => name === `SCMP_ARCH_${other}`)) {
      throw profileError(`${WHERE}.architectures[${index}]`, `${quote(name)} is not an architecture`);
    }
  }
  return abis;
}

function flagsOf(seccomp: LinuxSeccomp, notify: boolean): number {
  let flags = notify ? FILTER_FLAG.NEW_LISTENER : 0;
  for (const [index, name] of list(seccomp.flags, `${WHERE}.flags`).entries()) {
    if (typeof name !== "string" || !Object.hasOwn(FLAG_OF, name)) {
      throw profileError(`${WHERE}.flags[${index}]`, `${quote(name)} is not a seccomp flag`);
    }
    flags |= FLAG_OF[name]!;
  }
  if (!notify && flags & FILTER_FLAG.WAIT_KILLABLE_RECV) {
    throw profileError(`${WHERE}.flags`, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV needs a rule with SCMP_ACT_NOTIFY");
  }
  // A positive return value cannot be both a descriptor and the thread that did not follow.
  if (notify && flags & FILTER_FLAG.TSYNC) flags |= FILTER_FLAG.TSYNC_ESRCH;
  return flags;
}

/** The part of the program for one audit architecture. `wide` tells a range's ABI by its first number. */
function addSection(
  program: BackwardProgram,
  ranges: readonly Range[],
  profile: Profile,
  wide: (from: number) => boolean,
): Target {
  // Calls with the same conditions share their part of the program.
  const known = new Map<string, Target>();
  const target = ({ from, rules }: Range) => {
    if (rules[0]!.conditions.length === 0) return program.return(rules[0]!.value);
    const key = `${wide(from)} ${identity(rules)}`;
    const found = known.get(key) ?? decide(program, rules, profile.defaultValue, wide(from));
    known.set(key, found);
    return found;
  };
  return program.load(NUMBER, search(program, merge(ranges), target));
}

/**
 * Compiles a profile for programs of `architecture`, the host's (Node's `process.arch`: "x64").
 *
 * @throws ContainerError `SPEC_INVALID` for an unknown action, flag, operator or architecture, values out of
 *   range, a listener that is missing, a program that is longer than the kernel takes; `NOT_IMPLEMENTED` for
 *   a host that is not x86-64
 */
export function compileSeccomp(seccomp: LinuxSeccomp, architecture: string): CompiledSeccomp {
  if (architecture !== "x64") {
    throw new ContainerError("NOT_IMPLEMENTED", `${WHERE}: filters for ${architecture} hosts are not implemented yet`);
  }
  const profile = readProfile(seccomp, WHERE);
  const abis = abisOf(seccomp);
  const notify = profile.rules.some(({ value }) => value === RETURN.USER_NOTIF);
  const flags = flagsOf(seccomp, notify);

  const x32 = abis.has("x32")
    ? rangesOf(profile, "x32", X32_SYSCALL_BIT)
    : [
        { from: X32_SYSCALL_BIT, rules: always(RETURN.KILL_THREAD) },
        // -1 is no call: a tracer's way to skip one.
        { from: 0xffff_ffff, rules: always(profile.defaultValue) },
      ];

  const program = new BackwardProgram();
  let start = program.return(RETURN.KILL_THREAD);
  if (abis.has("i386")) {
    const section = addSection(program, rangesOf(profile, "i386", 0), profile, () => false);
    start = program.jump(BPF.JUMP_EQUAL, AUDIT_ARCH.I386, section, start);
  }
  // libseccomp compares the low halves on x32, too.
  const native = [...rangesOf(profile, "x86_64", 0), ...x32];
  const section = addSection(program, native, profile, (from) => from < X32_SYSCALL_BIT);
  start = program.jump(BPF.JUMP_EQUAL, AUDIT_ARCH.X86_64, section, start);
  program.load(ARCHITECTURE, start);

  if (program.length > MAX_INSTRUCTIONS) {
    const size = `${program.length} instructions (${program.length * INSTRUCTION_SIZE} bytes)`;
    throw profileError(WHERE, `the filter has ${size}; the kernel takes ${MAX_INSTRUCTIONS}`);
  }
  return { program: program.toBytes(), flags, notify };
}
