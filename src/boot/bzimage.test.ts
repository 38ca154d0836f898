import assert from "node:assert/strict";
import { test } from "node:test";
import { BootFileError } from "./boot-file-error.js";
import { prepareBzImage } from "./bzimage.js";
import { file, lz4Payload, makeBzImage, makeElf, makeTarget, random } from "./testing/images.js";
import { resetState } from "./testing/reset-state.js";

const CODE = new Uint8Array(64).map((_, index) => index + 1);
const kernelElf = makeElf(64, 0x1000000, [{ physical: 0x1000000, bytes: CODE, memorySize: 0x3000 }]);
const kernel = file("vmlinuz", makeBzImage(lz4Payload(kernelElf)));

test("the payload is unpacked, loaded at its addresses and entered in 64-bit mode", async () => {
  const initrd = file("initrd", new Uint8Array(5000).fill(7));
  const image = await prepareBzImage(kernel, { initrd, commandLine: "console=ttyS0" });
  assert.equal(image.description, "6.1.0-test (x@y)");
  const target = makeTarget(32 << 20);
  const { memory } = target;
  memory.fill(0x1000000 + 64, 0x1000, 0xcc);
  const state = image.load(target)!(resetState());
  assert.deepEqual(memory.view(0x1000000, 64), CODE);
  assert.equal(memory.read32(0x1000000 + 64), 0, "what the file does not give is zero");

  assert.equal(state.rip, 0x1000000n);
  assert.equal(state.gpr[6], 0x7000n, "RSI points at the boot parameters");
  assert.equal(state.segments.cs.selector, 0x10);
  assert.equal(state.segments.ss.selector, 0x18);
  assert.equal(state.cr0 & 0x80000001n, 0x80000001n);
  assert.equal(state.cr4 & 0x20n, 0x20n);
  assert.equal(state.msrs[0xc0000080], 0x500n);
  assert.equal(state.rflags, 2n);
  const pdpt = memory.read64(Number(state.cr3)) & ~0xfffn;
  const directory = memory.read64(Number(pdpt)) & ~0xfffn;
  assert.equal(memory.read64(Number(directory) + 8 * 8), 0x1000083n, "16 MiB is mapped to itself");

  const params = 0x7000;
  assert.equal(memory.read16(params + 0x1fe), 0xaa55);
  assert.equal(memory.read8(params + 0x210), 0xff);
  const commandLine = memory.view(memory.read32(params + 0x228), 14);
  assert.equal(new TextDecoder().decode(commandLine), "console=ttyS0\0");
  const initrdAt = memory.read32(params + 0x218);
  assert.equal(memory.read32(params + 0x21c), 5000);
  assert.equal(initrdAt, (32 << 20) - 8192);
  assert.equal(memory.read8(initrdAt + 4999), 7);
  assert.equal(memory.read8(params + 0x1e8), 2, "two E820 entries");
  assert.equal(memory.read64(params + 0x2d0 + 20), 0x100000n);
  assert.equal(memory.read64(params + 0x70), 0xe0000n, "the RSDP");
});

test("without host decompression the kernel's own code is entered", async () => {
  const image = await prepareBzImage(kernel, { hostDecompress: false });
  const target = makeTarget(32 << 20);
  const state = image.load(target)!(resetState());
  assert.equal(state.rip, 0x1000200n);
  assert.deepEqual(target.memory.view(0x1000400, 8), lz4Payload(kernelElf).subarray(0, 8));

  const withoutPayload = await prepareBzImage(file("memtest", makeBzImage(new Uint8Array(0))));
  assert.equal(withoutPayload.load(target)!(resetState()).rip, 0x1000200n);
});

test("a 32-bit kernel is entered in flat protected mode", async () => {
  const elf = makeElf(32, 0x1000000, [{ physical: 0x1000000, bytes: CODE }]);
  const kernel32 = file("vmlinuz", makeBzImage(lz4Payload(elf), { is64: false }));
  const target = makeTarget(32 << 20);
  for (const hostDecompress of [true, false]) {
    const image = await prepareBzImage(kernel32, { hostDecompress });
    const state = image.load(target)!(resetState());
    assert.equal(state.rip, 0x1000000n);
    assert.equal(state.cr0, 0x11n);
    assert.equal(state.segments.cs.attributes, 0xc09b);
    assert.equal(state.gpr[6], 0x7000n);
  }
});

async function problemOf(bytes: Uint8Array, options = {}): Promise<string> {
  try {
    await prepareBzImage(file("vmlinuz", bytes), options);
  } catch (error) {
    assert.ok(error instanceof BootFileError, `${error}`);
    return error.message;
  }
  return "";
}

test("what is wrong with a file is said", async () => {
  const patched = (offset: number, ...values: number[]) => {
    const bytes = kernel.bytes.slice();
    bytes.set(values, offset);
    return bytes;
  };
  assert.match(await problemOf(kernel.bytes.subarray(0, kernel.bytes.length - 100)), /^vmlinuz: .*truncated/);
  assert.match(await problemOf(kernel.bytes.subarray(0, 0x204)), /not a Linux bzImage/);
  assert.match(await problemOf(patched(0x206, 4, 2)), /boot protocol 2\.04; 2\.08 .* needed/);
  assert.match(await problemOf(patched(0x211, 0)), /zImage/);
  assert.match(await problemOf(patched(0x248, 0xff, 0xff, 0xff, 0x7f)), /payload that runs over/);
  assert.match(await problemOf(patched(0x230, 3, 0)), /alignment/);
  const payloadAt = 3 * 512 + 0x400;
  assert.match(await problemOf(patched(payloadAt, 0)), /no compression format/);
  assert.match(await problemOf(patched(payloadAt + 4, 0)), /payload .*block/);
  assert.match(await problemOf(kernel.bytes, { commandLine: "x".repeat(2048) }), /at most 2047 bytes, not 2048/);
});

test("too little memory is said for kernel and initrd", async () => {
  const image = await prepareBzImage(kernel, { initrd: file("initrd", new Uint8Array(3 << 20)) });
  assert.throws(() => image.load(makeTarget(8 << 20)), /^BootFileError: vmlinuz: needs at least 17 MiB/);
  assert.throws(() => image.load(makeTarget(18 << 20)), /^BootFileError: initrd: does not fit/);
  image.load(makeTarget(32 << 20));
});

test("truncated and damaged files give a BootFileError or an image that loads", async () => {
  const below = random(0x5eed);
  const target = makeTarget(32 << 20);
  for (let round = 0; round < 300; round++) {
    let bytes = kernel.bytes.slice();
    if (round % 3 === 0) bytes = bytes.slice(0, below(bytes.length));
    else for (let flips = 1 + below(8); flips > 0; flips--) bytes[below(bytes.length)] ^= 1 << below(8);
    try {
      const image = await prepareBzImage(file("vmlinuz", bytes), { hostDecompress: round % 2 === 0 });
      image.load(target)!(resetState());
    } catch (error) {
      assert.ok(error instanceof BootFileError, `round ${round}: ${error}`);
    }
  }
});
