/** What processes of a container may gain. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TestBundle, whyNot } from "./testing/bundle.js";

const skip = whyNot();

test("capabilities that cannot be granted are left out with a warning", { skip }, () => {
  using bundle = new TestBundle();
  const { stdout, stderr, status } = bundle.script("grep CapEff /proc/self/status", (config) => {
    const names = ["CAP_KILL", "CAP_FLY"];
    config.process!.capabilities = { bounding: names, permitted: names, effective: names };
  });
  assert.equal(status, 0);
  assert.match(stderr, /level=warning msg="ignoring unknown or unavailable capabilities: \[CAP_FLY\]"/);
  assert.match(stdout, /^CapEff:\s0000000000000020$/m);
});

test("exec gains nothing that the container's own process may not", { skip }, () => {
  using bundle = new TestBundle();
  bundle.configure((config) => {
    config.process!.args = ["sleep", "600"];
    config.process!.noNewPrivileges = true;
  });
  assert.equal(bundle.run("run", "--detach", "test").status, 0);
  const { stdout } = bundle.run("exec", "test", "grep", "-E", "NoNewPrivs|CapBnd", "/proc/self/status");
  const { stdout: first } = bundle.run("exec", "test", "grep", "-E", "NoNewPrivs|CapBnd", "/proc/1/status");
  assert.match(stdout, /^NoNewPrivs:\s1$/m);
  assert.equal(stdout, first);
});
