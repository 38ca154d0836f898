/** config.json as strangers write it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_CONFIG } from "./default.js";
import { parseConfig } from "./validate.js";

/** The default configuration with a value at a path such as `linux.namespaces.0.type`. */
function changed(path: string, value: unknown): string {
  const config = JSON.parse(JSON.stringify(DEFAULT_CONFIG));
  const names = path.split(".");
  const last = names.pop() as string;
  let object = config;
  for (const name of names) {
    object[name] ??= {};
    object = object[name];
  }
  object[last] = value;
  return JSON.stringify(config);
}

function refusal(json: string): string {
  try {
    parseConfig(json);
  } catch (error) {
    assert.equal((error as Error).name, "ContainerError");
    return (error as Error).message;
  }
  assert.fail("it was accepted");
}

test("the default configuration passes", () => {
  assert.equal(parseConfig(JSON.stringify(DEFAULT_CONFIG)).process?.args?.[0], "sh");
});

test("a field of another kind is refused by its path", () => {
  const wrong: [path: string, value: unknown, message: RegExp][] = [
    ["process.cwd", "relative", /^process\.cwd must be an absolute path/],
    ["process.args", "sh", /^process\.args must be an array/],
    ["process.args", [1], /^process\.args\[0\] must be a string/],
    ["process.args", [], /^process\.args must not be empty/],
    ["process.args", ["a\0b"], /^process\.args\[0\] must not contain NUL/],
    ["process.user.uid", -1, /^process\.user\.uid must be from 0/],
    ["process.user.uid", 1.5, /^process\.user\.uid must be an integer/],
    ["process.user.uid", 2 ** 32, /^process\.user\.uid must be from 0/],
    ["process.oomScoreAdj", 1001, /^process\.oomScoreAdj must be from -1000 to 1000/],
    ["root", null, /^root is missing/],
    ["root.path", "", /^root\.path must not be empty/],
    ["mounts", {}, /^mounts must be an array/],
    ["mounts", [{ type: "tmpfs" }], /^mounts\[0\]\.destination is missing/],
    ["linux.namespaces", [{ type: "nonsense" }], /^linux\.namespaces\[0\]\.type must be one of/],
    ["linux.namespaces", [{ type: "pid" }, { type: "pid" }], /pid is there twice/],
    ["linux.namespaces", [{ type: "user" }, { type: "uts" }, { type: "mount" }], /needs linux\.uidMappings/],
    ["linux.devices", [{ path: "/dev/x", type: "q" }], /^linux\.devices\[0\]\.type must be one of/],
    ["linux.resources.memory", [], /^linux\.resources\.memory must be an object/],
    ["linux.seccomp", { syscalls: [] }, /^linux\.seccomp\.defaultAction is missing/],
    ["hooks", { poststop: [{ path: "relative" }] }, /^hooks\.poststop\[0\]\.path must be an absolute path/],
    ["hooks", { prestart: [{ path: "/x", timeout: 0 }] }, /timeout must be from 1/],
    ["ociVersion", "2.0.0", /this runtime knows version 1/],
    ["linux.timeOffsets", { monotonic: { secs: 1 } }, /needs a time namespace/],
  ];
  for (const [path, value, message] of wrong) assert.match(refusal(changed(path, value)), message, path);
});

test("sysctls that are not a namespace's own are refused: they would change the host", () => {
  for (const name of ["kernel.panic", "vm.overcommit_memory", "fs.file-max", "net/../kernel/panic", "", "/net.x"]) {
    assert.match(refusal(changed("linux.sysctl", { [name]: "1" })), /linux\.sysctl/, name);
  }
  parseConfig(changed("linux.sysctl", { "net.ipv4.ip_forward": "1", "kernel.shmmax": "1", "fs.mqueue.msg_max": "1" }));
});

test("what no JSON is, and what is too much", () => {
  assert.match(refusal("{"), /is not JSON/);
  assert.match(refusal("[]"), /must be an object/);
  assert.match(refusal("null"), /must be an object/);
  assert.match(refusal(changed("process.args", new Array(70_000).fill("x"))), /more than 65536 entries/);
  assert.match(refusal(changed("process.env", ["x".repeat((1 << 20) + 1)])), /must not be longer/);
});

test("names that every object has are no fields", () => {
  const config = JSON.parse(`{"ociVersion": "1.2.0", "__proto__": {"root": {"path": "/"}}}`);
  assert.match(refusal(JSON.stringify(config)), /root is missing/);
});

test("absence may be written as null, unknown fields are let be, shorthands are spelled out", () => {
  const config = JSON.parse(changed("linux.rootfsPropagation", "rslave"));
  config.hooks = null;
  config.future = { anything: 1 };
  config.linux.namespaces[0].path = "";
  const parsed = parseConfig(JSON.stringify(config));
  assert.equal(parsed.linux?.rootfsPropagation, "slave");
  assert.equal(parsed.linux?.namespaces?.[0].path, undefined);
});
