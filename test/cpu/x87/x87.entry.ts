// The x87 operations alone, for src/test-support/x87.
import { getFlags } from "../../../src/accel/translate/core/flags";
import { execX87 } from "../../../src/accel/translate/core/x87";

export function exec(cpu: usize, rec: usize, op: u32): void {
  execX87(cpu, rec, op);
}

export function flags(cpu: usize): u64 {
  return getFlags(cpu);
}
