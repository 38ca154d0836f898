// Compares VEX-encoded instructions on vector registers with the processor below, case by case.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fill, generator, mxcsr } from "../sse/operands.mjs";
import { describe, encode, encodings } from "./encodings.mjs";

const CPU = 0x100000;
const TLB = 0x400000;
const RECORD = 0x1400000;
const CODE_AT = 0x1500000;
const HOST_PAGE = 0x9000000;
const PAGE = 0x20000000;
const L = {
  RFLAGS: 0x98,
  CC_OP: 0xb8,
  TLB: 0xc0,
  CR0: 0x220,
  CR4: 0x238,
  EXC_VECTOR: 0x5a4,
  FEATURES: 0x608,
  SSE_BLOCKED: 0x64c,
  AVX_BLOCKED: 0x654,
  MXCSR: 0x728,
  XMM: 0x800,
};
const ARITHMETIC = 0x8d5;
const UD = 6;

class Unwound extends Error {}

/** The core from avx.entry.ts in a memory of its own. */
export function loadCore(wasm) {
  const memory = new WebAssembly.Memory({ initial: 2560, maximum: 65536 });
  const unwind = () => {
    throw new Unwound();
  };
  const host = new Proxy({}, { get: () => unwind });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm), { env: { memory }, host });
  const decode = (...parts) => BigInt.asUintN(64, exports.vexDecode(...parts));
  return { exports, decode, ram: new DataView(memory.buffer), bytes: new Uint8Array(memory.buffer) };
}

// ---- The native side.
const SIZE = 1216;
const BATCH = 512;
export function startNative(path) {
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

// ---- One case: a block as native.c has it.
const FX_MXCSR = 24;
const FX_XMM = 160;
const UPPER = 512;
const GPR = 768;
const MEMORY = 896;
const MEMORY_BYTES = 256;
const LENGTH = 1152;
const CODE = 1160;
const RFLAGS = 1176;
const OPERAND = PAGE + 0x180;

/** Kinds of operands that suit an operation: 0 integers, 1 singles, 2 doubles. */
function kinds({ op }) {
  const float = op < 0xc40 || (op >= 0xc60 && op < 0xc6a) || (op >= 0xca0 && op < 0xcb3) || op === 0xe11 || op >= 0xe3c;
  return float ? [1, 2] : [0, 0, 0, 1, 2];
}

function makeCase(view, at, encoding, random) {
  const { decoded, form } = encoding;
  const put32 = (offset, value) => view.setUint32(at + offset, value >>> 0, true);
  const choices = kinds(decoded);
  const what = choices[random() % choices.length];
  view.setUint16(at, 0x37f, true);
  put32(FX_MXCSR, mxcsr(random));
  put32(FX_MXCSR + 4, 0xffff);
  fill(view, at + FX_XMM, 256, random, what);
  fill(view, at + UPPER, 256, random, what);
  for (let i = 0; i < 16; i++) view.setBigUint64(at + GPR + i * 8, (BigInt(random()) << 32n) | BigInt(random()), true);
  if (random() & 1) {
    for (const i of [0, 2]) view.setBigInt64(at + GPR + i * 8, BigInt((random() % 40) - 20), true); // string lengths
  }
  fill(view, at + MEMORY, MEMORY_BYTES, random, what);
  view.setBigUint64(at + RFLAGS, BigInt(0x202 | (random() & ARITHMETIC)), true);
  let reg = encoding.group ?? random() & 15;
  let rm = random() & 15;
  const vvvv = decoded.vvvv ? random() & 15 : 0;
  if (decoded.gprReg && reg === 4) reg = 5;
  if (decoded.gprRm && rm === 4) rm = 5;
  if ((random() & 7) === 0 && !decoded.gprRm) rm = vvvv;
  // Related operands: equal, negated, one step apart.
  const how = random() & 7;
  if (how < 3 && form === "register" && !decoded.gprRm) {
    for (const half of [FX_XMM, UPPER]) {
      for (let i = 0; i < 16; i += 4) {
        put32(half + rm * 16 + i, view.getUint32(at + half + vvvv * 16 + i, true));
      }
      if (how === 1) for (let i = 0; i < 16; i += 8) view.setUint8(at + half + rm * 16 + i, random());
      if (how === 2) {
        for (let i = 3; i < 16; i += 4) {
          view.setUint8(at + half + rm * 16 + i, view.getUint8(at + half + rm * 16 + i) ^ 0x80);
        }
      }
    }
  }
  const misaligned = (random() & 7) === 0 ? random() & 31 : 0;
  const c = { encoding, reg, rm, vvvv, imm: random() & 0xff, index: 4, scale: 0, address: OPERAND + misaligned };
  if (random() & 1) c.imm |= 0x100; // the long form
  if (decoded.vsib) {
    c.index = random() & 15;
    c.scale = random() & 3;
    c.address = OPERAND;
    const wide = (encoding.opcode & 1) === 1;
    for (const half of [FX_XMM, UPPER]) {
      for (let i = 0; i < 16; i += wide ? 8 : 4) {
        const index = (random() & 31) - 16;
        if (wide) view.setBigInt64(at + half + c.index * 16 + i, BigInt(index), true);
        else view.setInt32(at + half + c.index * 16 + i, index, true);
      }
    }
  }
  if (decoded.implicitRdi) view.setBigUint64(at + GPR + 7 * 8, BigInt(c.address), true);
  const code = encode(encoding, c);
  view.setBigUint64(at + LENGTH, BigInt(code.length), true);
  for (const [i, b] of code.entries()) view.setUint8(at + CODE + i, b);
  return c;
}

// ---- The core's side.
function setUp(core, view, at) {
  const { ram, bytes } = core;
  bytes.fill(0, CPU, CPU + 0x1000);
  ram.setUint8(CPU + 0x80, 0);
  ram.setUint32(CPU + L.TLB, TLB, true);
  ram.setBigUint64(TLB, BigInt(PAGE), true);
  ram.setBigUint64(TLB + 8, BigInt(PAGE), true);
  ram.setUint32(TLB + 24, (HOST_PAGE - PAGE) >>> 0, true);
  ram.setBigUint64(CPU + L.CR0, 0x80050033n, true);
  ram.setBigUint64(CPU + L.CR4, 0x40620n, true);
  for (let i = 0; i < 8; i++) ram.setUint32(CPU + L.FEATURES + i * 4, 0xffffffff, true);
  for (let i = 0; i < 16; i++) ram.setBigUint64(CPU + i * 8, view.getBigUint64(at + GPR + i * 8, true), true);
  ram.setUint32(CPU + L.MXCSR, view.getUint32(at + FX_MXCSR, true), true);
  for (let i = 0; i < 16; i++) {
    for (let j = 0; j < 16; j += 8) {
      ram.setBigUint64(CPU + L.XMM + i * 32 + j, view.getBigUint64(at + FX_XMM + i * 16 + j, true), true);
      ram.setBigUint64(CPU + L.XMM + i * 32 + 16 + j, view.getBigUint64(at + UPPER + i * 16 + j, true), true);
    }
  }
  ram.setBigUint64(CPU + L.RFLAGS, view.getBigUint64(at + RFLAGS, true), true);
  for (let i = 0; i < MEMORY_BYTES; i++) bytes[HOST_PAGE + 0x100 + i] = view.getUint8(at + MEMORY + i);
  for (let i = 0; i < 16; i++) bytes[CODE_AT + i] = view.getUint8(at + CODE + i);
}

/** Decodes and executes; the vector that was raised, or 0. */
function execute({ exports, ram }, length) {
  try {
    const answer = exports.execute(CPU, RECORD, CODE_AT, length);
    if (answer !== 0) return -answer;
  } catch (error) {
    if (!(error instanceof Unwound)) throw error;
    return ram.getUint32(CPU + L.EXC_VECTOR, true);
  }
  return 0;
}

// RCP and RSQRT may differ by one unit of their 12 bits.
const APPROXIMATE = new Set([0xc08, 0xc0a, 0xc0c, 0xc0e]);

/** Differences between the core's state and a result, or null. */
function compare(core, view, at, vector, approximate) {
  const { ram, bytes } = core;
  const found = [];
  const check = (name, ours, theirs) => {
    if (ours !== theirs) found.push(`${name}: ours ${ours.toString(16)} native ${theirs.toString(16)}`);
  };
  check("vector", vector, Number(view.getBigUint64(at + LENGTH, true)));
  check("mxcsr", ram.getUint32(CPU + L.MXCSR, true), view.getUint32(at + FX_MXCSR, true));
  for (let i = 0; i < 16; i++) {
    for (let j = 0; j < 32; j += 4) {
      const ours = ram.getUint32(CPU + L.XMM + i * 32 + j, true);
      const theirs = view.getUint32(at + (j < 16 ? FX_XMM : UPPER - 16) + i * 16 + j, true);
      if (approximate && Math.abs(ours - theirs) <= 0x800) continue;
      check(`ymm${i}+${j}`, ours, theirs);
    }
  }
  for (let i = 0; i < 16; i++) {
    if (i !== 4) check(`gpr${i}`, ram.getBigUint64(CPU + i * 8, true), view.getBigUint64(at + GPR + i * 8, true));
  }
  check(
    "flags",
    ram.getUint32(CPU + L.RFLAGS, true) & ARITHMETIC,
    Number(view.getBigUint64(at + RFLAGS, true)) & ARITHMETIC,
  );
  for (let i = 0; i < MEMORY_BYTES; i++) {
    check(`memory+${i}`, bytes[HOST_PAGE + 0x100 + i], view.getUint8(at + MEMORY + i));
  }
  return found.length ? found : null;
}

/**
 * Runs `cases` cases of each encoding whose description contains `filter`. The answer: how many encodings and cases, how
 * often each vector was raised, and a text for each difference.
 */
export async function compareAll(core, nativePath, cases, filter = "", seed = 1) {
  const random = generator(seed);
  const native = startNative(nativePath);
  const all = encodings(core.decode).filter((e) => e.decoded && describe(e).includes(filter));
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
        setUp(core, view, i * SIZE);
        const vector = execute(core, Number(view.getBigUint64(i * SIZE + LENGTH, true)));
        vectors[vector] = (vectors[vector] ?? 0) + 1;
        const found = compare(core, resultView, i * SIZE, vector, APPROXIMATE.has(encoding.decoded.op));
        if (found) mismatches.push(explain(batch, i * SIZE, made[i], found));
      }
    }
  }
  native.end();
  return { encodings: all.length, cases: all.length * cases, vectors, mismatches };
}

function explain(batch, at, { encoding, reg, rm, vvvv, imm, address }, found) {
  const hex = (offset, length) =>
    Buffer.from(batch.subarray(at + offset, at + offset + length))
      .reverse()
      .toString("hex");
  const register = (n) => `${hex(UPPER + n * 16, 16)}:${hex(FX_XMM + n * 16, 16)}`;
  return [
    `${describe(encoding)} reg ${reg} vvvv ${vvvv} rm ${rm} imm ${imm.toString(16)} mxcsr ${hex(FX_MXCSR, 4)}`,
    `code ${[...batch.subarray(at + CODE, at + CODE + 14)].map((b) => b.toString(16).padStart(2, "0")).join(" ")}`,
    `reg ${register(reg)} vvvv ${register(vvvv)}`,
    `rm ${register(rm)} memory ${hex(MEMORY + address - OPERAND + 0x80, 32)}`,
    ...found.slice(0, 4),
  ].join("\n  ");
}

/** VPERMQ and VPERMPD with VEX.W clear: AMD's processors take them, its manual and Intel's do not. */
function undocumented({ map, opcode, prefix, w, l }) {
  return map === 3 && opcode < 2 && prefix === 1 && w === 0 && l === 1;
}

/**
 * Which encodings are instructions, here and on the processor below: each with VEX.vvvv of ones and not. How many were
 * tried, and a text for each that only one side knows.
 */
export async function compareExistence(core, nativePath) {
  const native = startNative(nativePath);
  const cases = [];
  for (const encoding of encodings(core.decode)) {
    for (const vvvv of [0, 9]) {
      for (const reg of encoding.group === null ? [1, 5] : [encoding.group]) {
        if (reg === 4) continue; // RSP stays what it is
        const c = { reg, rm: 3, vvvv, imm: 0, index: 2, address: OPERAND };
        cases.push({ encoding, c, code: encode(encoding, c) });
      }
    }
  }
  const mismatches = [];
  for (let first = 0; first < cases.length; first += BATCH) {
    const batch = Buffer.alloc(BATCH * SIZE);
    const view = new DataView(batch.buffer, batch.byteOffset, batch.length);
    const part = cases.slice(first, first + BATCH);
    part.forEach(({ code }, i) => {
      const at = i * SIZE;
      view.setUint16(at, 0x37f, true);
      view.setUint32(at + FX_MXCSR, 0x1f80, true);
      for (let r = 0; r < 16; r++) view.setBigUint64(at + GPR + r * 8, BigInt(OPERAND), true);
      view.setUint32(at + MEMORY + 0x80, 0x1f80, true);
      view.setBigUint64(at + LENGTH, BigInt(code.length), true);
      for (const [j, b] of code.entries()) view.setUint8(at + CODE + j, b);
      view.setBigUint64(at + RFLAGS, 0x202n, true);
    });
    const result = await native.execute(batch);
    part.forEach(({ encoding, c, code }, i) => {
      setUp(core, view, i * SIZE);
      const ours = execute(core, code.length);
      const theirs = Number(result.readBigUInt64LE(i * SIZE + LENGTH));
      if ((ours === UD) === (theirs === UD) || undocumented(encoding)) return;
      mismatches.push(`${describe(encoding)} vvvv ${c.vvvv} reg ${c.reg}: ours ${ours}, native ${theirs}`);
    });
  }
  native.end();
  return { cases: cases.length, mismatches };
}
