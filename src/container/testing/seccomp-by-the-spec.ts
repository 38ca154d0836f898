/** What a seccomp profile means, read straight from its JSON: the other side of the compiler's test. */
import type { LinuxSeccomp, LinuxSeccompArg, LinuxSyscall } from "../spec/seccomp.js";

/** A system call by name, as a program of the host's own ABI makes it. */
export interface Call {
  name: string;
  args: readonly bigint[];
}

const ACTIONS: Record<string, number> = {
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_KILL_PROCESS: 0x80000000,
  SCMP_ACT_TRAP: 0x30000,
  SCMP_ACT_ERRNO: 0x50000,
  SCMP_ACT_NOTIFY: 0x7fc00000,
  SCMP_ACT_TRACE: 0x7ff00000,
  SCMP_ACT_LOG: 0x7ffc0000,
  SCMP_ACT_ALLOW: 0x7fff0000,
};

function outcome(action: string, errno: number | undefined): number {
  const data = action === "SCMP_ACT_ERRNO" || action === "SCMP_ACT_TRACE" ? (errno ?? 1) : 0;
  return ACTIONS[action]! + data;
}

/** `bits`: how many bits of arguments and values the ABI has. */
function holds(condition: LinuxSeccompArg, args: readonly bigint[], bits: number): boolean {
  const arg = BigInt.asUintN(bits, args[condition.index]!);
  const value = BigInt.asUintN(bits, BigInt(condition.value));
  const second = BigInt.asUintN(bits, BigInt(condition.valueTwo ?? 0));
  switch (condition.op) {
    case "SCMP_CMP_NE":
      return arg !== value;
    case "SCMP_CMP_LT":
      return arg < value;
    case "SCMP_CMP_LE":
      return arg <= value;
    case "SCMP_CMP_EQ":
      return arg === value;
    case "SCMP_CMP_GE":
      return arg >= value;
    case "SCMP_CMP_GT":
      return arg > value;
    case "SCMP_CMP_MASKED_EQ":
      return (arg & value) === (second & value);
    default:
      throw new Error(condition.op);
  }
}

function matches(rule: LinuxSyscall, args: readonly bigint[], bits: number): boolean {
  const conditions = rule.args ?? [];
  const repeated = conditions.some((a, i) => conditions.some((b, j) => i !== j && a.index === b.index));
  return repeated
    ? conditions.some((condition) => holds(condition, args, bits))
    : conditions.every((condition) => holds(condition, args, bits));
}

/** What the filter has to return for a call that the profile's ABI knows and that is not newer than the profile. */
export function meaning(seccomp: LinuxSeccomp, call: Call, bits = 64): number {
  const byDefault = outcome(seccomp.defaultAction, seccomp.defaultErrnoRet);
  const rules = (seccomp.syscalls ?? [])
    .filter((rule) => rule.names.includes(call.name))
    .filter((rule) => outcome(rule.action, rule.errnoRet) !== byDefault);
  const rule =
    rules.findLast((each) => (each.args ?? []).length === 0) ?? rules.find((each) => matches(each, call.args, bits));
  return rule === undefined ? byDefault : outcome(rule.action, rule.errnoRet);
}
