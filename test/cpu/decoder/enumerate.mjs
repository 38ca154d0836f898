// Every instruction that iced-x86 knows in the maps of legacy and VEX encodings, with bytes of each.
import { Code, Decoder, DecoderOptions, Instruction } from "iced-x86";
import { BATCH, SLOT } from "./our-decoder.mjs";

const PREFIXES = [[], [0x66], [0xf3], [0xf2], [0x66, 0xf3], [0x66, 0xf2]];
const MAPS = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];
/** ModRM and what follows: memory at [rax + rcx], and each register. Bytes behind are immediates. */
const OPERANDS = [[0x04, 0x08], ...[0, 1, 2, 3, 4, 5, 6, 7].map((rm) => [0xc0 | rm])];

function* legacy(bits) {
  const rexes = bits === 64 ? [[], [0x48]] : [[]];
  for (const address of [[], [0x67]]) {
    for (const prefix of PREFIXES) {
      for (const rex of rexes) {
        for (const map of MAPS) {
          for (let opcode = 0; opcode < 256; opcode++) {
            for (let reg = 0; reg < 8; reg++) {
              // The address size matters to string operations, JCXZ and the like: one form is enough.
              for (const [first, ...rest] of address.length > 0 ? OPERANDS.slice(0, 1) : OPERANDS) {
                yield [...address, ...prefix, ...rex, ...map, opcode, first | (reg << 3), ...rest];
              }
            }
          }
        }
      }
    }
  }
}

function* vex() {
  for (const map of [1, 2, 3]) {
    for (const wl of [0, 0x04, 0x80, 0x84]) {
      for (const pp of [0, 1, 2, 3]) {
        for (const vvvv of [0x78, 0x68]) {
          for (let opcode = 0; opcode < 256; opcode++) {
            for (let reg = 0; reg < 8; reg++) {
              for (const [first, ...rest] of OPERANDS.slice(0, 2)) {
                yield [0xc4, 0xe0 | map, (wl & 0x84) | vvvv | pp, opcode, first | (reg << 3), ...rest];
              }
            }
          }
        }
      }
    }
  }
}

/** Bytes of one instruction for each of iced's codes that a mode has: a map from the code to them. */
export function enumerate(bits) {
  const samples = new Map();
  const instruction = new Instruction();
  const bytes = new Uint8Array(BATCH * SLOT);
  let slots = 0;
  const flush = () => {
    const decoder = new Decoder(bits, bytes.subarray(0, slots * SLOT), DecoderOptions.None);
    for (let slot = 0; slot < slots; slot++) {
      decoder.position = slot * SLOT;
      decoder.decodeOut(instruction);
      const { code, length } = instruction;
      if (code === Code.INVALID || length > SLOT) continue;
      const known = samples.get(code);
      if (known === undefined || known.length > length)
        samples.set(code, bytes.slice(slot * SLOT, slot * SLOT + length));
    }
    decoder.free();
    bytes.fill(0);
    slots = 0;
  };
  for (const source of [legacy(bits), vex()]) {
    for (const string of source) {
      bytes.set(string, slots * SLOT);
      if (++slots === BATCH) flush();
    }
  }
  flush();
  instruction.free();
  return samples;
}
