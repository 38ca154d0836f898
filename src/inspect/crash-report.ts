/** What is left to say about a guest that crashed: registers, the code that it ran, names on its stack. */
import type { GuestMemory } from "../guest-memory/guest-memory.js";
import type { Vcpu } from "../vcpu/accelerator.js";
import type { VcpuState } from "../vcpu/state.js";
import { codeBits, linearRip, linearRsp } from "./cpu-mode.js";
import { disassemble } from "./disassembly.js";
import { hex } from "./format.js";
import { readLinear } from "./linear-memory.js";
import { formatRegisters } from "./registers.js";
import type { SymbolTable } from "./symbols.js";

const CODE_LINES = 6;
const STACK_BYTES = 2048;
const STACK_NAMES = 16;

export interface CrashContext {
  vcpu: Vcpu;
  memory: GuestMemory;
  state: VcpuState;
  symbols?: SymbolTable | null;
}

/** @param title what happened, as the first line */
export async function crashReport(title: string, context: CrashContext): Promise<string> {
  const { vcpu, memory, state, symbols = null } = context;
  const rip = linearRip(state);
  const bits = codeBits(state);
  const lines = [title, `vCPU ${vcpu.id}:`, formatRegisters(state, symbols)];
  const code = await disassemble(vcpu, memory, { address: rip, count: CODE_LINES, bits, symbols, mark: rip });
  lines.push("code:", ...(code.length > 0 ? code : [`   no memory is mapped at ${hex(rip, 16)}`]));
  const names = symbols === null ? [] : namesOnStack(vcpu, memory, state, symbols);
  if (names.length > 0) lines.push("names on the stack:", ...names);
  return `${lines.join("\n")}\n`;
}

/** Values on the stack that point into a function: mostly return addresses, some left over. */
function namesOnStack(vcpu: Vcpu, memory: GuestMemory, state: VcpuState, symbols: SymbolTable): string[] {
  const size = codeBits(state) === 64 ? 8 : 4;
  const bytes = readLinear(vcpu, memory, linearRsp(state), STACK_BYTES);
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const names: string[] = [];
  for (let at = 0; at + size <= bytes.length && names.length < STACK_NAMES; at += size) {
    const value = size === 8 ? data.getBigUint64(at, true) : BigInt(data.getUint32(at, true));
    const name = symbols.describe(value);
    // A name's own address is data; a return address lies behind a call.
    if (name?.includes("+")) names.push(`   ${hex(value, 16)}  ${name}`);
  }
  return names;
}
