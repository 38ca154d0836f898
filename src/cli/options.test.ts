import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "./errors.js";
import { describeOptions, type OptionTable, parseArguments } from "./options.js";

const TABLE = {
  fast: { kind: "flag", help: "go fast" },
  size: { kind: "value", placeholder: "SIZE", help: "how large" },
  disk: { kind: "list", placeholder: "FILE", help: "a disk" },
  stats: { kind: "optional", placeholder: "FILE", help: "count" },
} as const satisfies OptionTable;

const parse = (...args: string[]) => parseArguments(TABLE, args);

test("options that are not given have their empty values", () => {
  assert.deepEqual(parse().options, { fast: false, size: undefined, disk: [], stats: undefined });
});

test("a value follows its option or an equals sign", () => {
  assert.equal(parse("--size", "3").options.size, "3");
  assert.equal(parse("--size=a=b").options.size, "a=b");
  assert.equal(parse("--size=").options.size, "");
  assert.equal(parse("--size", "--fast").options.size, "--fast");
});

test("an optional value comes with an equals sign only", () => {
  const { options, operands } = parse("--stats", "file");
  assert.equal(options.stats, true);
  assert.deepEqual(operands, ["file"]);
  assert.equal(parse("--stats=file").options.stats, "file");
});

test("lists keep their order; -- ends the options", () => {
  const { options, operands } = parse("--disk", "a", "x", "--disk=b", "--", "--fast");
  assert.deepEqual(options.disk, ["a", "b"]);
  assert.deepEqual(operands, ["x", "--fast"]);
  assert.equal(options.fast, false);
});

for (const [args, message] of [
  [["--slow"], /^unknown option --slow$/],
  [["-x"], /^unknown option -x$/],
  [["--toString"], /^unknown option --toString$/],
  [["--size"], /^option --size needs a value$/],
  [["--size", "1", "--size", "2"], /^option --size is given twice$/],
  [["--fast", "--fast"], /^option --fast is given twice$/],
  [["--fast=yes"], /^option --fast takes no value$/],
  [["--stats="], /^option --stats has an empty value$/],
] as const) {
  test(`${args.join(" ")} is refused`, () => {
    assert.throws(
      () => parse(...args),
      (error) => error instanceof UsageError && message.test(error.message),
    );
  });
}

test("help is asked for wherever it stands, and tells every option", () => {
  assert.equal(parse("--fast", "-h", "--nonsense").help, true);
  const text = describeOptions(TABLE);
  for (const part of ["--fast ", "--size SIZE ", "--disk FILE ...", "--stats[=FILE]", "--help"]) {
    assert.ok(text.includes(part), part);
  }
  assert.ok(text.split("\n").every((line) => line.length <= 100));
});
