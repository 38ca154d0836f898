// A memory operand as a record and as iced-x86 have it: base, index, scale, displacement, segment.
import { OpKind, Register, RegisterExt } from "iced-x86";
import { BLOCK_RIP, ZERO } from "../../../dist/accel/translate/layout.js";
import { CONSTANTS } from "./operations.mjs";

// Offsets in a record: record.ts.
const REC_BASE = 6;
const REC_INDEX = 7;
const REC_SCALE = 8;
const REC_SEG = 9;
const REC_DISP = 12;
const FS = 4;

/** Operations whose memory operand no ModRM byte has. */
const OTHERWISE = new Set(["OP_MOV_LOAD_OFFSET", "OP_MOV_STORE_OFFSET", "OP_XLAT"].map((name) => CONSTANTS.get(name)));

const SCALES = { 1: 0, 2: 1, 4: 2, 8: 3 };
const numbers = new Map();
function numberOf(register) {
  let number = numbers.get(register);
  if (number === undefined) {
    number = RegisterExt.number(register);
    numbers.set(register, number);
  }
  return number;
}

function placeOf(register) {
  if (register === Register.None) return ZERO;
  if (register === Register.RIP || register === Register.EIP) return BLOCK_RIP;
  return numberOf(register) << 3;
}

/** What is different of the memory operands, in words; null where nothing is; undefined where there is none to compare. */
export function memoryDifference(view, offset, record, instruction, bits) {
  if (OTHERWISE.has(record.op) || !hasMemory(instruction) || instruction.isVsib) return undefined;
  const base = placeOf(instruction.memoryBase);
  const index = placeOf(instruction.memoryIndex);
  const ours = { base: view.getUint8(offset + REC_BASE), index: view.getUint8(offset + REC_INDEX) };
  if (ours.base !== base) return `base ${ours.base}, not ${base}`;
  if (ours.index !== index) return `index ${ours.index}, not ${index}`;
  const scale = view.getUint8(offset + REC_SCALE);
  if (index !== ZERO && scale !== SCALES[instruction.memoryIndexScale]) return `scale ${scale}`;
  const segment = numberOf(instruction.memorySegment);
  const seg = view.getUint8(offset + REC_SEG);
  // In 64-bit mode the other segments have no base.
  if (bits === 64 ? Math.max(seg, FS - 1) !== Math.max(segment, FS - 1) : seg !== segment) return `segment ${seg}`;
  let displacement = Number(BigInt.asIntN(32, instruction.memoryDisplacement));
  if (base === BLOCK_RIP) displacement = (displacement - instruction.nextIP32 + instruction.length) | 0;
  const disp = view.getInt32(offset + REC_DISP, true);
  const mask = record.asize === 2 ? 0xffff : -1;
  return ((disp ^ displacement) & mask) === 0 ? null : `displacement ${disp}, not ${displacement}`;
}

function hasMemory(instruction) {
  for (let index = instruction.opCount - 1; index >= 0; index--) {
    if (instruction.opKind(index) === OpKind.Memory) return true;
  }
  return false;
}
