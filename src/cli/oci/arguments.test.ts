import assert from "node:assert/strict";
import { test } from "node:test";
import { expectOperands, parse } from "./arguments.js";

const TABLE = {
  bundle: { kind: "value", short: "b", help: "" },
  detach: { kind: "flag", short: "d", help: "" },
  env: { kind: "list", short: "e", help: "" },
} as const;

test("options come before operands, with one dash or two", () => {
  const { options, operands } = parse(TABLE, ["-b", "dir", "--detach", "-e", "A=1", "--env=B=2", "id", "ls", "-d"]);
  assert.deepEqual(options, { bundle: "dir", detach: true, env: ["A=1", "B=2"] });
  assert.deepEqual(operands, ["id", "ls", "-d"]);
});

test("a flag takes a value after an equals sign alone", () => {
  assert.equal(parse(TABLE, ["--detach=false"]).options.detach, false);
  assert.throws(() => parse(TABLE, ["--detach=maybe"]), /invalid boolean/);
  assert.deepEqual(parse(TABLE, ["--detach", "true"]).operands, ["true"]);
});

test("what is not there, and what lacks its value, is refused", () => {
  assert.throws(() => parse(TABLE, ["--nonsense"]), /flag provided but not defined: -nonsense/);
  assert.throws(() => parse(TABLE, ["--toString"]), /not defined/);
  assert.throws(() => parse(TABLE, ["--bundle"]), /needs an argument/);
  assert.throws(() => expectOperands("kill", [], 1, 2), /from 1 to 2/);
});
