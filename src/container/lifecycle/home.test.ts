/** HOME from a stranger's /etc/passwd. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { homeOf, resolveInRoot, withHome } from "./home.js";

function inRoot(use: (root: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "ringvisor-home-"));
  try {
    mkdirSync(join(folder, "root/etc"), { recursive: true });
    use(join(folder, "root"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("the user's line counts, and / where there is none", () => {
  inRoot((root) => {
    assert.equal(homeOf(root, 0), "/");
    writeFileSync(join(root, "etc/passwd"), "nonsense\nroot:x:0:0:root:/root:/bin/sh\na:x:7:7::/home/a:\n");
    assert.equal(homeOf(root, 0), "/root");
    assert.equal(homeOf(root, 7), "/home/a");
    assert.equal(homeOf(root, 8), "/");
    assert.deepEqual(withHome(["A=b"], root, 7), ["A=b", "HOME=/home/a"]);
    assert.deepEqual(withHome(["HOME=/x"], root, 7), ["HOME=/x"]);
  });
});

test("links are taken inside the root; loops, pipes and folders end it", () => {
  inRoot((root) => {
    writeFileSync(join(root, "../secret"), "a:x:7:7::/stolen:\n");
    symlinkSync("../../secret", join(root, "etc/passwd"));
    assert.equal(homeOf(root, 7), "/");
    symlinkSync("/etc/loop", join(root, "etc/loop"));
    assert.equal(resolveInRoot(root, "/etc/loop"), null);
    rmSync(join(root, "etc/passwd"));
    mkdirSync(join(root, "etc/passwd"));
    assert.equal(homeOf(root, 7), "/");
    rmSync(join(root, "etc/passwd"), { recursive: true });
    if (spawnSync("mkfifo", [join(root, "etc/passwd")]).status === 0) assert.equal(homeOf(root, 7), "/");
  });
});
