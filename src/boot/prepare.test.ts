import assert from "node:assert/strict";
import { test } from "node:test";
import { GuestMemory, ROM_OFFSET } from "../guest-memory/guest-memory.js";
import { BootFileError } from "./boot-file-error.js";
import type { BootOptions } from "./boot-image.js";
import { BOOT_GDT } from "./boot-state.js";
import { prepareBoot } from "./prepare.js";
import { concat, file, lz4Payload, makeBzImage, makeElf, makeTarget, random } from "./testing/images.js";
import { resetState } from "./testing/reset-state.js";

const MIB = 1 << 20;
const CODE = new Uint8Array(64).map((_, index) => index + 1);

const words = (...values: number[]) => new Uint8Array(new Uint32Array(values).buffer);
const multibootHeader = (flags: number, ...addresses: number[]) =>
  words(0x1badb002, flags, -(0x1badb002 + flags) >>> 0, ...addresses);

const entryNote = { name: "Xen", type: 18, description: words(0x200010) };
const pvhKernel = makeElf(64, 0xffffffff, [{ physical: 0x200000, bytes: CODE, memorySize: 0x2000 }], [entryNote]);
const multibootElf = (bits: 32 | 64) =>
  makeElf(bits, 0x100020, [{ physical: 0x100000, bytes: concat([multibootHeader(3), CODE]) }]);
const flatKernel = concat([
  new Uint8Array(16),
  multibootHeader(0x10000, 0x100010, 0x100000, 0, 0x103000, 0x100030),
  CODE,
]);
const linux = makeBzImage(lz4Payload(makeElf(64, 0x1000000, [{ physical: 0x1000000, bytes: CODE }])));

async function load(options: BootOptions, ram = 32 * MIB) {
  const image = await prepareBoot(options);
  const target = makeTarget(ram);
  return { image, memory: target.memory, state: image.load(target)!(resetState()) };
}

function stringAt(memory: GuestMemory, address: number): string {
  let text = "";
  for (let at = address; memory.read8(at) !== 0; at++) text += String.fromCharCode(memory.read8(at));
  return text;
}

test("a PVH kernel is entered with EBX at its start info", async () => {
  const initrd = file("initrd", new Uint8Array(100).fill(9));
  const { image, memory, state } = await load({ kernel: file("vmlinux", pvhKernel), initrd, commandLine: "a=b" });
  assert.equal(image.kind, "pvh");
  assert.equal(state.rip, 0x200010n);
  assert.equal(state.cr0, 0x11n);
  assert.equal(state.segments.cs.attributes, 0xc09b);
  const info = Number(state.gpr[3]);
  assert.equal(memory.read32(info), 0x336ec578);
  assert.equal(memory.read32(info + 4), 1);
  assert.equal(memory.read32(info + 12), 1);
  const module = Number(memory.read64(info + 16));
  assert.equal(memory.read8(Number(memory.read64(module)) + 99), 9);
  assert.equal(memory.read64(module + 8), 100n);
  assert.equal(stringAt(memory, Number(memory.read64(info + 24))), "a=b");
  assert.equal(memory.read64(info + 32), 0xe0000n);
  const map = Number(memory.read64(info + 40));
  assert.equal(memory.read32(info + 48), 2);
  assert.deepEqual(
    [memory.read64(map + 24), memory.read64(map + 32), memory.read32(map + 40)],
    [0x100000n, 0x1f00000n, 1],
  );
});

test("a multiboot ELF kernel, of 32 or 64 bits, is entered with EAX and EBX set", async () => {
  for (const bits of [32, 64] as const) {
    const modules = [
      { file: file("env", new TextEncoder().encode("TEST_DEVICE=0\n")), commandLine: "x y" },
      { file: file("two", new Uint8Array(5000)), commandLine: "" },
    ];
    const kernel = file("test.flat", multibootElf(bits));
    const { image, memory, state } = await load({ kernel, modules, commandLine: "1 2" });
    assert.equal(image.kind, "multiboot");
    assert.equal(state.rip, 0x100020n);
    assert.equal(state.gpr[0], 0x2badb002n);
    const info = Number(state.gpr[3]);
    assert.equal(memory.read32(info), 0x24d);
    assert.equal(memory.read32(info + 4), 639);
    assert.equal(memory.read32(info + 8), 31 * 1024);
    assert.equal(stringAt(memory, memory.read32(info + 16)), "test.flat 1 2");
    assert.equal(memory.read32(info + 20), 2);
    const list = memory.read32(info + 24);
    const start = memory.read32(list);
    assert.equal(start % 4096, 0);
    assert.equal(memory.read32(list + 4) - start, 14);
    assert.equal(stringAt(memory, start), "TEST_DEVICE=0\n");
    assert.equal(stringAt(memory, memory.read32(list + 8)), "env x y");
    assert.equal(memory.read32(list + 16), start + 4096);
    assert.equal(stringAt(memory, memory.read32(list + 24)), "two");
    const map = memory.read32(info + 48);
    assert.equal(memory.read32(info + 44), 48);
    assert.deepEqual([memory.read32(map + 24), memory.read64(map + 28), memory.read32(map + 44)], [20, 0x100000n, 1]);
  }
});

test("a multiboot kernel that is no ELF file goes where its header says", async () => {
  const target = makeTarget(32 * MIB);
  target.memory.fill(0x100000, 0x3000, 0xcc);
  const state = (await prepareBoot({ kernel: file("kernel", flatKernel) })).load(target)!(resetState());
  assert.equal(state.rip, 0x100030n);
  assert.deepEqual(target.memory.view(0x100030, 64), CODE);
  assert.equal(target.memory.read8(0x102fff), 0, "bss is cleared");
});

test("gzip around a kernel is taken off", async () => {
  const stream = new Blob([multibootElf(32) as Uint8Array<ArrayBuffer>])
    .stream()
    .pipeThrough(new CompressionStream("gzip"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  assert.equal((await prepareBoot({ kernel: file("xen.gz", bytes) })).kind, "multiboot");
});

test("a ROM lies below 4 GiB and starts at the reset vector", async () => {
  const rom = new Uint8Array(0x20000).fill(0x90);
  const image = await prepareBoot({ bios: file("bios.bin", rom) });
  assert.equal(image.rom, rom);
  const memory = new GuestMemory(MIB);
  memory.setSlots([{ gpa: 0xfffe0000, size: 0x20000, offset: ROM_OFFSET, readonly: true }]);
  assert.equal(image.load({ memory, e820: [], rsdp: 0 }), null);
  assert.equal(memory.read8(0xfffffff0), 0x90);
});

test("what is wrong is said", async () => {
  const problem = async (options: BootOptions) => {
    const error = await prepareBoot(options).catch((caught) => caught);
    assert.ok(error instanceof BootFileError, `${error}`);
    return error.message;
  };
  const kernel = (bytes: Uint8Array) => problem({ kernel: file("k", bytes) });
  assert.match(await problem({ bios: file("b", new Uint8Array(1000)) }), /^b: is 1000 bytes long; .* 64 KiB/);
  assert.match(await kernel(new Uint8Array(0)), /^k: is no kernel/);
  assert.match(await kernel(new TextEncoder().encode("#!/bin/sh\n")), /^k: is no kernel/);
  assert.match(await kernel(makeElf(64, 0, [{ physical: MIB, bytes: CODE }])), /without a PVH entry note/);
  assert.match(await kernel(multibootHeader(4)), /video mode/);
  assert.match(await kernel(multibootHeader(0x20)), /unknown multiboot features/);
  assert.match(await kernel(multibootHeader(0)), /not an ELF file/);
  assert.match(
    await kernel(makeElf(32, 0, [{ physical: BOOT_GDT, bytes: concat([multibootHeader(0), CODE]) }])),
    /loader's own/,
  );
  assert.match(await kernel(pvhKernel.subarray(0, 100)), /truncated/);
  const modules = [{ file: file("m", CODE), commandLine: "" }];
  assert.match(await problem({ kernel: file("vmlinuz", linux), modules }), /^m: .*initrd only/);
  await assert.rejects(prepareBoot({}), TypeError);
});

test("what needs more memory than the machine has is said", async () => {
  const big = file("initrd", new Uint8Array(3 * MIB));
  for (const bytes of [pvhKernel, multibootElf(32)]) {
    await assert.rejects(load({ kernel: file("k", bytes), initrd: big }, 4 * MIB), /initrd: does not fit/);
  }
  await assert.rejects(load({ kernel: file("k", pvhKernel) }, 2 * MIB), /k: loads at .* more memory/);
});

test("truncated and damaged files give a BootFileError or something that loads", async () => {
  const below = random(0x1234);
  const target = makeTarget(32 * MIB);
  const sources = [pvhKernel, multibootElf(32), multibootElf(64), flatKernel, linux];
  for (let round = 0; round < 1500; round++) {
    const source = sources[round % sources.length];
    // The interesting bytes are at the start: headers and tables.
    let bytes = source.slice();
    if (below(3) === 0) bytes = bytes.slice(0, below(bytes.length));
    else for (let flips = 1 + below(6); flips > 0; flips--) bytes[below(Math.min(bytes.length, 300))] ^= 1 << below(8);
    try {
      const image = await prepareBoot({ kernel: file("k", bytes), initrd: file("i", CODE), commandLine: "x" });
      image.load(target)!(resetState());
    } catch (error) {
      assert.ok(error instanceof BootFileError, `round ${round}: ${error instanceof Error ? error.stack : error}`);
    }
  }
});
