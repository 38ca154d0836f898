// Raising exceptions and leaving `run`. Both unwind the wasm stack to the host, which calls the core
// again: an instruction that raises must not have changed architectural state before, because nothing
// is rolled back. (Raising costs about a microsecond.)
import {
  CUR_REC, EVENT_EXCEPTION, EXC_ERROR, EXC_HAS_ERROR, EXC_PAYLOAD, EXC_PENDING, EXC_VECTOR, EXIT_ADDRESS, EXIT_DETAIL,
  EXIT_LENGTH, EXIT_REASON, EXIT_UNIMPLEMENTED,
} from "../layout";
import { unwind } from "./host";
import { REC_LEN } from "./record";

export const DE: u32 = 0;
export const DB: u32 = 1;
export const BP: u32 = 3;
export const OF: u32 = 4;
export const BR: u32 = 5;
export const UD: u32 = 6;
export const NM: u32 = 7;
export const DF: u32 = 8;
export const TS: u32 = 10;
export const NP: u32 = 11;
export const SSF: u32 = 12; // #SS
export const GP: u32 = 13;
export const PF: u32 = 14;
export const MF: u32 = 16;
export const AC: u32 = 17;
export const XM: u32 = 19;

/** A fault without an error code, at the current instruction. Does not return. */
export function raise(cpu: usize, vector: u32): void {
  store<u32>(cpu, EVENT_EXCEPTION, EXC_PENDING);
  store<u32>(cpu, vector, EXC_VECTOR);
  store<u32>(cpu, 0, EXC_HAS_ERROR);
  store<u32>(cpu, 0, EXC_ERROR);
  unwind();
}

/** A fault with an error code, at the current instruction. Does not return. */
export function raiseError(cpu: usize, vector: u32, errorCode: u32): void {
  store<u32>(cpu, EVENT_EXCEPTION, EXC_PENDING);
  store<u32>(cpu, vector, EXC_VECTOR);
  store<u32>(cpu, 1, EXC_HAS_ERROR);
  store<u32>(cpu, errorCode, EXC_ERROR);
  unwind();
}

/** #GP(0). Does not return. */
export function raiseGP(cpu: usize): void {
  raiseError(cpu, GP, 0);
}

/** #PF: CR2 gets `linear` when the fault is delivered. Does not return. */
export function raisePageFault(cpu: usize, linear: u64, errorCode: u32): void {
  store<u64>(cpu, linear, EXC_PAYLOAD);
  raiseError(cpu, PF, errorCode);
}

/** Leaves `run` at the current instruction, which has not executed. Does not return. */
export function leave(cpu: usize, reason: u32, detail: u32): void {
  store<u32>(cpu, reason, EXIT_REASON);
  store<u32>(cpu, detail, EXIT_DETAIL);
  const rec: usize = load<u32>(cpu, CUR_REC);
  store<u32>(cpu, rec == 0 ? 0 : load<u8>(rec, REC_LEN), EXIT_LENGTH);
  unwind();
}

/** Stops the machine: an instruction that the architecture has, the model offers, and the core lacks. */
export function unimplemented(cpu: usize): void {
  store<u64>(cpu, 0, EXIT_ADDRESS);
  leave(cpu, EXIT_UNIMPLEMENTED, 0);
}
