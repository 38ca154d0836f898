/** Programs at random: see `PROGRAM_FEATURES` for what may be in them. */
import { AVX_TABLE } from "../differential/avx-table.js";
import { BMI_TABLE } from "../differential/bmi-table.js";
import { littleEndian } from "../differential/encode.js";
import type { Spec } from "../differential/instruction.js";
import { INTEGER_TABLE } from "../differential/integer-table.js";
import { MMX_TABLE, SSE_TABLE } from "../differential/sse-table.js";
import { integer64 } from "../differential/values.js";
import { X87_TABLE } from "../differential/x87-table.js";
import { Random } from "../random.js";
import { type Operand, SectionBuilder } from "./builder.js";
import { LIKELY, PROGRAM_FEATURES, type ProgramFeature } from "./features.js";
import * as L from "./layout.js";
import { ABSOLUTE, OperandSource, RAX, RBP, RBX, RCX, RDI, RDX, RSI, RSP } from "./operands.js";
import type { CodeBits, Program } from "./program.js";
import { immediateBytes, pickSpec, type Table, tableOf } from "./spec-tables.js";
import { circumstances } from "./surroundings.js";

export interface GeneratorOptions {
  bits: CodeBits;
  features: ReadonlySet<ProgramFeature>;
}

const FAULTS: readonly (readonly number[])[] = [
  [0x0f, 0x0b],
  [0xf4],
  [0xcc],
  [0xcd, 0x21],
  [0x0f, 0xff, 0xc0],
  [0xf0, 0x89, 0xc0],
];

export function generateProgram(seed: number, options: GeneratorOptions): Program {
  return new Generator(seed, options).program();
}

class Generator extends OperandSource {
  private readonly ring: 0 | 3;
  private readonly kernel: CodeBits;
  private readonly base: bigint;
  private readonly tables: Table[] = [];
  private readonly integers: Table;
  private readonly counters: number[] = [];
  private labels = 0;
  private functions: { entry: number; middle: number }[] = [];
  private readonly pointers: { offset: number; label: number; addend: number }[] = [];
  private pointerSlots = 0;
  /** The section under way, for what may be called from it. */
  private level = 0;
  /** Labels of instructions with a constant at their end, to be modified: the constant's distance from the label. */
  private readonly targets: { label: number; addend: number; mask: number }[] = [];

  constructor(
    private readonly seed: number,
    options: GeneratorOptions,
  ) {
    super(new Random(seed), options.bits);
    const { random } = this;
    this.ring = this.bits === 16 ? 0 : random.chance(0.6) ? 3 : 0;
    this.base = this.bits === 16 ? 0n : random.pick(L.bases(this.bits));
    this.kernel = this.bits === 32 && this.ring === 3 && random.chance(0.3) ? 64 : this.bits;
    const rich = random.chance(0.7);
    for (const feature of PROGRAM_FEATURES) {
      if (options.features.has(feature) && rich && random.chance(LIKELY[feature])) this.on.add(feature);
    }
    this.integers = tableOf("integer", INTEGER_TABLE, this.bits);
    if (this.on.has("sse")) this.tables.push(tableOf("sse", SSE_TABLE, this.bits));
    if (this.on.has("mmx")) this.tables.push(tableOf("mmx", MMX_TABLE, this.bits));
    if (this.on.has("x87")) this.tables.push(tableOf("x87", X87_TABLE, this.bits));
    if (this.on.has("bmi") && this.bits !== 16) this.tables.push(tableOf("bmi", BMI_TABLE, this.bits));
    if (this.on.has("avx") && this.bits !== 16) this.tables.push(tableOf("avx", AVX_TABLE, this.bits));
  }

  program(): Program {
    const { random } = this;
    const addresses = this.giveRoles();
    addresses.push([RSP, this.linear(L.STACK + L.STACK_BYTES - 0x400 - random.int(32) * 8)]);
    const count = 1 + random.int(4);
    this.functionCount = count;
    this.functions = Array.from({ length: count }, () => ({ entry: this.label(), middle: this.label() }));
    const sections = [];
    // Callees first: what they hold is known when a caller modifies it.
    for (let index = count - 1; index >= 0; index--) sections.unshift(this.makeSection(index));
    const { seed, bits, kernel, ring, base, pointers } = this;
    const features = [...this.on];
    const code = { seed, bits, kernel, ring, base, features, addresses, sections, pointers };
    return { ...code, ...circumstances(random, code) };
  }

  private linear(offset: number): bigint {
    return this.bits === 16 ? BigInt(offset & 0xffff) : this.base + BigInt(offset);
  }

  private label(): number {
    return this.labels++;
  }

  /** The registers that hold addresses, and those. */
  private giveRoles(): [number, bigint][] {
    const { random } = this;
    const addresses: [number, bigint][] = [];
    const choices = this.wide ? [RBX, RBP, 8, 9, 10, 12, 13, 14, 15] : [RBX, RBP];
    random.shuffle(choices);
    const bases = this.wide ? 2 + random.int(3) : 1 + random.int(2);
    for (const register of choices.splice(0, bases)) {
      const offset = L.DATA + random.int(4) * L.PAGE + random.int(64) * 16 + (random.chance(0.2) ? random.int(16) : 0);
      this.bases.set(register, offset);
      this.reserved.add(register);
      addresses.push([register, this.linear(offset)]);
    }
    this.counters.push(...choices.splice(0, 3));
    if (!this.wide) this.counters.push(RSI, RDI);
    return addresses;
  }

  // ---- Sections.

  private makeSection(index: number) {
    const { random } = this;
    const builder = new SectionBuilder(this.bits);
    this.section = builder;
    this.level = index;
    const { entry, middle } = this.functions[index]!;
    // A function of two pages; often it passes from one to the other.
    const at = random.chance(0.4) ? L.PAGE - random.int(160) : random.int(0xd00);
    const framed = random.chance(0.5);
    const word = this.bits / 8;
    builder.place(entry);
    const room = 8 * word;
    if (framed) this.adjustStack(-room);
    builder.pushed = 0;
    const amount = index === 0 ? 6 + random.int(24) : 3 + random.int(12);
    const first = random.int(amount);
    const whole = () => {
      this.body(first, 0, framed ? room : 0);
      builder.place(middle);
      this.body(amount - first, 0, framed ? room : 0);
    };
    // The main function mostly goes round, so that all that it calls becomes hot.
    if (index === 0 && random.chance(0.8)) this.countedInMemory(L.DATA + 0x7ff0, 3 + random.int(14), whole);
    else whole();
    if (framed) this.adjustStack(room);
    if (index === 0) {
      builder.raw(0xcd, L.END_VECTOR);
    } else if (this.on.has("indirect") && random.chance(0.1)) {
      // A return that no call belongs to.
      builder.op({ opcode: [0x58], opcodeRegister: RAX });
      builder.raw(0xff, 0xe0);
    } else builder.raw(0xc3);
    return { offset: L.CODE + index * 2 * L.PAGE + at, items: builder.items };
  }

  private adjustStack(by: number): void {
    const operand: Operand = {
      operand: {
        ...ABSOLUTE,
        mod: 1,
        rm: 4,
        sib: { scale: 0, index: 4, base: RSP },
        displacement: by,
        displacementBytes: 1,
      },
    };
    // LEA keeps the flags, SUB does not. There is no SP-relative operand of 16 bits.
    if (this.bits === 16) this.section.raw(0x83, by < 0 ? 0xec : 0xc4, Math.abs(by));
    else if (this.random.chance(0.5)) this.section.op({ rexW: this.wide, opcode: [0x8d], reg: RSP }, operand);
    else
      this.section.op(
        { rexW: this.wide, opcode: [0x83], reg: by < 0 ? 5 : 0, immediate: Uint8Array.of(Math.abs(by)) },
        RSP,
      );
  }

  /** `frame`: bytes at the stack pointer, less what is pushed, that are the function's own. */
  private body(amount: number, depth: number, frame: number): void {
    const { random } = this;
    for (let done = 0; done < amount; done++) {
      const kind = random.int(100);
      const inner = () => 1 + random.int(Math.max(1, Math.min(5, amount - done)));
      if (kind < 58) this.instruction(frame);
      else if (kind < 68) this.skipOver(inner(), depth, frame);
      else if (kind < 72) this.choice(inner(), depth, frame);
      else if (kind < 80 && depth < 3) this.counted(inner() + 1, depth, frame);
      else if (kind < 85) this.callSomething();
      else if (kind < 88) this.pushed(inner(), depth, frame);
      else if (kind < 91 && this.on.has("strings")) this.stringOperation();
      else if (kind < 93 && this.on.has("indirect")) this.jumpTable(depth, frame);
      else if (kind < 96 && this.on.has("modify")) this.modify();
      else if (kind < 98 && this.on.has("system")) this.system();
      else if (kind < 99 && this.on.has("devices")) this.device();
      else if (this.on.has("faults") && random.chance(0.3)) this.section.raw(...random.pick(FAULTS));
      else if (random.chance(0.3)) this.moveBase();
      else this.instruction(frame);
    }
  }

  // ---- Single instructions.

  private instruction(frame: number): void {
    const { random } = this;
    const table = this.tables.length > 0 && random.chance(0.5) ? random.pick(this.tables) : this.integers;
    for (let attempt = 0; attempt < 10; attempt++) {
      const spec = pickSpec(random, table);
      if (spec.clobbers?.some((register) => this.reserved.has(register))) continue;
      if (Object.keys(spec.needs ?? {}).some((register) => this.reserved.has(Number(register)))) continue;
      this.fromSpec(spec, frame);
      return;
    }
  }

  private fromSpec(spec: Spec, frame: number): void {
    const { random } = this;
    const sizes = spec.sizes ?? [4];
    // 32 and 64 bits more often.
    const size = random.chance(0.6)
      ? random.pick(sizes)
      : sizes[sizes.length - 1 - random.int(Math.min(2, sizes.length))]!;
    for (const [register, choose] of Object.entries(spec.needs ?? {})) {
      const value = choose(random);
      if (random.chance(0.8)) this.section.constant(Number(register), value, false);
    }
    const prefixes: number[] = [];
    const rexW = size === 8 && !spec.default64;
    const vexW = spec.vex?.w === undefined ? rexW : spec.vex.w === 1;
    if (spec.prefix !== 0x66) {
      const other = this.bits === 16 ? 4 : 2;
      // Without sizes a prefix would make it something else.
      if (spec.sizes && size === other) prefixes.push(0x66);
    }
    const rexForced = this.wide && !spec.plain && random.chance(0.05);
    const opcode = [...spec.opcode];
    if (spec.byteForm && size !== 1) opcode[opcode.length - 1]! += 1;
    const { modrm } = spec;
    let reg: number | undefined;
    let rm: number | Operand | undefined;
    const byte = size === 1 || modrm?.rmSize === 1;
    if (modrm) {
      const isMemory = modrm.memory !== null && (modrm.rm === null || random.chance(0.45));
      reg = typeof modrm.reg === "number" ? modrm.reg : this.register(modrm.reg, spec.writes?.includes("reg"), byte);
      rm = isMemory
        ? this.memory(modrm.memory || size, modrm.aligned ?? false, frame)
        : this.register(modrm.rm ?? "r", spec.writes?.includes("rm"), byte);
    }
    const opcodeRegister = spec.opcodeRegister ? this.register("r", spec.writes?.includes("opcode"), byte) : undefined;
    const vvvv = spec.vex?.vvvv ? this.register(spec.vex.vvvv, spec.writes?.includes("vvvv"), false) : 0;
    if (spec.lock && typeof rm === "object" && random.chance(0.12)) prefixes.push(0xf0);
    if (spec.repeat && random.chance(0.7)) prefixes.push(random.pick(spec.repeat));
    if (spec.prefix !== undefined) prefixes.push(spec.prefix);
    const width = immediateBytes(spec, size, this.bits);
    let immediate = BigInt.asUintN(8 * width, integer64(random));
    if (spec.immediateMax !== undefined) immediate %= BigInt(spec.immediateMax + 1);
    // Its constant may be changed later, where that leaves an instruction of the same length.
    const modifiable = this.on.has("modify") && width > 0 && spec.immediateMax === undefined && random.chance(0.4);
    this.section.op(
      {
        prefixes,
        rexW,
        rexForced,
        opcode,
        reg,
        opcodeRegister,
        immediate: littleEndian(immediate, width),
        vex: spec.vex && { ...spec.vex, w: vexW, vvvv },
      },
      rm,
    );
    if (modifiable) {
      const label = this.label();
      this.section.place(label);
      this.targets.push({ label, addend: -width, mask: 0xff });
    }
  }

  // A base register moves by a little: what is known of it is then not exact any more.
  private moveBase(): void {
    const [register] = this.random.pick([...this.bases]);
    const by = this.random.pick([16, 32, 64, -16, 0x30, 4]);
    this.section.op({ rexW: this.wide, opcode: [0x83], reg: 0, immediate: Uint8Array.of(by & 0xff) }, register);
  }

  // ---- Flow.

  private skipOver(amount: number, depth: number, frame: number): void {
    const { random, section } = this;
    const after = this.label();
    if (random.chance(0.6)) this.compare();
    if (random.chance(0.06) && amount < 4) section.loop(0xe3, after);
    else section.jcc(random.int(16), after, random.chance(0.2));
    this.body(amount, depth, frame);
    section.place(after);
  }

  private choice(amount: number, depth: number, frame: number): void {
    const { random, section } = this;
    const [other, after] = [this.label(), this.label()];
    if (random.chance(0.7)) this.compare();
    section.jcc(random.int(16), other);
    this.body(amount, depth, frame);
    section.jmp(after, random.chance(0.2));
    section.place(other);
    this.body(1 + random.int(2), depth, frame);
    section.place(after);
  }

  // CMP or TEST of small things, so that both ways are taken.
  private compare(): void {
    const { random, section } = this;
    const wide = this.wide && random.chance(0.4);
    const register = random.chance(0.5) ? random.pick([RAX, RCX, RDX]) : random.int(this.registersCount);
    const kind = random.int(5);
    if (kind === 0) section.op({ rexW: wide, opcode: [0x85], reg: random.int(this.registersCount) }, register);
    else if (kind === 1) section.op({ rexW: wide, opcode: [0x39], reg: random.int(this.registersCount) }, register);
    else if (kind === 2)
      section.op({ opcode: [0xf6], reg: 0, immediate: Uint8Array.of(1 << random.int(8)) }, random.int(4));
    else if (kind === 3)
      section.op({ rexW: wide, opcode: [0x83], reg: 7, immediate: Uint8Array.of(random.int(256)) }, register);
    else section.op({ rexW: wide, opcode: [0x39], reg: register }, this.at(this.place(wide ? 8 : 4, false), false));
  }

  private counted(amount: number, depth: number, frame: number): void {
    const { random, section } = this;
    const times = depth === 0 ? 3 + random.int(30) : 2 + random.int(8);
    const [top, after] = [this.label(), this.label()];
    const counter = this.counters.find((register) => !this.reserved.has(register));
    const kind = random.int(10);
    if (kind < 2 && !this.reserved.has(RCX) && amount < 5) {
      this.reserved.add(RCX);
      section.constant(RCX, BigInt(times));
      section.place(top);
      this.body(amount, depth + 1, frame);
      section.loop(random.chance(0.8) ? 0xe2 : random.pick([0xe0, 0xe1]), top);
      this.reserved.delete(RCX);
    } else if (kind < 4 || counter === undefined) {
      this.countedInMemory(L.DATA + 0x7000 + (this.labels % 128) * 8, times, () => this.body(amount, depth + 1, frame));
    } else {
      this.reserved.add(counter);
      const wide = this.wide && random.chance(0.5);
      const up = random.chance(0.3);
      section.constant(counter, up ? 0n : BigInt(times));
      if (random.chance(0.3)) section.jmp(after);
      section.place(top);
      this.body(amount, depth + 1, frame);
      // A way out, and a way back before the end.
      if (random.chance(0.15)) {
        this.compare();
        section.jcc(random.int(16), after);
      }
      if (up) {
        section.op({ rexW: wide, opcode: [0x83], reg: 0, immediate: Uint8Array.of(1) }, counter);
        section.op({ rexW: wide, opcode: [0x83], reg: 7, immediate: Uint8Array.of(times) }, counter);
        section.jcc(random.pick([2, 5, 6, 0xc]), top);
      } else {
        if (random.chance(0.5)) section.op({ rexW: wide, opcode: [0xff], reg: 1 }, counter);
        else section.op({ rexW: wide, opcode: [0x83], reg: 5, immediate: Uint8Array.of(1) }, counter);
        section.jcc(random.pick([5, 5, 0xf]), top, random.chance(0.1));
      }
      section.place(after);
      this.reserved.delete(counter);
    }
  }

  // The count may be overwritten: then the run's budget ends the loop.
  private countedInMemory(offset: number, times: number, body: () => void): void {
    const { random, section } = this;
    const top = this.label();
    const count = littleEndian(BigInt(times), this.bits === 16 ? 2 : 4);
    section.op({ opcode: [0xc7], reg: 0, immediate: count }, this.at(offset, false));
    section.place(top);
    body();
    const down = this.at(offset, false);
    if (random.chance(0.5)) section.op({ opcode: [0xff], reg: 1 }, down);
    else section.op({ opcode: [0x83], reg: 5, immediate: Uint8Array.of(1) }, down);
    section.jcc(random.pick([5, 0xf]), top);
  }

  private callSomething(): void {
    const { random, section } = this;
    const callable = this.functions.slice(this.level + 1);
    if (callable.length === 0) {
      const next = this.label();
      const kind = random.int(4);
      // CALL to the next instruction, and the address taken away again.
      if (kind === 0) {
        section.call(next);
        section.place(next);
        section.op({ opcode: [0x58], opcodeRegister: this.scratch() });
      } else this.instruction(0);
      return;
    }
    const { entry, middle } = random.pick(callable);
    const target = random.chance(0.9) ? entry : middle;
    const kind = this.on.has("indirect") ? random.int(8) : 0;
    if (kind === 1 || kind === 2) {
      const register = this.scratch();
      section.address(register, { label: target });
      section.op({ opcode: [0xff], reg: 2 }, register);
    } else if (kind === 3) {
      section.op({ opcode: [0xff], reg: 2 }, this.at(this.pointer(target, 0), false));
    } else if (kind === 4) {
      // The return address by hand, and a jump: no CALL for the RET.
      const [register, back] = [this.scratch(), this.label()];
      section.address(register, { label: back });
      section.op({ opcode: [0x50], opcodeRegister: register });
      section.jmp(target, true);
      section.place(back);
    } else if (kind === 5 && this.bits !== 16) {
      // The same code at another address.
      const register = this.scratch();
      section.address(register, { label: target }, L.CODE_BYTES);
      section.op({ opcode: [0xff], reg: 2 }, register);
    } else section.call(target);
  }

  // A word of data with the address of a label.
  private pointer(label: number, addend: number): number {
    const offset = L.DATA + 0x6000 + this.pointerSlots++ * 8;
    this.pointers.push({ offset, label, addend });
    return offset;
  }

  private pushed(amount: number, depth: number, frame: number): void {
    const { section } = this;
    const word = this.bits / 8;
    section.op({ opcode: [0x50], opcodeRegister: this.random.int(this.registersCount) });
    section.pushed += word;
    this.body(amount, depth, frame);
    section.pushed -= word;
    section.op({ opcode: [0x58], opcodeRegister: this.scratch() });
  }

  private stringOperation(): void {
    const { random, section } = this;
    if ([RCX, RSI, RDI].some((register) => this.reserved.has(register))) {
      this.instruction(0);
      return;
    }
    const opcode = random.pick([0xa4, 0xa6, 0xaa, 0xac, 0xae]) + random.int(2);
    const backwards = random.chance(0.15);
    const place = () => this.place(8, false);
    section.address(RSI, { offset: place() });
    section.address(RDI, { offset: place() });
    section.constant(RCX, BigInt(random.chance(0.1) ? random.int(2000) : random.int(40)));
    if (backwards) section.raw(0xfd);
    const prefixes: number[] = [];
    if (random.chance(0.8)) prefixes.push(random.chance(0.8) ? 0xf3 : 0xf2);
    if (random.chance(0.15)) prefixes.push(0x66);
    section.op({ prefixes, rexW: this.wide && random.chance(0.4), opcode: [opcode] });
    if (backwards) section.raw(0xfc);
  }

  private jumpTable(depth: number, frame: number): void {
    const { random, section } = this;
    const register = this.scratch();
    const cases = [this.label(), this.label(), this.label(), this.label()];
    const after = this.label();
    const start = L.DATA + 0x6000 + this.pointerSlots * 8;
    for (const label of cases) this.pointer(label, 0);
    section.op({ opcode: [0x83], reg: 4, immediate: Uint8Array.of(3) }, register);
    const word = this.bits / 8;
    if (word !== 8 && this.bits === 16) {
      // No scaled index: the first case alone.
      section.op({ opcode: [0xff], reg: 4 }, this.at(start, false));
    } else {
      const [base, value] = random.pick([...this.bases]);
      section.op(
        { opcode: [0xff], reg: 4 },
        {
          operand: {
            ...ABSOLUTE,
            mod: 2,
            rm: 4,
            sib: { scale: 3, index: register & 7, base: base & 7 },
            displacement: start - value,
            rexX: register >> 3,
            rexB: base >> 3,
          },
        },
      );
    }
    for (const label of cases) {
      section.place(label);
      this.body(1 + random.int(2), depth, frame);
      if (random.chance(0.8)) section.jmp(after);
    }
    section.place(after);
  }

  // ---- Code that changes code.

  private modify(): void {
    const { random, section } = this;
    if (this.targets.length === 0 || random.chance(0.3)) {
      // An instruction whose operation changes: ADD or SUB, a condition or its opposite.
      const label = this.label();
      if (random.chance(0.5)) {
        section.place(label);
        section.op({ rexW: this.wide && random.chance(0.3), opcode: [0x01], reg: random.int(8) }, this.scratch() & 7);
        const rex = section.items.at(-1)!.bytes.length - 2;
        this.targets.push({ label, addend: rex, mask: 0x28 });
      } else {
        const after = this.label();
        section.place(label);
        section.jcc(random.int(16), after);
        this.instruction(0);
        section.place(after);
        this.targets.push({ label, addend: 0, mask: 0x01 });
      }
    }
    if (this.targets.length === 0) return;
    // Mostly what has just been made: that may be in the same block, or in the loop that runs.
    const target = random.chance(0.5) ? this.targets.at(-1)! : random.pick(this.targets);
    const bit = target.mask === 0xff ? 1 << random.int(8) : target.mask;
    const kind = random.int(6);
    if (kind < 3) {
      section.op({ opcode: [0x80], reg: 6, immediate: Uint8Array.of(bit) }, this.code(target.label, target.addend));
    } else if (kind === 3 && target.mask === 0xff) {
      section.op({ opcode: [0x88], reg: random.int(4) }, this.code(target.label, target.addend));
    } else if (kind === 4 && target.mask === 0xff) {
      section.op(
        { opcode: [0xfe], reg: 0, prefixes: random.chance(0.3) ? [0xf0] : [] },
        this.code(target.label, target.addend),
      );
    } else if (this.bits !== 16 && ![RAX, RCX, RDX].some((register) => this.reserved.has(register))) {
      // The kernel writes it, through its own mapping.
      section.address(RCX, { label: target.label }, target.addend, "offset");
      section.constant(RDX, BigInt(bit), false);
      section.constant(RAX, 4n, false);
      this.callKernel();
    }
    // Behind the change, and again: a loop of two rounds would miss the second.
    if (random.chance(0.2)) {
      const after = this.label();
      section.jmp(after);
      section.place(after);
    }
  }

  // ---- The system.

  private callKernel(): void {
    if (this.wide && this.ring === 3 && this.random.chance(0.6)) this.section.raw(0x0f, 0x05);
    else this.section.raw(0xcd, L.SERVICE_VECTOR);
  }

  private system(): void {
    const { random, section } = this;
    const kind = random.int(10);
    if (kind < 4 && ![RAX, RCX, RDX].some((register) => this.reserved.has(register))) {
      const service = random.pick([0, 1, 1, 2, 3, 5, 6, 7]);
      section.constant(RAX, BigInt(service), false);
      if (service === 3) section.constant(RDX, BigInt(random.pick([1, 2, 4, 2])), false);
      this.callKernel();
      // The other address space is not for long.
      if (service === 1 && random.chance(0.7)) {
        this.instruction(0);
        if (![RAX, RCX, RDX].some((register) => this.reserved.has(register))) {
          section.constant(RAX, 1n, false);
          this.callKernel();
        }
      }
    } else if (kind === 4) section.raw(0xcd, random.pick([0x21, 0x22, 3]));
    else if (kind === 5) section.raw(random.pick([0xfa, 0xfb]));
    else if (kind === 6 && !this.reserved.has(RAX) && !this.reserved.has(RDX)) section.raw(0x0f, 0x31);
    else if (kind === 7) {
      // PUSHF and POPF, with TF now and then.
      section.raw(0x9c);
      if (this.on.has("steps")) this.orOnStack(0x100);
      section.raw(0x9d);
    } else if (kind === 8 && this.ring === 0 && this.bits !== 16) this.privileged();
    else if (kind === 9) section.raw(0xf3, 0x90);
    else this.instruction(0);
  }

  private orOnStack(value: number): void {
    const { section } = this;
    if (this.bits === 16) {
      section.raw(0x58, 0x80, 0xcc, value >> 8, 0x50);
      return;
    }
    section.op(
      { opcode: [0x81], reg: 1, immediate: littleEndian(BigInt(value), 4) },
      { operand: { ...ABSOLUTE, rm: 4, sib: { scale: 0, index: 4, base: RSP }, displacementBytes: 0 } },
    );
  }

  private privileged(): void {
    const { random, section } = this;
    if (this.reserved.has(RAX)) return;
    const kind = random.int(6);
    if (kind === 0) section.raw(0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8);
    else if (kind === 1) section.op({ opcode: [0x0f, 0x01], reg: 7 }, this.at(this.place(1, false), false));
    else if (kind === 2) section.raw(0x0f, 0x06);
    else if (kind === 3) section.raw(0x0f, 0x20, 0xd8, 0x35, 0x00, 0x40, 0x00, 0x00, 0x0f, 0x22, 0xd8);
    else if (kind === 4) section.raw(0xfa, 0x90, 0xfb);
    else section.raw(0x0f, 0x20, 0xc0, 0x0f, 0x22, 0xc0);
  }

  private device(): void {
    const { random, section } = this;
    if (this.ring === 0 && random.chance(0.4) && !this.reserved.has(RAX)) {
      section.raw(random.pick([0xe4, 0xe5, 0xe6, 0xe7]), 0x90);
      return;
    }
    if (this.bits === 16) {
      this.instruction(0);
      return;
    }
    const operand = this.at(L.DEVICE + random.int(32) * 8, false);
    const wide = this.wide && random.chance(0.3);
    const kind = random.int(4);
    if (kind === 0) section.op({ rexW: wide, opcode: [0x8b], reg: this.scratch() }, operand);
    else if (kind === 1) section.op({ rexW: wide, opcode: [0x89], reg: random.int(8) }, operand);
    else if (kind === 2) section.op({ rexW: wide, opcode: [0x01], reg: random.int(8) }, operand);
    else section.op({ opcode: [0x0f, 0xb6], reg: this.scratch() }, operand);
  }
}
