/**
 * Runs a classic BPF program as the kernel runs a seccomp filter, and refuses what the kernel's checker refuses
 * (bpf_check_classic, seccomp_check_filter). Written from the documents, not from what the compiler emits.
 */

/** What a filter sees of a system call (struct seccomp_data); the arguments have 64 bits. */
export interface SeccompData {
  arch: number;
  nr: number;
  args: readonly bigint[];
}

const SIZE_OF_DATA = 64;

function words({ arch, nr, args }: SeccompData): DataView {
  const view = new DataView(new ArrayBuffer(SIZE_OF_DATA));
  view.setUint32(0, nr, true);
  view.setUint32(4, arch, true);
  args.forEach((arg, index) => {
    view.setBigUint64(16 + 8 * index, arg, true);
  });
  return view;
}

interface Instruction {
  code: number;
  jt: number;
  jf: number;
  k: number;
}

/** @throws Error if the kernel would not load the program */
export function loadFilter(bytes: Uint8Array): Instruction[] {
  if (bytes.length === 0 || bytes.length % 8 !== 0) throw new Error(`a program of ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const program = Array.from({ length: bytes.length / 8 }, (_, index) => ({
    code: view.getUint16(index * 8, true),
    jt: view.getUint8(index * 8 + 2),
    jf: view.getUint8(index * 8 + 3),
    k: view.getUint32(index * 8 + 4, true),
  }));
  if (program.length > 4096) throw new Error(`${program.length} instructions`);
  program.forEach(({ code, jt, jf, k }, index) => {
    const left = program.length - 1 - index;
    const fits = (skip: number) => {
      if (skip >= left) throw new Error(`instruction ${index} jumps out of the program`);
    };
    if (code === 0x20 && (k % 4 !== 0 || k >= SIZE_OF_DATA)) throw new Error(`instruction ${index} loads at ${k}`);
    else if (code === 0x05) fits(k);
    else if ((code & 0x07) === 0x05) [jt, jf].forEach(fits);
  });
  if (program.at(-1)!.code !== 0x06) throw new Error("the last instruction does not return");
  return program;
}

/** What the filter returns, and after how many instructions. */
export function runFilter(program: readonly Instruction[], data: SeccompData): { value: number; steps: number } {
  const view = words(data);
  let a = 0;
  let at = 0;
  for (let steps = 1; ; steps++) {
    const { code, jt, jf, k } = program[at++]!;
    switch (code) {
      case 0x20: // ld [k]
        a = view.getUint32(k, true);
        break;
      case 0x54: // and #k
        a = (a & k) >>> 0;
        break;
      case 0x05: // ja
        at += k;
        break;
      case 0x15: // jeq
        at += a === k ? jt : jf;
        break;
      case 0x25: // jgt
        at += a > k ? jt : jf;
        break;
      case 0x35: // jge
        at += a >= k ? jt : jf;
        break;
      case 0x45: // jset
        at += (a & k) !== 0 ? jt : jf;
        break;
      case 0x06: // ret #k
        return { value: k, steps };
      default:
        throw new Error(`instruction ${at - 1} has the code 0x${code.toString(16)}`);
    }
  }
}
