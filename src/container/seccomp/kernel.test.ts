/** The host's kernel takes the filters and does what the evaluator says. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Random } from "../../test-support/random.js";
import type { LinuxSeccomp } from "../spec/seccomp.js";
import { loadFilter, runFilter, type SeccompData } from "../testing/bpf-evaluator.js";
import { AUDIT_ARCH, compileSeccomp } from "./compile.js";
import { SYSCALLS } from "./syscalls.js";

/**
 * Installs the filter of the file argv[1] with flags argv[2], then reads calls (ABI, number, six arguments) and
 * prints for each "return errno" as the caller sees it. ABI 3 is i386, by its own gate.
 */
const CALLER = `
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char **argv) {
  static struct sock_filter filter[4096];
  FILE *file = fopen(argv[1], "rb");
  struct sock_fprog program = {fread(filter, 8, 4096, file), filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return 2;
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, strtoul(argv[2], 0, 0), &program)) { perror("seccomp"); return 3; }
  unsigned long abi, nr, a[6];
  while (scanf("%lu %lu %lu %lu %lu %lu %lu %lu", &abi, &nr, a, a + 1, a + 2, a + 3, a + 4, a + 5) == 8) {
    long result;
    if (abi == 3) {
      int low;
      __asm__ volatile("int $0x80" : "=a"(low) : "0"((int)nr), "b"((int)a[0]), "c"((int)a[1]), "d"((int)a[2]),
                       "S"((int)a[3]), "D"((int)a[4]) : "memory", "r8", "r9", "r10", "r11");
      result = low;
    } else {
      register long r10 __asm__("r10") = a[3], r8 __asm__("r8") = a[4], r9 __asm__("r9") = a[5];
      __asm__ volatile("syscall" : "=a"(result) : "0"(nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                       : "rcx", "r11", "memory");
    }
    printf("%ld\\n", result < 0 && result > -4096 ? -result : 0);
  }
  return 0;
}
`;

const ERRNO = 0x50000;
const GETPID_32 = { arch: AUDIT_ARCH.I386, nr: 20, args: [0n, 0n, 0n, 0n, 0n, 0n] };
const LINUX_X64 = process.platform === "linux" && process.arch === "x64";

describe("the kernel", { skip: LINUX_X64 ? false : "not Linux on x86-64" }, () => {
  const folder = mkdtempSync(join(tmpdir(), "ringvisor-seccomp-"));
  after(() => rmSync(folder, { recursive: true }));
  let missing: string | undefined;
  before(() => {
    writeFileSync(join(folder, "caller.c"), CALLER);
    try {
      execFileSync("gcc", ["-O1", "-o", join(folder, "caller"), join(folder, "caller.c")]);
    } catch (error) {
      if ((error as { code?: string }).code !== "ENOENT") throw error;
      missing = "no gcc";
    }
  });

  /** The errno of each call, 0 for none. */
  function call(profile: LinuxSeccomp, calls: readonly SeccompData[]): { errnos: number[]; expected: number[] } {
    const { program, flags } = compileSeccomp(profile, "x64");
    writeFileSync(join(folder, "filter"), program);
    const input = calls.map(({ arch, nr, args }) => [arch === AUDIT_ARCH.I386 ? 3 : 0, nr, ...args].join(" "));
    const output = execFileSync(join(folder, "caller"), [join(folder, "filter"), `${flags}`], {
      input: `${input.join("\n")}\n`,
      encoding: "utf8",
    });
    const loaded = loadFilter(program);
    return {
      errnos: output.trim().split("\n").map(Number),
      expected: calls.map((data) => {
        const { value } = runFilter(loaded, data);
        return value >= ERRNO && value < ERRNO + 4096 ? value - ERRNO : 0;
      }),
    };
  }

  /** getpid takes any arguments and does nothing: a filter's conditions can be tried on it. */
  const profile = (random: Random): LinuxSeccomp => ({
    defaultAction: "SCMP_ACT_ALLOW",
    architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
    flags: ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"],
    syscalls: ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"].map((name, index) => ({
      names: ["getpid"],
      action: "SCMP_ACT_ERRNO",
      errnoRet: 100 + index,
      args: [0, 1].map((arg) => ({
        index: (index + arg) % 5,
        op: `SCMP_CMP_${name}`,
        value: (BigInt(random.int(4)) << 32n) | BigInt(random.int(4)),
        valueTwo: 1n,
      })),
    })),
  });

  /** Kernels may be built or booted without 32-bit emulation. */
  function has32Bit(): boolean {
    const all = { defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86"] };
    try {
      call(all, [GETPID_32]);
      return true;
    } catch (error) {
      assert.equal((error as { signal?: string }).signal, "SIGSEGV");
      return false;
    }
  }

  it("takes the filters and compares as the evaluator does, on x86-64 and i386", (test) => {
    if (missing !== undefined) return test.skip(missing);
    const random = new Random(1);
    const mixed = has32Bit();
    for (let round = 0; round < 10; round++) {
      const calls = Array.from({ length: 200 }, (_, index): SeccompData => {
        const i386 = mixed && index % 4 === 0;
        const args = Array.from({ length: 6 }, () => (BigInt(i386 ? 0 : random.int(4)) << 32n) | BigInt(random.int(4)));
        const nr = SYSCALLS[i386 ? "i386" : "x86_64"].get("getpid")!;
        return { arch: i386 ? AUDIT_ARCH.I386 : AUDIT_ARCH.X86_64, nr, args: i386 ? [...args.slice(0, 5), 0n] : args };
      });
      const { errnos, expected } = call(profile(random), calls);
      assert.deepEqual(errnos, expected);
      assert.ok(expected.includes(0) && expected.some((errno) => errno >= 100));
    }
  });

  it("ends the caller for an ABI that is not listed", (test) => {
    if (missing !== undefined) return test.skip(missing);
    if (!has32Bit()) return test.skip("no 32-bit emulation in this kernel");
    const x64Only = { defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"] };
    assert.throws(() => call(x64Only, [GETPID_32]), { signal: "SIGSYS" });
  });
});
