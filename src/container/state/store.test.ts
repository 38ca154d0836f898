import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { DEFAULT_CONFIG } from "../spec/default.js";
import { identify, isAlive } from "./process-identity.js";
import { type ContainerRecord, Store } from "./store.js";

function inStore(use: (store: Store) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "ringvisor-store-"));
  try {
    use(new Store(join(folder, "root")));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function record(id: string): ContainerRecord {
  return {
    version: 1,
    id,
    ociVersion: "1.2.0",
    bundle: "/bundle",
    rootfs: "/bundle/rootfs",
    created: "2026-01-01T00:00:00.000Z",
    owner: 0,
    phase: "creating",
    process: null,
    cgroup: { version: "none", folders: {} },
  };
}

test("an id is taken once, until it is removed", () => {
  inStore((store) => {
    store.create(record("one"), DEFAULT_CONFIG);
    assert.throws(() => store.create(record("one"), DEFAULT_CONFIG), { code: "CONTAINER_EXISTS" });
    assert.deepEqual(store.list(), ["one"]);
    assert.deepEqual(store.load("one"), record("one"));
    assert.deepEqual(store.loadConfig("one").hostname, DEFAULT_CONFIG.hostname);
    store.remove("one");
    assert.throws(() => store.load("one"), { code: "CONTAINER_NOT_FOUND" });
  });
});

test("no id leads out of the folder", () => {
  inStore((store) => {
    for (const id of ["", ".", "..", "../one", "a/b", "a b", "x".repeat(256), "a\n"]) {
      assert.throws(() => store.load(id), { code: "USAGE" }, JSON.stringify(id));
    }
  });
});

test("a state that was never finished is no state, and can be removed; links are not followed", () => {
  inStore((store) => {
    mkdirSync(join(store.root, "half/.stage-x"), { recursive: true });
    writeFileSync(join(store.root, "half/state.json"), "{");
    const other = join(store.root, "../other");
    mkdirSync(other);
    writeFileSync(join(other, "file"), "");
    symlinkSync(other, join(store.root, "half/link"));
    assert.equal(store.tryLoad("half"), null);
    assert.ok(store.exists("half"));
    store.remove("half");
    assert.ok(!store.exists("half"));
    assert.equal(spawnSync("test", ["-f", join(other, "file")]).status, 0);
  });
});

test("a process is its pid and the time it started", () => {
  const own = identify(process.pid);
  assert.ok(own && isAlive(own));
  assert.ok(!isAlive({ ...own, startTime: "1" }));
  const { pid } = spawnSync("true");
  assert.equal(identify(pid), null);
});
