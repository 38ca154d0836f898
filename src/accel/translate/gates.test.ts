/** Gates and returns of every size: call gates with parameters, 16-bit gates and TSSs, conforming code, far returns outward. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assemble } from "../../test-support/assemble.js";
import { testInterpreter } from "../../test-support/interpreter.js";
import { TEST_LAYOUT, TEST_SELECTORS, TestCpu, type TestRun } from "../../test-support/test-cpu.js";

const accelerator = await testInterpreter();

const FREE = TEST_SELECTORS.freeGdt;
const SECOND = FREE + 8;
const TARGET = 0x9000;
const [code0, code1, , code3] = TEST_SELECTORS.code as [number, number, number, number];
const [data0, , , data3] = TEST_SELECTORS.data as [number, number, number, number];
const END = "int 0xf0";

/** Vector and error code: `13(0x18)`, `6`, or `none`. */
function faultOf(run: TestRun): string {
  if (run.fault === null) return run.exit.reason === "halt" ? "none" : run.exit.reason;
  const { vector, errorCode } = run.fault;
  return errorCode === null ? String(vector) : `${vector}(0x${errorCode.toString(16)})`;
}

const hex = (value: number) => `0x${value.toString(16)}`;

/** A gate of any type: 4 and 12 are call gates of 16 and 32 bits, 6, 7, 14 and 15 interrupt and trap gates. */
function gate(type: number, selector: number, offset: number, { dpl = 3, words = 0 } = {}): bigint {
  const low = ((selector << 16) | (offset & 0xffff)) >>> 0;
  const high = ((offset & 0xffff0000) | 0x8000 | (dpl << 13) | (type << 8) | words) >>> 0;
  return BigInt(low) | (BigInt(high) << 32n);
}

function machine(ring: 0 | 1 | 2 | 3 = 3): TestCpu {
  return new TestCpu({ accelerator, mode: "protected", ring });
}

/** Makes the TSS a 16-bit one with ring 0's stack at `sp`. */
function use16BitTss(
  cpu: TestCpu,
  sp: number,
): (state: { segments: { tr: { attributes: number; limit: number } } }) => void {
  cpu.memory.write16(TEST_LAYOUT.tss + 2, sp);
  cpu.memory.write16(TEST_LAYOUT.tss + 4, data0);
  return (state) => {
    state.segments.tr.attributes = 0x83;
    state.segments.tr.limit = 0x2b;
  };
}

test("call gates copy up to 31 parameters, in their own size", async () => {
  for (const [type, size] of [
    [12, 4],
    [4, 2],
  ] as const) {
    const cpu = machine();
    cpu.memory.write64(TEST_LAYOUT.gdt + FREE, gate(type, code0, TARGET, { words: 31 }));
    cpu.load("mov ebx, esp; int 0xf0", TARGET);
    const program = Array.from({ length: 31 }, (_, index) => (size === 4 ? `push ${index + 1}` : `pushw ${index + 1}`));
    const run = await cpu.run(`${program.join("; ")}; call ${FREE | 3}:0`);
    assert.equal(faultOf(run), "none");
    const esp = Number(run.registers.rbx);
    assert.equal(esp, TEST_LAYOUT.ringStackTops[0] - (4 + 31) * size);
    const slot = (index: number) =>
      size === 4 ? cpu.memory.read32(esp + index * 4) : cpu.memory.read16(esp + index * 2);
    assert.deepEqual([slot(1), slot(2), slot(32)], [code3, 31, 1]);
    assert.deepEqual([slot(33), slot(34)], [TEST_LAYOUT.stackTop - 31 * size, data3]);
    cpu.close();
  }
});

test("a 16-bit call gate leads in and a 16-bit RETF leads out, dropping parameters on both stacks", async () => {
  const cpu = machine();
  cpu.memory.write64(TEST_LAYOUT.gdt + FREE, gate(4, code0, TARGET, { words: 2 }));
  cpu.load("mov bx, [esp + 4]; mov dx, [esp + 6]; mov si, ss; data16 retf 4", TARGET);
  const prepare = use16BitTss(cpu, 0xe400);
  const run = await cpu.run(`pushw 0x11; pushw 0x22; call ${FREE | 3}:0; mov ax, cs; mov di, ss`, {}, prepare);
  assert.equal(faultOf(run), "none");
  assert.deepEqual([run.registers.rbx & 0xffffn, run.registers.rdx & 0xffffn], [0x22n, 0x11n]);
  assert.equal(run.registers.rsi & 0xffffn, BigInt(data0));
  assert.equal(run.registers.rax & 0xffffn, BigInt(code3));
  assert.equal(run.registers.rdi & 0xffffn, BigInt(data3));
  assert.equal(run.registers.rsp, BigInt(TEST_LAYOUT.stackTop));
  cpu.close();
});

test("interrupt gates of 16 bits push words, through a 16-bit TSS too, and a 16-bit IRET returns", async () => {
  const cpu = machine();
  const at = TEST_LAYOUT.idt + 0x80 * 8;
  cpu.memory.write64(at, gate(6, code0, TARGET));
  // Copies its frame.
  cpu.load("mov ebx, esp; mov esi, esp; mov edi, 0xa000; mov ecx, 5; rep movsw; mov cx, ss; data16 iret", TARGET);
  const prepare = use16BitTss(cpu, 0xe400);
  const run = await cpu.run("stc; int 0x80; mov ax, cs; mov di, ss; setc dl", {}, prepare);
  assert.equal(faultOf(run), "none");
  assert.equal(run.registers.rbx, 0xe400n - 10n);
  const words = Array.from({ length: 5 }, (_, index) => cpu.memory.read16(0xa000 + index * 2));
  assert.deepEqual(words, [TEST_LAYOUT.code + 3, code3, 3, TEST_LAYOUT.stackTop, data3]);
  assert.equal(run.registers.rcx & 0xffffn, BigInt(data0));
  assert.equal(run.registers.rax & 0xffffn, BigInt(code3));
  assert.equal(run.registers.rdx & 0xffn, 1n);
  cpu.close();
});

test("an error code through a 16-bit gate is a word", async () => {
  const cpu = machine(0);
  cpu.memory.write64(TEST_LAYOUT.idt + 13 * 8, gate(6, code0, TARGET));
  cpu.load("pop bx; mov esi, esp; int 0xf0", TARGET);
  const run = await cpu.run("mov ecx, 0x904; mov ds, ecx");
  assert.equal(run.registers.rbx & 0xffffn, 0x904n);
  assert.equal(run.registers.rsi, BigInt(TEST_LAYOUT.stackTop - 6));
  cpu.close();
});

test("conforming code is entered without a change of ring, directly and through gates", async () => {
  const conforming = 0x00cf_9f00_0000_ffffn;
  for (const transfer of [`call ${FREE}:${TARGET}`, `call ${SECOND | 3}:0`, "int 0x80"]) {
    const cpu = machine();
    cpu.memory.write64(TEST_LAYOUT.gdt + FREE, conforming);
    cpu.memory.write64(TEST_LAYOUT.gdt + SECOND, gate(12, FREE, TARGET));
    cpu.memory.write64(TEST_LAYOUT.idt + 0x80 * 8, gate(14, FREE, TARGET));
    cpu.load(`mov ax, cs; mov bx, ss; ${transfer.startsWith("int") ? "iretd" : "retf"}`, TARGET);
    const run = await cpu.run(transfer);
    assert.equal(faultOf(run), "none", transfer);
    assert.equal(run.registers.rax & 0xffffn, BigInt(FREE | 3));
    assert.equal(run.registers.rbx & 0xffffn, BigInt(data3));
    assert.equal(run.registers.rsp, BigInt(TEST_LAYOUT.stackTop));
    cpu.close();
  }
});

test("a far return outward checks CS and SS, drops parameters, and nulls what the outer ring may not have", async () => {
  const cases: [number, number, string][] = [
    [code3, data3, "none"],
    [code3, data0, `13(${hex(data0)})`],
    [code3, 0, "13(0x0)"],
    [code0 | 3, data3, `13(${hex(code0)})`],
    [code1, data3, `13(${hex(data3 & ~3)})`],
    [data0, data3, `13(${hex(data0)})`],
    [0, data3, "13(0x0)"],
  ];
  for (const [cs, ss, wanted] of cases) {
    const cpu = machine(0);
    cpu.load(`mov ax, ds; mov bx, fs; mov cx, gs; ${END}`, TARGET);
    cpu.memory.write64(TEST_LAYOUT.gdt + FREE, 0x00cf_9f00_0000_ffffn);
    const source = `mov ecx, ${FREE}; mov fs, ecx; mov ecx, ${data3}; mov gs, ecx; push ${ss}; push 0xb000; push 1; push 2; push ${cs}; push ${TARGET}; retf 8`;
    const run = await cpu.run(source);
    assert.equal(faultOf(run), wanted, `cs ${hex(cs)} ss ${hex(ss)}`);
    if (wanted === "none") {
      assert.equal(run.registers.rsp, 0xb008n);
      // DS was ring 0's; FS is conforming code, GS ring 3's.
      const selectors = [run.registers.rax, run.registers.rbx, run.registers.rcx].map(
        (value) => Number(value) & 0xffff,
      );
      assert.deepEqual(selectors, [0, FREE, data3]);
    }
    cpu.close();
  }
});

test("IRET to an outer ring with a 16-bit stack loads SP, and leaves the upper half of ESP", async () => {
  const cpu = machine(0);
  cpu.memory.write64(TEST_LAYOUT.gdt + FREE, 0x0000_f300_0000_ffffn);
  cpu.load(`mov ebx, esp; ${END}`, TARGET);
  const run = await cpu.run(`push ${FREE | 3}; push 0x5555b000; push 2; push ${code3}; push ${TARGET}; iretd`, {});
  assert.equal(faultOf(run), "none");
  assert.equal(run.registers.rbx & 0xffffn, 0xb000n);
  cpu.close();
});

test("from 64-bit mode IRET reaches compatibility mode, and pops SS in the same ring too", async () => {
  const cpu = new TestCpu({ accelerator, mode: "long" });
  // 32-bit code of ring 3.
  cpu.memory.write64(TEST_LAYOUT.gdt + FREE, 0x00cf_fb00_0000_ffffn);
  cpu.memory.write(TARGET, assemble("mov eax, cs; dec ecx; int 0xf0", 32));
  const down = await cpu.run(`push ${data3}; push 0xb000; push 2; push ${FREE | 3}; push ${TARGET}; iretq`, {
    rcx: 5n,
  });
  assert.equal(faultOf(down), "none");
  assert.equal(down.registers.rcx, 4n);
  assert.equal(down.registers.rax & 0xffffn, BigInt(FREE | 3));
  const same = await cpu.run(
    "push 0; push 0xb000; push 2; push 8; lea rax, [rip + 4]; push rax; iretq; mov rbx, rsp; mov ecx, ss",
  );
  assert.equal(faultOf(same), "none");
  assert.equal(same.registers.rbx, 0xb000n);
  assert.equal(same.registers.rcx, 0n);
  // A 32-bit IRET pops dwords.
  const dwords = `mov dword ptr [0xb800], ${TARGET}; mov dword ptr [0xb804], 8; mov dword ptr [0xb808], 2; mov dword ptr [0xb80c], 0xb000; mov dword ptr [0xb810], 0`;
  cpu.load(`mov rbx, rsp; ${END}`, TARGET);
  const short = await cpu.run(`${dwords}; mov esp, 0xb800; iretd`);
  assert.equal(faultOf(short), "none");
  assert.equal(short.registers.rbx, 0xb000n);
  cpu.close();
});

test("IRET leaves alone what its ring may not change", async () => {
  for (const [ring, iopl, wanted] of [
    [0, 0, 0x3200n],
    [3, 0, 0x0000n],
    [3, 3, 0x3000n],
  ] as const) {
    const cpu = new TestCpu({ accelerator, mode: "protected", ring, iopl });
    const cs = TEST_SELECTORS.code[ring];
    const run = await cpu.run(`push 0x3202; push ${cs}; push offset here; iretd; here: nop`);
    assert.equal(faultOf(run), "none");
    assert.equal(run.registers.rflags & 0x3000n, wanted & 0x3000n, `ring ${ring} IOPL ${iopl}`);
    assert.equal(run.registers.rflags & 0x200n, ring === 0 || iopl === 3 ? 0x200n : 0n);
    cpu.close();
  }
});
