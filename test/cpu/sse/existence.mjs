// Compares which encodings sseDecode knows with what the processor below takes for an instruction:
// `node existence.mjs CORE.wasm NATIVE`. Opcodes of other groups in the 0F38 map are left out.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, encode, fields } from "./encodings.mjs";

const [wasmPath, nativePath] = process.argv.slice(2);
const memory = new WebAssembly.Memory({ initial: 2560, maximum: 65536 });
const host = new Proxy({}, { get: () => () => 0 });
const core = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(wasmPath)), { env: { memory }, host }).exports;

const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const OPCODES = [
  [],
  [...range(0x10, 0x17), ...range(0x28, 0x2f), ...range(0x50, 0x76), 0x78, 0x79, ...range(0x7c, 0x7f), ...range(0xc2, 0xc6),
    ...range(0xd0, 0xfe)],
  [...range(0x00, 0x7f), ...range(0xc0, 0xef)],
  range(0x00, 0xff),
];
const OPERAND = 0x20000040;
const SIZE = 768;
const UD = 6;

const cases = [];
for (const map of [1, 2, 3]) {
  for (const opcode of OPCODES[map]) {
    for (let prefix = 0; prefix < 4; prefix++) {
      for (let rexW = 0; rexW < 2; rexW++) {
        for (const form of ["register", "memory"]) {
          for (let reg = 0; reg < 8; reg++) {
            if (reg === 4) continue; // RSP stays what it is
            const modrm = (form === "register" ? 0xc0 : 0) | (reg << 3) | 1;
            const packed = BigInt.asUintN(64, core.sseDecode(map, opcode, prefix, modrm, rexW));
            const decoded = fields(packed);
            const known = packed !== 0n && decoded[form];
            const encoding = { map, opcode, prefix, group: reg, rexW, form, ...decoded, immBytes: packed ? decoded.immBytes : 2 };
            cases.push({ encoding, known, reg });
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
let mismatches = 0;
cases.forEach(({ encoding, known }, i) => {
  const vector = Number(output.readBigUInt64LE(i * SIZE + 704));
  if (known === (vector !== UD)) return;
  mismatches++;
  console.log(`${describe(encoding)}: ${known ? "known" : "unknown"}, native vector ${vector}`);
});
console.log(`${cases.length} encodings, ${mismatches} mismatches`);
process.exitCode = mismatches ? 1 : 0;
