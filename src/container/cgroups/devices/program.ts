/**
 * Device rules as an eBPF program of type BPF_PROG_TYPE_CGROUP_DEVICE: what takes the devices controller's place
 * on cgroup v2. Encoding: Documentation/bpf/standardization/instruction-set.rst; context: struct
 * bpf_cgroup_dev_ctx in linux/bpf.h, three 32-bit words: access << 16 | type, major, minor.
 */
import type { DeviceRule } from "../../spec/config.js";
import { type DeviceException, type DevicePolicy, devicePolicy, MKNOD, READ, WRITE } from "./rules.js";

const BPF_DEVCG_ACC_MKNOD = 1;
const BPF_DEVCG_ACC_READ = 2;
const BPF_DEVCG_ACC_WRITE = 4;
const BPF_DEVCG_DEV_BLOCK = 1;
const BPF_DEVCG_DEV_CHAR = 2;
const ALL_ACCESS = BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE;

// Opcodes: class, operation and source.
const LDX_W = 0x61;
const ALU32_AND_K = 0x54;
const ALU32_RSH_K = 0x74;
const ALU32_MOV_X = 0xbc;
const ALU64_MOV_K = 0xb7;
const JMP32_JEQ_K = 0x16;
const JMP32_JNE_K = 0x56;
const JMP32_JNE_X = 0x5e;
const EXIT = 0x95;

/** r0 is the result, r1 the context and later scratch. */
const RESULT = 0;
const CONTEXT = 1;
const SCRATCH = 1;
const TYPE = 2;
const ACCESS = 3;
const MAJOR = 4;
const MINOR = 5;

const INSTRUCTION_BYTES = 8;

interface Instruction {
  readonly opcode: number;
  readonly destination?: number;
  readonly source?: number;
  /** Of a load in bytes; of a jump in instructions after the next. */
  offset?: number;
  readonly immediate?: number;
}

/**
 * The program's bytes, eight an instruction, for BPF_PROG_LOAD (license "Apache-2.0" will do: it calls no helper).
 * It returns 1 to allow and 0 to deny.
 * @throws CgroupError for rules that cannot be kept (see devicePolicy)
 */
export function deviceProgram(rules: readonly DeviceRule[]): Uint8Array {
  return encode(programOf(devicePolicy(rules)));
}

function programOf({ defaultAllow, exceptions }: DevicePolicy): Instruction[] {
  const program: Instruction[] = [
    { opcode: LDX_W, destination: TYPE, source: CONTEXT, offset: 0 },
    { opcode: ALU32_MOV_X, destination: ACCESS, source: TYPE },
    { opcode: ALU32_AND_K, destination: TYPE, immediate: 0xffff },
    { opcode: ALU32_RSH_K, destination: ACCESS, immediate: 16 },
    { opcode: LDX_W, destination: MAJOR, source: CONTEXT, offset: 4 },
    { opcode: LDX_W, destination: MINOR, source: CONTEXT, offset: 8 },
  ];
  for (const exception of exceptions) program.push(...exceptionBlock(exception, defaultAllow));
  program.push(...verdict(defaultAllow));
  return program;
}

/** Decides when the device and the access match, else goes on behind itself. */
function exceptionBlock(exception: DeviceException, defaultAllow: boolean): Instruction[] {
  const block: Instruction[] = [];
  const type = exception.type === "b" ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
  block.push({ opcode: JMP32_JNE_K, destination: TYPE, immediate: type });
  const access = kernelAccess(exception.access);
  if (defaultAllow) {
    // Any of what is denied denies the whole.
    block.push({ opcode: ALU32_MOV_X, destination: SCRATCH, source: ACCESS });
    block.push({ opcode: ALU32_AND_K, destination: SCRATCH, immediate: access });
    block.push({ opcode: JMP32_JEQ_K, destination: SCRATCH, immediate: 0 });
  } else if (access !== ALL_ACCESS) {
    block.push({ opcode: ALU32_MOV_X, destination: SCRATCH, source: ACCESS });
    block.push({ opcode: ALU32_AND_K, destination: SCRATCH, immediate: access });
    block.push({ opcode: JMP32_JNE_X, destination: SCRATCH, source: ACCESS });
  }
  if (exception.major !== undefined)
    block.push({ opcode: JMP32_JNE_K, destination: MAJOR, immediate: exception.major });
  if (exception.minor !== undefined)
    block.push({ opcode: JMP32_JNE_K, destination: MINOR, immediate: exception.minor });
  block.push(...verdict(!defaultAllow));
  block.forEach((instruction, index) => {
    const { opcode } = instruction;
    if (opcode === JMP32_JNE_K || opcode === JMP32_JEQ_K || opcode === JMP32_JNE_X) {
      instruction.offset = block.length - index - 1;
    }
  });
  return block;
}

function verdict(allow: boolean): Instruction[] {
  return [{ opcode: ALU64_MOV_K, destination: RESULT, immediate: allow ? 1 : 0 }, { opcode: EXIT }];
}

function kernelAccess(access: number): number {
  return (
    (access & READ ? BPF_DEVCG_ACC_READ : 0) |
    (access & WRITE ? BPF_DEVCG_ACC_WRITE : 0) |
    (access & MKNOD ? BPF_DEVCG_ACC_MKNOD : 0)
  );
}

function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * INSTRUCTION_BYTES);
  const view = new DataView(bytes.buffer);
  program.forEach(({ opcode, destination = 0, source = 0, offset = 0, immediate = 0 }, index) => {
    const at = index * INSTRUCTION_BYTES;
    view.setUint8(at, opcode);
    view.setUint8(at + 1, (source << 4) | destination);
    view.setInt16(at + 2, offset, true);
    view.setInt32(at + 4, immediate | 0, true);
  });
  return bytes;
}
