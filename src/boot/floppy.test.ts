import assert from "node:assert/strict";
import { test } from "node:test";
import { BootFileError } from "./boot-file-error.js";
import { prepareFloppy } from "./floppy.js";

const floppy = (size: number) => prepareFloppy({ name: "f", bytes: new Uint8Array(size).fill(1) });

test("an image becomes as long as the floppy that holds it", () => {
  for (const [size, padded] of [
    [1, 163_840],
    [1_296_384, 1_474_560],
    [1_474_560, 1_474_560],
    [1_474_561, 2_949_120],
  ]) {
    const image = floppy(size);
    assert.deepEqual([image.length, image[size - 1], image[size] ?? 0], [padded, 1, 0]);
  }
});

test("what no floppy holds is refused", () => {
  for (const size of [0, 2_949_121]) assert.throws(() => floppy(size), BootFileError);
});
