/**
 * An x86-64 assembler of the few forms that the stage needs (Intel SDM volume 2). Addresses are absolute and below
 * 2 GiB, so that each fits a sign-extended 32-bit displacement.
 */

export const RAX = 0;
export const RCX = 1;
export const RDX = 2;
export const RBX = 3;
export const RSI = 6;
export const RDI = 7;
export const R8 = 8;
export const R9 = 9;
export const R10 = 10;
export const R12 = 12;

/** Condition codes, as in the low nibble of Jcc's opcode. */
export const CONDITION = { below: 2, aboveOrEqual: 3, equal: 4, notEqual: 5, less: 12, greaterOrEqual: 13 } as const;
export type Condition = keyof typeof CONDITION;

/** A place in the code, known once `place` has been called. */
export interface Label {
  offset: number;
}

/** A place in the data or in zeroed memory, whose address is known when everything is laid out. */
export interface DataReference {
  readonly kind: "data" | "zeroed";
  readonly offset: number;
}

export class Encoder {
  #bytes = new Uint8Array(65536);
  #length = 0;
  readonly #patches: { at: number; label: Label }[] = [];
  readonly #addresses: { at: number; target: DataReference }[] = [];

  get length(): number {
    return this.#length;
  }

  label(): Label {
    return { offset: -1 };
  }

  place(label: Label): void {
    label.offset = this.#length;
  }

  /** mov r64, imm by the shortest form. */
  movImmediate(register: number, value: number | bigint): void {
    if (typeof value === "number" && value >= 0 && value <= 0xffff_ffff) {
      this.#movSmall(register, value);
      return;
    }
    const unsigned = BigInt.asUintN(64, BigInt(value));
    if (unsigned <= 0xffffffffn) this.#movSmall(register, Number(unsigned));
    else {
      this.#byte(register >= 8 ? 0x49 : 0x48, 0xb8 | (register & 7));
      for (let shift = 0n; shift < 64n; shift += 8n) this.#byte(Number((unsigned >> shift) & 0xffn));
    }
  }

  #movSmall(register: number, value: number): void {
    if (value === 0) {
      // xor r32, r32
      if (register >= 8) this.#byte(0x45);
      this.#byte(0x31, 0xc0 | ((register & 7) << 3) | (register & 7));
      return;
    }
    if (register >= 8) this.#byte(0x41);
    this.#byte(0xb8 | (register & 7));
    this.#int32(value | 0);
  }

  /** mov r32, imm32 with an address that is known when everything is laid out. */
  movAddress(register: number, target: DataReference): void {
    if (register >= 8) this.#byte(0x41);
    this.#byte(0xb8 | (register & 7));
    this.#address(target);
  }

  /** mov r64, [address] */
  load(register: number, target: DataReference): void {
    this.#absolute([0x8b], register, true, target);
  }

  /** mov r32, [address] */
  load32(register: number, target: DataReference): void {
    this.#absolute([0x8b], register, false, target);
  }

  /** movzx r32, word [address] */
  load16(register: number, target: DataReference): void {
    this.#absolute([0x0f, 0xb7], register, false, target);
  }

  /** movzx r32, byte [address] */
  load8(register: number, target: DataReference): void {
    this.#absolute([0x0f, 0xb6], register, false, target);
  }

  /** movzx r32, byte [rsi] */
  load8AtRsi(register: number): void {
    this.#byte(0x0f, 0xb6, 0x06 | (register << 3));
  }

  /** mov [address], r64 */
  store(register: number, target: DataReference): void {
    this.#absolute([0x89], register, true, target);
  }

  /** mov [address], r32 */
  store32(register: number, target: DataReference): void {
    this.#absolute([0x89], register, false, target);
  }

  /** mov [address], r8: of al, cl, dl and bl */
  store8(register: number, target: DataReference): void {
    this.#absolute([0x88], register, false, target);
  }

  /** mov r64, r64 */
  move(to: number, from: number): void {
    this.#registers(0x89, from, to);
  }

  /** add r64, r64 */
  add(to: number, from: number): void {
    this.#registers(0x01, from, to);
  }

  /** sub r64, r64 */
  subtract(to: number, from: number): void {
    this.#registers(0x29, from, to);
  }

  /** cmp r64, r64 */
  compareRegisters(left: number, right: number): void {
    this.#registers(0x39, right, left);
  }

  /** cmp r64, imm32 (sign-extended) */
  compare(register: number, immediate: number): void {
    this.#byte(register >= 8 ? 0x49 : 0x48, 0x81, 0xf8 | (register & 7));
    this.#int32(immediate);
  }

  /** and r64, imm32 (sign-extended) */
  andImmediate(register: number, immediate: number): void {
    this.#byte(register >= 8 ? 0x49 : 0x48, 0x81, 0xe0 | (register & 7));
    this.#int32(immediate);
  }

  /** add r64, imm32 (sign-extended) */
  addImmediate(register: number, immediate: number): void {
    this.#byte(register >= 8 ? 0x49 : 0x48, 0x81, 0xc0 | (register & 7));
    this.#int32(immediate);
  }

  /** neg r64 */
  negate(register: number): void {
    this.#byte(register >= 8 ? 0x49 : 0x48, 0xf7, 0xd8 | (register & 7));
  }

  /** Unsigned rdx:rax / r64 with rdx = 0: the quotient in rax, the remainder in rdx. */
  divide(register: number): void {
    this.#byte(0x31, 0xd2); // xor edx, edx
    this.#byte(register >= 8 ? 0x49 : 0x48, 0xf7, 0xf0 | (register & 7));
  }

  /** mov byte [rdi], al or dl */
  storeByteAtRdi(register: typeof RAX | typeof RDX): void {
    this.#byte(0x88, 0x07 | (register << 3));
  }

  syscall(): void {
    this.#byte(0x0f, 0x05);
  }

  jump(label: Label): void {
    this.#byte(0xe9);
    this.#relative(label);
  }

  jumpIf(condition: Condition, label: Label): void {
    this.#byte(0x0f, 0x80 | CONDITION[condition]);
    this.#relative(label);
  }

  callLabel(label: Label): void {
    this.#byte(0xe8);
    this.#relative(label);
  }

  ret(): void {
    this.#byte(0xc3);
  }

  /** The code with every label and address filled in. @param dataAddress of data and of zeroed memory */
  finish(dataAddress: Readonly<Record<DataReference["kind"], number>>): Uint8Array {
    const view = new DataView(this.#bytes.buffer);
    for (const { at, label } of this.#patches) {
      if (label.offset < 0) throw new Error("a label of the stage was never placed");
      view.setInt32(at, label.offset - (at + 4), true);
    }
    for (const { at, target } of this.#addresses) view.setInt32(at, dataAddress[target.kind] + target.offset, true);
    return this.#bytes.subarray(0, this.#length);
  }

  #registers(opcode: number, register: number, rm: number): void {
    this.#byte(0x48 | (register >= 8 ? 4 : 0) | (rm >= 8 ? 1 : 0), opcode, 0xc0 | ((register & 7) << 3) | (rm & 7));
  }

  /** ModRM with a SIB byte that has neither base nor index: [disp32]. */
  #absolute(opcode: readonly number[], register: number, wide: boolean, target: DataReference): void {
    const rex = (wide ? 0x48 : 0x40) | (register >= 8 ? 4 : 0);
    if (rex !== 0x40) this.#byte(rex);
    for (const byte of opcode) this.#byte(byte);
    this.#byte(0x04 | ((register & 7) << 3), 0x25);
    this.#address(target);
  }

  #relative(label: Label): void {
    this.#patches.push({ at: this.#length, label });
    this.#int32(0);
  }

  #address(target: DataReference): void {
    this.#addresses.push({ at: this.#length, target });
    this.#int32(0);
  }

  #int32(value: number): void {
    this.#reserve();
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at++] = value;
    bytes[at++] = value >> 8;
    bytes[at++] = value >> 16;
    bytes[at++] = value >> 24;
    this.#length = at;
  }

  #byte(first: number, second?: number, third?: number): void {
    this.#reserve();
    this.#bytes[this.#length++] = first;
    if (second !== undefined) this.#bytes[this.#length++] = second;
    if (third !== undefined) this.#bytes[this.#length++] = third;
  }

  /** Room for the longest piece that is written at once. */
  #reserve(): void {
    if (this.#length + 8 <= this.#bytes.length) return;
    const grown = new Uint8Array(this.#bytes.length * 2);
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}
