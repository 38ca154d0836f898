import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { CAPABILITIES, capabilityMask, capabilityMasks, kernelCapabilities, ownCapabilities } from "./capabilities.js";

const ALL = (1n << 41n) - 1n;

describe("capabilities", () => {
  const header = "/usr/include/linux/capability.h";
  const skip = existsSync(header) ? false : `no ${header} (Debian's linux-libc-dev)`;

  it("have the kernel's bits", { skip }, () => {
    const defined = [...readFileSync(header, "utf8").matchAll(/^#define (CAP_\w+)\s+(\d+)$/gm)];
    assert.ok(defined.length >= 41);
    for (const [, name, bit] of defined) assert.equal(CAPABILITIES.indexOf(name!), Number(bit), name);
  });

  it("make a mask", () => {
    assert.equal(capabilityMask(["CAP_CHOWN", "CAP_KILL", "CAP_CHECKPOINT_RESTORE"]), 1n | (1n << 5n) | (1n << 40n));
    assert.throws(() => capabilityMask(["CAP_FLY"]), { code: "SPEC_INVALID", message: /"CAP_FLY"/ });
  });

  it("make the five sets", () => {
    const masks = capabilityMasks({ bounding: ["CAP_CHOWN", "CAP_KILL"], effective: ["CAP_KILL"] }, ALL);
    const none = { inheritable: 0n, permitted: 0n, ambient: 0n, ignored: [] };
    assert.deepEqual(masks, { bounding: 0x21n, effective: 0x20n, ...none });
  });

  it("leave out and name what cannot be granted", () => {
    const names = ["CAP_KILL", "CAP_FLY", "CAP_SYS_ADMIN", "cap_chown"];
    const masks = capabilityMasks({ permitted: names, ambient: ["CAP_FLY"] }, 0x3fn);
    assert.equal(masks.permitted, 0x20n);
    assert.equal(masks.ambient, 0n);
    assert.deepEqual(masks.ignored, ["CAP_FLY", "CAP_SYS_ADMIN", "cap_chown"]);
  });

  it("are read from the host", () => {
    const folder = mkdtempSync(join(tmpdir(), "ringvisor-capabilities-"));
    try {
      const file = join(folder, "file");
      writeFileSync(file, "40\n");
      assert.equal(kernelCapabilities(file), ALL);
      writeFileSync(file, "Name:\tnode\nCapInh:\t0\nCapPrm:\t000001fffeffffff\n");
      assert.equal(ownCapabilities(file), ALL & ~(1n << 24n));
      assert.throws(() => kernelCapabilities(file), { code: "UNSUPPORTED_BY_HOST" });
      writeFileSync(file, "");
      assert.throws(() => ownCapabilities(file), { code: "UNSUPPORTED_BY_HOST" });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
