/**
 * Runs eBPF programs as the kernel would, as far as programs without maps and helper functions go: RFC 9669.
 * Strict where the verifier is: what it would not load throws.
 */

const INSTRUCTION_BYTES = 8;
const MAX_STEPS = 1_000_000;
const CONTEXT_REGISTER = 1;
/** Stands for the pointer to the context in a register. */
const CONTEXT = Symbol("context");

/** @returns r0 at the exit */
export function evaluateEbpf(program: Uint8Array, context: Uint8Array): bigint {
  if (program.length === 0 || program.length % INSTRUCTION_BYTES !== 0) throw new Error("not whole instructions");
  const code = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const memory = new DataView(context.buffer, context.byteOffset, context.byteLength);
  const registers: (bigint | typeof CONTEXT | undefined)[] = Array(11).fill(undefined);
  registers[CONTEXT_REGISTER] = CONTEXT;
  const scalar = (register: number): bigint => {
    const value = registers[register];
    if (typeof value !== "bigint") throw new Error(`r${register} is not a number`);
    return value;
  };
  const count = program.length / INSTRUCTION_BYTES;
  let at = 0;
  for (let step = 0; step < MAX_STEPS; step++) {
    if (at < 0 || at >= count) throw new Error(`instruction ${at} is outside of the program`);
    const base = at * INSTRUCTION_BYTES;
    const opcode = code.getUint8(base);
    const destination = code.getUint8(base + 1) & 15;
    const source = code.getUint8(base + 1) >> 4;
    const offset = code.getInt16(base + 2, true);
    const immediate = code.getInt32(base + 4, true);
    at += 1;
    const kind = opcode & 7;
    const isRegister = (opcode & 8) !== 0;
    switch (kind) {
      case 1: {
        if (opcode !== 0x61) throw new Error(`load ${opcode.toString(16)} is not known`);
        if (registers[source] !== CONTEXT) throw new Error(`r${source} is no pointer`);
        if (offset < 0 || offset + 4 > context.length || offset % 4 !== 0) throw new Error(`offset ${offset}`);
        registers[destination] = BigInt(memory.getUint32(offset, true));
        break;
      }
      case 4:
      case 7: {
        const bits = kind === 7 ? 64 : 32;
        const operation = opcode >> 4;
        const right = isRegister ? scalar(source) : BigInt(immediate);
        const left = operation === 0xb ? 0n : scalar(destination);
        registers[destination] = BigInt.asUintN(
          bits,
          arithmetic(operation, BigInt.asUintN(bits, left), BigInt.asUintN(bits, right)),
        );
        break;
      }
      case 5:
      case 6: {
        const operation = opcode >> 4;
        if (kind === 5 && operation === 9) return scalar(0);
        if (kind === 5 && operation === 0) {
          at += offset;
          break;
        }
        const bits = kind === 5 ? 64 : 32;
        const left = BigInt.asUintN(bits, scalar(destination));
        const right = BigInt.asUintN(bits, isRegister ? scalar(source) : BigInt(immediate));
        if (compare(operation, left, right)) at += offset;
        break;
      }
      default:
        throw new Error(`opcode ${opcode.toString(16)} is not known`);
    }
  }
  throw new Error("the program does not end");
}

function arithmetic(operation: number, left: bigint, right: bigint): bigint {
  switch (operation) {
    case 0x0:
      return left + right;
    case 0x1:
      return left - right;
    case 0x4:
      return left | right;
    case 0x5:
      return left & right;
    case 0x6:
      return left << (right & 63n);
    case 0x7:
      return left >> (right & 63n);
    case 0xb:
      return right;
    default:
      throw new Error(`operation ${operation} is not known`);
  }
}

function compare(operation: number, left: bigint, right: bigint): boolean {
  switch (operation) {
    case 0x1:
      return left === right;
    case 0x2:
      return left > right;
    case 0x3:
      return left >= right;
    case 0x4:
      return (left & right) !== 0n;
    case 0x5:
      return left !== right;
    default:
      throw new Error(`comparison ${operation} is not known`);
  }
}
