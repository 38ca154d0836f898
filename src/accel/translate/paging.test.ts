/** Paging against a model written from the SDM's tables (vol. 3A chapter 4): permissions, error codes, A and D bits. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { testInterpreter } from "../../test-support/interpreter.js";
import { Random } from "../../test-support/random.js";
import { TEST_LAYOUT, TestCpu } from "../../test-support/test-cpu.js";

const accelerator = await testInterpreter();

// The address under test has a page directory, a page table and a page of its own.
const LINEAR = 0x4000_0000;
const DIRECTORY = 0x20000;
const TABLE = 0x21000;
const PAGE = 0x30000;
// Identity of the lowest pages: the program's are its ring's, the rest are supervisor pages, so that SMEP and SMAP hold.
const LOW_TABLE = 0x22000;

const P = 1n;
const RW = 2n;
const US = 4n;
const A = 0x20n;
const D = 0x40n;
const PS = 0x80n;
const NX = 1n << 63n;
const BIT_51 = 1n << 51n; // above MAXPHYADDR

const CR0_WP = 1n << 16n;
const CR4_SMEP = 1n << 20n;
const CR4_SMAP = 1n << 21n;
const EFER_NXE = 1n << 11n;
const FLAG_AC = 1n << 18n;

type Access = "read" | "write" | "fetch";
const PROGRAMS: Record<Access, string> = {
  read: "mov bl, byte ptr [eax]",
  write: "mov byte ptr [eax], bl",
  fetch: "call rax",
};

interface Case {
  paging: "32-bit" | "pae" | "long";
  ring: 0 | 3;
  access: Access;
  pde: bigint;
  /** Not used when the PDE maps a large page. */
  pte: bigint;
  wp: boolean;
  smep: boolean;
  smap: boolean;
  ac: boolean;
  nxe: boolean;
}

/** The #PF's error code, or null where the access is allowed. */
function expected(c: Case): number | null {
  const user = c.ring === 3;
  const wide = c.paging !== "32-bit";
  const nx = c.nxe && wide;
  const base = (c.access === "write" ? 2 : 0) | (user ? 4 : 0) | (c.access === "fetch" && (nx || c.smep) ? 16 : 0);
  const large = (c.pde & PS) !== 0n;
  const entries = large ? [c.pde] : [c.pde, c.pte];
  for (const entry of entries) {
    if ((entry & P) === 0n) return base;
    const reserved = wide ? (entry & BIT_51) !== 0n || (!nx && (entry & NX) !== 0n) : false;
    const misaligned = large && (entry & (wide ? 0x1fe000n : 0x200000n)) !== 0n;
    if (reserved || misaligned) return base | 9;
  }
  const all = (bit: bigint) => entries.every((entry) => (entry & bit) !== 0n);
  const noExecute = nx && entries.some((entry) => (entry & NX) !== 0n);
  let allowed: boolean;
  if (user) {
    allowed = all(US) && (c.access !== "write" || all(RW)) && !(c.access === "fetch" && noExecute);
  } else if (c.access === "fetch") {
    allowed = !noExecute && !(c.smep && all(US));
  } else {
    allowed = !(c.smap && all(US) && !c.ac) && (c.access === "read" || all(RW) || !c.wp);
  }
  return allowed ? null : base | 1;
}

function randomCase(random: Random, paging: Case["paging"]): Case {
  const often = () => random.int(8) !== 0;
  const coin = () => random.int(2) === 1;
  const bits = (): bigint => {
    let entry = 0n;
    if (often()) entry |= P;
    if (random.int(4) !== 0) entry |= RW;
    if (coin()) entry |= US;
    if (paging !== "32-bit" && random.int(4) === 0) entry |= NX;
    if (paging !== "32-bit" && random.int(12) === 0) entry |= BIT_51;
    return entry;
  };
  let pde = bits();
  if (random.int(3) === 0) {
    pde |= PS;
    if (random.int(8) === 0) pde |= paging === "32-bit" ? 0x200000n : 0x2000n;
  }
  return {
    paging,
    ring: coin() ? 0 : 3,
    access: (["read", "write", "fetch"] as const)[random.int(3)]!,
    pde,
    pte: bits(),
    wp: coin(),
    smep: coin(),
    smap: coin(),
    ac: coin(),
    nxe: coin(),
  };
}

function show(c: Case): string {
  const flags = (["wp", "smep", "smap", "ac", "nxe"] as const).filter((name) => c[name]);
  return `${c.paging} ring ${c.ring} ${c.access} pde ${c.pde.toString(16)} pte ${c.pte.toString(16)} ${flags.join(" ")}`;
}

test("4 MiB pages have as many address bits as the processor, up to 40", async () => {
  for (const [model, bit, wanted] of [
    ["pentium3", 13, null], // address bit 32
    ["pentium3", 16, null], // address bit 35
    ["pentium3", 17, 9], // MAXPHYADDR is 36
    ["pentium3,-pse36", 13, 9],
    ["default", 20, null],
    ["default", 21, 9],
  ] as const) {
    const cpu = new TestCpu({ accelerator, mode: "protected", paging: "32-bit", model });
    cpu.memory.write32(TEST_LAYOUT.pageTables + (LINEAR >>> 22) * 4, Number(P | RW | US | PS) | (1 << bit));
    const { fault } = await cpu.run("mov bl, byte ptr [eax]", { rax: BigInt(LINEAR) });
    assert.equal(fault?.errorCode ?? null, wanted, `${model}, bit ${bit}`);
    cpu.close();
  }
});

for (const paging of ["long", "pae", "32-bit"] as const) {
  test(`permissions, error codes and A and D bits of ${paging} paging`, async () => {
    const random = new Random(0x5eed);
    const mode = paging === "long" ? "long" : "protected";
    for (const ring of [0, 3] as const) {
      const options = { accelerator, mode, ring } as const;
      const cpu = new TestCpu(paging === "long" ? options : { ...options, paging });
      const { memory } = cpu;
      const wide = paging !== "32-bit";
      const put = (table: number, index: number, entry: bigint) => {
        if (wide) memory.write64(table + index * 8, entry);
        else memory.write32(table + index * 4, Number(entry));
      };
      const get = (table: number, index: number) =>
        wide ? memory.read64(table + index * 8) : BigInt(memory.read32(table + index * 4));
      const root = TEST_LAYOUT.pageTables;
      const directory = wide ? DIRECTORY : root;
      const directoryIndex = wide ? 0 : LINEAR >>> 22;
      if (paging === "long") put(root + 0x1000, 1, BigInt(DIRECTORY) | P | RW | US);
      if (paging === "pae") put(root, 1, BigInt(DIRECTORY) | P);
      for (let page = 0; page < 256; page++) {
        const own = ring === 3 && page >= TEST_LAYOUT.code >> 12 && page < TEST_LAYOUT.stackTop >> 12;
        put(LOW_TABLE, page, BigInt(page << 12) | P | RW | (own ? US : 0n));
      }
      put(
        paging === "long" ? root + 0x2000 : paging === "pae" ? root + 0x1000 : root,
        0,
        BigInt(LOW_TABLE) | P | RW | US,
      );
      memory.write(PAGE, Uint8Array.of(0xc3));
      for (let count = 0; count < 350; count++) {
        const c = { ...randomCase(random, paging), ring };
        const large = (c.pde & PS) !== 0n;
        put(directory, directoryIndex, c.pde | (large ? 0n : BigInt(TABLE)));
        put(TABLE, 0, c.pte | BigInt(PAGE));
        if (large) put(TABLE, 0, 0n);
        // A large page begins at physical 0.
        const address = large ? LINEAR + PAGE : LINEAR;
        const program = c.access === "fetch" && mode === "protected" ? "call eax" : PROGRAMS[c.access];
        const source = mode === "long" ? program.replace("[eax]", "[rax]") : program;
        const run = await cpu.run(
          source,
          { rax: BigInt(address), rbx: 0xc3n, rflags: c.ac ? 2n | FLAG_AC : 2n },
          (state) => {
            state.cr0 = c.wp ? state.cr0 | CR0_WP : state.cr0 & ~CR0_WP;
            if (c.smep) state.cr4 |= CR4_SMEP;
            if (c.smap) state.cr4 |= CR4_SMAP;
            const efer = state.msrs[0xc0000080] ?? 0n;
            state.msrs[0xc0000080] = c.nxe ? efer | EFER_NXE : efer & ~EFER_NXE;
          },
        );
        const error = expected(c);
        const got =
          run.fault === null ? null : run.fault.vector === 14 ? run.fault.errorCode : `vector ${run.fault.vector}`;
        assert.equal(got, error, show(c));
        const leaf = large ? get(directory, directoryIndex) : get(TABLE, 0);
        if (error === null) {
          assert.equal((leaf & A) !== 0n, true, `accessed: ${show(c)}`);
          assert.equal((leaf & D) !== 0n, c.access === "write", `dirty: ${show(c)}`);
          assert.equal((get(directory, directoryIndex) & A) !== 0n, true, `directory accessed: ${show(c)}`);
        } else {
          assert.equal(leaf & (A | D), 0n, `untouched: ${show(c)}`);
          assert.equal(run.fault?.address, BigInt(address), `CR2: ${show(c)}`);
        }
      }
      cpu.close();
    }
  });
}
