// Compares the SSE and MMX operations with the processor below, case by case.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, encode, encodings } from "./encodings.mjs";
import { fill, generator, mxcsr } from "./operands.mjs";

const CPU = 0x100000;
const TLB = 0x400000;
const RECORD = 0x1400000;
const HOST_PAGE = 0x9000000;
const PAGE = 0x20000000;
const OPERAND = PAGE + 0x40;
const L = {
  RFLAGS: 0x98,
  TLB: 0xc0,
  CR0: 0x220,
  CR4: 0x238,
  EXC_PENDING: 0x5a0,
  EXC_VECTOR: 0x5a4,
  FPU_BLOCKED: 0x648,
  SSE_BLOCKED: 0x64c,
  FPU_PENDING: 0x650,
  FCW: 0x700,
  FSW: 0x704,
  FTW: 0x708,
  MXCSR: 0x728,
  ST: 0x730,
  XMM: 0x800,
  CC_OP: 0xb8,
};
const ARITHMETIC = 0x8d5;

class Unwound extends Error {}

/** The core from sse.entry.ts in a memory of its own. */
export function loadCore(wasm) {
  const memory = new WebAssembly.Memory({ initial: 2560, maximum: 65536 });
  const unwind = () => {
    throw new Unwound();
  };
  const host = new Proxy({}, { get: () => unwind });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm), { env: { memory }, host });
  const decode = (map, opcode, prefix, modrm, rexW) =>
    BigInt.asUintN(64, exports.sseDecode(map, opcode, prefix, modrm, rexW));
  return { exports, decode, ram: new DataView(memory.buffer), bytes: new Uint8Array(memory.buffer) };
}

// ---- The native side.
const SIZE = 768;
const BATCH = 512;
function startNative(path) {
  const child = spawn(path, { stdio: ["pipe", "pipe", "inherit"] });
  let pending = Buffer.alloc(0);
  child.stdout.on("data", (chunk) => {
    pending = pending.length ? Buffer.concat([pending, chunk]) : chunk;
  });
  return {
    async execute(batch) {
      child.stdin.write(batch);
      while (pending.length < batch.length) await once(child.stdout, "data");
      const result = pending.subarray(0, batch.length);
      pending = pending.subarray(batch.length);
      return result;
    },
    end: () => child.stdin.end(),
  };
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
  const what =
    encoding.op < 0x740 ||
    (encoding.op >= 0x760 && encoding.op < 0x76a) ||
    (encoding.op >= 0x7a0 && encoding.op < 0x7bb)
      ? 1 + (random() & 1)
      : [0, 0, 0, 1, 2][random() % 5];
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
    for (let i = 0; i < 16; i += 4)
      put32(FX_XMM + rm * 16 + i, view.getUint32(at + FX_XMM + (reg & 15) * 16 + i, true));
    if (how === 1) for (let i = 0; i < 16; i += 8) view.setUint8(at + FX_XMM + rm * 16 + i, random());
    if (how === 2)
      for (let i = 3; i < 16; i += 4)
        view.setUint8(at + FX_XMM + rm * 16 + i, view.getUint8(at + FX_XMM + rm * 16 + i) ^ 0x80);
  }
  const imm = random() & 0xffff;
  const misaligned = encoding.form === "memory" && (random() & 15) === 0 ? 1 + (random() & 15) : 0;
  const address = OPERAND + misaligned;
  if (encoding.implicitRdi) view.setBigUint64(at + GPR + 7 * 8, BigInt(address), true);
  const code = encode(encoding, reg, rm, imm, address);
  view.setBigUint64(at + LENGTH, BigInt(code.length), true);
  for (const [i, b] of code.entries()) view.setUint8(at + CODE + i, b);
  return { encoding, reg, rm, imm, address };
}

// ---- The core's side.
function setUp(core, view, at, c) {
  const { ram, bytes } = core;
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
  bytes[RECORD + 3] =
    128 | (encoding.rexW ? 32 : 0) | (encoding.form === "register" ? 64 : 0) | (encoding.prefix === 1 ? 16 : 0);
  bytes[RECORD + 4] = reg;
  bytes[RECORD + 5] = rm;
  bytes[RECORD + 6] = encoding.implicitRdi ? 7 * 8 : 0x80;
  bytes[RECORD + 7] = 0x80;
  bytes[RECORD + 9] = 3;
  bytes[RECORD + 10] = 8;
  ram.setUint32(RECORD + 12, encoding.implicitRdi || encoding.form === "register" ? 0 : address, true);
  ram.setUint32(RECORD + 16, imm, true);
}

/** Executes the record; the vector that it raised, or 0. */
function execute({ exports, ram }) {
  try {
    exports.execute(CPU, RECORD);
  } catch (error) {
    if (!(error instanceof Unwound)) throw error;
    return ram.getUint32(CPU + L.EXC_VECTOR, true);
  }
  return 0;
}

/** Differences between the core's state and a result, or null. */
// RCP and RSQRT may differ by one unit of their 12 bits.
function compare(core, view, at, vector, approximate) {
  const { ram, bytes } = core;
  const found = [];
  const check = (name, ours, theirs) => {
    if (ours !== theirs) found.push(`${name}: ours ${ours.toString(16)} native ${theirs.toString(16)}`);
  };
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
      check(
        `xmm${i}+${j}`,
        ram.getBigUint64(CPU + L.XMM + i * 32 + j, true),
        view.getBigUint64(at + FX_XMM + i * 16 + j, true),
      );
    }
  }
  for (let i = 0; i < 16; i++)
    if (i !== 4) check(`gpr${i}`, ram.getBigUint64(CPU + i * 8, true), view.getBigUint64(at + GPR + i * 8, true));
  const fsw = view.getUint16(at + 2, true);
  const top = (fsw >> 11) & 7;
  check("fsw", ram.getUint32(CPU + L.FSW, true), fsw);
  let tags = 0;
  for (let i = 0; i < 8; i++) {
    if (((ram.getUint32(CPU + L.FTW, true) >> (2 * i)) & 3) !== 3) tags |= 1 << i;
    const physical = (top + i) & 7;
    check(
      `mm${physical}`,
      ram.getBigUint64(CPU + L.ST + physical * 16, true),
      view.getBigUint64(at + FX_ST + i * 16, true),
    );
    check(
      `mm${physical} exponent`,
      ram.getUint16(CPU + L.ST + physical * 16 + 8, true),
      view.getUint16(at + FX_ST + i * 16 + 8, true),
    );
  }
  check("tags", tags, view.getUint8(at + 4));
  check(
    "flags",
    ram.getUint32(CPU + L.RFLAGS, true) & ARITHMETIC,
    Number(view.getBigUint64(at + RFLAGS, true)) & ARITHMETIC,
  );
  for (let i = 0; i < 64; i++) check(`memory+${i}`, bytes[HOST_PAGE + 0x40 + i], view.getUint8(at + MEMORY + i));
  return found.length ? found : null;
}

const APPROXIMATE = new Set([0x708, 0x70a, 0x70c, 0x70e]);

/**
 * Runs `cases` cases of each form of each encoding whose description contains `filter`. The answer: how many encodings
 * and cases, how often each vector was raised, and a text for each difference.
 */
export async function compareAll(core, nativePath, cases, filter = "", seed = 1) {
  const random = generator(seed);
  const native = startNative(nativePath);
  const all = encodings(core.decode).filter((e) => describe(e).includes(filter));
  const vectors = {};
  const mismatches = [];
  for (const encoding of all) {
    for (let left = cases; left > 0; left -= BATCH) {
      const n = Math.min(left, BATCH);
      const batch = Buffer.alloc(BATCH * SIZE);
      const view = new DataView(batch.buffer, batch.byteOffset, batch.length);
      const made = [];
      for (let i = 0; i < n; i++) made.push(makeCase(view, i * SIZE, encoding, random));
      const result = await native.execute(batch);
      const resultView = new DataView(result.buffer, result.byteOffset, result.length);
      for (let i = 0; i < n; i++) {
        setUp(core, view, i * SIZE, made[i]);
        const vector = execute(core);
        vectors[vector] = (vectors[vector] ?? 0) + 1;
        const found = compare(core, resultView, i * SIZE, vector, APPROXIMATE.has(encoding.op));
        if (found) mismatches.push(explain(batch, i * SIZE, made[i], found));
      }
    }
  }
  native.end();
  return { encodings: all.length, cases: all.length * cases, vectors, mismatches };
}

function explain(batch, at, { encoding, reg, rm, imm, address }, found) {
  const hex = (offset, length) =>
    Buffer.from(batch.subarray(at + offset, at + offset + length))
      .reverse()
      .toString("hex");
  return [
    `${describe(encoding)} reg ${reg} rm ${rm} imm ${imm.toString(16)} at ${(address - PAGE).toString(16)} mxcsr ${hex(FX_MXCSR, 4)}`,
    `reg ${hex(FX_XMM + reg * 16, 16)} rm ${hex(FX_XMM + rm * 16, 16)} memory ${hex(MEMORY + (address - OPERAND), 16)}`,
    ...found.slice(0, 4),
  ].join("\n  ");
}

/** Executes `code`'s operation with these fields of the state block set; the vector that it raised. */
export function raised(core, op, words, modReg = true) {
  const { ram, bytes } = core;
  bytes.fill(0, CPU, CPU + 0x1000);
  bytes.fill(0, RECORD, RECORD + 32);
  ram.setUint32(CPU + L.TLB, TLB, true);
  ram.setBigUint64(TLB, BigInt(PAGE), true);
  ram.setBigUint64(TLB + 8, BigInt(PAGE), true);
  ram.setUint32(TLB + 24, (HOST_PAGE - PAGE) >>> 0, true);
  ram.setUint32(CPU + L.MXCSR, 0x1f80, true);
  for (const [name, value] of Object.entries(words)) ram.setUint32(CPU + L[name], value, true);
  ram.setUint16(RECORD, op, true);
  bytes[RECORD + 3] = modReg ? 64 : 0;
  bytes[RECORD + 6] = 0x80;
  bytes[RECORD + 7] = 0x80;
  ram.setUint32(RECORD + 12, modReg ? 0 : OPERAND, true);
  return execute(core);
}
