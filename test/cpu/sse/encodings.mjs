// Every encoding that sseDecode knows, as data: what to put into the code and what the record holds.

/** Fields of sseDecode's result, see src/accel/translate/core/sse-decode.ts. */
export function fields(packed) {
  const low = Number(packed & 0xffffffffn);
  return {
    op: low & 0xffff,
    immBytes: (low >> 16) & 3,
    size: (low >> 20) & 31,
    memory: (low & (1 << 25)) !== 0,
    register: (low & (1 << 26)) !== 0,
    store: (low & (1 << 27)) !== 0,
    aligned: (low & (1 << 28)) !== 0,
    implicitRdi: (low & (1 << 29)) !== 0,
    gprReg: (low & (1 << 30)) !== 0,
    gprRm: (low & (1 << 31)) !== 0,
    feature: Number((packed >> 32n) & 0xfffn),
  };
}

/**
 * All encodings: map 1-3, opcode, prefix 0-3, `group` the fixed reg field of ModRM or null, rexW 0 or 1, `form` register
 * or memory, and the decoder's fields.
 */
export function encodings(decode) {
  const list = [];
  for (const map of [1, 2, 3]) {
    for (let opcode = 0; opcode < 256; opcode++) {
      for (let prefix = 0; prefix < 4; prefix++) {
        for (let rexW = 0; rexW < 2; rexW++) {
          for (const form of ["register", "memory"]) {
            const mod = form === "register" ? 0xc0 : 0;
            const results = [0, 1, 2, 3, 4, 5, 6, 7].map((reg) => decode(map, opcode, prefix, mod | (reg << 3), rexW));
            const grouped = results.some((r) => r !== results[0]);
            for (let reg = 0; reg < (grouped ? 8 : 1); reg++) {
              if (results[reg] === 0n) continue;
              const decoded = fields(results[reg]);
              if (!decoded[form]) continue;
              list.push({ map, opcode, prefix, group: grouped ? reg : null, rexW, form, ...decoded });
            }
          }
        }
      }
    }
  }
  return list;
}

const PREFIX_BYTES = [[], [0x66], [0xf3], [0xf2]];
const MAP_BYTES = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];

/** Code of an instruction with these registers, its memory operand at the absolute address `address`. */
export function encode(encoding, reg, rm, imm, address) {
  const register = encoding.form === "register";
  const rex = 0x40 | (encoding.rexW << 3) | ((reg >> 3) << 2) | (register ? rm >> 3 : 0);
  const code = [...PREFIX_BYTES[encoding.prefix]];
  if (rex !== 0x40) code.push(rex);
  code.push(...MAP_BYTES[encoding.map], encoding.opcode);
  if (register) code.push(0xc0 | ((reg & 7) << 3) | (rm & 7));
  else {
    code.push(((reg & 7) << 3) | 4, 0x25);
    for (let i = 0; i < 4; i++) code.push((address >>> (8 * i)) & 255);
  }
  for (let i = 0; i < encoding.immBytes; i++) code.push((imm >> (8 * i)) & 255);
  return code;
}

export function describe(encoding) {
  const hex = (x) => x.toString(16).padStart(2, "0");
  const bytes = [...PREFIX_BYTES[encoding.prefix], ...MAP_BYTES[encoding.map], encoding.opcode].map(hex).join(" ");
  const group = encoding.group === null ? "/r" : `/${encoding.group}`;
  return `${bytes} ${group} ${encoding.form}${encoding.rexW ? " W" : ""} op ${encoding.op.toString(16)}`;
}
