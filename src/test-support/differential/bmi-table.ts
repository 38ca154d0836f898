/** BMI1 and BMI2. Intel SDM volume 2. */
import { AF, CF, type FlagEffect, OF, PF, SF, type Spec, ZF } from "./instruction.js";

const NONE = 0;
const P66 = 1;
const PF3 = 2;
const PF2 = 3;

type Form = "reg vvvv rm" | "reg rm vvvv" | "vvvv rm";

function bmi(
  feature: "bmi1" | "bmi2",
  name: string,
  prefix: 0 | 1 | 2 | 3,
  opcode: number,
  form: Form,
  flags: FlagEffect = {},
  digit?: number,
): Spec {
  return {
    name,
    feature,
    vex: { map: 2, prefix, l: 0, vvvv: "r" },
    opcode: [opcode],
    sizes: [4, 8],
    modrm: { reg: digit ?? "r", rm: "r", memory: 0 },
    writes: form === "vvvv rm" ? ["vvvv"] : ["reg"],
    flags,
    plain: true,
  };
}

const withoutParity: FlagEffect = { defines: CF | ZF | SF | OF, undefines: AF | PF };

export const BMI_TABLE: readonly Spec[] = [
  bmi("bmi1", "andn", NONE, 0xf2, "reg vvvv rm", withoutParity),
  bmi("bmi1", "blsr", NONE, 0xf3, "vvvv rm", withoutParity, 1),
  bmi("bmi1", "blsmsk", NONE, 0xf3, "vvvv rm", withoutParity, 2),
  bmi("bmi1", "blsi", NONE, 0xf3, "vvvv rm", withoutParity, 3),
  bmi("bmi1", "bextr", NONE, 0xf7, "reg rm vvvv", { defines: CF | ZF | OF, undefines: AF | PF | SF }),
  bmi("bmi2", "bzhi", NONE, 0xf5, "reg rm vvvv", withoutParity),
  bmi("bmi2", "pdep", PF2, 0xf5, "reg vvvv rm"),
  bmi("bmi2", "pext", PF3, 0xf5, "reg vvvv rm"),
  // Both halves of the product are destinations.
  { ...bmi("bmi2", "mulx", PF2, 0xf6, "reg vvvv rm"), writes: ["reg", "vvvv"] },
  bmi("bmi2", "shlx", P66, 0xf7, "reg rm vvvv"),
  bmi("bmi2", "sarx", PF3, 0xf7, "reg rm vvvv"),
  bmi("bmi2", "shrx", PF2, 0xf7, "reg rm vvvv"),
  {
    name: "rorx",
    feature: "bmi2",
    vex: { map: 3, prefix: PF2, l: 0, vvvv: null },
    opcode: [0xf0],
    sizes: [4, 8],
    modrm: { reg: "r", rm: "r", memory: 0 },
    immediate: 1,
    writes: ["reg"],
    plain: true,
  },
  // What a VEX prefix does not go with, and lengths that are not these instructions'.
  ...[
    [0x66, 0xc4, 0xe2, 0x78, 0xf2, 0xc0],
    [0xf3, 0xc4, 0xe2, 0x78, 0xf2, 0xc0],
    [0xf2, 0xc4, 0xe2, 0x78, 0xf2, 0xc0],
    [0xf0, 0xc4, 0xe2, 0x78, 0xf2, 0xc0],
    [0x48, 0xc4, 0xe2, 0x78, 0xf2, 0xc0],
    [0xc4, 0xe2, 0x7c, 0xf2, 0xc0],
    [0xc4, 0xe2, 0x78, 0xf3, 0xc0],
    [0xc4, 0xe2, 0x78, 0xf3, 0xe0],
    [0xc4, 0xe2, 0x7b, 0xf3, 0xc8],
    [0xc4, 0xe2, 0x79, 0xf2, 0xc0],
    [0xc4, 0xe2, 0x79, 0xf5, 0xc0],
    [0xc4, 0xe2, 0x78, 0xf6, 0xc0],
    [0xc4, 0xe3, 0x73, 0xf0, 0xc0, 1],
    [0xc4, 0xe3, 0x7f, 0xf0, 0xc0, 1],
    [0xc4, 0xe2, 0x78, 0xf1, 0xc0],
  ].map((opcode): Spec => ({ name: "refused", feature: "bmi1", opcode, weight: 0.1, plain: true })),
];
