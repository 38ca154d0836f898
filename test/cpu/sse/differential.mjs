// Compares the SSE and MMX operations with the processor below: `node differential.mjs CORE.wasm NATIVE [CASES] [FILTER]`.
// CORE.wasm is sse.entry.ts compiled, NATIVE is native.c compiled; CASES is the number a form of an encoding.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { describe, encode, encodings } from "./encodings.mjs";
import { fill, generator, mxcsr } from "./operands.mjs";

const [wasmPath, nativePath, casesText = "100", filter = ""] = process.argv.slice(2);
const CASES = Number(casesText);

const CPU = 0x100000;
const TLB = 0x400000;
const RECORD = 0x1400000;
const HOST_PAGE = 0x9000000;
const PAGE = 0x20000000;
const OPERAND = PAGE + 0x40;
const L = {
  RFLAGS: 0x98, TLB: 0xc0, CR0: 0x220, CR4: 0x238, EXC_PENDING: 0x5a0, EXC_VECTOR: 0x5a4, FPU_BLOCKED: 0x648,
  SSE_BLOCKED: 0x64c, FPU_PENDING: 0x650, FCW: 0x700, FSW: 0x704, FTW: 0x708, MXCSR: 0x728, ST: 0x730, XMM: 0x800,
  CC_OP: 0xb8,
};
const ARITHMETIC = 0x8d5;

class Unwound extends Error {}
const memory = new WebAssembly.Memory({ initial: 2560, maximum: 65536 });
const host = new Proxy({}, { get: () => () => { throw new Unwound(); } });
const module = new WebAssembly.Module(readFileSync(wasmPath));
const core = new WebAssembly.Instance(module, { env: { memory }, host }).exports;
const ram = new DataView(memory.buffer);
const bytes = new Uint8Array(memory.buffer);

const decode = (map, opcode, prefix, modrm, rexW) => BigInt.asUintN(64, core.sseDecode(map, opcode, prefix, modrm, rexW));
const all = encodings(decode).filter((e) => describe(e).includes(filter));

// ---- The native side.
const child = spawn(nativePath, { stdio: ["pipe", "pipe", "inherit"] });
const SIZE = 768;
let pending = Buffer.alloc(0);
child.stdout.on("data", (chunk) => { pending = pending.length ? Buffer.concat([pending, chunk]) : chunk; });
async function native(batch) {
  child.stdin.write(batch);
  while (pending.length < batch.length) await once(child.stdout, "data");
  const result = pending.subarray(0, batch.length);
  pending = pending.subarray(batch.length);
  return result;
}

// ---- One case: a block as native.c has it, and what the record needs.
const FX_MXCSR = 24;
const FX_ST = 32;
const FX_XMM = 160;
const GPR = 512;
const MEMORY = 640;
const LENGTH = 704;
const CODE = 712;
const RFLAGS = 728;

function makeCase(view, at, encoding, random) {
  const put32 = (offset, value) => view.setUint32(at + offset, value >>> 0, true);
  const what = encoding.op < 0x740 || (encoding.op >= 0x760 && encoding.op < 0x76a) || (encoding.op >= 0x7a0 && encoding.op < 0x7bb)
    ? 1 + (random() & 1) : [0, 0, 0, 1, 2][random() % 5];
  // An unmasked x87 exception may wait.
  const waiting = (random() & 31) === 0;
  view.setUint16(at, waiting ? 0x37e : 0x37f, true);
  view.setUint16(at + 2, ((random() & 7) << 11) | (waiting ? 0x8081 : 0), true);
  view.setUint8(at + 4, random() & 255);
  put32(FX_MXCSR, mxcsr(random));
  put32(FX_MXCSR + 4, 0xffff);
  for (let i = 0; i < 8; i++) {
    fill(view, at + FX_ST + i * 16, 8, random, random() & 1 ? 0 : what);
    view.setUint16(at + FX_ST + i * 16 + 8, random(), true);
  }
  fill(view, at + FX_XMM, 256, random, what);
  for (let i = 0; i < 16; i++) view.setBigUint64(at + GPR + i * 8, (BigInt(random()) << 32n) | BigInt(random()), true);
  if (random() & 1) {
    for (const i of [0, 2]) view.setBigInt64(at + GPR + i * 8, BigInt((random() % 40) - 20), true); // string lengths
  }
  fill(view, at + MEMORY, 64, random, what);
  view.setBigUint64(at + RFLAGS, BigInt(0x202 | (random() & ARITHMETIC)), true);
  let reg = encoding.group ?? random() & 15;
  let rm = random() & 15;
  if (encoding.gprReg && reg === 4) reg = 5;
  if (encoding.gprRm && rm === 4) rm = 5;
  if ((random() & 7) === 0) rm = encoding.gprReg || encoding.gprRm ? rm : reg;
  // Related operands: equal, negated, one step apart.
  const how = random() & 7;
  if (how < 3 && encoding.form === "register") {
    for (let i = 0; i < 16; i += 4) put32(FX_XMM + rm * 16 + i, view.getUint32(at + FX_XMM + (reg & 15) * 16 + i, true));
    if (how === 1) for (let i = 0; i < 16; i += 8) view.setUint8(at + FX_XMM + rm * 16 + i, random());
    if (how === 2) for (let i = 3; i < 16; i += 4) view.setUint8(at + FX_XMM + rm * 16 + i, view.getUint8(at + FX_XMM + rm * 16 + i) ^ 0x80);
  }
  const imm = random() & 0xffff;
  const misaligned = encoding.form === "memory" && (random() & 15) === 0 ? 1 + (random() & 15) : 0;
  const address = OPERAND + misaligned;
  if (encoding.implicitRdi) view.setBigUint64(at + GPR + 7 * 8, BigInt(address), true);
  const code = encode(encoding, reg, rm, imm, address);
  view.setBigUint64(at + LENGTH, BigInt(code.length), true);
  code.forEach((b, i) => view.setUint8(at + CODE + i, b));
  return { encoding, reg, rm, imm, address };
}

// ---- The core's side.
function setUp(view, at, c) {
  bytes.fill(0, CPU, CPU + 0x1000);
  ram.setUint32(CPU + L.TLB, TLB, true);
  ram.setBigUint64(TLB, BigInt(PAGE), true);
  ram.setBigUint64(TLB + 8, BigInt(PAGE), true);
  ram.setUint32(TLB + 24, (HOST_PAGE - PAGE) >>> 0, true);
  ram.setBigUint64(CPU + L.CR0, 0x80050033n, true);
  ram.setBigUint64(CPU + L.CR4, 0x620n, true);
  for (let i = 0; i < 16; i++) ram.setBigUint64(CPU + i * 8, view.getBigUint64(at + GPR + i * 8, true), true);
  const fsw = view.getUint16(at + 2, true);
  const top = (fsw >> 11) & 7;
  ram.setUint32(CPU + L.FCW, view.getUint16(at, true), true);
  ram.setUint32(CPU + L.FSW, fsw, true);
  ram.setUint32(CPU + L.FPU_PENDING, fsw >> 15, true);
  let tags = 0;
  for (let i = 0; i < 8; i++) {
    if (!((view.getUint8(at + 4) >> i) & 1)) tags |= 3 << (2 * i);
    const physical = (top + i) & 7;
    ram.setBigUint64(CPU + L.ST + physical * 16, view.getBigUint64(at + FX_ST + i * 16, true), true);
    ram.setUint16(CPU + L.ST + physical * 16 + 8, view.getUint16(at + FX_ST + i * 16 + 8, true), true);
  }
  ram.setUint32(CPU + L.FTW, tags, true);
  ram.setUint32(CPU + L.MXCSR, view.getUint32(at + FX_MXCSR, true), true);
  for (let i = 0; i < 16; i++) {
    for (let j = 0; j < 16; j += 8) {
      ram.setBigUint64(CPU + L.XMM + i * 32 + j, view.getBigUint64(at + FX_XMM + i * 16 + j, true), true);
    }
  }
  ram.setBigUint64(CPU + L.RFLAGS, view.getBigUint64(at + RFLAGS, true), true);
  for (let i = 0; i < 64; i++) bytes[HOST_PAGE + 0x40 + i] = view.getUint8(at + MEMORY + i);
  const { encoding, reg, rm, imm, address } = c;
  bytes.fill(0, RECORD, RECORD + 32);
  ram.setUint16(RECORD, encoding.op, true);
  bytes[RECORD + 3] = 128 | (encoding.rexW ? 32 : 0) | (encoding.form === "register" ? 64 : 0) | (encoding.prefix === 1 ? 16 : 0);
  bytes[RECORD + 4] = reg;
  bytes[RECORD + 5] = rm;
  bytes[RECORD + 6] = encoding.implicitRdi ? 7 * 8 : 0x80;
  bytes[RECORD + 7] = 0x80;
  bytes[RECORD + 9] = 3;
  bytes[RECORD + 10] = 8;
  ram.setUint32(RECORD + 12, encoding.implicitRdi || encoding.form === "register" ? 0 : address, true);
  ram.setUint32(RECORD + 16, imm, true);
}

function execute() {
  try {
    core.execute(CPU, RECORD);
  } catch (error) {
    if (!(error instanceof Unwound)) throw error;
    return ram.getUint32(CPU + L.EXC_VECTOR, true);
  }
  return 0;
}

/** Differences between the core's state and a result, or null. */
// RCP and RSQRT may differ by one unit of their 12 bits.
function compare(view, at, vector, approximate) {
  const found = [];
  const check = (name, ours, theirs) => { if (ours !== theirs) found.push(`${name}: ours ${ours.toString(16)} native ${theirs.toString(16)}`); };
  check("vector", vector, Number(view.getBigUint64(at + LENGTH, true)));
  check("mxcsr", ram.getUint32(CPU + L.MXCSR, true), view.getUint32(at + FX_MXCSR, true));
  for (let i = 0; i < 16; i++) {
    if (approximate) {
      for (let j = 0; j < 16; j += 4) {
        const ours = ram.getUint32(CPU + L.XMM + i * 32 + j, true);
        const theirs = view.getUint32(at + FX_XMM + i * 16 + j, true);
        if (Math.abs(ours - theirs) > 0x800) check(`xmm${i}+${j}`, ours, theirs);
      }
      continue;
    }
    for (let j = 0; j < 16; j += 8) {
      check(`xmm${i}+${j}`, ram.getBigUint64(CPU + L.XMM + i * 32 + j, true), view.getBigUint64(at + FX_XMM + i * 16 + j, true));
    }
  }
  for (let i = 0; i < 16; i++) if (i !== 4) check(`gpr${i}`, ram.getBigUint64(CPU + i * 8, true), view.getBigUint64(at + GPR + i * 8, true));
  const fsw = view.getUint16(at + 2, true);
  const top = (fsw >> 11) & 7;
  check("fsw", ram.getUint32(CPU + L.FSW, true), fsw);
  let tags = 0;
  for (let i = 0; i < 8; i++) {
    if (((ram.getUint32(CPU + L.FTW, true) >> (2 * i)) & 3) !== 3) tags |= 1 << i;
    const physical = (top + i) & 7;
    check(`mm${physical}`, ram.getBigUint64(CPU + L.ST + physical * 16, true), view.getBigUint64(at + FX_ST + i * 16, true));
    check(`mm${physical} exponent`, ram.getUint16(CPU + L.ST + physical * 16 + 8, true), view.getUint16(at + FX_ST + i * 16 + 8, true));
  }
  check("tags", tags, view.getUint8(at + 4));
  if (core.materializeFlags) core.materializeFlags(CPU);
  check("flags", ram.getUint32(CPU + L.RFLAGS, true) & ARITHMETIC, Number(view.getBigUint64(at + RFLAGS, true)) & ARITHMETIC);
  for (let i = 0; i < 64; i++) check(`memory+${i}`, bytes[HOST_PAGE + 0x40 + i], view.getUint8(at + MEMORY + i));
  return found.length ? found : null;
}

const random = generator(1);
const APPROXIMATE = new Set([0x708, 0x70a, 0x70c, 0x70e]);
let compared = 0;
let mismatches = 0;
const vectors = {};
for (const encoding of all) {
  let left = CASES;
  let shown = 0;
  let bad = 0;
  while (left > 0) {
    const n = Math.min(left, 512);
    left -= n;
    const batch = Buffer.alloc(512 * SIZE);
    const view = new DataView(batch.buffer, batch.byteOffset, batch.length);
    const cases = [];
    for (let i = 0; i < n; i++) cases.push(makeCase(view, i * SIZE, encoding, random));
    const result = await native(batch);
    const resultView = new DataView(result.buffer, result.byteOffset, result.length);
    for (let i = 0; i < n; i++) {
      setUp(view, i * SIZE, cases[i]);
      const found = compare(resultView, i * SIZE, execute(), APPROXIMATE.has(encoding.op));
      compared++;
      const vector = resultView.getUint8(i * SIZE + LENGTH);
      vectors[vector] = (vectors[vector] ?? 0) + 1;
      if (!found) continue;
      bad++;
      if (shown++ < 3) {
        const c = cases[i];
        const hex = (offset, length) => Buffer.from(batch.subarray(i * SIZE + offset, i * SIZE + offset + length)).reverse().toString("hex");
        console.log(`${describe(encoding)} reg ${c.reg} rm ${c.rm} imm ${c.imm.toString(16)} at ${(c.address - PAGE).toString(16)} mxcsr ${view.getUint32(i * SIZE + FX_MXCSR, true).toString(16)}`);
        console.log(`  reg ${hex(FX_XMM + c.reg * 16, 16)} rm ${hex(FX_XMM + c.rm * 16, 16)} memory ${hex(MEMORY + (c.address - OPERAND), 16)}`);
        for (const line of found.slice(0, 4)) console.log(`  ${line}`);
      }
    }
  }
  if (bad) console.log(`${describe(encoding)}: ${bad} of ${CASES}`);
  mismatches += bad;
}
child.stdin.end();
console.log(`${all.length} encodings, ${compared} cases, ${mismatches} mismatches; by vector ${JSON.stringify(vectors)}`);
process.exitCode = mismatches ? 1 : 0;
