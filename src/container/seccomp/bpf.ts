/** Classic BPF as seccomp runs it (linux/filter.h, linux/bpf_common.h; seccomp(2)). */

/** Opcodes of the instructions that are used here. A is the accumulator, k the instruction's constant. */
export const BPF = {
  /** A = the word at offset k of struct seccomp_data */
  LOAD: 0x20,
  /** A &= k */
  AND: 0x54,
  JUMP: 0x05,
  JUMP_EQUAL: 0x15,
  JUMP_GREATER: 0x25,
  JUMP_GREATER_EQUAL: 0x35,
  RETURN: 0x06,
} as const;

/** The most instructions that the kernel takes (BPF_MAXINSNS). */
export const MAX_INSTRUCTIONS = 4096;

/** Bytes of a struct sock_filter. */
export const INSTRUCTION_SIZE = 8;

/** A conditional jump skips up to 255; two places are kept for the long jumps in front of it. */
const REACH = 253;

type Comparison = typeof BPF.JUMP_EQUAL | typeof BPF.JUMP_GREATER | typeof BPF.JUMP_GREATER_EQUAL;

/** An instruction, by the number of those that come after it. */
export type Target = number;

/**
 * A program written from its end: jumps go forward only, so every target is known when a jump is added, and
 * with it whether a long jump is needed.
 */
export class BackwardProgram {
  /** The last instruction comes first. */
  private readonly instructions: { code: number; jt: number; jf: number; k: number }[] = [];
  private readonly returns = new Map<number, Target>();

  get length(): number {
    return this.instructions.length;
  }

  private add(code: number, k: number, jt = 0, jf = 0): Target {
    this.instructions.push({ code, jt, jf, k: k >>> 0 });
    return this.instructions.length - 1;
  }

  private distance(target: Target): number {
    return this.instructions.length - 1 - target;
  }

  /** The target itself, or a long jump to it where it is too far for a conditional one. */
  private near(target: Target): Target {
    return this.distance(target) <= REACH ? target : this.add(BPF.JUMP, this.distance(target));
  }

  return(value: number): Target {
    const known = this.returns.get(value);
    // As short as a long jump, and quicker.
    if (known !== undefined && this.distance(known) <= REACH) return known;
    const target = this.add(BPF.RETURN, value);
    this.returns.set(value, target);
    return target;
  }

  private before(next: Target): void {
    if (this.distance(next) > 0) this.add(BPF.JUMP, this.distance(next));
  }

  load(offset: number, next: Target): Target {
    this.before(next);
    return this.add(BPF.LOAD, offset);
  }

  and(mask: number, next: Target): Target {
    this.before(next);
    return this.add(BPF.AND, mask);
  }

  jump(comparison: Comparison, k: number, ifTrue: Target, ifFalse: Target): Target {
    if (ifTrue === ifFalse) return ifTrue;
    const yes = this.near(ifTrue);
    const no = this.near(ifFalse);
    return this.add(comparison, k, this.distance(yes), this.distance(no));
  }

  /** struct sock_filter[] in the byte order of x86. */
  toBytes(): Uint8Array {
    const bytes = new Uint8Array(this.instructions.length * INSTRUCTION_SIZE);
    const view = new DataView(bytes.buffer);
    this.instructions.toReversed().forEach(({ code, jt, jf, k }, index) => {
      view.setUint16(index * INSTRUCTION_SIZE, code, true);
      view.setUint8(index * INSTRUCTION_SIZE + 2, jt);
      view.setUint8(index * INSTRUCTION_SIZE + 3, jf);
      view.setUint32(index * INSTRUCTION_SIZE + 4, k, true);
    });
    return bytes;
  }
}
