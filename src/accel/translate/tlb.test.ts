/** What the TLB may keep and what it must forget. Intel SDM vol. 3A 4.10. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { testInterpreter } from "../../test-support/interpreter.js";
import { TEST_LAYOUT, TestCpu } from "../../test-support/test-cpu.js";

const accelerator = await testInterpreter();

// One page of a directory of its own, and two physical pages that it can be.
const LINEAR = 0x4000_0000;
const DIRECTORY = 0x20000;
const TABLE = 0x21000;
const PAGE_A = 0x30000;
const PAGE_B = 0x31000;
/** A second root with the same contents as the first. */
const OTHER_ROOT = 0x24000;
/** Where the table is in linear memory: identity. */
const PTE = TABLE;

function machine(global = false, ramSize?: number): TestCpu {
  const cpu = new TestCpu({ accelerator, mode: "long", ramSize });
  const { memory } = cpu;
  const root = TEST_LAYOUT.pageTables;
  memory.write64(root + 0x1000 + 8, BigInt(DIRECTORY) | 7n);
  memory.write64(DIRECTORY, BigInt(TABLE) | 7n);
  memory.write64(TABLE, BigInt(PAGE_A) | 7n | (global ? 0x100n : 0n));
  memory.write64(OTHER_ROOT, memory.read64(root));
  memory.write32(PAGE_A, 0xaaaa);
  memory.write32(PAGE_B, 0xbbbb);
  return cpu;
}

/** EBX and EDX: the page's word before and after `change`; the PTE points to B from before `change` on. */
async function reread(change: string, options: { global?: boolean; cr4?: bigint } = {}): Promise<[string, string]> {
  const cpu = machine(options.global);
  const flags = options.global ? 0x107 : 7;
  const run = await cpu.run(
    `mov esi, ${LINEAR}; mov ebx, [rsi]; mov qword ptr [${PTE}], ${PAGE_B | flags}; ${change}; mov edx, [rsi]`,
    {},
    (state) => {
      state.cr4 |= options.cr4 ?? 0n;
    },
  );
  assert.equal(run.fault, null, change);
  cpu.close();
  return [run.registers.rbx.toString(16), run.registers.rdx.toString(16)];
}

const PGE = 0x80n;
const PCIDE = 0x20000n;
const RELOAD = "mov rax, cr3; mov cr3, rax";
const KEEP = "mov rax, cr3; bts rax, 63; mov cr3, rax";
const invpcid = (type: number, pcid: number) =>
  `mov qword ptr [0xa000], ${pcid}; mov [0xa008], rsi; mov eax, ${type}; invpcid rax, [0xa000]`;

test("INVLPG, CR3 and INVPCID make a changed entry visible", async () => {
  for (const [change, options] of [
    ["invlpg [rsi]", {}],
    ["invlpg [rsi + 0xfff]", {}],
    ["invlpg [rsi]", { global: true, cr4: PGE }],
    [RELOAD, {}],
    [RELOAD, { global: true }],
    [RELOAD, { cr4: PCIDE }],
    [invpcid(0, 0), {}],
    [invpcid(1, 0), {}],
    [invpcid(2, 0), { global: true, cr4: PGE }],
    [invpcid(3, 0), {}],
    ["mov rax, cr4; btr eax, 7; mov cr4, rax", { global: true, cr4: PGE }],
    ["mov rax, cr0; btr eax, 16; mov cr0, rax", {}],
  ] as const) {
    assert.deepEqual(await reread(change, options), ["aaaa", "bbbb"], change);
  }
});

// Keeping these is what makes PCIDs and global pages worth having; the architecture allows both.
test("global pages outlive CR3, and a CR3 with bit 63 keeps its PCID's entries", async () => {
  assert.deepEqual(await reread(RELOAD, { global: true, cr4: PGE }), ["aaaa", "aaaa"]);
  assert.deepEqual(await reread(invpcid(1, 0), { global: true, cr4: PGE }), ["aaaa", "aaaa"]);
  assert.deepEqual(await reread(invpcid(3, 0), { global: true, cr4: PGE }), ["aaaa", "aaaa"]);
  assert.deepEqual(await reread(KEEP, { cr4: PCIDE }), ["aaaa", "aaaa"]);
  assert.deepEqual(await reread(invpcid(1, 5), { cr4: PCIDE }), ["aaaa", "aaaa"]);
});

test("address spaces with their own PCID do not see each other's entries", async () => {
  const cpu = machine();
  const other = 0x25000;
  // The other root maps the address to page B through tables of its own.
  cpu.memory.write64(OTHER_ROOT, BigInt(other) | 7n);
  cpu.memory.write64(other, cpu.memory.read64(TEST_LAYOUT.pageTables + 0x1000));
  cpu.memory.write64(other + 8, BigInt(0x26000) | 7n);
  cpu.memory.write64(0x26000, BigInt(0x27000) | 7n);
  cpu.memory.write64(0x27000, BigInt(PAGE_B) | 7n);
  const run = await cpu.run(
    `mov esi, ${LINEAR}; mov r12, cr3; mov r13d, ${OTHER_ROOT | 5}; bts r12, 63; bts r13, 63
     mov eax, [rsi]; mov cr3, r13; mov ebx, [rsi]; mov dword ptr [rsi], 0x5555
     mov cr3, r12; mov ecx, [rsi]; mov cr3, r13; mov edx, [rsi]`,
    {},
    (state) => {
      state.cr4 |= PCIDE;
    },
  );
  assert.equal(run.fault, null);
  const { rax, rbx, rcx, rdx } = run.registers;
  assert.deepEqual([rax, rbx, rcx, rdx], [0xaaaan, 0xbbbbn, 0xaaaan, 0x5555n]);
  cpu.close();
});

test("INVLPG of any address in a large page drops all of it", async () => {
  for (const size of [0x200000, 0x40000000]) {
    const cpu = machine();
    const huge = size === 0x40000000;
    const entry = huge ? TEST_LAYOUT.pageTables + 0x1000 + 8 : DIRECTORY;
    // From the page at physical 0 to a page table, or to nothing.
    cpu.memory.write64(entry, 0x87n);
    const run = await cpu.run(
      `mov esi, ${LINEAR + PAGE_A}; mov ebx, [rsi]; mov qword ptr [${entry}], 0; invlpg [rsi + ${size - PAGE_A - 1}]; mov edx, [rsi]`,
    );
    assert.equal(run.registers.rbx, 0xaaaan);
    assert.equal(run.fault?.vector, 14, `${size.toString(16)}`);
    assert.equal(run.fault?.errorCode, 0);
    cpu.close();
  }
});

test("a page that another one of the same place displaced is remembered, and forgotten when it has to be", async () => {
  /** As far away as the TLB reaches. */
  const MATE = LINEAR + (8 << 20);
  const OTHER_TABLE = 0x22000;
  const start = `mov esi, ${LINEAR}; mov edi, ${MATE}; mov ebx, [rsi]; mov ecx, [rdi]; `;
  const change = `mov qword ptr [${PTE}], ${PAGE_B | 7}; `;
  for (const [what, flush, expected] of [
    ["remembered", "", "aaaa"],
    ["INVLPG", "invlpg [rsi]", "bbbb"],
    ["INVLPG of the other", "invlpg [rdi]", "aaaa"],
    ["CR3", RELOAD, "bbbb"],
    ["INVLPG, back in its place", "mov ebp, [rsi]; mov ebp, [rdi]; mov ebp, [rsi]; invlpg [rsi]", "bbbb"],
  ] as const) {
    const cpu = machine();
    cpu.memory.write64(DIRECTORY + 32, BigInt(OTHER_TABLE) | 7n);
    cpu.memory.write64(OTHER_TABLE, 0x32007n);
    cpu.memory.write32(0x32000, 0xcccc);
    const run = await cpu.run(`${start}${change}${flush}; mov edx, [rsi]; mov eax, [rdi]; mov ebp, [rsi]`);
    assert.equal(run.fault, null, what);
    assert.equal(run.registers.rdx.toString(16), expected, what);
    assert.equal(run.registers.rax.toString(16), "cccc", what);
    assert.equal(run.registers.rbp.toString(16), expected, what);
    cpu.close();
  }
});

test("INVLPG drops a large page's displaced entries", async () => {
  const MATE = LINEAR + (8 << 20);
  const cpu = machine(false, 6 << 20);
  // A large page, first over physical 0 and then over 2 MiB; and a small one that has the place of its first part.
  cpu.memory.write64(DIRECTORY, 0x87n);
  cpu.memory.write64(DIRECTORY + 32, BigInt(TABLE) | 7n);
  cpu.memory.write32(0x1000, 0x1111);
  cpu.memory.write32(0x201000, 0x2222);
  const run = await cpu.run(
    `mov esi, ${LINEAR + 0x1000}; mov edi, ${MATE + 0x1000}; mov qword ptr [${TABLE + 8}], ${PAGE_B | 7}; mov ebx, [rsi];
     mov eax, [rdi]; mov qword ptr [${DIRECTORY}], ${0x200087}; invlpg [rsi + 0x12345]; mov edx, [rsi]; mov ecx, [rdi]`,
  );
  assert.equal(run.fault, null);
  const { rax, rbx, rcx, rdx } = run.registers;
  assert.deepEqual([rbx, rax, rdx, rcx], [0x1111n, 0xbbbbn, 0x2222n, 0xbbbbn]);
  cpu.close();
});

test("the first write to a clean page sets D, whatever was read before", async () => {
  const cpu = machine();
  await cpu.run(`mov esi, ${LINEAR}; mov ebx, [rsi]`);
  assert.equal(cpu.memory.read64(PTE) & 0x60n, 0x20n);
  await cpu.run(`mov esi, ${LINEAR}; mov ebx, [rsi]; mov [rsi], ebx`);
  assert.equal(cpu.memory.read64(PTE) & 0x60n, 0x60n);
  cpu.close();
});

test("STAC and CLAC open and close user pages to ring 0 at once", async () => {
  const cpu = machine();
  // Only the page under test is a user page.
  const supervisor = TEST_LAYOUT.pageTables + 0x2000;
  cpu.memory.write64(supervisor, cpu.memory.read64(supervisor) & ~4n);
  const smap = (state: { cr4: bigint }) => {
    state.cr4 |= 0x200000n;
  };
  const open = await cpu.run(`mov esi, ${LINEAR}; stac; mov ebx, [rsi]; mov edx, [rsi]; clac`, {}, smap);
  assert.equal(open.fault, null);
  assert.equal(open.registers.rdx, 0xaaaan);
  const closed = await cpu.run(`mov esi, ${LINEAR}; stac; mov ebx, [rsi]; clac; mov edx, [rsi]`, {}, smap);
  assert.equal(closed.fault?.vector, 14);
  assert.equal(closed.fault?.errorCode, 1);
  cpu.close();
});

test("an access across two pages changes nothing when the second one faults", async () => {
  const cpu = machine();
  const at = LINEAR + 0xffd;
  const write = await cpu.run(`mov esi, ${at}; mov dword ptr [rsi], 0x12345678`);
  assert.equal(write.fault?.vector, 14);
  assert.equal(write.fault?.address, BigInt(LINEAR + 0x1000));
  assert.equal(write.fault?.errorCode, 2);
  assert.equal(cpu.memory.read8(PAGE_A + 0xffd), 0);
  const read = await cpu.run(`mov esi, ${at}; mov eax, 5; mov eax, [rsi]`);
  assert.equal(read.fault?.errorCode, 0);
  assert.equal(read.registers.rax, 5n);
  // With the second page behind it, the bytes go to both.
  cpu.memory.write64(TABLE + 8, BigInt(PAGE_B + 0x5000) | 7n);
  const both = await cpu.run(
    `mov esi, ${at}; mov dword ptr [rsi], 0x12345678; mov eax, [rsi]; add dword ptr [rsi], 1; mov ebx, [rsi]`,
  );
  assert.equal(both.fault, null);
  assert.equal(both.registers.rax, 0x12345678n);
  assert.equal(both.registers.rbx, 0x12345679n);
  assert.equal(cpu.memory.read8(PAGE_A + 0xffd), 0x79);
  assert.equal(cpu.memory.read8(PAGE_B + 0x5000), 0x12);
  cpu.close();
});

test("code that is written is executed as written, also through another mapping and in the running block", async () => {
  const cpu = machine();
  cpu.memory.write64(TABLE, BigInt(TEST_LAYOUT.code) | 7n);
  // B8 imm32: the immediate of the MOV behind it is changed through the alias.
  const alias = await cpu.run(
    `mov esi, ${LINEAR}; mov byte ptr [rsi + target - ${TEST_LAYOUT.code} + 1], 7
    target: mov eax, 1`.replace("target: ", "\ntarget: "),
  );
  assert.equal(alias.fault, null);
  assert.equal(alias.registers.rax, 7n);
  const loop = await cpu.run(`xor ebx, ebx; mov ecx, 3
    again: mov eax, 1
    add ebx, eax
    inc byte ptr [rip + again + 1]
    dec ecx
    jnz again`);
  assert.equal(loop.registers.rbx, 1n + 2n + 3n);
  cpu.close();
});

test("data beside code stays writable", async () => {
  const cpu = machine();
  const word = TEST_LAYOUT.code + 0x800;
  const run = await cpu.run(`mov ecx, 1000; again: add dword ptr [${word}], 2; dec ecx; jnz again; mov eax, [${word}]`);
  assert.equal(run.registers.rax, 2000n);
  cpu.close();
});
