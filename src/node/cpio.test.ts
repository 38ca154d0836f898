import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { S_IFCHR, S_IFDIR, S_IFLNK, S_IFREG, writeCpio } from "./cpio.js";

const bytes = (text: string) => new TextEncoder().encode(text);

const ENTRIES = [
  { path: "dev", mode: S_IFDIR | 0o755 },
  { path: "dev/console", mode: S_IFCHR | 0o600, device: [5, 1] as const },
  { path: "init", mode: S_IFREG | 0o755, data: bytes("hello\n") },
  { path: "sh", mode: S_IFLNK | 0o777, data: bytes("init") },
];

test("an archive is made of newc headers, names and data, padded to four bytes", () => {
  const archive = writeCpio(ENTRIES);
  const text = Buffer.from(archive).toString("latin1");
  assert.equal(archive.length % 4, 0);
  assert.equal(text.slice(0, 6), "070701");
  assert.equal(text.slice(14, 22), "000041ed", "mode of a folder");
  const init = text.indexOf("init\0") - 110;
  assert.equal(init % 4, 0);
  assert.equal(text.slice(init + 54, init + 62), "00000006", "size of the data");
  assert.equal(text.slice(init + 116, init + 122), "hello\n");
  assert.ok(text.includes("TRAILER!!!\0"));
});

test("the same entries give the same bytes", () => {
  assert.deepEqual(writeCpio(ENTRIES), writeCpio(ENTRIES));
});

const cpio = spawnSync("cpio", ["--version"]).status === 0 ? false : "cpio is not installed";

test("cpio lists it", { skip: cpio }, () => {
  const { stdout } = spawnSync("cpio", ["-itv"], { input: writeCpio(ENTRIES), encoding: "utf8" });
  const lines = stdout.trim().split("\n");
  assert.equal(lines.length, 4);
  assert.match(lines[1], /^crw-------.* 5, +1 .*dev\/console$/);
  assert.match(lines[3], /^lrwxrwxrwx.*sh -> init$/);
});
