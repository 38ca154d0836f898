import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createPayloadCache } from "./payload-cache.js";

const bytes = (text: string) => new TextEncoder().encode(text);

test("a payload comes back as it was stored, and no damaged one", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "ringvisor-payload-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const cache = createPayloadCache(folder);
  assert.equal(await cache.load(bytes("packed")), null);
  await cache.store(bytes("packed"), bytes("unpacked"));
  assert.deepEqual(Buffer.from((await cache.load(bytes("packed"))) ?? []).toString(), "unpacked");
  assert.equal(await cache.load(bytes("other")), null);

  const [name] = readdirSync(folder);
  const file = readFileSync(join(folder, name));
  file[file.length - 1] ^= 1;
  writeFileSync(join(folder, name), file);
  assert.equal(await cache.load(bytes("packed")), null);
  writeFileSync(join(folder, name), "short");
  assert.equal(await cache.load(bytes("packed")), null);
});

test("a few payloads are kept, not all", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "ringvisor-payload-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const cache = createPayloadCache(folder);
  for (let index = 0; index < 7; index++) await cache.store(Uint8Array.of(index), bytes("x"));
  assert.equal(readdirSync(folder).length, 4);
});

test("a folder that cannot be made costs the cache, not the boot", async () => {
  const cache = createPayloadCache("/dev/null/none");
  await cache.store(bytes("packed"), bytes("unpacked"));
  assert.equal(await cache.load(bytes("packed")), null);
});
