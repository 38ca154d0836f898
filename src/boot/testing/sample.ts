import { random } from "./images.js";

/** Bytes with text, runs, noise and x86 calls in them: something for every compressor to do. */
export function sample(): Uint8Array {
  const below = random(0xc0ffee);
  const out: number[] = [];
  const text = "the quick brown fox jumps over the lazy dog; ";
  for (let index = 0; index < 12; index++) out.push(...new TextEncoder().encode(text.slice(0, 20 + below(25))));
  out.push(...new Array<number>(700).fill(0));
  for (let index = 0; index < 40; index++) {
    out.push(
      0x48,
      0x89,
      0xc7,
      0xe8,
      below(256),
      below(4),
      index % 5 === 0 ? 0xe9 : 0,
      index % 3 === 0 ? 0xff : 0,
      0x90,
    );
  }
  for (let index = 0; index < 60; index++) out.push(below(256));
  out.push(0xe8, 0x01, 0x02, 0xe8, 0xe9, 0x00, 0x00, 0xff, 0xff, 0xe8, 0xff, 0xff, 0xff, 0xff, 0x00);
  return Uint8Array.from(out);
}
