/** A vCPU's registers as text. */
import { GPR_NAMES, type SegmentState, type VcpuState } from "../vcpu/state.js";
import { codeBits, cpuMode, linearRip, privilegeLevel } from "./cpu-mode.js";
import { hex } from "./format.js";
import type { SymbolTable } from "./symbols.js";

const EFER = 0xc0000080;
const FLAG_BITS: readonly [bit: number, name: string][] = [
  [0, "CF"],
  [2, "PF"],
  [4, "AF"],
  [6, "ZF"],
  [7, "SF"],
  [8, "TF"],
  [9, "IF"],
  [10, "DF"],
  [11, "OF"],
  [14, "NT"],
  [16, "RF"],
  [17, "VM"],
  [18, "AC"],
];

export function formatRegisters(state: VcpuState, symbols: SymbolTable | null = null): string {
  const wide = (name: string, value: bigint) => `${name.toUpperCase().padEnd(3)} ${hex(value, 16)}`;
  const lines: string[] = [];
  for (let index = 0; index < 16; index += 4) {
    lines.push(
      GPR_NAMES.slice(index, index + 4)
        .map((name, offset) => wide(name, state.gpr[index + offset]))
        .join("  "),
    );
  }
  const name = symbols?.describe(linearRip(state));
  lines.push(`${wide("rip", state.rip)}  ${name ? `(${name})  ` : ""}RFLAGS ${hex(state.rflags, 8)} [${flags(state)}]`);
  lines.push(`${cpuMode(state)} mode, ${codeBits(state)}-bit code, CPL ${privilegeLevel(state)}, ${state.runState}`);
  const { segments } = state;
  for (const key of ["cs", "ss", "ds", "es", "fs", "gs", "ldtr", "tr"] as const)
    lines.push(segment(key, segments[key]));
  lines.push(
    `GDTR ${hex(state.gdtr.base, 16)} ${hex(state.gdtr.limit, 4)}  IDTR ${hex(state.idtr.base, 16)} ${hex(state.idtr.limit, 4)}`,
  );
  lines.push(`${wide("cr0", state.cr0)}  ${wide("cr2", state.cr2)}  ${wide("cr3", state.cr3)}`);
  lines.push(`${wide("cr4", state.cr4)}  ${wide("cr8", state.cr8)}  EFER ${hex(state.msrs[EFER] ?? 0n, 16)}`);
  const { dr } = state;
  lines.push(`${wide("dr0", dr.dr0)}  ${wide("dr1", dr.dr1)}  ${wide("dr2", dr.dr2)}`);
  lines.push(`${wide("dr3", dr.dr3)}  ${wide("dr6", dr.dr6)}  ${wide("dr7", dr.dr7)}`);
  return lines.join("\n");
}

function flags(state: VcpuState): string {
  const set = FLAG_BITS.filter(([bit]) => (state.rflags >> BigInt(bit)) & 1n).map(([, name]) => name);
  return [...set, `IOPL=${(state.rflags >> 12n) & 3n}`].join(" ");
}

function segment(name: string, { selector, base, limit, attributes }: SegmentState): string {
  const usable = attributes & (1 << 16) ? "  unusable" : "";
  return `${name.toUpperCase().padEnd(4)} ${hex(selector, 4)}  base ${hex(base, 16)}  limit ${hex(limit, 8)}  attributes ${hex(attributes, 5)}${usable}`;
}
