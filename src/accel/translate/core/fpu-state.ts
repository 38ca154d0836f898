import { unimplemented } from "./exceptions";
export function execFpuState(cpu: usize, rec: usize, op: u32): void { unimplemented(cpu); }
