import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { Random } from "../../test-support/random.js";
import type { LinuxSeccomp, LinuxSeccompArg, LinuxSyscall } from "../spec/seccomp.js";
import { loadFilter, runFilter } from "../testing/bpf-evaluator.js";
import { meaning } from "../testing/seccomp-by-the-spec.js";
import { AUDIT_ARCH, compileSeccomp, FILTER_FLAG } from "./compile.js";
import { SYSCALLS } from "./syscalls.js";

const ALLOW = 0x7fff0000;
const KILL_THREAD = 0;
const errno = (value: number) => 0x50000 + value;
const EPERM = errno(1);
const ENOSYS = errno(38);
const NO_ARGS = [0n, 0n, 0n, 0n, 0n, 0n];
const ALL_ARCHITECTURES = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"];

const ARCH_OF = { x86_64: AUDIT_ARCH.X86_64, i386: AUDIT_ARCH.I386, x32: AUDIT_ARCH.X86_64 };

/** What a profile's filter returns for calls by name, in an ABI. */
function filter(profile: LinuxSeccomp, abi: keyof typeof SYSCALLS = "x86_64") {
  const program = loadFilter(compileSeccomp(profile, "x64").program);
  return (name: string | number, ...args: bigint[]) => {
    const nr = typeof name === "number" ? name : SYSCALLS[abi].get(name);
    assert.ok(nr !== undefined, `${abi} has no ${name}`);
    return runFilter(program, { arch: ARCH_OF[abi], nr, args: [...args, ...NO_ARGS].slice(0, 6) }).value;
  };
}

function allowing(syscalls: LinuxSyscall[], more: Partial<LinuxSeccomp> = {}): LinuxSeccomp {
  return { defaultAction: "SCMP_ACT_ERRNO", architectures: ALL_ARCHITECTURES, syscalls, ...more };
}

const allow = (names: string[], ...args: LinuxSeccompArg[]): LinuxSyscall => ({
  names,
  action: "SCMP_ACT_ALLOW",
  args,
});

describe("a seccomp filter", () => {
  it("returns the rule's action for a call that is named, else the default", () => {
    const call = filter(allowing([allow(["read", "exit_group"])]));
    assert.equal(call("read"), ALLOW);
    assert.equal(call("exit_group"), ALLOW);
    assert.equal(call("write"), EPERM);
  });

  it("has every action", () => {
    for (const [action, value] of [
      ["SCMP_ACT_KILL", 0],
      ["SCMP_ACT_KILL_THREAD", 0],
      ["SCMP_ACT_KILL_PROCESS", 0x80000000],
      ["SCMP_ACT_TRAP", 0x30000],
      ["SCMP_ACT_ERRNO", EPERM],
      ["SCMP_ACT_TRACE", 0x7ff00001],
      ["SCMP_ACT_LOG", 0x7ffc0000],
      ["SCMP_ACT_NOTIFY", 0x7fc00000],
    ] as const) {
      const call = filter({
        defaultAction: "SCMP_ACT_ALLOW",
        listenerPath: "/run/agent.sock",
        syscalls: [{ names: ["read"], action }],
      });
      assert.equal(call("read"), value, action);
      assert.equal(call("write"), ALLOW);
    }
  });

  it("returns the errno that is asked for", () => {
    const call = filter({
      defaultAction: "SCMP_ACT_ERRNO",
      defaultErrnoRet: 13,
      syscalls: [
        { names: ["read"], action: "SCMP_ACT_ERRNO", errnoRet: 22 },
        { names: ["write"], action: "SCMP_ACT_TRACE", errnoRet: 700 },
        allow(["vmsplice"]),
      ],
    });
    assert.equal(call("read"), errno(22));
    assert.equal(call("write"), 0x7ff00000 + 700);
    assert.equal(call("open"), errno(13));
  });

  it("skips names that the ABI does not have", () => {
    const call = filter(allowing([allow(["read", "not_a_call", "socketcall"])]));
    assert.equal(call("read"), ALLOW);
  });

  it("knows the ABIs apart", () => {
    const profile = allowing([allow(["readv", "set_mempolicy_home_node"])]);
    assert.equal(filter(profile, "x86_64")("readv"), ALLOW);
    assert.equal(filter(profile, "i386")("readv"), ALLOW);
    assert.equal(filter(profile, "x32")("readv"), ALLOW);
    // The number of x86-64's readv is another call on i386, and none on x32.
    assert.equal(filter(profile, "i386")(19), EPERM);
    assert.equal(filter(profile, "x32")(0x40000000 + 19), EPERM);
  });

  it("ends threads that call in an ABI that the profile does not list", () => {
    const profile = allowing([allow(["read"])], { architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"] });
    assert.equal(filter(profile, "x86_64")("read"), ALLOW);
    assert.equal(filter(profile, "i386")("read"), KILL_THREAD);
    assert.equal(filter(profile, "x32")("read"), KILL_THREAD);
    const program = loadFilter(compileSeccomp(profile, "x64").program);
    assert.equal(runFilter(program, { arch: 0xc00000b7, nr: 63, args: NO_ARGS }).value, KILL_THREAD);
  });

  it("gives a call that a tracer skipped (number -1) the default", () => {
    assert.equal(filter(allowing([allow(["read"])], { architectures: [] }))(0xffffffff), EPERM);
  });

  it("answers ENOSYS for calls newer than those of the profile, unless it lets unnamed calls through", () => {
    const syscalls = [allow(["read", "openat2"])];
    for (const abi of ["x86_64", "i386", "x32"] as const) {
      const call = filter(allowing(syscalls), abi);
      assert.equal(call("openat2"), ALLOW);
      assert.equal(call("close_range"), EPERM);
      assert.equal(call("pidfd_getfd"), ENOSYS);
      assert.equal(call("cachestat"), ENOSYS);
    }
    const call = filter({ defaultAction: "SCMP_ACT_KILL_PROCESS", syscalls });
    assert.equal(call("cachestat"), ENOSYS);
    for (const defaultAction of ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"]) {
      const deny = [{ names: ["read"], action: "SCMP_ACT_ERRNO" }];
      assert.notEqual(filter({ defaultAction, syscalls: deny })("cachestat"), ENOSYS);
    }
  });

  it("counts names whose rules change nothing among those that the profile knows", () => {
    const call = filter(allowing([allow(["read"]), { names: ["cachestat"], action: "SCMP_ACT_ERRNO" }]));
    assert.equal(call("cachestat"), EPERM);
    assert.equal(call("fchmodat2"), ENOSYS);
  });

  it("lets the last rule without conditions decide, and else the first whose conditions hold", () => {
    const five = { index: 0, value: 5, op: "SCMP_CMP_EQ" };
    const deny = { names: ["read"], action: "SCMP_ACT_ERRNO", errnoRet: 5 };
    assert.equal(filter(allowing([allow(["read"]), deny]))("read"), errno(5));
    assert.equal(filter(allowing([deny, allow(["read"], five)]))("read", 5n), errno(5));
    const call = filter(allowing([allow(["read"], five), { ...deny, args: [{ ...five, op: "SCMP_CMP_GE" }] }]));
    assert.equal(call("read", 5n), ALLOW);
    assert.equal(call("read", 6n), errno(5));
    assert.equal(call("read", 4n), EPERM);
  });

  it("wants all conditions, but any of them if two are on the same argument", () => {
    const at = (index: number, value: number) => ({ index, value, op: "SCMP_CMP_EQ" });
    const both = filter(allowing([allow(["read"], at(0, 1), at(1, 2))]));
    assert.equal(both("read", 1n, 2n), ALLOW);
    assert.equal(both("read", 1n, 3n), EPERM);
    const any = filter(allowing([allow(["read"], at(0, 1), at(0, 2))]));
    assert.equal(any("read", 1n), ALLOW);
    assert.equal(any("read", 2n), ALLOW);
    assert.equal(any("read", 3n), EPERM);
  });

  it("compares 64 bits, and the low 32 on i386 and x32", () => {
    const rule = allow(["pwritev2"], { index: 2, value: 0x1_0000_0002, op: "SCMP_CMP_EQ" });
    const call = filter(allowing([rule]));
    assert.equal(call("pwritev2", 0n, 0n, 0x1_0000_0002n), ALLOW);
    assert.equal(call("pwritev2", 0n, 0n, 2n), EPERM);
    assert.equal(filter(allowing([rule]), "i386")("pwritev2", 0n, 0n, 2n), ALLOW);
    assert.equal(filter(allowing([rule]), "x32")("pwritev2", 0n, 0n, 2n), ALLOW);
  });

  it("finds i386's socket and IPC calls behind socketcall and ipc", () => {
    const call = filter(allowing([allow(["socket", "semop", "read"])]), "i386");
    assert.equal(call("socketcall", 1n), ALLOW);
    assert.equal(call("socketcall", 2n), EPERM);
    assert.equal(call("ipc", 1n), ALLOW);
    assert.equal(call("ipc", 2n), EPERM);
    assert.equal(call("socket"), ALLOW);
    assert.equal(filter(allowing([allow(["read", "semop"])]), "i386")("ipc", 1n), ALLOW);
  });

  it("cannot see arguments behind socketcall: there it forbids more and permits nothing", () => {
    const inet = { index: 0, value: 2, op: "SCMP_CMP_EQ" };
    assert.equal(filter(allowing([allow(["socket"], inet)]), "i386")("socketcall", 1n), EPERM);
    const denying = { defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86"] };
    const call = filter(
      { ...denying, syscalls: [{ names: ["socket"], action: "SCMP_ACT_ERRNO", args: [inet] }] },
      "i386",
    );
    assert.equal(call("socketcall", 1n), EPERM);
    assert.equal(call("socketcall", 2n), ALLOW);
    assert.equal(call("socket", 2n), EPERM);
    assert.equal(call("socket", 1n), ALLOW);
  });
});

describe("what seccomp(2) gets beside the program", () => {
  const profile = allowing([{ names: ["mount"], action: "SCMP_ACT_NOTIFY" }], { listenerPath: "/run/agent.sock" });

  it("asks for a listener if a rule notifies", () => {
    assert.deepEqual(
      { ...compileSeccomp(profile, "x64"), program: undefined },
      { program: undefined, flags: FILTER_FLAG.NEW_LISTENER, notify: true },
    );
    assert.equal(compileSeccomp(allowing([allow(["read"])]), "x64").notify, false);
  });

  it("has the flags", () => {
    const flags = ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"];
    assert.equal(compileSeccomp(allowing([], { flags }), "x64").flags, 7);
    const killable = ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"];
    assert.equal(compileSeccomp({ ...profile, flags: killable }, "x64").flags, 8 | 32);
    // Else the kernel refuses: its answer could be a descriptor or a thread's number.
    const sync = compileSeccomp({ ...profile, flags: ["SECCOMP_FILTER_FLAG_TSYNC"] }, "x64");
    assert.equal(sync.flags, 8 | 1 | FILTER_FLAG.TSYNC_ESRCH);
  });
});

describe("a profile that is wrong", () => {
  const rule = (change: object) => allowing([{ ...allow(["read"]), ...change }]);
  const arg = (change: object) => rule({ args: [{ index: 0, value: 1, op: "SCMP_CMP_EQ", ...change }] });
  for (const [what, profile, message] of [
    ["an unknown action", rule({ action: "SCMP_ACT_SHRUG" }), /syscalls\[0\].action: "SCMP_ACT_SHRUG" is not/],
    ["an action of Object's", rule({ action: "constructor" }), /syscalls\[0\].action: "constructor" is not/],
    ["no default action", { syscalls: [] }, /defaultAction: undefined is not/],
    ["an unknown operator", arg({ op: "SCMP_CMP_ALMOST" }), /syscalls\[0\].args\[0\].op: "SCMP_CMP_ALMOST" is not/],
    ["a seventh argument", arg({ index: 6 }), /args\[0\].index: not an integer from 0 to 5/],
    ["a negative value", arg({ value: -1 }), /args\[0\].value: not an unsigned integer of 64 bits/],
    ["a value that lost bits", arg({ value: 2 ** 63 }), /args\[0\].value: not an unsigned integer of 64 bits/],
    ["a value of 65 bits", arg({ value: 1n << 64n }), /args\[0\].value: not an unsigned integer of 64 bits/],
    ["an argument that is null", rule({ args: [null] }), /args\[0\].index/],
    ["arguments that are no list", rule({ args: {} }), /args: not a list/],
    ["no names", rule({ names: [] }), /names: names no system call/],
    ["a name that is a number", rule({ names: [1] }), /names\[0\]: not a name/],
    ["an errno for an action that takes none", rule({ errnoRet: 1 }), /action: SCMP_ACT_ALLOW takes no errnoRet/],
    ["an errno beyond MAX_ERRNO", rule({ action: "SCMP_ACT_ERRNO", errnoRet: 4096 }), /errnoRet is not an integer/],
    [
      "an unknown architecture",
      allowing([], { architectures: ["SCMP_ARCH_Z80"] }),
      /architectures\[0\]: "SCMP_ARCH_Z80"/,
    ],
    ["an unknown flag", allowing([], { flags: ["SECCOMP_FILTER_FLAG_NEW"] }), /flags\[0\]: "SECCOMP_FILTER_FLAG_NEW"/],
    [
      "a killable wait for nothing",
      allowing([], { flags: ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"] }),
      /needs a rule with SCMP_ACT_NOTIFY/,
    ],
    ["a notification to nobody", rule({ action: "SCMP_ACT_NOTIFY" }), /needs linux.seccomp.listenerPath/],
    ...["write", "sendmsg"].map(
      (name) =>
        [
          `a notification of ${name}`,
          { ...rule({ names: [name], action: "SCMP_ACT_NOTIFY" }), listenerPath: "/run/agent.sock" },
          new RegExp(`cannot be used for ${name}`),
        ] as const,
    ),
    ["a notification by default", { defaultAction: "SCMP_ACT_NOTIFY", listenerPath: "/a" }, /cannot be the default/],
  ] as const) {
    it(`is refused: ${what}`, () => {
      assert.throws(() => compileSeccomp(profile as unknown as LinuxSeccomp, "x64"), { code: "SPEC_INVALID", message });
    });
  }

  it("is refused where its program is longer than the kernel takes", () => {
    const many = Array.from({ length: 1500 }, (_, value) => ({ index: 0, value: value * 2, op: "SCMP_CMP_EQ" }));
    assert.throws(() => compileSeccomp(allowing([allow(["read"], ...many)]), "x64"), {
      code: "SPEC_INVALID",
      message: /the kernel takes 4096/,
    });
  });

  it("is refused on another processor", () => {
    assert.throws(() => compileSeccomp(allowing([]), "arm64"), { code: "NOT_IMPLEMENTED" });
  });
});

describe("hostile profiles", () => {
  it("end in a filter or in an error of ours", () => {
    const random = new Random(3);
    const scraps = [
      null,
      true,
      -1,
      0,
      5,
      2 ** 53,
      1.5,
      1n << 64n,
      "",
      "read",
      "SCMP_ACT_ALLOW",
      "__proto__",
      [],
      {},
      [[]],
    ];
    const spoil = (value: unknown, depth: number): unknown => {
      if (random.chance(0.08)) return random.pick(scraps);
      if (Array.isArray(value)) return value.map((one) => spoil(one, depth + 1));
      if (typeof value !== "object" || value === null) return value;
      return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, spoil(one, depth + 1)]));
    };
    const whole = allowing([allow(["read", "write"], { index: 1, value: 7, valueTwo: 3, op: "SCMP_CMP_MASKED_EQ" })], {
      flags: ["SECCOMP_FILTER_FLAG_LOG"],
      listenerPath: "/run/agent.sock",
    });
    let compiled = 0;
    for (let round = 0; round < 2000; round++) {
      try {
        loadFilter(compileSeccomp(spoil(whole, 0) as LinuxSeccomp, "x64").program);
        compiled++;
      } catch (error) {
        assert.equal((error as { code?: string }).code, "SPEC_INVALID", (error as Error).stack);
      }
    }
    assert.ok(compiled > 100 && compiled < 1900, `${compiled}`);
  });
});

describe("filters of random profiles", () => {
  const operators = ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"].map((name) => `SCMP_CMP_${name}`);
  const actions = ["ALLOW", "ERRNO", "LOG", "KILL_PROCESS", "TRAP"].map((name) => `SCMP_ACT_${name}`);
  const names = [...SYSCALLS.x86_64.keys()].filter((name) => SYSCALLS.x32.has(name));
  /** Halves that are near one another, so that comparisons of both halves matter. */
  const half = (random: Random) => BigInt(random.pick([0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff, random.u32()]));
  const wide = (random: Random) => (half(random) << 32n) | half(random);

  function profileOf(random: Random): LinuxSeccomp {
    const syscalls = Array.from({ length: random.int(12) }, (): LinuxSyscall => {
      const action = random.pick(actions);
      return {
        names: Array.from({ length: 1 + random.int(random.chance(0.1) ? 150 : 4) }, () => random.pick(names)),
        action,
        errnoRet: action === "SCMP_ACT_ERRNO" ? random.int(100) : undefined,
        args: Array.from({ length: random.chance(0.4) ? 0 : random.int(4) }, () => ({
          index: random.int(6),
          op: random.pick(operators),
          value: wide(random),
          valueTwo: wide(random),
        })),
      };
    });
    return { defaultAction: random.pick(actions), architectures: ALL_ARCHITECTURES, syscalls };
  }

  /** Arguments that are likely to be just what a condition asks for, or one off. */
  function argsFor(random: Random, profile: LinuxSeccomp): bigint[] {
    const values = profile.syscalls!.flatMap(({ args }) => args!.flatMap(({ value, valueTwo }) => [value, valueTwo!]));
    return NO_ARGS.map(() => {
      const base = values.length > 0 && random.chance(0.8) ? BigInt(random.pick(values)) : wide(random);
      return BigInt.asUintN(64, base + BigInt(random.int(3) - 1) * (random.chance(0.5) ? 1n : 1n << 32n));
    });
  }

  it("return what the profile says, for each ABI", () => {
    const random = new Random(6);
    for (let round = 0; round < 300; round++) {
      const profile = profileOf(random);
      const program = loadFilter(compileSeccomp(profile, "x64").program);
      const named = profile.syscalls!.flatMap((rule) => rule.names);
      for (const abi of ["x86_64", "x32"] as const) {
        const newest = Math.max(-1, ...named.map((name) => SYSCALLS[abi].get(name)!));
        const permissive = ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG"].includes(profile.defaultAction);
        for (let call = 0; call < 40; call++) {
          const name = named.length > 0 && random.chance(0.8) ? random.pick(named) : random.pick(names);
          const args = argsFor(random, profile);
          const nr = SYSCALLS[abi].get(name)!;
          const got = runFilter(program, { arch: AUDIT_ARCH.X86_64, nr, args }).value;
          const unknown = !permissive && newest >= 0 && nr > newest;
          const expected = unknown ? ENOSYS : meaning(profile, { name, args }, abi === "x32" ? 32 : 64);
          const text = () =>
            JSON.stringify({ round, abi, name, args, profile }, (_, v) => (typeof v === "bigint" ? `${v}` : v));
          assert.ok(got === expected, `0x${got.toString(16)}, not 0x${expected.toString(16)}: ${text()}`);
        }
      }
    }
  });
});

/** The engine's form of a profile: rules with conditions on architectures and capabilities, which it resolves. */
interface EngineProfile {
  defaultAction: string;
  defaultErrnoRet?: number;
  archMap: { architecture: string; subArchitectures?: string[] }[];
  syscalls: (LinuxSyscall & {
    includes?: { caps?: string[]; arches?: string[]; minKernel?: string };
    excludes?: { caps?: string[]; arches?: string[]; minKernel?: string };
  })[];
}

describe("the container tools' default profile", () => {
  const file = "/usr/share/containers/seccomp.json";
  const skip = existsSync(file) ? false : `no ${file} (Debian's golang-github-containers-common)`;

  /** As podman does for a container without capabilities of its own. */
  function resolved(): LinuxSeccomp {
    const engine: EngineProfile = JSON.parse(readFileSync(file, "utf8"));
    const { architecture, subArchitectures } = engine.archMap.find((map) => map.architecture === "SCMP_ARCH_X86_64")!;
    const syscalls = engine.syscalls
      .filter(({ includes }) => !includes?.caps?.length && (includes?.arches ?? ["amd64"]).includes("amd64"))
      .filter(({ excludes }) => !excludes?.arches?.includes("amd64"))
      .map(({ names, action, errnoRet, args }) => ({ names, action, errnoRet, args }));
    return {
      defaultAction: engine.defaultAction,
      defaultErrnoRet: engine.defaultErrnoRet,
      architectures: [architecture, ...(subArchitectures ?? [])],
      syscalls,
    };
  }

  it("compiles unchanged, to a program that finds each call in few steps", { skip }, () => {
    const profile = resolved();
    const { program: bytes } = compileSeccomp(profile, "x64");
    const program = loadFilter(bytes);
    const longest = [...SYSCALLS.x86_64].map(([name, nr]) => {
      const { value, steps } = runFilter(program, { arch: AUDIT_ARCH.X86_64, nr, args: NO_ARGS });
      const newest = Math.max(
        ...profile.syscalls!.flatMap((rule) => rule.names.map((n) => SYSCALLS.x86_64.get(n) ?? 0)),
      );
      assert.equal(value, nr > newest ? ENOSYS : meaning(profile, { name, args: NO_ARGS }), name);
      return steps;
    });
    // Load, architecture, load, a bisection of at most 128 ranges, conditions, return.
    assert.ok(Math.max(...longest) <= 20, `${Math.max(...longest)} instructions`);
  });

  it("refuses what it is there to refuse", { skip }, () => {
    const call = filter(resolved());
    assert.equal(call("read"), ALLOW);
    for (const name of ["kexec_load", "bpf", "init_module", "open_by_handle_at"]) {
      assert.notEqual(call(name), ALLOW, name);
    }
  });
});
