// Which encodings sseDecode knows, against what the processor below takes for an instruction. Opcodes of other groups
// are left out.
import { spawnSync } from "node:child_process";
import { describe, encode, fields } from "./encodings.mjs";

const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const OPCODES = [
  [],
  [
    ...range(0x10, 0x17),
    ...range(0x28, 0x2f),
    ...range(0x50, 0x76),
    0x78,
    0x79,
    ...range(0x7c, 0x7f),
    ...range(0xc2, 0xc6),
    ...range(0xd0, 0xfe),
  ],
  [...range(0x00, 0x7f), ...range(0xc0, 0xef)],
  range(0x00, 0xff),
];
const OPERAND = 0x20000040;
const SIZE = 768;
const UD = 6;

/** How many encodings were tried, and a text for each that only one side knows. */
export function compareExistence(core, nativePath) {
  const cases = [];
  for (const map of [1, 2, 3]) {
    for (const opcode of OPCODES[map]) {
      for (let prefix = 0; prefix < 4; prefix++) {
        for (let rexW = 0; rexW < 2; rexW++) {
          for (const form of ["register", "memory"]) {
            for (let reg = 0; reg < 8; reg++) {
              if (reg === 4) continue; // RSP stays what it is
              const modrm = (form === "register" ? 0xc0 : 0) | (reg << 3) | 1;
              const packed = core.decode(map, opcode, prefix, modrm, rexW);
              const decoded = fields(packed);
              const known = packed !== 0n && decoded[form];
              const immBytes = packed ? decoded.immBytes : 2;
              cases.push({
                encoding: { map, opcode, prefix, group: reg, rexW, form, op: decoded.op, immBytes },
                known,
                reg,
              });
            }
          }
        }
      }
    }
  }
  const input = Buffer.alloc(cases.length * SIZE);
  cases.forEach(({ encoding, reg }, i) => {
    const at = i * SIZE;
    input.writeUInt16LE(0x37f, at);
    input.writeUInt32LE(0x1f80, at + 24);
    for (let r = 0; r < 16; r++) input.writeBigUInt64LE(BigInt(OPERAND), at + 512 + r * 8);
    const code = encode(encoding, reg, 1, 0, OPERAND);
    input.writeBigUInt64LE(BigInt(code.length), at + 704);
    Buffer.from(code).copy(input, at + 712);
    input.writeBigUInt64LE(0x202n, at + 728);
  });
  const output = spawnSync(nativePath, { input, maxBuffer: 1 << 30 }).stdout;
  const mismatches = [];
  cases.forEach(({ encoding, known }, i) => {
    const vector = Number(output.readBigUInt64LE(i * SIZE + 704));
    if (known === (vector !== UD)) return;
    mismatches.push(`${describe(encoding)}: ${known ? "known" : "unknown"}, native vector ${vector}`);
  });
  return { cases: cases.length, mismatches };
}
