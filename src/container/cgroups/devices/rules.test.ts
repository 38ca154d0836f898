import assert from "node:assert/strict";
import { test } from "node:test";
import { devicePolicy, deviceWrites, parseDeviceList } from "./rules.js";

const DENY_ALL = { allow: false, access: "rwm" };
const writes = (from: string, rules: Parameters<typeof devicePolicy>[0]) =>
  deviceWrites(parseDeviceList(from), devicePolicy(rules)).map(({ file, value }) => `${file} ${value}`);

test("from a new cgroup, which allows all, to a list of what is allowed", () => {
  assert.deepEqual(writes("a *:* rwm\n", [DENY_ALL, { allow: true, type: "c", major: 5, access: "rw" }]), [
    "devices.deny a",
    "devices.allow c 5:* rw",
  ]);
});

test("from one list to another, nothing is lost meanwhile that stays", () => {
  const list = "c 1:3 rwm\nc 1:5 rw\nb 8:* r\n";
  const rules = [
    DENY_ALL,
    { allow: true, type: "c", major: 1, minor: 3, access: "rwm" },
    { allow: true, type: "c", major: 1, minor: 5, access: "r" },
    { allow: true, type: "c", major: 1, minor: 9, access: "r" },
  ] as const;
  assert.deepEqual(writes(list, rules), ["devices.deny c 1:5 w", "devices.deny b 8:* r", "devices.allow c 1:9 r"]);
  assert.deepEqual(writes("c 1:3 rwm\nc 1:5 r\nc 1:9 r\n", rules), []);
});

test("to a list of what is denied: its contents are not shown, so it begins anew", () => {
  const rules = [{ allow: true }, { allow: false, type: "b", access: "w" }] as const;
  assert.deepEqual(writes("a *:* rwm\n", rules), ["devices.allow a", "devices.deny b *:* w"]);
});

test("a later rule takes back what earlier ones gave, narrower ones too", () => {
  const policy = devicePolicy([
    { allow: true, type: "c", major: 5, minor: 1, access: "rw" },
    { allow: true, type: "c", major: 5, minor: 2, access: "w" },
    { allow: false, type: "c", major: 5, access: "w" },
  ]);
  assert.deepEqual(policy, { defaultAllow: false, exceptions: [{ type: "c", major: 5, minor: 1, access: 1 }] });
});
