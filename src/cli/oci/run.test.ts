/** Containers end to end, as root: what a program inside finds. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TestBundle, whyNot } from "./testing/bundle.js";

const skip = whyNot();

test("a container has its own process tree, host name and root, and passes its exit code on", { skip }, () => {
  using bundle = new TestBundle();
  const { stdout, stderr, status } = bundle.script("echo $$; hostname; ls /; exit 7");
  assert.equal(stderr, "");
  assert.equal(stdout, "1\nringvisor\nbin\ndev\netc\nproc\nsys\ntmp\n");
  assert.equal(status, 7);
});

test("create, start, state, delete: a program runs when it is started, and not before", { skip }, () => {
  using bundle = new TestBundle();
  bundle.configure((config) => {
    config.process!.args = ["sleep", "1000"];
  });
  assert.equal(bundle.run("create", "one").status, 0);
  assert.equal(JSON.parse(bundle.run("state", "one").stdout).status, "created");
  assert.equal(bundle.run("start", "one").status, 0);
  assert.equal(JSON.parse(bundle.run("state", "one").stdout).status, "running");
  assert.match(bundle.run("delete", "one").stderr, /cannot delete container one that is not stopped: running/);
  assert.equal(bundle.run("delete", "--force", "one").status, 0);
  assert.match(bundle.run("state", "one").stderr, /container does not exist/);
});

test("a program that is not there is refused at create, in the words that engines look for", { skip }, () => {
  using bundle = new TestBundle();
  bundle.configure((config) => {
    config.process!.args = ["no-such-program"];
  });
  const { stderr, status } = bundle.run("create", "one");
  assert.equal(status, 1);
  assert.match(stderr, /executable file not found in \$PATH/);
  assert.equal(bundle.run("list", "--quiet").stdout, "");
});
