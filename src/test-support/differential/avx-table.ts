/**
 * AVX, AVX2, FMA and F16C, in sequences with SSE's instructions on the same registers. Gathers, whose operands need
 * indexes, are in test/cpu/avx alone. Intel SDM volume 2.
 *
 * A line is: name, mandatory prefix or `-`, opcode, operands with the destination first, then notes. Operands: `y` a
 * vector register, `v` one that VEX.vvvv names, `r` general register; `ym` register or memory of the vector's width,
 * `ym4` of 4 bytes, `ymh` of half the width, `ymq` a quarter, `yme` an eighth, `m` memory only, `ma` aligned; `/2` an
 * opcode extension; `ib` an immediate byte. Notes: `128` or `256` where not both exist, `i` for integers, whose 256
 * bits came with AVX2, `w0` or `w1` what VEX.W has to be, a feature, `flags`, `approximate`.
 */
import type { FeatureName } from "../../vcpu/features.js";
import { ARITH, type RegisterKind, type Spec } from "./instruction.js";
import { SSE_TABLE } from "./sse-table.js";

const FLOATS = ["add 58", "mul 59", "sub 5c", "min 5d", "div 5e", "max 5f", "cmp c2,ib"];
const FLOAT_SUFFIXES = [
  ["ps", "-", "ym", ""],
  ["pd", "66", "ym", ""],
  ["ss", "f3", "ym4", " 128"],
  ["sd", "f2", "ym8", " 128"],
] as const;

/** Opcodes of 66 0F and 66 0F38 of three operands. */
const PACKED_0F =
  "60 61 62 63 64 65 66 67 68 69 6a 6b 6c 6d 74 75 76 d4 d5 d8 d9 da db dc dd de df e0 e3 e4 e5 e8 e9 ea eb ec ed ee ef f4 f5 f6 f8 f9 fa fb fc fd fe";
const PACKED_0F38 = "00 01 02 03 04 05 06 07 08 09 0a 0b 28 29 2b 37 38 39 3a 3b 3c 3d 3e 3f 40";
const SHIFTS_0F = "d1 d2 d3 e1 e2 f1 f2 f3";

const PLAIN = `
vsqrtps - 0f51 y,ym
vsqrtpd 66 0f51 y,ym
vsqrtss f3 0f51 y,v,ym4 128
vsqrtsd f2 0f51 y,v,ym8 128
vmovups - 0f10 y,ym
vmovups - 0f11 ym,y
vmovaps - 0f28 y,yma
vmovaps - 0f29 yma,y
vmovss f3 0f10 y,v,y 128
vmovss f3 0f10 y,m4 128
vmovss f3 0f11 m4,y 128
vmovsd f2 0f10 y,v,y 128
vmovsd f2 0f11 m8,y 128
vmovlps - 0f12 y,v,ym8 128
vmovlps - 0f13 m8,y 128
vmovhps - 0f16 y,v,ym8 128
vmovhps - 0f17 m8,y 128
vmovsldup f3 0f12 y,ym
vmovshdup f3 0f16 y,ym
vmovddup f2 0f12 y,ym 256
vmovddup f2 0f12 y,ym8 128
vmovdqa 66 0f6f y,yma
vmovdqa 66 0f7f yma,y
vmovdqu f3 0f6f y,ym
vmovdqu f3 0f7f ym,y
vmovntdq 66 0fe7 ma,y
vmovntdqa 66 0f382a y,ma i
vlddqu f2 0ff0 y,m
vmovd 66 0f6e y,rm 128
vmovd 66 0f7e rm,y 128
vmovq f3 0f7e y,ym8 128
vmovq 66 0fd6 ym8,y 128
vmovmskps - 0f50 r,y
vpmovmskb 66 0fd7 r,y i
vunpcklps - 0f14 y,v,ym
vunpckhpd 66 0f15 y,v,ym
vandps - 0f54 y,v,ym
vandnpd 66 0f55 y,v,ym
vxorps - 0f57 y,v,ym
vshufps - 0fc6 y,v,ym,ib
vshufpd 66 0fc6 y,v,ym,ib
vhaddps f2 0f7c y,v,ym
vhsubpd 66 0f7d y,v,ym
vaddsubps f2 0fd0 y,v,ym
vucomiss - 0f2e y,ym4 128 flags
vcomisd 66 0f2f y,ym8 128 flags
vrcpps - 0f53 y,ym approximate
vrsqrtss f3 0f52 y,v,ym4 128 approximate
vcvtsi2sd f2 0f2a y,v,rm 128
vcvtsi2ss f3 0f2a y,v,rm 128
vcvttsd2si f2 0f2c r,ym8 128
vcvtss2si f3 0f2d r,ym4 128
vcvtps2pd - 0f5a y,ymh
vcvtpd2ps 66 0f5a y,ym
vcvtss2sd f3 0f5a y,v,ym4 128
vcvtsd2ss f2 0f5a y,v,ym8 128
vcvtdq2ps - 0f5b y,ym
vcvtps2dq 66 0f5b y,ym
vcvttpd2dq 66 0fe6 y,ym
vcvtdq2pd f3 0fe6 y,ymh
vcvtpd2dq f2 0fe6 y,ym
vpshufd 66 0f70 y,ym,ib i
vpshufhw f3 0f70 y,ym,ib i
vpsrlw 66 0f71 /2,v,y,ib i
vpsrad 66 0f72 /4,v,y,ib i
vpsllq 66 0f73 /6,v,y,ib i
vpslldq 66 0f73 /7,v,y,ib i
vpsrldq 66 0f73 /3,v,y,ib i
vpinsrw 66 0fc4 y,v,rm2,ib 128
vpextrw 66 0fc5 r,y,ib 128
vpabsb 66 0f381c y,ym i
vpabsd 66 0f381e y,ym i
vptest 66 0f3817 y,ym flags
vtestps 66 0f380e y,ym w0 flags
vtestpd 66 0f380f y,ym w0 flags
vpermilps 66 0f380c y,v,ym w0
vpermilpd 66 0f380d y,v,ym w0
vpermilps 66 0f3a04 y,ym,ib w0
vpermilpd 66 0f3a05 y,ym,ib w0
vpermps 66 0f3816 y,v,ym 256 w0 avx2
vpermd 66 0f3836 y,v,ym 256 w0 avx2
vpermq 66 0f3a00 y,ym,ib 256 w1 avx2
vpermpd 66 0f3a01 y,ym,ib 256 w1 avx2
vperm2f128 66 0f3a06 y,v,ym,ib 256 w0
vperm2i128 66 0f3a46 y,v,ym,ib 256 w0 avx2
vbroadcastss 66 0f3818 y,ym4 w0 avx2
vbroadcastsd 66 0f3819 y,ym8 256 w0 avx2
vbroadcastf128 66 0f381a y,m16 256 w0
vpbroadcastb 66 0f3878 y,ym1 w0 avx2
vpbroadcastw 66 0f3879 y,ym2 w0 avx2
vpbroadcastd 66 0f3858 y,ym4 w0 avx2
vpbroadcastq 66 0f3859 y,ym8 w0 avx2
vbroadcasti128 66 0f385a y,m16 256 w0 avx2
vinsertf128 66 0f3a18 y,v,ym16,ib 256 w0
vextractf128 66 0f3a19 ym16,y,ib 256 w0
vinserti128 66 0f3a38 y,v,ym16,ib 256 w0 avx2
vextracti128 66 0f3a39 ym16,y,ib 256 w0 avx2
vpmovsxbw 66 0f3820 y,ymh i
vpmovsxbd 66 0f3821 y,ymq i
vpmovzxbq 66 0f3832 y,yme i
vpmovzxwd 66 0f3833 y,ymh i
vpmovsxdq 66 0f3825 y,ymh i
vpsrlvd 66 0f3845 y,v,ym w0 avx2
vpsrlvq 66 0f3845 y,v,ym w1 avx2
vpsravd 66 0f3846 y,v,ym w0 avx2
vpsllvd 66 0f3847 y,v,ym w0 avx2
vpsllvq 66 0f3847 y,v,ym w1 avx2
vmaskmovps 66 0f382c y,v,m w0
vmaskmovpd 66 0f382d y,v,m w0
vmaskmovps 66 0f382e m,v,y w0
vmaskmovpd 66 0f382f m,v,y w0
vpmaskmovd 66 0f388c y,v,m w0 avx2
vpmaskmovq 66 0f388c y,v,m w1 avx2
vpmaskmovd 66 0f388e m,v,y w0 avx2
vpmaskmovq 66 0f388e m,v,y w1 avx2
vroundps 66 0f3a08 y,ym,ib
vroundsd 66 0f3a0b y,v,ym8,ib 128
vblendps 66 0f3a0c y,v,ym,ib
vblendpd 66 0f3a0d y,v,ym,ib
vpblendw 66 0f3a0e y,v,ym,ib i
vpalignr 66 0f3a0f y,v,ym,ib i
vpblendd 66 0f3a02 y,v,ym,ib w0 avx2
vblendvps 66 0f3a4a y,v,ym,ib w0
vblendvpd 66 0f3a4b y,v,ym,ib w0
vpblendvb 66 0f3a4c y,v,ym,ib w0 i
vdpps 66 0f3a40 y,v,ym,ib
vdppd 66 0f3a41 y,v,ym,ib 128
vmpsadbw 66 0f3a42 y,v,ym,ib i
vpextrd 66 0f3a16 rm,y,ib 128
vpinsrd 66 0f3a22 y,v,rm,ib 128
vinsertps 66 0f3a21 y,v,ym4,ib 128
vaesenc 66 0f38dc y,v,ym 128 aes
vaesenc 66 0f38dc y,v,ym 256 vaes
vaesdec 66 0f38de y,v,ym 256 vaes
vaesdeclast 66 0f38df y,v,ym 128 aes
vpclmulqdq 66 0f3a44 y,v,ym,ib 128 pclmulqdq
vpclmulqdq 66 0f3a44 y,v,ym,ib 256 vpclmulqdq
vcvtph2ps 66 0f3813 y,ymh w0 f16c
vcvtps2ph 66 0f3a1d ymh,y,ib w0 f16c
vzeroupper - 0f77 - 128
vzeroall - 0f77 - 256`;

const PREFIXES: Record<string, 0 | 1 | 2 | 3> = { "-": 0, "66": 1, f3: 2, f2: 3 };
const MAPS = { "0f38": 2, "0f3a": 3 } as const;
const PARTS: Record<string, number> = { h: 2, q: 4, e: 8 };

function parse(line: string): Spec[] {
  const [name = "", prefix = "-", opcode = "", operands = "", ...notes] = line.split(" ");
  const only = notes.includes("128") ? [0] : notes.includes("256") ? [1] : [0, 1];
  return only.map((l) => form(name, PREFIXES[prefix]!, opcode, operands === "-" ? [] : operands.split(","), notes, l));
}

function form(name: string, prefix: 0 | 1 | 2 | 3, opcode: string, parts: string[], notes: string[], l: number): Spec {
  const map = MAPS[opcode.slice(0, 4) as keyof typeof MAPS] ?? 1;
  const named = notes.find((note): note is FeatureName =>
    ["avx2", "fma", "f16c", "aes", "pclmulqdq", "vaes", "vpclmulqdq"].includes(note),
  );
  const width = l ? 32 : 16;
  const operands = parts.filter((part) => part !== "ib" && part !== "v");
  const spec: Spec = {
    name: `${name}.${width * 8}`,
    // The upper halves are compared only where both sides have AVX, which the other features need.
    feature: named ?? (notes.includes("i") && l ? "avx2" : "avx"),
    vex: { map, prefix, l: l as 0 | 1, vvvv: parts.includes("v") ? "x" : null },
    opcode: [Number.parseInt(opcode.slice(-2), 16)],
    plain: true,
  };
  if (notes.includes("w0")) spec.vex!.w = 0;
  if (notes.includes("w1")) spec.vex!.w = 1;
  if (parts.includes("ib")) spec.immediate = 1;
  if (notes.includes("flags")) spec.flags = { defines: ARITH };
  if (notes.includes("approximate")) spec.approximate = true;
  if (operands.length === 0) return spec;
  const isRm = (part: string) => part.includes("m");
  const rm = operands.find(isRm) ?? operands[1]!;
  const reg = operands.find((part) => part !== rm) ?? operands[0]!;
  const kind = (part: string): RegisterKind => (part.startsWith("r") ? "r" : "x");
  const shape = /^[yr]?(m?)(\d*)([hqea]?)$/.exec(rm);
  if (!shape) throw new Error(`unreadable operands: ${name} ${parts.join()}`);
  const [, hasMemory, bytes, part = ""] = shape;
  const memory = kind(rm) === "r" ? Number(bytes) : bytes ? Number(bytes) : width / (PARTS[part] ?? 1);
  spec.modrm = {
    reg: reg.startsWith("/") ? Number(reg.slice(1)) : kind(reg),
    rm: rm.startsWith("m") ? null : kind(rm),
    memory: hasMemory ? memory : null,
    aligned: part === "a",
  };
  if (kind(rm) === "r" || reg === "r") spec.sizes = [4, 8];
  if (reg === "r") spec.writes = ["reg"];
  if (kind(rm) === "r" && parts[0] === rm) spec.writes = ["rm"];
  return spec;
}

function floats(): string[] {
  return FLOATS.flatMap((line) => {
    const [name, rest = ""] = line.split(" ");
    const [opcode, immediate] = rest.split(",");
    return FLOAT_SUFFIXES.map(
      ([suffix, prefix, rm, note]) =>
        `v${name}${suffix} ${prefix} 0f${opcode} y,v,${rm}${immediate ? ",ib" : ""}${note}`,
    );
  });
}

function packed(): string[] {
  return [
    ...PACKED_0F.split(" ").map((opcode) => `vp0f${opcode} 66 0f${opcode} y,v,ym i`),
    ...PACKED_0F38.split(" ").map((opcode) => `vp0f38${opcode} 66 0f38${opcode} y,v,ym i`),
    ...SHIFTS_0F.split(" ").map((opcode) => `vp0f${opcode} 66 0f${opcode} y,v,ym16 i`),
  ];
}

/** From 98 on, every other opcode has scalar operands. */
function fused(): string[] {
  return [0x90, 0xa0, 0xb0].flatMap((order) =>
    Array.from({ length: 10 }, (_, index) => order + 6 + index).flatMap((opcode) => {
      const scalar = (opcode & 15) > 8 && opcode % 2 === 1;
      return [0, 1].map((w) => {
        const rm = scalar ? `ym${w ? 8 : 4}` : "ym";
        return `vfm${opcode.toString(16)} 66 0f38${opcode.toString(16)} y,v,${rm} w${w} fma${scalar ? " 128" : ""}`;
      });
    }),
  );
}

export const AVX_TABLE: readonly Spec[] = [
  ...[...PLAIN.trim().split("\n"), ...floats(), ...packed(), ...fused()].flatMap(parse),
  ...SSE_TABLE.map((spec): Spec => ({ ...spec, weight: (spec.weight ?? 1) / 4 })),
];
