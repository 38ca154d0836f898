/**
 * A program for the stage: system calls in a row, with their strings and structures, and the few jumps between them.
 *
 * TypeScript plans, the emitted ELF executes. Each call is a numbered step; where one fails, the stage writes the step
 * and the errno to its channel and exits, and `run.ts` turns that into a sentence.
 */
import { DATA_ADDRESS, makeElf } from "./elf.js";
import { type Condition, Encoder, type Label, R8, R9, R10, RAX, RBX, RCX, RDI, RDX, RSI } from "./encoder.js";
import { SYSCALL, type SyscallName } from "./syscalls.js";

/** Bytes at a fixed address, in data or in zeroed memory. */
export class Address {
  constructor(
    readonly kind: "data" | "zeroed",
    readonly offset: number,
  ) {}
}

/** A variable of 64 bits; as an argument, its value. */
export class Slot {
  constructor(readonly address: Address) {}
}

export type Value = number | bigint | Address | Slot;

export interface CallOptions {
  /** Where the result goes. */
  result?: Slot;
  /** Errors to go on after, by errno, or all of them. The result is then the negative errno. */
  ignore?: "all" | readonly number[];
}

/** What a stage tells: 16 bytes, two words of 32 bits and one of 64, little-endian. */
export const MESSAGE_SIZE = 16;
export const MESSAGE_FAILED = 1;
export const MESSAGE_EVENT = 2;

const ARGUMENT_REGISTERS = [RDI, RSI, RDX, R10, R8, R9];
const MAX_ERRNO = 4095;
const text = new TextEncoder();
const DATA_START = new Address("data", 0);
const ZEROED_START = new Address("zeroed", 0);

export class StageProgram {
  readonly #code = new Encoder();
  #data = new Uint8Array(16384);
  #dataLength = 0;
  #zeroedLength = 0;
  readonly #strings = new Map<string, Address>();
  readonly #pointers: { at: number; target: Address }[] = [];
  readonly #steps: string[] = [];
  readonly #failures: { label: Label; step: number; target: Label }[] = [];
  readonly #fail: Label;
  #failed: Label;
  readonly #message: Address;
  readonly #formatFd: Label;
  readonly #fdPath: Address;
  #usesFdPath = false;

  /** @param channel the descriptor that messages are written to */
  constructor(readonly channel: number) {
    this.#fail = this.#code.label();
    this.#failed = this.#fail;
    this.#formatFd = this.#code.label();
    this.#message = this.buffer(MESSAGE_SIZE);
    this.#fdPath = this.bytes(text.encode(`/proc/self/fd/${"\0".repeat(24)}`));
  }

  /** What step `number` does, in words that fit after "cannot". */
  describe(number: number): string {
    return this.#steps[number] ?? `step ${number}`;
  }

  // Data.

  bytes(content: Uint8Array, align = 8): Address {
    const at = Math.ceil(this.#dataLength / align) * align;
    const end = at + content.length;
    if (end > this.#data.length) {
      const grown = new Uint8Array(Math.max(end, this.#data.length * 2));
      grown.set(this.#data);
      this.#data = grown;
    }
    this.#data.set(content, at);
    this.#dataLength = end;
    return new Address("data", at);
  }

  /** A string with its NUL. Equal ones are one: nothing writes to them. */
  string(content: string): Address {
    let address = this.#strings.get(content);
    if (address === undefined) {
      address = this.bytes(text.encode(`${content}\0`), 1);
      this.#strings.set(content, address);
    }
    return address;
  }

  /** A structure of 64-bit words; addresses among them are filled in. */
  words(values: readonly (number | bigint | Address)[]): Address {
    const block = new Uint8Array(values.length * 8);
    const view = new DataView(block.buffer);
    values.forEach((value, index) => {
      if (!(value instanceof Address)) view.setBigUint64(index * 8, BigInt.asUintN(64, BigInt(value)), true);
    });
    const address = this.bytes(block);
    values.forEach((value, index) => {
      if (value instanceof Address) this.#pointers.push({ at: address.offset + index * 8, target: value });
    });
    return address;
  }

  /** A NULL-terminated array of strings: argv, envp. */
  strings(values: readonly string[]): Address {
    return this.words([...values.map((value) => this.string(value)), 0]);
  }

  /** Zeroed memory. */
  buffer(size: number): Address {
    const address = new Address("zeroed", this.#zeroedLength);
    this.#zeroedLength += Math.ceil(size / 16) * 16;
    return address;
  }

  slot(): Slot {
    return new Slot(this.buffer(8));
  }

  /** `address` and `offset` bytes on. */
  at(address: Address, offset: number): Address {
    return new Address(address.kind, address.offset + offset);
  }

  // Code.

  /** Calls the kernel. @param step what it is for, in words that fit after "cannot" */
  call(step: string, name: SyscallName, args: readonly Value[], options: CallOptions = {}): void {
    args.forEach((value, index) => {
      this.#load(ARGUMENT_REGISTERS[index], value);
    });
    this.#code.movImmediate(RAX, SYSCALL[name]);
    this.#code.syscall();
    if (options.result) this.#store(RAX, options.result);
    if (options.ignore === "all") return;
    // The failure path is out of line: step number to ebx, then the common part.
    const failure = { label: this.#code.label(), step: this.#steps.push(step) - 1, target: this.#failed };
    if (options.ignore === undefined) {
      this.#code.compare(RAX, -MAX_ERRNO);
      this.#code.jumpIf("aboveOrEqual", failure.label);
    } else {
      const fine = this.#code.label();
      this.#code.compare(RAX, -MAX_ERRNO);
      this.#code.jumpIf("below", fine);
      for (const errno of options.ignore) {
        this.#code.compare(RAX, -errno);
        this.#code.jumpIf("equal", fine);
      }
      this.#code.jump(failure.label);
      this.#code.place(fine);
    }
    this.#failures.push(failure);
  }

  /** Fails the program as if `step` had returned `errno` (a positive number or a slot with a negative one). */
  fail(step: string, errno: number | Slot): void {
    if (errno instanceof Slot) this.#load(RAX, errno);
    else this.#code.movImmediate(RAX, -errno);
    const failure = { label: this.#code.label(), step: this.#steps.push(step) - 1, target: this.#failed };
    this.#failures.push(failure);
    this.#code.jump(failure.label);
  }

  /** Failures in `body` go to `target` instead of being told: rax is the negative errno. */
  catching(target: Label, body: () => void): void {
    const outer = this.#failed;
    this.#failed = target;
    body();
    this.#failed = outer;
  }

  label(): Label {
    return this.#code.label();
  }

  place(label: Label): void {
    this.#code.place(label);
  }

  jump(label: Label): void {
    this.#code.jump(label);
  }

  /** Jumps where `left` compares to `right` as a signed (less, greaterOrEqual) or unsigned number. */
  jumpIf(left: Slot, condition: Condition, right: number | Slot, label: Label): void {
    this.#load(RAX, left);
    if (right instanceof Slot) {
      this.#load(RCX, right);
      this.#code.compareRegisters(RAX, RCX);
    } else {
      this.#code.compare(RAX, right);
    }
    this.#code.jumpIf(condition, label);
  }

  /** Runs `body` where `left` compares so. */
  when(left: Slot, condition: Condition, right: number | Slot, body: () => void): void {
    const inside = this.label();
    const after = this.label();
    this.jumpIf(left, condition, right, inside);
    this.jump(after);
    this.place(inside);
    body();
    this.place(after);
  }

  set(slot: Slot, value: Value): void {
    this.#load(RAX, value);
    this.#store(RAX, slot);
  }

  /** slot += value */
  increase(slot: Slot, value: Value): void {
    this.#load(RAX, slot);
    this.#load(RCX, value);
    this.#code.add(RAX, RCX);
    this.#store(RAX, slot);
  }

  /** slot -= value */
  subtract(slot: Slot, value: Value): void {
    this.#load(RAX, slot);
    this.#load(RCX, value);
    this.#code.subtract(RAX, RCX);
    this.#store(RAX, slot);
  }

  /** slot &= mask, a signed 32-bit number */
  mask(slot: Slot, mask: number): void {
    this.#load(RAX, slot);
    this.#code.andImmediate(RAX, mask);
    this.#store(RAX, slot);
  }

  /** slot = an unsigned number of `size` bytes at `from` */
  read(slot: Slot, from: Address, size: 1 | 2 | 4 | 8): void {
    if (size === 1) this.#code.load8(RAX, from);
    else if (size === 2) this.#code.load16(RAX, from);
    else if (size === 4) this.#code.load32(RAX, from);
    else this.#code.load(RAX, from);
    this.#store(RAX, slot);
  }

  /** slot = an unsigned byte at the address that another slot holds */
  readByteAt(slot: Slot, pointer: Slot): void {
    this.#load(RSI, pointer);
    this.#code.load8AtRsi(RAX);
    this.#store(RAX, slot);
  }

  /** Writes the low `size` bytes of a value to memory. */
  write(to: Address, value: Value, size: 4 | 8): void {
    this.#load(RAX, value);
    if (size === 4) this.#code.store32(RAX, to);
    else this.#code.store(RAX, to);
  }

  writeByte(to: Address, value: Value): void {
    this.#load(RAX, value);
    this.#code.store8(RAX, to);
  }

  /** The path `/proc/self/fd/N` of a descriptor, in a buffer that the next use overwrites. */
  fdPath(fd: Slot): Address {
    this.#usesFdPath = true;
    this.#load(RAX, fd);
    this.#code.callLabel(this.#formatFd);
    return this.#fdPath;
  }

  /** The digits of `fdPath` alone, after "/proc/": for use under a descriptor of /proc. */
  fdPathUnderProc(fd: Slot): Address {
    return this.at(this.fdPath(fd), "/proc/".length);
  }

  /** Tells the other side `event` and a value. */
  tell(event: number, value: Value): void {
    this.#load(RCX, value);
    this.#code.store(RCX, this.at(this.#message, 8));
    this.write(this.#message, BigInt(MESSAGE_EVENT) | (BigInt(event) << 32n), 8);
    this.call("tell the runtime", "write", [this.channel, this.#message, MESSAGE_SIZE]);
  }

  /** Waits for a byte from the other side; where that has closed, the stage ends: nobody is left to serve. */
  awaitByte(): void {
    const got = this.slot();
    this.call("hear from the runtime", "read", [this.channel, this.#message, 1], { result: got });
    this.when(got, "equal", 0, () => this.exit(1));
  }

  exit(code: Value): void {
    this.call("exit", "exit", [code], { ignore: "all" });
  }

  /** The program as an executable file. */
  link(): Uint8Array {
    for (const { label, step, target } of this.#failures) {
      this.#code.place(label);
      this.#code.movImmediate(RBX, step);
      this.#code.jump(target);
    }
    this.#code.place(this.#fail);
    this.#code.negate(RAX);
    this.#code.store(RAX, this.at(this.#message, 8));
    this.#code.store32(RBX, this.at(this.#message, 4));
    this.write(this.#message, MESSAGE_FAILED, 4);
    this.#raw("write", [this.channel, this.#message, MESSAGE_SIZE]);
    this.#raw("exit", [1]);
    this.#emitFormatFd();
    const code = this.#code.finish({ data: this.#resolve(DATA_START), zeroed: this.#resolve(ZEROED_START) });
    const data = this.#data.slice(0, this.#dataLength);
    const view = new DataView(data.buffer);
    for (const { at, target } of this.#pointers) view.setBigUint64(at, BigInt(this.#resolve(target)), true);
    return makeElf(code, data, this.#zeroedLength + 64);
  }

  #raw(name: SyscallName, args: readonly Value[]): void {
    args.forEach((value, index) => {
      this.#load(ARGUMENT_REGISTERS[index], value);
    });
    this.#code.movImmediate(RAX, SYSCALL[name]);
    this.#code.syscall();
  }

  /** Formats rax in decimal after "/proc/self/fd/", with its NUL. */
  #emitFormatFd(): void {
    this.#code.place(this.#formatFd);
    if (!this.#usesFdPath) {
      this.#code.ret();
      return;
    }
    // Digits come last first, so count them before.
    const prefix = "/proc/self/fd/".length;
    const digits = this.#code.label();
    const count = this.#code.label();
    this.#code.move(RBX, RAX);
    this.#code.movAddress(RDI, this.at(this.#fdPath, prefix));
    this.#code.movImmediate(RCX, 10);
    this.#code.place(count);
    this.#code.addImmediate(RDI, 1);
    this.#code.divide(RCX);
    this.#code.compare(RAX, 0);
    this.#code.jumpIf("notEqual", count);
    this.#code.movImmediate(RAX, 0);
    this.#code.storeByteAtRdi(RAX);
    this.#code.move(RAX, RBX);
    this.#code.place(digits);
    this.#code.addImmediate(RDI, -1);
    this.#code.divide(RCX);
    this.#code.addImmediate(RDX, 0x30);
    this.#code.storeByteAtRdi(RDX);
    this.#code.compare(RAX, 0);
    this.#code.jumpIf("notEqual", digits);
    this.#code.ret();
  }

  #resolve(address: Address): number {
    if (address.kind === "data") return DATA_ADDRESS + address.offset;
    return DATA_ADDRESS + Math.ceil(this.#dataLength / 16) * 16 + address.offset;
  }

  #load(register: number, value: Value): void {
    if (value instanceof Slot) this.#code.load(register, value.address);
    else if (value instanceof Address) this.#code.movAddress(register, value);
    else this.#code.movImmediate(register, value);
  }

  #store(register: number, slot: Slot): void {
    this.#code.store(register, slot.address);
  }
}
