import assert from "node:assert/strict";
import { test } from "node:test";
import { encodePacket, fromHex, MAX_PACKET, PacketReader, toHex } from "./packets.js";

const bytes = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const text = (data: Uint8Array) => String.fromCharCode(...data);

/** What a reader makes of input, as short words. */
function read(reader: PacketReader, input: string): string[] {
  return reader.feed(bytes(input)).map((one) => (one.kind === "packet" ? `packet ${text(one.data)}` : one.kind));
}

test("packets, acknowledgements and Ctrl-C", () => {
  assert.deepEqual(read(new PacketReader(), "+$g#67-\x03$m0,4#fd"), [
    "ack",
    "packet g",
    "resend",
    "interrupt",
    "packet m0,4",
  ]);
});

test("a packet may come in pieces", () => {
  const reader = new PacketReader();
  assert.deepEqual(read(reader, "$qC"), []);
  assert.deepEqual(read(reader, "#b"), []);
  assert.deepEqual(read(reader, "4"), ["packet qC"]);
});

test("escaped bytes, both ways", () => {
  const packet = encodePacket(bytes("a#$}*b"));
  const inner = text(packet);
  assert.equal(inner.slice(1, -3), "a}\x03}\x04}]}\nb");
  assert.deepEqual(read(new PacketReader(), inner), ["packet a#$}*b"]);
});

for (const [what, input] of [
  ["a wrong checksum", "$g#00"],
  ["a checksum that is no number", "$g#zz"],
  ["an escape without a byte", "$a}#de"],
  ["a packet that is too long", text(encodePacket("a".repeat(MAX_PACKET + 1)))],
]) {
  test(`${what} is bad, and the next packet is read`, () => {
    assert.deepEqual(read(new PacketReader(), `${input}$g#67`), ["bad", "packet g"]);
  });
}

test("a new packet in the middle of one takes its place", () => {
  assert.deepEqual(read(new PacketReader(), "$abc$g#67"), ["packet g"]);
});

test("hexadecimal", () => {
  assert.equal(toHex(Uint8Array.of(0, 0xab)), "00ab");
  assert.deepEqual(fromHex("00aB"), Uint8Array.of(0, 0xab));
  assert.equal(fromHex("0"), null);
  assert.equal(fromHex("0g"), null);
});
