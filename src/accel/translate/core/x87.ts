import { unimplemented } from "./exceptions";
export function execX87(cpu: usize, rec: usize, op: u32): void { unimplemented(cpu); }
