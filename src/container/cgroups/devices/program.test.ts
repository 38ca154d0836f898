import assert from "node:assert/strict";
import { test } from "node:test";
import { evaluateEbpf } from "../../../test-support/bpf/ebpf-evaluator.js";
import { Random } from "../../../test-support/random.js";
import type { DeviceRule } from "../../spec/config.js";
import { CgroupError } from "../errors.js";
import { deviceProgram } from "./program.js";
import { devicePolicy } from "./rules.js";

interface Request {
  type: "b" | "c";
  major: number;
  minor: number;
  access: string;
}

const KERNEL_ACCESS: Record<string, number> = { m: 1, r: 2, w: 4 };

/** Asks the program as the kernel does: struct bpf_cgroup_dev_ctx. */
function ask(program: Uint8Array, { type, major, minor, access }: Request): boolean {
  const context = new DataView(new ArrayBuffer(12));
  const bits = [...access].reduce((sum, letter) => sum | KERNEL_ACCESS[letter]!, 0);
  context.setUint32(0, (bits << 16) | (type === "b" ? 1 : 2), true);
  context.setUint32(4, major, true);
  context.setUint32(8, minor, true);
  return evaluateEbpf(program, new Uint8Array(context.buffer)) === 1n;
}

/** The rules read from the last to the first: the first that speaks of the device and the access decides. */
function lastRuleAllows(rules: readonly DeviceRule[], { type, major, minor, access }: Request): boolean {
  for (const rule of rules.toReversed()) {
    const kind = rule.type ?? "a";
    if (kind === "a") return rule.allow;
    if (kind !== type) continue;
    if (rule.major !== undefined && rule.major !== -1 && rule.major !== major) continue;
    if (rule.minor !== undefined && rule.minor !== -1 && rule.minor !== minor) continue;
    if (rule.access!.includes(access)) return rule.allow;
  }
  return false;
}

const DENY_ALL: DeviceRule = { allow: false, access: "rwm" };
const NULL: Request = { type: "c", major: 1, minor: 3, access: "rw" };

test("without rules, everything is denied", () => {
  assert.equal(ask(deviceProgram([]), NULL), false);
});

test("a container's usual rules: all denied, then a few devices allowed", () => {
  const program = deviceProgram([
    DENY_ALL,
    { allow: true, type: "c", access: "m" },
    { allow: true, type: "c", major: 1, minor: 3, access: "rwm" },
    { allow: true, type: "c", major: 136, access: "rw" },
  ]);
  assert.equal(ask(program, NULL), true);
  assert.equal(ask(program, { ...NULL, minor: 4 }), false);
  assert.equal(ask(program, { ...NULL, minor: 4, access: "m" }), true);
  assert.equal(ask(program, { ...NULL, type: "b" }), false);
  assert.equal(ask(program, { type: "c", major: 136, minor: 77, access: "rw" }), true);
  assert.equal(ask(program, { type: "c", major: 136, minor: 77, access: "rwm" }), false, "one rule must cover all");
});

test("a privileged container denies single devices, and any part of what is denied is denied", () => {
  const program = deviceProgram([
    { allow: true, access: "rwm" },
    { allow: false, type: "b", major: 8, access: "w" },
  ]);
  assert.equal(ask(program, { type: "b", major: 8, minor: 1, access: "r" }), true);
  assert.equal(ask(program, { type: "b", major: 8, minor: 1, access: "w" }), false);
  assert.equal(ask(program, { type: "b", major: 8, minor: 1, access: "rw" }), false);
});

test("numbers of 32 bits are compared whole", () => {
  const program = deviceProgram([{ allow: true, type: "c", major: 0xffff_ffff, minor: 0x8000_0000, access: "r" }]);
  assert.equal(ask(program, { type: "c", major: 0xffff_ffff, minor: 0x8000_0000, access: "r" }), true);
  assert.equal(ask(program, { type: "c", major: 0x7fff_ffff, minor: 0x8000_0000, access: "r" }), false);
});

test("the program does what the rules say, for random rules", () => {
  const random = new Random(6);
  const number = () => (random.chance(0.3) ? undefined : random.chance(0.1) ? -1 : random.int(3));
  let refused = 0;
  let asked = 0;
  for (let round = 0; round < 400; round++) {
    const rules: DeviceRule[] = Array.from({ length: random.int(8) }, () => ({
      allow: random.chance(0.6),
      type: random.chance(0.1) ? undefined : random.pick(["c", "b", "a", "c", "b"] as const),
      major: number(),
      minor: number(),
      access: random.pick(["r", "w", "m", "rw", "rm", "wm", "rwm"]),
    }));
    let program: Uint8Array;
    try {
      program = deviceProgram(rules);
    } catch (error) {
      assert.ok(error instanceof CgroupError && error.detail.includes("cut a hole"), String(error));
      refused++;
      continue;
    }
    const { defaultAllow, exceptions } = devicePolicy(rules);
    for (const type of ["b", "c"] as const) {
      for (let device = 0; device < 16; device++) {
        const request = { type, major: device >> 2, minor: device & 3 };
        const single = ["r", "w", "m"].filter((access) => {
          const expected = lastRuleAllows(rules, { ...request, access });
          assert.equal(ask(program, { ...request, access }), expected, `${JSON.stringify({ rules, request, access })}`);
          asked++;
          return expected;
        });
        const together = ask(program, { ...request, access: "rwm" });
        if (single.length < 3) assert.equal(together, false, "no part of what is allowed may be denied");
        const covering = exceptions.some(
          ({ type: kind, major, minor, access }) =>
            kind === type &&
            (major ?? request.major) === request.major &&
            (minor ?? request.minor) === request.minor &&
            access === 7,
        );
        if (!defaultAllow) assert.equal(together, covering);
        else assert.equal(together, single.length === 3);
      }
    }
  }
  assert.ok(refused > 10 && asked > 10_000, `${refused} refused, ${asked} asked`);
});

test("rules that would leave a device open without a word are refused", () => {
  const wildcard: DeviceRule = { allow: true, type: "c", major: 1, access: "rwm" };
  const cases: [DeviceRule[], RegExp][] = [
    [
      [DENY_ALL, wildcard, { allow: false, type: "c", major: 1, minor: 3, access: "w" }],
      /rule 2: c 1:3 w denied would cut a hole/,
    ],
    [[{ allow: true, type: "c", access: "rwx" }], /access "rwx"/],
    [[{ allow: true, type: "c", access: "" }], /access is empty/],
    [[{ allow: true, type: "p" as "c", access: "r" }], /type "p"/],
    [[{ allow: true, type: "c", major: 1.5, access: "r" }], /major is 1.5/],
    [[{ allow: true, type: "c", minor: 2 ** 32, access: "r" }], /minor is 4294967296/],
    [[{ allow: "yes" as unknown as boolean, access: "r" }], /allow is not true or false/],
  ];
  for (const [rules, message] of cases) {
    assert.throws(
      () => deviceProgram(rules),
      (error: unknown) => {
        assert.ok(error instanceof CgroupError);
        assert.match(error.message, message);
        assert.equal(error.problem, "invalid");
        return true;
      },
    );
  }
});
