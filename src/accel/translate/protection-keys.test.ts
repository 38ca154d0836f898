/** Protection keys of user and supervisor pages, and 5-level paging. SDM vol. 3A 4.5 and 4.6.2. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { testInterpreter } from "../../test-support/interpreter.js";
import { TEST_LAYOUT, TestCpu } from "../../test-support/test-cpu.js";
import type { VcpuState } from "../../vcpu/state.js";

const accelerator = await testInterpreter();

const CR0_WP = 1n << 16n;
const CR4_LA57 = 1n << 12n;
const CR4_PKE = 1n << 22n;
const CR4_PKS = 1n << 24n;
const PKRS = 0x6e1;
const USER_PAGE = 0x40000;
const SUPERVISOR_PAGE = 0x41000;
const KEY = 5;
const ACCESS_DISABLED = 1 << (KEY * 2);
const WRITE_DISABLED = 2 << (KEY * 2);
const PAGE_FAULT = 14;
const GENERAL_PROTECTION = 13;
const INVALID_OPCODE = 6;

/** Low memory in 4 KiB pages for all, and two pages with key 5. */
function keyedCpu(ring: 0 | 3): TestCpu {
  const cpu = new TestCpu({ accelerator, mode: "long", ring, model: "max" });
  const table = 0x22000;
  for (let page = 0; page < 256; page++) {
    const key = page << 12 === USER_PAGE || page << 12 === SUPERVISOR_PAGE ? BigInt(KEY) << 59n : 0n;
    cpu.memory.write64(table + page * 8, BigInt(page << 12) | key | (page << 12 === SUPERVISOR_PAGE ? 3n : 7n));
  }
  cpu.memory.write64(TEST_LAYOUT.pageTables + 0x2000, BigInt(table) | 7n);
  return cpu;
}

interface Rights {
  pkru?: number;
  pkrs?: number;
  wp?: boolean;
}

function withRights({ pkru = 0, pkrs = 0, wp = true }: Rights) {
  return (state: VcpuState) => {
    state.cr0 = wp ? state.cr0 | CR0_WP : state.cr0 & ~CR0_WP;
    state.cr4 |= CR4_PKE | CR4_PKS;
    state.pkru = pkru;
    state.msrs[PKRS] = BigInt(pkrs);
  };
}

const READ_USER = `mov eax, dword ptr [${USER_PAGE}]`;
const WRITE_USER = `mov dword ptr [${USER_PAGE}], eax`;
const READ_SUPERVISOR = `mov eax, dword ptr [${SUPERVISOR_PAGE}]`;
const WRITE_SUPERVISOR = `mov dword ptr [${SUPERVISOR_PAGE}], eax`;

const CASES: [name: string, ring: 0 | 3, program: string, rights: Rights, error: number | null][] = [
  ["a user reads what is access-disabled", 3, READ_USER, { pkru: ACCESS_DISABLED }, 0x25],
  ["a user writes what is write-disabled", 3, WRITE_USER, { pkru: WRITE_DISABLED }, 0x27],
  ["a user writes what is write-disabled, without CR0.WP", 3, WRITE_USER, { pkru: WRITE_DISABLED, wp: false }, 0x27],
  ["a user reads what is write-disabled", 3, READ_USER, { pkru: WRITE_DISABLED }, null],
  ["a user is held by the tables first", 3, READ_SUPERVISOR, { pkru: ACCESS_DISABLED, pkrs: ACCESS_DISABLED }, 5],
  ["the supervisor reads a user's access-disabled page", 0, READ_USER, { pkru: ACCESS_DISABLED }, 0x21],
  ["the supervisor writes a user's write-disabled page", 0, WRITE_USER, { pkru: WRITE_DISABLED }, 0x23],
  ["the same without CR0.WP", 0, WRITE_USER, { pkru: WRITE_DISABLED, wp: false }, null],
  ["PKRU is nothing to supervisor pages", 0, WRITE_SUPERVISOR, { pkru: ACCESS_DISABLED }, null],
  ["PKRS is nothing to user pages", 0, WRITE_USER, { pkrs: ACCESS_DISABLED }, null],
  ["the supervisor reads what PKRS disables", 0, READ_SUPERVISOR, { pkrs: ACCESS_DISABLED }, 0x21],
  ["the supervisor writes what PKRS write-disables", 0, WRITE_SUPERVISOR, { pkrs: WRITE_DISABLED }, 0x23],
  ["the same without CR0.WP", 0, WRITE_SUPERVISOR, { pkrs: WRITE_DISABLED, wp: false }, null],
  ["another key's rights", 3, WRITE_USER, { pkru: ~(ACCESS_DISABLED | WRITE_DISABLED | 3) >>> 0 }, null],
];

for (const [name, ring, program, rights, error] of CASES) {
  test(`protection keys: ${name}: ${error === null ? "allowed" : `#PF ${error.toString(16)}`}`, async () => {
    const cpu = keyedCpu(ring);
    const { fault } = await cpu.run(program, {}, withRights(rights));
    assert.equal(fault?.vector ?? null, error === null ? null : PAGE_FAULT);
    assert.equal(fault?.errorCode ?? null, error);
    cpu.close();
  });
}

test("WRPKRU and WRMSR of PKRS act on pages that the TLB knows", async () => {
  const user = keyedCpu(3);
  const program = `mov eax, [${USER_PAGE}]; xor ecx, ecx; xor edx, edx; mov eax, ${ACCESS_DISABLED}; wrpkru; rdpkru; mov ebx, eax`;
  const run = await user.run(`${program}; mov eax, [${USER_PAGE}]`, {}, withRights({}));
  assert.deepEqual([run.fault?.vector, run.fault?.errorCode], [PAGE_FAULT, 0x25]);
  assert.equal(run.registers.rbx, BigInt(ACCESS_DISABLED));
  assert.equal(user.vcpu.getState().pkru, ACCESS_DISABLED);
  user.close();

  const supervisor = keyedCpu(0);
  const write = `mov ecx, ${PKRS}; xor edx, edx; mov eax, ${WRITE_DISABLED}; wrmsr`;
  const result = await supervisor.run(`${WRITE_SUPERVISOR}; ${write}; ${WRITE_SUPERVISOR}`, {}, withRights({}));
  assert.deepEqual([result.fault?.vector, result.fault?.errorCode], [PAGE_FAULT, 0x23]);
  supervisor.close();
});

test("RDPKRU and WRPKRU: #UD without CR4.PKE, #GP for ECX or EDX", async () => {
  const cpu = keyedCpu(3);
  const fault = async (program: string, enabled: boolean, registers = {}) =>
    (await cpu.run(program, registers, enabled ? withRights({}) : undefined)).fault?.vector;
  assert.equal(await fault("rdpkru", false), INVALID_OPCODE);
  assert.equal(await fault("wrpkru", false), INVALID_OPCODE);
  assert.equal(await fault("rdpkru", true, { rcx: 1n, rdx: 1n }), GENERAL_PROTECTION);
  assert.equal(await fault("rdpkru", true, { rcx: 1n << 32n, rdx: 1n }), undefined);
  assert.equal(await fault("wrpkru", true, { rcx: 1n, rdx: 0n }), GENERAL_PROTECTION);
  assert.equal(await fault("wrpkru", true, { rcx: 0n, rdx: 1n }), GENERAL_PROTECTION);
  cpu.close();
});

test("CPUID shows OSPKE where CR4.PKE is set", async () => {
  const cpu = keyedCpu(0);
  const ospke = async (state: (state: VcpuState) => void) =>
    Number((await cpu.run("mov eax, 7; xor ecx, ecx; cpuid", {}, state)).registers.rcx >> 4n) & 1;
  assert.equal(await ospke(() => {}), 0);
  assert.equal(await ospke(withRights({})), 1);
  cpu.close();
});

// ---- 5-level paging.

/** A root table above the test environment's, which maps its own lowest 512 GiB and an entry of choice. */
function fiveLevels(ring: 0 | 3 = 0): TestCpu {
  const cpu = new TestCpu({ accelerator, mode: "long", ring, model: "max" });
  cpu.memory.write64(0x20000, BigInt(TEST_LAYOUT.pageTables) | 7n);
  cpu.memory.write64(0x20000 + 0x0a5 * 8, BigInt(TEST_LAYOUT.pageTables) | 7n);
  return cpu;
}

const enableLa57 = (state: VcpuState) => {
  state.cr4 |= CR4_LA57;
  state.cr3 = 0x20000n;
};
const FAR = 0xa5n << 48n; // canonical in 57 bits, not in 48

test("5-level paging translates 57 bits and sets A in the fifth level", async () => {
  const cpu = fiveLevels();
  cpu.memory.write64(0x50000, 0x1234n);
  const { fault, registers } = await cpu.run("mov rax, [rbx]", { rbx: FAR + 0x50000n }, enableLa57);
  assert.equal(fault, null);
  assert.equal(registers.rax, 0x1234n);
  assert.equal((cpu.memory.read64(0x20000 + 0xa5 * 8) >> 5n) & 1n, 1n);
  const other = await cpu.run("mov rax, [rbx]", { rbx: 0xa6n << 48n }, enableLa57);
  assert.deepEqual([other.fault?.vector, other.fault?.errorCode], [PAGE_FAULT, 0]);
  const beyond = await cpu.run("mov rax, [rbx]", { rbx: 1n << 56n }, enableLa57);
  assert.equal(beyond.fault?.vector, GENERAL_PROTECTION);
  const four = await cpu.run("mov rax, [rbx]", { rbx: FAR + 0x50000n });
  assert.equal(four.fault?.vector, GENERAL_PROTECTION);
  cpu.close();
});

test("bases are canonical in 57 bits whatever CR4.LA57 says", async () => {
  for (const [model, expected] of [
    ["max", null],
    ["max,-la57", GENERAL_PROTECTION],
  ] as const) {
    const cpu = new TestCpu({ accelerator, mode: "long", ring: 0, model });
    const write = "mov ecx, 0xc0000102; mov eax, 0; mov edx, 0x00a50000; wrmsr";
    assert.equal((await cpu.run(write)).fault?.vector ?? null, expected, model);
    cpu.close();
  }
});

test("CR4.LA57 does not change in long mode", async () => {
  const cpu = new TestCpu({ accelerator, mode: "long", ring: 0, model: "max" });
  const { fault } = await cpu.run("mov rax, cr4; or eax, 0x1000; mov cr4, rax");
  assert.equal(fault?.vector, GENERAL_PROTECTION);
  cpu.close();
});
