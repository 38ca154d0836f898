/**
 * The accelerator's side: cases run by a small kernel in a guest, in long mode at ring 3, as a Linux process
 * would. The kernel asks for each case by a port read, enters it by IRETQ, and notes what the exception
 * that ends it left. The host serves the port inside the read: one `run` goes through many cases.
 */
import { GuestMemory, RAM_OFFSET } from "../../guest-memory/guest-memory.js";
import type { Accelerator, AcceleratorVm, Vcpu } from "../../vcpu/accelerator.js";
import { parseCpuModel } from "../../vcpu/cpu-model.js";
import { type FeatureName, hasFeature } from "../../vcpu/features.js";
import type { SegmentState } from "../../vcpu/state.js";
import { assemble } from "../assemble.js";
import {
  CASE,
  CODE_BASE,
  CODE_BYTES,
  type CodeBits,
  DATA_BASE,
  DATA_BYTES,
  FLAGS_MASK,
  FPU_BYTES,
  FS_BASE,
  FS_SELECTOR,
  GS_BASE,
  GS_SELECTOR,
  type Outcome,
  PAGE,
  RESULT,
  TRAP_DEFECT,
  TRAP_HANG,
  TRAP_UNIMPLEMENTED,
  WRITABLE_BYTES,
} from "./wire.js";

// Guest-physical addresses. The kernel's 2 MiB are mapped at KERNEL, where a user may not reach them.
const TABLES = 0x1000;
const GDT = 0x10000;
const IDT = 0x11000;
const TSS = 0x12000;
const LDT = 0x12800;
const DRIVER = 0x13000;
const STUBS = 0x14000;
const STACK_TOP = 0x18000;
const CASE_AT = 0x19000;
const RESULT_AT = 0x1a000;
const CODE_AT = 0x200000;
const DATA_AT = 0x210000;
const RAM_BYTES = 0x400000;
const KERNEL = 0xffff_8000_0000_0000n;

const CASE_PORT = 0x3e0;
// Linux's selectors, because programs can read them.
const KERNEL_CS = 0x10;
const USER_CS = 0x33;
const USER32_CS = 0x23;
const USER_SS = 0x2b;
const TSS_SELECTOR = 0x40;
const LDT_SELECTOR = 0x50;
const ERROR_CODE_VECTORS = [8, 10, 11, 12, 13, 14, 17, 21];
const STUB_BYTES = 16;
/** Behind all cases but those at the end of the code. */
const JUMP = CODE_BASE + PAGE + 0x800;
/** Instructions after which a case counts as one that does not end. */
const CASE_BUDGET = 200_000;

const at = (offset: number) => `0x${(KERNEL + BigInt(offset)).toString(16)}`;

// The segment registers that a case begins with.
const SEGMENTS_64 = `
  xor eax, eax
  mov ds, eax
  mov es, eax
  mov fs, eax
  mov gs, eax
  mov eax, ${FS_BASE}
  wrfsbase rax
  mov eax, ${GS_BASE}
  wrgsbase rax`;
const SEGMENTS_32 = `
  mov eax, ${USER_SS}
  mov ds, eax
  mov es, eax
  mov eax, ${FS_SELECTOR}
  mov fs, eax
  mov eax, ${GS_SELECTOR}
  mov gs, eax`;

// Between cases: fetch the next one, load its registers, enter it. `common` is where exceptions arrive,
// with vector, error code, RIP, CS, RFLAGS, RSP and SS on the stack.
// Without AVX by FXRSTOR and FXSAVE: some hosts' KVM has no XRSTOR.
const driver = (bits: CodeBits, avx: boolean) => `
next:
  mov rsp, ${at(STACK_TOP)}
  mov edx, ${CASE_PORT}
  in al, dx
  ${bits === 64 ? SEGMENTS_64 : SEGMENTS_32}
  mov rbx, ${at(CASE_AT)}
  mov eax, -1
  mov edx, -1
  ${avx ? "xrstor64" : "fxrstor64"} [rbx + ${CASE.fpu}]
  push ${USER_SS}
  push qword ptr [rbx + ${CASE.gpr + 4 * 8}]
  push qword ptr [rbx + ${CASE.rflags}]
  push ${bits === 64 ? USER_CS : USER32_CS}
  push qword ptr [rbx + ${CASE.rip}]
  mov rax, [rbx + ${CASE.gpr}]
  mov rcx, [rbx + ${CASE.gpr + 8}]
  mov rdx, [rbx + ${CASE.gpr + 2 * 8}]
  mov rbp, [rbx + ${CASE.gpr + 5 * 8}]
  mov rsi, [rbx + ${CASE.gpr + 6 * 8}]
  mov rdi, [rbx + ${CASE.gpr + 7 * 8}]
${[8, 9, 10, 11, 12, 13, 14, 15].map((n) => `  mov r${n}, [rbx + ${CASE.gpr + n * 8}]`).join("\n")}
  mov rbx, [rbx + ${CASE.gpr + 3 * 8}]
  iretq
common:
  push rax
  mov rax, ${at(RESULT_AT)}
  mov [rax + ${RESULT.gpr + 8}], rcx
  mov [rax + ${RESULT.gpr + 2 * 8}], rdx
  mov [rax + ${RESULT.gpr + 3 * 8}], rbx
  mov [rax + ${RESULT.gpr + 5 * 8}], rbp
  mov [rax + ${RESULT.gpr + 6 * 8}], rsi
  mov [rax + ${RESULT.gpr + 7 * 8}], rdi
${[8, 9, 10, 11, 12, 13, 14, 15].map((n) => `  mov [rax + ${RESULT.gpr + n * 8}], r${n}`).join("\n")}
  pop qword ptr [rax + ${RESULT.gpr}]
  pop rcx
  mov [rax + ${RESULT.trap}], ecx
  pop rcx
  mov [rax + ${RESULT.error}], ecx
  pop qword ptr [rax + ${RESULT.rip}]
  pop rcx
  mov [rax + ${RESULT.segments + 8}], cx
  mov [rax + ${RESULT.segments}], ds
  mov [rax + ${RESULT.segments + 2}], es
  mov [rax + ${RESULT.segments + 4}], fs
  mov [rax + ${RESULT.segments + 6}], gs
  pop qword ptr [rax + ${RESULT.rflags}]
  pop qword ptr [rax + ${RESULT.gpr + 4 * 8}]
  pop rcx
  mov [rax + ${RESULT.segments + 10}], cx
  mov rcx, cr2
  mov [rax + ${RESULT.cr2}], rcx
  mov rbx, rax
  mov eax, -1
  mov edx, -1
  ${avx ? "xsave64" : "fxsave64"} [rbx + ${RESULT.fpu}]
  jmp next
  .org ${STUBS - DRIVER}
  .set vector, 0
  .rept 256
    .balign ${STUB_BYTES}
    .if ${ERROR_CODE_VECTORS.map((vector) => `(vector != ${vector})`).join(" && ")}
      push 0
    .endif
    push vector
    jmp common
    .set vector, vector + 1
  .endr
`;

export class GuestRunner {
  private readonly memory: GuestMemory;
  private readonly vm: AcceleratorVm;
  private readonly vcpu: Vcpu;
  private readonly data: Buffer;
  private readonly result: Buffer;
  private template: Buffer = Buffer.alloc(DATA_BYTES);
  private cases: readonly Uint8Array[] = [];
  private outcomes: Outcome[] = [];
  /** Index of the case under way, or -1. */
  private current = -1;
  private readonly features: Uint32Array;
  /** XCR0: x87 and SSE, and AVX where the model has it. */
  private readonly xcr0: bigint;

  constructor(
    accelerator: Accelerator,
    private readonly bits: CodeBits = 64,
    model = "max",
    /** Enters cases by a jump: entries from the kernel are not among those that make code hot. */
    private readonly jumps = false,
  ) {
    const offered = accelerator.offer(parseCpuModel(model));
    this.features = offered.features;
    this.xcr0 = this.has("avx") ? 7n : 3n;
    this.memory = new GuestMemory(RAM_BYTES);
    this.memory.setSlots([{ gpa: 0, size: RAM_BYTES, offset: RAM_OFFSET, readonly: false }]);
    this.vm = accelerator.createVm(this.memory);
    this.vcpu = this.vm.createVcpu({
      id: 0,
      count: 1,
      model: offered,
      bus: {
        portRead: (port) => (port === CASE_PORT ? this.nextCase() : 0xff),
        portWrite: () => {},
        mmioRead: () => 0xff,
        mmioWrite: () => {},
        acknowledgePic: () => 0xff,
        endOfInterrupt: () => {},
        sendIpi: () => {},
      },
      clock: { mode: "icount", now: () => this.vcpu.instructions },
      random: () => 0,
    });
    this.data = view(this.memory, DATA_AT, WRITABLE_BYTES);
    this.result = view(this.memory, RESULT_AT, RESULT.bytes);
    this.buildKernel();
  }

  has(feature: FeatureName): boolean {
    return hasFeature(this.features, feature);
  }

  /** Runs `CASE` records over data pages with the contents `data`. */
  async run(data: Uint8Array, cases: readonly Uint8Array[]): Promise<Outcome[]> {
    this.template = Buffer.from(data);
    this.memory.write(DATA_AT, data);
    this.cases = cases;
    this.outcomes = [];
    this.restart();
    while (this.outcomes.length < cases.length) {
      const before = this.current;
      let message = "";
      let trap = TRAP_DEFECT;
      try {
        const exit = await this.vcpu.run({ instructions: CASE_BUDGET });
        if (exit.reason === "io") {
          this.vcpu.completeAccess(this.nextCase());
          continue;
        }
        if (exit.reason === "budget") {
          if (this.current !== before || this.outcomes.length >= cases.length) continue;
          trap = TRAP_HANG;
        } else if (exit.reason === "internal-error") {
          if (exit.error.code === "UNIMPLEMENTED_INSTRUCTION") trap = TRAP_UNIMPLEMENTED;
          message = exit.error.message;
        } else {
          message = `left with ${exit.reason}`;
        }
      } catch (error) {
        message = `host exception: ${error instanceof Error ? (error.stack ?? error.message) : error}`;
      }
      if (this.current < 0) throw new Error(`the test's kernel failed: ${message}`);
      this.abandon(trap, message);
    }
    this.current = -1;
    return this.outcomes;
  }

  close(): void {
    this.vm.close();
  }

  // The case cannot go on: notes where it is and begins anew with the next one.
  private abandon(trap: number, message: string): void {
    const record = Buffer.alloc(RESULT.bytes);
    const state = this.vcpu.getState();
    state.gpr.forEach((value, index) => {
      record.writeBigUInt64LE(value, RESULT.gpr + index * 8);
    });
    record.writeBigUInt64LE(state.rip, RESULT.rip);
    record.writeUInt32LE(trap, RESULT.trap);
    this.outcomes.push({ record, changes: this.takeChanges(), message });
    this.restart();
  }

  private restart(): void {
    this.current = -1;
    this.vcpu.reset();
    const state = this.vcpu.getState();
    const segment = (selector: number, attributes: number): SegmentState => ({
      selector,
      base: 0n,
      limit: 0xffffffff,
      attributes,
    });
    const kernel = (offset: number) => KERNEL + BigInt(offset);
    const unusable = segment(0, 0x10000);
    state.rip = kernel(DRIVER);
    state.rflags = 2n;
    state.segments = {
      cs: segment(KERNEL_CS, 0xa09b),
      ss: segment(0x18, 0xc093),
      ds: unusable,
      es: unusable,
      fs: { ...unusable, base: BigInt(FS_BASE) },
      gs: { ...unusable, base: BigInt(GS_BASE) },
      ldtr: this.bits === 64 ? unusable : { selector: LDT_SELECTOR, base: kernel(LDT), limit: 0xf, attributes: 0x82 },
      tr: { selector: TSS_SELECTOR, base: kernel(TSS), limit: 0x67, attributes: 0x8b },
    };
    state.gdtr = { base: kernel(GDT), limit: 0x7f };
    state.idtr = { base: kernel(IDT), limit: 0xfff };
    // PG AM WP NE ET MP PE; OSXSAVE FSGSBASE UMIP OSXMMEXCPT OSFXSR PGE PAE; NXE LMA LME SCE.
    state.cr0 = 0x80050033n;
    state.cr3 = BigInt(TABLES);
    state.cr4 = 0x50ea0n;
    state.msrs[0xc0000080] = 0xd01n;
    state.xcr0 = this.xcr0;
    this.vcpu.setState(state);
  }

  // The kernel asks for a case: the one before has ended.
  private nextCase(): number {
    if (this.current >= 0) {
      this.outcomes.push({ record: Buffer.from(this.result), changes: this.takeChanges() });
    }
    const next = this.cases[this.outcomes.length];
    if (!next) {
      this.vcpu.kick();
      return 0;
    }
    this.current = this.outcomes.length;
    const record = Buffer.from(next.buffer, next.byteOffset, next.byteLength);
    const address = Number(record.readBigUInt64LE(CASE.codeAddress));
    const length = record.readUInt32LE(CASE.codeLength);
    const code = this.memory.writableView(CODE_AT, CODE_BYTES);
    code.fill(0xcc);
    code.set(record.subarray(CASE.code, CASE.code + length), address - CODE_BASE);
    const block = this.memory.writableView(CASE_AT, CASE.bytes);
    block.set(record);
    if (this.jumps) {
      const jump = Buffer.from([0xe9, 0, 0, 0, 0]);
      jump.writeInt32LE(address - (JUMP + jump.length), 1);
      code.set(jump, JUMP - CODE_BASE);
      this.memory.write64(CASE_AT + CASE.rip, BigInt(JUMP));
    }
    block.fill(0, CASE.fpu + FPU_BYTES, CASE.ymm);
    block[CASE.xsaveHeader] = Number(this.xcr0);
    const flags = (record.readBigUInt64LE(CASE.rflags) & BigInt(FLAGS_MASK)) | 0x202n;
    this.memory.write64(CASE_AT + CASE.rflags, flags);
    return 1;
  }

  private takeChanges(): Outcome["changes"] {
    const before = this.template.subarray(0, WRITABLE_BYTES);
    if (this.data.equals(before)) return [];
    const changes: { offset: number; value: bigint }[] = [];
    for (let offset = 0; offset < WRITABLE_BYTES; offset += 8) {
      const value = this.data.readBigUInt64LE(offset);
      if (value !== before.readBigUInt64LE(offset)) changes.push({ offset, value });
    }
    this.memory.write(DATA_AT, before);
    return changes;
  }

  private buildKernel(): void {
    const memory = this.memory;
    memory.write64(GDT + KERNEL_CS, 0x00af_9b00_0000_ffffn);
    memory.write64(GDT + 0x18, 0x00cf_9300_0000_ffffn);
    memory.write64(GDT + 0x20, 0x00cf_fb00_0000_ffffn);
    memory.write64(GDT + (USER_SS & ~7), 0x00cf_f300_0000_ffffn);
    memory.write64(GDT + (USER_CS & ~7), 0x00af_fb00_0000_ffffn);
    memory.write64(GDT + TSS_SELECTOR, 0x0000_8b01_2000_0067n);
    memory.write64(GDT + TSS_SELECTOR + 8, KERNEL >> 32n);
    memory.write64(TSS + 4, KERNEL + BigInt(STACK_TOP));
    memory.write16(TSS + 0x66, 0x68);
    // Linux has the CPU's number there, as a limit.
    memory.write64(GDT + 0x78, 0x0040_f500_0000_0000n);
    if (this.bits === 32) {
      memory.write64(GDT + LDT_SELECTOR, 0x0000_8201_2800_000fn);
      memory.write64(GDT + LDT_SELECTOR + 8, KERNEL >> 32n);
      for (const [selector, base] of [
        [FS_SELECTOR, FS_BASE],
        [GS_SELECTOR, GS_BASE],
      ] as const) {
        const low = (BigInt(base & 0xffffff) << 16n) | 0xffffn;
        memory.write64(LDT + (selector & ~7), (BigInt(base >>> 24) << 56n) | (0xcff3n << 40n) | low);
      }
    }
    memory.write(DRIVER, assemble(driver(this.bits, this.has("avx")), 64, DRIVER));
    for (let vector = 0; vector < 256; vector++) {
      const stub = STUBS + vector * STUB_BYTES;
      const gate = IDT + vector * 16;
      memory.write32(gate, (KERNEL_CS << 16) | (stub & 0xffff));
      memory.write32(gate + 4, (stub & 0xffff0000) | (vector === 3 || vector === 4 ? 0xee00 : 0x8e00));
      memory.write64(gate + 8, KERNEL >> 32n);
    }
    // PML4: entry 0 for the user's two regions, entry 256 for the kernel.
    const table = (index: number) => TABLES + index * PAGE;
    const link = (from: number, entry: number, to: number, bits: bigint) =>
      memory.write64(from + entry * 8, BigInt(to) | bits);
    const NX = 1n << 63n;
    link(table(0), 0, table(1), 7n);
    link(table(1), 0, table(2), 7n);
    link(table(2), CODE_BASE >> 21, table(3), 7n);
    link(table(2), DATA_BASE >> 21, table(4), 7n);
    for (let page = 0; page < CODE_BYTES / PAGE; page++) link(table(3), page, CODE_AT + page * PAGE, 7n);
    for (let page = 0; page < DATA_BYTES / PAGE; page++) {
      link(table(4), page, DATA_AT + page * PAGE, NX | (page * PAGE < WRITABLE_BYTES ? 7n : 5n));
    }
    link(table(0), 256, table(5), 3n);
    link(table(5), 0, table(6), 3n);
    link(table(6), 0, 0, 0x83n);
  }
}

function view(memory: GuestMemory, gpa: number, size: number): Buffer {
  const bytes = memory.view(gpa, size);
  return Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, size);
}
