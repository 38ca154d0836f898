// Every VEX encoding of the maps 0F, 0F38 and 0F3A, as data.

/** Fields of vexDecode's result, see src/accel/translate/core/vex-decode.ts. */
export function fields(packed) {
  const low = Number(packed & 0xffffffffn);
  const bit = (n) => ((packed >> BigInt(n)) & 1n) !== 0n;
  return {
    op: low & 0xffff,
    size: (low >> 20) & 63,
    memory: bit(26),
    register: bit(27),
    gprReg: bit(30),
    gprRm: bit(31),
    vvvv: bit(48),
    vsib: bit(50),
    imm: bit(51),
    implicitRdi: bit(52),
  };
}

/** Opcodes on general registers. */
function elsewhere({ map, opcode }) {
  return (map === 2 && opcode >= 0xf0) || (map === 3 && opcode === 0xf0);
}

/** All of them: `form` register or memory, `group` the fixed reg field of ModRM or null, and vexDecode's fields or null. */
export function encodings(decode) {
  const list = [];
  for (const map of [1, 2, 3]) {
    for (let opcode = 0; opcode < 256; opcode++) {
      for (let prefix = 0; prefix < 4; prefix++) {
        for (const w of [0, 1]) {
          for (const l of [0, 1]) {
            if (elsewhere({ map, opcode })) continue;
            for (const form of ["register", "memory"]) {
              const mod = form === "register" ? 0xc0 : 0;
              const results = [0, 1, 2, 3, 4, 5, 6, 7].map((reg) =>
                decode(map, opcode, prefix, mod | (reg << 3), w, l, 1),
              );
              const grouped = results.some((r) => r !== results[0]);
              for (let reg = 0; reg < (grouped ? 8 : 1); reg++) {
                let decoded = results[reg] === 0n ? null : fields(results[reg]);
                if (decoded && !decoded[form]) decoded = null;
                // VZEROUPPER and VZEROALL have no ModRM byte.
                if (map === 1 && opcode === 0x77) {
                  decoded = prefix === 0 && form === "register" ? { op: 0, zero: true } : null;
                  if (form === "memory") continue;
                }
                list.push({ map, opcode, prefix, w, l, form, group: grouped ? reg : null, decoded });
              }
            }
          }
        }
      }
    }
  }
  return list;
}

/** Code of an instruction with these registers, its memory operand at the absolute address. */
export function encode(encoding, { reg, rm, vvvv, imm, index = 4, scale = 0, address }) {
  const { map, opcode, prefix, w, l, form, decoded } = encoding;
  const register = form === "register";
  const payload = (w << 7) | ((~vvvv & 15) << 3) | (l << 2) | prefix;
  const extended = register ? rm & 8 : (index & 8) << 1;
  const code = [0xc4, ((reg & 8 ? 0 : 0x80) | (extended & 16 ? 0 : 0x40) | (extended & 8 ? 0 : 0x20) | map) & 255];
  code.push(payload, opcode);
  // The short form, where it can say the same.
  if (map === 1 && w === 0 && !extended && (imm & 0x100) === 0) {
    code.splice(0, 3, 0xc5, (reg & 8 ? 0 : 0x80) | payload);
  }
  if (decoded?.zero) return code;
  if (register) code.push(0xc0 | ((reg & 7) << 3) | (rm & 7));
  else {
    code.push(((reg & 7) << 3) | 4, (scale << 6) | ((index & 7) << 3) | 5);
    for (let i = 0; i < 4; i++) code.push((address >>> (8 * i)) & 255);
  }
  if (decoded ? decoded.imm : map === 3) code.push(imm & 255);
  return code;
}

export function describe({ map, opcode, prefix, w, l, form, group, decoded }) {
  const maps = ["", "0F", "0F38", "0F3A"];
  const prefixes = ["", "66.", "F3.", "F2."];
  const hex = opcode.toString(16).toUpperCase().padStart(2, "0");
  const op = decoded ? ` op ${decoded.op.toString(16)}` : "";
  return `VEX.${l ? 256 : 128}.${prefixes[prefix]}${maps[map]}.W${w} ${hex} /${group ?? "r"} ${form}${op}`;
}
