/**
 * x87 instructions: every encoding of D8-DF, by whether its result is exact by the standard. Transcendental
 * functions differ in the last place between processors and stay out. Intel SDM volume 2, appendix A.3.3.
 */
import { CF, OF, PF, type Spec, ZF } from "./instruction.js";

/** FPREM and FPREM1 are exact; the others of D9 F0-FF that are left out are not. */
const INEXACT_D9 = new Set([0xf0, 0xf1, 0xf2, 0xf3, 0xf9, 0xfb, 0xfe, 0xff]);
/** FLDENV and FRSTOR load what must not be random; FSTENV and FSAVE store pointers. */
const ENVIRONMENT = new Set(["d9/4", "d9/6", "dd/4", "dd/6"]);
/** Bytes of the memory operand, by opcode and extension; null: no such instruction. */
const MEMORY_BYTES: Record<number, readonly (number | null)[]> = {
  216: [4, 4, 4, 4, 4, 4, 4, 4],
  217: [4, null, 4, 4, 28, 2, 28, 2],
  218: [4, 4, 4, 4, 4, 4, 4, 4],
  219: [4, 4, 4, 4, null, 10, null, 10],
  220: [8, 8, 8, 8, 8, 8, 8, 8],
  221: [8, 8, 8, 8, 108, null, 108, 2],
  222: [2, 2, 2, 2, 2, 2, 2, 2],
  223: [2, 2, 2, 2, 10, 8, 10, 8],
};

function memoryForms(): Spec[] {
  const specs: Spec[] = [];
  for (const [opcode, sizes] of Object.entries(MEMORY_BYTES)) {
    sizes.forEach((bytes, extension) => {
      if (ENVIRONMENT.has(`${Number(opcode).toString(16)}/${extension}`)) return;
      specs.push({
        name: `x87 ${Number(opcode).toString(16)}/${extension}`,
        opcode: [Number(opcode)],
        modrm: { reg: extension, rm: null, memory: bytes ?? 4 },
        weight: bytes === null ? 0.1 : 3,
        plain: true,
      });
    });
  }
  return specs;
}

function registerForms(): Spec[] {
  const specs: Spec[] = [];
  for (let opcode = 0xd8; opcode <= 0xdf; opcode++) {
    for (let modrm = 0xc0; modrm < 0x100; modrm++) {
      if (opcode === 0xd9 && INEXACT_D9.has(modrm)) continue;
      const conditional = (opcode === 0xda || opcode === 0xdb) && modrm < 0xe0;
      const setsFlags = (opcode === 0xdb || opcode === 0xdf) && modrm >= 0xe8 && modrm < 0xf8;
      const status = opcode === 0xdf && modrm === 0xe0;
      specs.push({
        name: `x87 ${opcode.toString(16)} ${modrm.toString(16)}`,
        opcode: [opcode, modrm],
        reads: conditional ? CF | ZF | PF : 0,
        flags: setsFlags ? { defines: CF | ZF | PF | OF } : {},
        clobbers: status ? [0] : [],
        weight: opcode === 0xd9 && modrm >= 0xe0 ? 1 : 0.5,
        plain: true,
      });
    }
  }
  return specs;
}

export const X87_TABLE: readonly Spec[] = [
  ...memoryForms(),
  ...registerForms(),
  { name: "fwait", opcode: [0x9b], plain: true },
  { name: "emms", opcode: [0x0f, 0x77], plain: true, weight: 0.5 },
];
