import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readTar, TarError } from "./tar.js";

const LONG = `deep/${"x".repeat(120)}/file`;

/** What the host's tar makes of a few files, in one of its formats. */
function makeTar(format: string): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), "ringvisor-tar-"));
  try {
    mkdirSync(join(folder, LONG, ".."), { recursive: true });
    writeFileSync(join(folder, "a"), "alpha");
    writeFileSync(join(folder, "b"), Buffer.alloc(1000, "b"));
    writeFileSync(join(folder, LONG), "deep");
    symlinkSync("a", join(folder, "link"));
    const { stdout } = spawnSync("tar", [`--format=${format}`, "-C", folder, "-cf", "-", "a", "b", "link", "deep"]);
    return stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** In pieces of a size that hits every boundary. */
async function* pieces(bytes: Uint8Array, size = 311): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function list(bytes: Uint8Array, wanted: (path: string) => boolean = () => true): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for await (const { path, bytes: data } of readTar(pieces(bytes), wanted)) {
    found.push([path, new TextDecoder().decode(data)]);
  }
  return found;
}

for (const format of ["gnu", "pax"]) {
  test(`regular files of a ${format} archive, long names too`, async () => {
    assert.deepEqual(await list(makeTar(format)), [
      ["a", "alpha"],
      ["b", "b".repeat(1000)],
      [LONG, "deep"],
    ]);
  });
}

test("only what is wanted", async () => {
  assert.deepEqual(await list(makeTar("gnu"), (path) => path === "b"), [["b", "b".repeat(1000)]]);
});

test("an archive that ends in a file is refused", async () => {
  await assert.rejects(list(makeTar("gnu").subarray(0, 700)), TarError);
  await assert.rejects(
    list(makeTar("gnu").subarray(0, 700), () => false),
    TarError,
  );
});

test("a damaged header is refused", async () => {
  const archive = Uint8Array.from(makeTar("gnu"));
  archive[3] ^= 1;
  await assert.rejects(list(archive), TarError);
});

test("what is no archive is refused", async () => {
  await assert.rejects(list(new Uint8Array(2048).fill(0x41)), TarError);
});
