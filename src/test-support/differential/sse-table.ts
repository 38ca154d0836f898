/**
 * MMX, SSE to SSE4.2, AES, PCLMULQDQ and SHA instructions. Intel SDM volume 2.
 *
 * A line is: name, mandatory prefix or `-`, opcode, operands with the destination first. Operands: `x` XMM,
 * `q` MMX, `r` general register of 4 or 8 bytes; `xm16` register or 16 bytes of memory that must be
 * aligned, `xm16u` the same unaligned, `m8` memory only; `/2` an opcode extension; `ib` an immediate byte, `iw` two.
 */
import { ARITH, type RegisterKind, type Spec } from "./instruction.js";

// Instructions with PS, PD, SS and SD forms: name without the suffix, opcode.
const FLOAT_ARITHMETIC = `
add 58
mul 59
sub 5c
min 5d
div 5e
max 5f
sqrt 51
cmp c2`;

const PLAIN = `
movups - 0f10 x,xm16u
movups - 0f11 xm16u,x
movupd 66 0f10 x,xm16u
movupd 66 0f11 xm16u,x
movss f3 0f10 x,xm4
movss f3 0f11 xm4,x
movsd f2 0f10 x,xm8
movsd f2 0f11 xm8,x
movaps - 0f28 x,xm16
movaps - 0f29 xm16,x
movapd 66 0f28 x,xm16
movapd 66 0f29 xm16,x
movlps - 0f12 x,xm8
movlps - 0f13 m8,x
movlpd 66 0f12 x,m8
movlpd 66 0f13 m8,x
movhps - 0f16 x,xm8
movhps - 0f17 m8,x
movhpd 66 0f16 x,m8
movhpd 66 0f17 m8,x
movsldup f3 0f12 x,xm16
movshdup f3 0f16 x,xm16
movddup f2 0f12 x,xm8
movntps - 0f2b m16,x
movntpd 66 0f2b m16,x
movntdq 66 0fe7 m16,x
movntdqa 66 0f382a x,m16
lddqu f2 0ff0 x,m16u
movdqa 66 0f6f x,xm16
movdqa 66 0f7f xm16,x
movdqu f3 0f6f x,xm16u
movdqu f3 0f7f xm16u,x
movq f3 0f7e x,xm8
movq 66 0fd6 xm8,x
movd 66 0f6e x,rm
movd 66 0f7e rm,x
movmskps - 0f50 r,x
movmskpd 66 0f50 r,x
pmovmskb 66 0fd7 r,x
maskmovdqu 66 0ff7 x,x,rdi
unpcklps - 0f14 x,xm16
unpcklpd 66 0f14 x,xm16
unpckhps - 0f15 x,xm16
unpckhpd 66 0f15 x,xm16
andps - 0f54 x,xm16
andpd 66 0f54 x,xm16
andnps - 0f55 x,xm16
andnpd 66 0f55 x,xm16
orps - 0f56 x,xm16
orpd 66 0f56 x,xm16
xorps - 0f57 x,xm16
xorpd 66 0f57 x,xm16
shufps - 0fc6 x,xm16,ib
shufpd 66 0fc6 x,xm16,ib
haddps f2 0f7c x,xm16
haddpd 66 0f7c x,xm16
hsubps f2 0f7d x,xm16
hsubpd 66 0f7d x,xm16
addsubps f2 0fd0 x,xm16
addsubpd 66 0fd0 x,xm16
ucomiss - 0f2e x,xm4 flags
ucomisd 66 0f2e x,xm8 flags
comiss - 0f2f x,xm4 flags
comisd 66 0f2f x,xm8 flags
rcpps - 0f53 x,xm16 approximate
rcpss f3 0f53 x,xm4 approximate
rsqrtps - 0f52 x,xm16 approximate
rsqrtss f3 0f52 x,xm4 approximate
cvtsi2ss f3 0f2a x,rm
cvtsi2sd f2 0f2a x,rm
cvttss2si f3 0f2c r,xm4
cvttsd2si f2 0f2c r,xm8
cvtss2si f3 0f2d r,xm4
cvtsd2si f2 0f2d r,xm8
cvtps2pd - 0f5a x,xm8
cvtpd2ps 66 0f5a x,xm16
cvtss2sd f3 0f5a x,xm4
cvtsd2ss f2 0f5a x,xm8
cvtdq2ps - 0f5b x,xm16
cvtps2dq 66 0f5b x,xm16
cvttps2dq f3 0f5b x,xm16
cvttpd2dq 66 0fe6 x,xm16
cvtdq2pd f3 0fe6 x,xm8
cvtpd2dq f2 0fe6 x,xm16
pshufd 66 0f70 x,xm16,ib
pshufhw f3 0f70 x,xm16,ib
pshuflw f2 0f70 x,xm16,ib
psrlw 66 0f71 /2,x,ib
psraw 66 0f71 /4,x,ib
psllw 66 0f71 /6,x,ib
psrld 66 0f72 /2,x,ib
psrad 66 0f72 /4,x,ib
pslld 66 0f72 /6,x,ib
psrlq 66 0f73 /2,x,ib
psrldq 66 0f73 /3,x,ib
psllq 66 0f73 /6,x,ib
pslldq 66 0f73 /7,x,ib
pinsrw 66 0fc4 x,rm2,ib
pextrw 66 0fc5 r,x,ib
punpcklqdq 66 0f6c x,xm16
punpckhqdq 66 0f6d x,xm16
pblendvb 66 0f3810 x,xm16
blendvps 66 0f3814 x,xm16
blendvpd 66 0f3815 x,xm16
ptest 66 0f3817 x,xm16 flags
pmovsxbw 66 0f3820 x,xm8
pmovsxbd 66 0f3821 x,xm4
pmovsxbq 66 0f3822 x,xm2
pmovsxwd 66 0f3823 x,xm8
pmovsxwq 66 0f3824 x,xm4
pmovsxdq 66 0f3825 x,xm8
pmovzxbw 66 0f3830 x,xm8
pmovzxbd 66 0f3831 x,xm4
pmovzxbq 66 0f3832 x,xm2
pmovzxwd 66 0f3833 x,xm8
pmovzxwq 66 0f3834 x,xm4
pmovzxdq 66 0f3835 x,xm8
pmuldq 66 0f3828 x,xm16
pcmpeqq 66 0f3829 x,xm16
packusdw 66 0f382b x,xm16
pcmpgtq 66 0f3837 x,xm16
pminsb 66 0f3838 x,xm16
pminsd 66 0f3839 x,xm16
pminuw 66 0f383a x,xm16
pminud 66 0f383b x,xm16
pmaxsb 66 0f383c x,xm16
pmaxsd 66 0f383d x,xm16
pmaxuw 66 0f383e x,xm16
pmaxud 66 0f383f x,xm16
pmulld 66 0f3840 x,xm16
phminposuw 66 0f3841 x,xm16
roundps 66 0f3a08 x,xm16,ib
roundpd 66 0f3a09 x,xm16,ib
roundss 66 0f3a0a x,xm4,ib
roundsd 66 0f3a0b x,xm8,ib
blendps 66 0f3a0c x,xm16,ib
blendpd 66 0f3a0d x,xm16,ib
pblendw 66 0f3a0e x,xm16,ib
pextrb 66 0f3a14 rm1,x,ib
pextrw 66 0f3a15 rm2,x,ib
pextrd 66 0f3a16 rm,x,ib
extractps 66 0f3a17 rm4,x,ib
pinsrb 66 0f3a20 x,rm1,ib
insertps 66 0f3a21 x,xm4,ib
pinsrd 66 0f3a22 x,rm,ib
dpps 66 0f3a40 x,xm16,ib
dppd 66 0f3a41 x,xm16,ib
mpsadbw 66 0f3a42 x,xm16,ib
pclmulqdq 66 0f3a44 x,xm16,ib
pcmpestrm 66 0f3a60 x,xm16u,ib flags strings
pcmpestri 66 0f3a61 x,xm16u,ib flags strings
pcmpistrm 66 0f3a62 x,xm16u,ib flags strings
pcmpistri 66 0f3a63 x,xm16u,ib flags strings
aesimc 66 0f38db x,xm16
aesenc 66 0f38dc x,xm16
aesenclast 66 0f38dd x,xm16
aesdec 66 0f38de x,xm16
aesdeclast 66 0f38df x,xm16
aeskeygenassist 66 0f3adf x,xm16,ib
sha1nexte - 0f38c8 x,xm16
sha1msg1 - 0f38c9 x,xm16
sha1msg2 - 0f38ca x,xm16
sha256rnds2 - 0f38cb x,xm16
sha256msg1 - 0f38cc x,xm16
sha256msg2 - 0f38cd x,xm16
sha1rnds4 - 0f3acc x,xm16,ib
ldmxcsr - 0fae /2,m4 mxcsr
stmxcsr - 0fae /3,m4`;

const SSE4A = `
movntss f3 0f2b m4,x
movntsd f2 0f2b m8,x
extrq 66 0f79 x,x
insertq f2 0f79 x,x
extrq 66 0f78 /0,x,iw
insertq f2 0f78 x,x,iw`;

// Packed integer instructions that have an MMX form without a prefix and an XMM form with 66.
const PACKED = `
punpcklbw 0f60
punpcklwd 0f61
punpckldq 0f62
packsswb 0f63
pcmpgtb 0f64
pcmpgtw 0f65
pcmpgtd 0f66
packuswb 0f67
punpckhbw 0f68
punpckhwd 0f69
punpckhdq 0f6a
packssdw 0f6b
pcmpeqb 0f74
pcmpeqw 0f75
pcmpeqd 0f76
psrlw 0fd1
psrld 0fd2
psrlq 0fd3
paddq 0fd4
pmullw 0fd5
psubusb 0fd8
psubusw 0fd9
pminub 0fda
pand 0fdb
paddusb 0fdc
paddusw 0fdd
pmaxub 0fde
pandn 0fdf
pavgb 0fe0
psraw 0fe1
psrad 0fe2
pavgw 0fe3
pmulhuw 0fe4
pmulhw 0fe5
psubsb 0fe8
psubsw 0fe9
pminsw 0fea
por 0feb
paddsb 0fec
paddsw 0fed
pmaxsw 0fee
pxor 0fef
psllw 0ff1
pslld 0ff2
psllq 0ff3
pmuludq 0ff4
pmaddwd 0ff5
psadbw 0ff6
psubb 0ff8
psubw 0ff9
psubd 0ffa
psubq 0ffb
paddb 0ffc
paddw 0ffd
paddd 0ffe
pshufb 0f3800
phaddw 0f3801
phaddd 0f3802
phaddsw 0f3803
pmaddubsw 0f3804
phsubw 0f3805
phsubd 0f3806
phsubsw 0f3807
psignb 0f3808
psignw 0f3809
psignd 0f380a
pmulhrsw 0f380b
pabsb 0f381c
pabsw 0f381d
pabsd 0f381e
palignr 0f3a0f ib`;

const MMX_ONLY = `
movq - 0f6f q,qm8
movq - 0f7f qm8,q
movd - 0f6e q,rm
movd - 0f7e rm,q
movntq - 0fe7 m8,q
maskmovq - 0ff7 q,q,rdi
pmovmskb - 0fd7 r,q
pshufw - 0f70 q,qm8,ib
pinsrw - 0fc4 q,rm2,ib
pextrw - 0fc5 r,q,ib
psrlw - 0f71 /2,q,ib
psraw - 0f71 /4,q,ib
psllw - 0f71 /6,q,ib
psrld - 0f72 /2,q,ib
psrad - 0f72 /4,q,ib
pslld - 0f72 /6,q,ib
psrlq - 0f73 /2,q,ib
psllq - 0f73 /6,q,ib
movq2dq f3 0fd6 x,q
movdq2q f2 0fd6 q,x
cvtpi2ps - 0f2a x,qm8
cvtpi2pd 66 0f2a x,qm8
cvttps2pi - 0f2c q,xm8
cvttpd2pi 66 0f2c q,xm16
cvtps2pi - 0f2d q,xm8
cvtpd2pi 66 0f2d q,xm16`;

function parse(text: string): Spec[] {
  const lines = text.trim().split("\n");
  return lines.map((line) => parseLine(line));
}

function parseLine(line: string): Spec {
  const [name = "", prefix = "-", opcode = "", operands = "", ...notes] = line.split(" ");
  const spec: Spec = { name, opcode: [...Buffer.from(opcode, "hex")], plain: true };
  if (prefix !== "-") spec.prefix = Number.parseInt(prefix, 16) as 0x66 | 0xf3 | 0xf2;
  const parts = operands.split(",");
  const immediate = parts.at(-1);
  if (immediate === "ib" || immediate === "iw") {
    parts.pop();
    spec.immediate = immediate === "ib" ? 1 : 2;
  }
  if (parts.at(-1) === "rdi") {
    parts.pop();
    spec.needs = { 7: (random) => 0x2000_0000n + BigInt(random.int(8192)) };
  }
  const [first = "", second = ""] = parts;
  const rmFirst = first.includes("m");
  const rm = rmFirst || (second === "" && first !== "") ? first : second;
  const reg = rm === first ? second : first;
  const shape = /^([xqr]?)(m?)(\d*)(u?)$/.exec(rm);
  if (!shape) throw new Error(`unreadable operands: ${line}`);
  const [, kind, hasMemory, bytes, unaligned] = shape;
  const extension = first.startsWith("/") ? Number(first.slice(1)) : null;
  spec.modrm = {
    reg: extension ?? (reg as RegisterKind),
    rm: kind === "" ? null : (kind as RegisterKind),
    memory: hasMemory ? Number(bytes) : null,
    aligned: bytes === "16" && unaligned === "" && name !== "lddqu",
    ...(kind === "r" && bytes === "1" ? { rmSize: 1 } : {}),
  };
  if (reg === "r" || kind === "r") spec.sizes = [4, 8];
  spec.writes = extension !== null ? [] : rm === first ? ["rm"] : ["reg"];
  if (notes.includes("flags")) spec.flags = { defines: ARITH };
  if (notes.includes("approximate")) spec.approximate = true;
  if (notes.includes("strings")) {
    // ECX is a result; lengths in EAX and EDX are often within the operand.
    spec.sizes = [4, 8];
    spec.clobbers = [1];
    spec.needs = { 0: (random) => BigInt(random.int(40) - 20), 2: (random) => BigInt(random.int(40) - 20) };
  }
  if (notes.includes("mxcsr")) spec.weight = 0.2;
  return spec;
}

function floatForms(): Spec[] {
  const forms = [
    ["ps", "-", "xm16"],
    ["pd", "66", "xm16"],
    ["ss", "f3", "xm4"],
    ["sd", "f2", "xm8"],
  ] as const;
  return FLOAT_ARITHMETIC.trim()
    .split("\n")
    .flatMap((line) => {
      const [name, opcode] = line.split(" ");
      const immediate = name === "cmp" ? ",ib" : "";
      return forms.map(([suffix, prefix, rm]) => ({
        ...parseLine(`${name}${suffix} ${prefix} 0f${opcode} x,${rm}${immediate}`),
        weight: 2,
      }));
    });
}

function packedForms(prefix: "-" | "66"): Spec[] {
  const operands = prefix === "-" ? "q,qm8" : "x,xm16";
  return PACKED.trim()
    .split("\n")
    .map((line) => {
      const [name, opcode, immediate] = line.split(" ");
      return parseLine(`${name} ${prefix} ${opcode} ${operands}${immediate ? ",ib" : ""}`);
    });
}

export const SSE_TABLE: readonly Spec[] = [
  ...floatForms(),
  ...parse(PLAIN),
  ...packedForms("66"),
  // A field past the end of the quadword has no defined result; processors agree on one.
  ...parse(SSE4A).map((spec): Spec => ({ ...spec, feature: "sse4a" })),
];

export const MMX_TABLE: readonly Spec[] = [
  ...packedForms("-"),
  ...parse(MMX_ONLY),
  { name: "emms", opcode: [0x0f, 0x77], plain: true, weight: 3 },
];
