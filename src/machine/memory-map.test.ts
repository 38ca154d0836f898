import assert from "node:assert/strict";
import { test } from "node:test";
import { GuestMemory, GuestMemoryError, RAM_OFFSET, ROM_OFFSET } from "../guest-memory/guest-memory.js";
import { layOutMemory, MIB, POWER_ON_LAYOUT, slotsOf } from "./memory-map.js";

test("small RAM is all below the hole", () => {
  const map = layOutMemory(128 * MIB, 0);
  assert.equal(map.lowRamEnd, 128 * MIB);
  assert.deepEqual(map.slots, [
    { gpa: 0, size: 0xa0000, offset: RAM_OFFSET, readonly: false },
    { gpa: 0xc0000, size: 128 * MIB - 0xc0000, offset: RAM_OFFSET + 0xc0000, readonly: false },
  ]);
  assert.deepEqual(
    map.e820.map(({ base, size, type }) => [base, base + size, type]),
    [
      [0, 0x9fc00, 1],
      [0x9fc00, 0xa0000, 2],
      [0xe0000, 0x100000, 2],
      [0x100000, 128 * MIB, 1],
      [0xb0000000, 0xc0000000, 2],
    ],
  );
});

test("RAM of 0xb0000000 bytes and more is split at 2 GiB", () => {
  assert.equal(layOutMemory(0xb0000000 - 4096, 0).lowRamEnd, 0xb0000000 - 4096);
  const map = layOutMemory(3072 * MIB, 0);
  assert.equal(map.lowRamEnd, 0x80000000);
  assert.equal(map.highRamEnd, 0x140000000);
  const high = map.slots[map.slots.length - 1];
  assert.deepEqual(high, { gpa: 0x100000000, size: 0x40000000, offset: RAM_OFFSET + 0x80000000, readonly: false });
  assert.deepEqual(map.e820[map.e820.length - 1], { base: 0x100000000, size: 0x40000000, type: 1 });
});

test("a ROM ends at 4 GiB and shows below 1 MiB, read-only", () => {
  const map = layOutMemory(64 * MIB, 256 * 1024);
  const roms = map.slots.filter((slot) => slot.readonly);
  assert.deepEqual(roms, [
    { gpa: 0xe0000, size: 0x20000, offset: ROM_OFFSET + 0x20000, readonly: true },
    { gpa: 0xfffc0000, size: 0x40000, offset: ROM_OFFSET, readonly: true },
  ]);
  const small = layOutMemory(64 * MIB, 64 * 1024).slots.filter((slot) => slot.readonly);
  assert.deepEqual(
    small.map(({ gpa, size }) => [gpa, size]),
    [
      [0xf0000, 0x10000],
      [0xffff0000, 0x10000],
    ],
  );
});

test("guest memory takes every layout", () => {
  for (const [ram, rom] of [
    [2 * MIB, 0],
    [64 * MIB, 64 * 1024],
    [64 * MIB, 16 * MIB],
  ]) {
    new GuestMemory(ram).setSlots(layOutMemory(ram, rom).slots);
  }
});

test("impossible sizes are refused", () => {
  for (const size of [0, MIB, 64 * MIB + 1, 5 * 1024 * MIB, Number.NaN]) {
    assert.throws(() => layOutMemory(size, 0), GuestMemoryError);
  }
});

test("the chipset puts RAM in the place of the ROM below 1 MiB, part by part", () => {
  const map = layOutMemory(64 * MIB, 256 * 1024);
  const segment = (base: number, size: number, readRam: boolean, writeRam: boolean) => ({
    base,
    size,
    readRam,
    writeRam,
  });
  const lines = (slots: ReturnType<typeof slotsOf>) =>
    slots.map(({ gpa, size, offset, readonly }) => {
      const from =
        offset >= RAM_OFFSET
          ? `ram+${(offset - RAM_OFFSET).toString(16)}`
          : `rom+${(offset - ROM_OFFSET).toString(16)}`;
      return `${gpa.toString(16)}-${(gpa + size).toString(16)} ${from}${readonly ? " ro" : ""}`;
    });
  const closed = [segment(0xc0000, 0x20000, false, false), segment(0xe0000, 0x20000, false, false)];
  assert.deepEqual(lines(slotsOf(map, { ...POWER_ON_LAYOUT, shadow: closed })), [
    "0-a0000 ram+0",
    "e0000-100000 rom+20000 ro",
    "100000-4000000 ram+100000",
    "fffc0000-100000000 rom+0 ro",
  ]);
  const open = [
    segment(0xc0000, 0x4000, true, true),
    segment(0xc4000, 0x4000, true, true),
    segment(0xc8000, 0x4000, true, false),
    segment(0xe0000, 0x10000, false, true),
    segment(0xf0000, 0x10000, true, true),
  ];
  assert.deepEqual(lines(slotsOf(map, { ...POWER_ON_LAYOUT, shadow: open })), [
    "0-a0000 ram+0",
    "c0000-c8000 ram+c0000",
    "c8000-cc000 ram+c8000 ro",
    "e0000-f0000 rom+20000 ro",
    "f0000-4000000 ram+f0000",
    "fffc0000-100000000 rom+0 ro",
  ]);
  new GuestMemory(64 * MIB).setSlots(slotsOf(map, { ...POWER_ON_LAYOUT, shadow: open }));
});
