import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { SYSCALLS, X32_SYSCALL_BIT } from "./syscalls.js";

describe("the system call tables", () => {
  const folder = ["/usr/include/x86_64-linux-gnu/asm", "/usr/include/asm"].find((one) =>
    existsSync(`${one}/unistd_x32.h`),
  );
  const skip = folder === undefined ? "no headers of an x86 kernel (Debian's linux-libc-dev)" : false;

  for (const [abi, header] of [
    ["x86_64", "unistd_64.h"],
    ["i386", "unistd_32.h"],
    ["x32", "unistd_x32.h"],
  ] as const) {
    it(`agree with the kernel's headers: ${abi}`, { skip }, () => {
      const text = readFileSync(`${folder}/${header}`, "utf8");
      const defined = [...text.matchAll(/^#define __NR_(\w+) (?:(\d+)|\(__X32_SYSCALL_BIT \+ (\d+)\))$/gm)];
      assert.ok(defined.length > 300);
      for (const [, name, plain, x32] of defined) {
        const number = x32 === undefined ? Number(plain) : X32_SYSCALL_BIT + Number(x32);
        const ours = SYSCALLS[abi].get(name!);
        // A header may be newer than the tables; what they have is right.
        if (ours !== undefined || number % X32_SYSCALL_BIT < 470) assert.equal(ours, number, name);
      }
    });
  }

  it("have what became common to all ABIs under one number", () => {
    for (const abi of ["x86_64", "i386"] as const) {
      assert.equal(SYSCALLS[abi].get("clone3"), 435);
      assert.equal(SYSCALLS[abi].get("file_setattr"), 469);
    }
    assert.equal(SYSCALLS.x32.get("file_setattr"), X32_SYSCALL_BIT + 469);
  });
});
