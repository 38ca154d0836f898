import assert from "node:assert/strict";
import { test } from "node:test";
import { figures, parseTap, passed, regressions } from "./tap.mjs";

const run = (text, status = 0) => ({ ...parseTap(text), status });

test("test points are read with their results; nested output in YAML is not", () => {
  const parsed = run(
    'TAP version 13\nok 1 - first\n  ---\n  "stdout": "not ok 1 - inner"\n  ...\nnot ok 2 - second\nok 3 # SKIP no such thing\n',
  );
  assert.deepEqual(figures(parsed), { ok: 1, notOk: 1, skipped: 1 });
  assert.equal(passed(parsed), false);
});

test("a program without test points fails where it reports an error", () => {
  assert.equal(passed(run("TAP version 13\n1..0\n")), true);
  assert.equal(passed(run('TAP version 13\n  ---\n  "error": "hooks out of order"\n  ...\n1..0\n')), false);
});

test("what the reference passes and the other fails, skips or lacks is worse", () => {
  const reference = run("ok 1 - a\nok 2 - b\nok 3 - b\nnot ok 4 - c\n");
  assert.deepEqual(regressions(reference, run("ok 1 - b\nok 2 - a\nok 3 - b\nnot ok 4 - c\n")), []);
  assert.deepEqual(regressions(reference, run("ok 1 - a\nok 2 - b\nnot ok 3 - b\nok 4 - c\n")), ["b"]);
  assert.deepEqual(regressions(reference, run("ok 1 - a # SKIP\nok 2 - b\nok 3 - b\n")), ["a"]);
  assert.deepEqual(regressions(reference, run("ok 1 - a\nok 2 - b\nok 3 - b\n", 1)), ["exit code 1"]);
});
