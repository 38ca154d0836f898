import assert from "node:assert/strict";
import { test } from "node:test";
import { random } from "../testing/images.js";
import { sample } from "../testing/sample.js";
import { compressionOf, decompress } from "./decompress.js";
import { DecompressError } from "./output.js";

/** The sample as gzip, bzip2, xz, lzop, lz4 and zstd of Debian 12 compress it, in base64. */
const COMPRESSED: Record<string, string[]> = {
  gzip: [
    "H4sIAAAAAAACAyvJSFUoLM1MzlZIKsovz1NIy69QyCrNLcEuXFCskF+WWqQAks5JJEYRUQZVVSqk5KcTVkqkYUQow6oEmyBBs4g2Cc0FDKNgFA",
    "xR4NF5/IUE48v/E0AMfiYGBjDjCzOU4c3MAJGSYYSK3GN8CWGEw6SWwhSfhqlRZ4BKGcMUH4eZPJ0JKnUeJsIEY0QzQ53xAUkxhJEOs2sxzK5T",
    "TFCTrWAGzoDZfocByvBkhEqVMUMVa8C028JcGAqz4hZMajnMGe9hUpNgJs+D6eqASX1jgJqcCnOhIsz2uTAD3UFS345u3rP00URtR/aADWwuTl",
    "M+yewMKOf49+9HKmdiwFWJLpsNzfPPLi4/N/2m5BwRt5AvlhFPxB6f9Zd5vq1L/AUj04uXQKv/v/gPBAwA0D9TmOgFAAA=",
  ],
  bzip2: [
    "QlpoOTFBWSZTWRIgqeAAAQH///ngheRgyAg2NejGyD////AIcHTHioBJNAKbgjUc4NVJsAFTBMcaGgDQANAAAABoAAAABkAAAxAGmqZUe1QyDQ",
    "B6gaANAAAaAAABoGg0D1GjGCgklCmjQaDQA0AAAADQGgaGgAAzU0ekA0AgFb8yFpE22wLKkDSlIpoEKSwc6aC0IIBJKISAICGAhhYoEte3P1OY",
    "VGfJuXY0yk99ZsnrlNx7F3DmwUPWdo7e7rafZNkeEfphxZv0+78T3PzbouUE/0gn0h4JYDApaGdcUNQNGaI0mVI2noD2ZCBwn+8no5KA4m35il",
    "ApYJnv2YIL4BngT02AETgTyQ+CYHEF8C73QIwKaC8QHQVuB4AoAHURGghRaGuvcuh4qJxTgTiCsrAPFgUdgXkUhmQoAEfHBTdyYZkMwMMmYYYB",
    "KEEF+ndIfLpH6cQvGRPfh8quD3Y8AEBEMMpUaY0nRSgjv+YCATiA4z8XNryFBYhMJ2YmwYqmisICC0CQf4u5IpwoSAkQVPAA",
  ],
  LZMA: [
    "XQAAAAT//////////wA6GgjOdsfl6dYHNMPRDr/OVeGqveDkj5g4rNXF13R+9Dm3LBLa5aomoUEbANM5G/s3Fzc872jBPKIP692pcXJPL36FnN",
    "UbLKnQqj57nGmHx5sp6+RkzD5LXBOHe+WAQzedIfZJAAmY6+nonhCQwaaaPv+5G9B9X4oeDYjNPa1+A4Oz6WaciwxcQxQ75eLtgxj7j//N37QE",
    "UOHE1T7V8mGeBIG9rCI3SiynEbFqXzdzZsL13LOmAythhHBTMVRdtWkPoaF+/7n+hTpp7j70uW+1a3re2FY+jJAlF1QbSNwXjRzaKZHost2O0/",
    "kAVdEXoTXccXmRzG4BDj1ThgqV+2Qz7bWKvgLzKIozPXGL8t7dftdZjTlFm7o7CVw5X/7+JU4=",
  ],
  "LZMA without a size": [
    "XQAAAAT//////////wA6GgjOdsfl6dYHNMPRDr/OVeGqveDkj5g4rNXF13R+9Dm3LBLa5aomoUEbANM5G/s3Fzc872jBPKIP692pcXJPL36FnN",
    "UbLKnQqj57nGmHx5sp6+RkzD5LXBOHe+WAQzedIfZJAAmY6+nonhCQwaaaPv+5G9B9X4oeDYjNPa1+A4Oz6WaciwxcQxQ75eLtgxj7j//N37QE",
    "UOHE1T7V8mGeBIG9rCI3SiynEbFqXzdzZsL13LOmAythhHBTMVRdtWkPoaF+/7n+hTpp7j70uW+1a3re2FY+jJAlF1QbSNwXjRzaKZHost2O0/",
    "kAVdEXoTXccXmRzG4BDj1ThgqV+2Qz7bWKvgLzKIozPXGL8t7dftdZjTlFm7o7CVw5X/7+JU4=",
  ],
  xz: [
    "/Td6WFoAAAFpIt42AgEEACEBHACHbtrl4AXnAR5dADoaCM52x+Xp1gc0w9EOv85V4aq94OSPmDis1cXXdH70ObcsEtrlqiahQRsA0zkb+zcXNz",
    "zvaME8og/r3alxck8vfoWc1RssqdCqPnucaYfHmyugzOeMVNo3Iup7QAstiihz5akmw1yadrO951GknogydJoOZ/BzUQbcmEQWr+VFf6+t1m8P",
    "Ax4jIZUznNALWgvUsPXZyJxbyT6pLlhGqahyiEYZ/CNGn5WEsL5N74Sj8Qd6ujMcNn5kvBWghz6ap5yi2I9m1xDYslgCRY411ESowengeAzLOg",
    "I0LNYNc8SyjaDbemzvRvvMqXL+GRtBa7dTU5FmHUn/phuOSeVffX6Ooz2i+9NZhpBZtN9ZK/ILDpvWoQ+LyGg419FyWwAAAADQP1OYAAG2AugL",
    "AADj8ZhqPjANiwIAAAAAAVla",
  ],
  "xz without a filter": [
    "/Td6WFoAAATm1rRGAgAhAQwAAACPmEGc4AXnAR1dADoaCM52x+Xp1gc0w9EOv85V4aq94OSPmDis1cXXdH70ObcsEtrlqiahQRsA0zkb+zcXNz",
    "zvaME8og/r3alxck8vfo23SbLsFthPVSnb1N33BMJ7gVZzCt1CMoE8AZiJeDqychFjVclRexrXe6GmkRXMDvyAGsZmwHaWm6E8dDe1KMm3gUnE",
    "G3BVIknAlAi9u4AUJBkEk1bJsCku8F3dpBxQftpLTDej7nN+0UHkn7e9qP+ipw6aIRXXkfPmw1Rt/aeOBjphM2Gidw+EY7IO+euOnvd9Z6Woip",
    "ef9L3Pbi4sxSVRq7jIixcd0FGBCMpgergzWevC8uxdhM/tGYc3KxBq+bp7Zl4o3MXpon70+4YwcoXmojQ20gtBLgAAAAAAAAAaoB7B3dhS2gAB",
    "uQLoCwAANkPOm7HEZ/sCAAAAAARZWg==",
  ],
  LZO: [
    "iUxaTwANChoKEEAgoAlAAwkDAAAJAACBpGsHjVwAAAAACnNhbXBsZS5iaW5zYwflAAAF6AAAATpDc1f8KHRoZSBxdWljayBicm93biBmb3ggan",
    "VtNVgABXBzIG92ZXIgegNsYSADkAAgBCABA3p5IGRvZyABqAAgBjABIAKYADOIADJQAD8sASAIJAEtBQIAIAAAnAAABkiJx+gYAen/kGIBDwIA",
    "BIIB9APDAUsDAKoDHAHHAt4B6aEBV+kDpfEFy+4EJwDJAzPxBcfmC5cCyQPP5QIC4gFbA9kQ8CmwAKEBZ+0No+4NygLFCzrhCpj2D9wAwgFJAc",
    "oDdgPRBSj5Bz3lFFXpDNrpA6f5EO/pA5LlC571BojqA/YAxQtl5RQh9Q+d4QpHaAMAL/bFs7yl4pErQQdQsAZEQpTyHLlQdwj+/vhlCWFQ1RiK",
    "PLCDn82jd86X2RmcFEZU9DlY5BbjzU8c57aKF+gBAujpSw//6P9BAAARAAAAAAAA",
  ],
  LZ4: [
    "AiFMGGIBAAD/CHRoZSBxdWljayBicm93biBmb3gganVtFwAEgHBzIG92ZXIgHwAvbGElABEPSQASb3p5IGRvZysADw9NABQPJwAQDyMAAg8VAA",
    "EPTAAOD0oAFguCAB8AAQD//6qQSInH6BgB6f+QCQBBDwIAAAkAI/QDCQAySwMAGwAjHAESADLeAekJABRXGwAUpS0AFMskACMnABsAFDMtABTH",
    "WgAjlwIbABTPEgAUAgkAI1sDhwAX8C0AAgkAFGdsABSjbAAjygJaABQ6UQAUmH4AI9wACQAjSQEbACN2Ay0AFCg/ABQ9ogAUVWMAFNobABSnhw",
    "AU7xsAFJJaABSeNgAUiBsAI/YAWgAUZaIAFCF+ABSdUQAQRxsA8Dz2xbO8peKRK0EHULAGREKU8hy5UHcI/v74ZQlhUNUYijywg5/No3fOl9kZ",
    "nBRGVPQ5WOQW481PHOe2ihfoAQLo6QAA///o/////wA=",
  ],
  Zstandard: [
    "KLUv/QRo/QgAZAx0aGUgcXVpY2sgYnJvd24gZm94IGp1bXBzIG92ZXIgbGFhenkgZG9nAEiJx+gYAen/kA8CAAD0A0sDAP8cAd4B6QBXpQPLAS",
    "cAM8cClwLPAgJbA/BnowPKAjoCmAHcAEkBdgMoAz0AVdoDp++SAZ4AiAL2AGUDIQCdA0f2xbO8peKRK0EHULAGREKU8hy5UHcI/v74ZQlhUNUY",
    "ijywg5/No3fOl9kZnBRGVPQ5WOQW481PHOe2ihfoAQLo6QAA///o/////wA1qMEwd2hJewcwS1odETAUgTQFEq9MUF7JYT8DDezSygnAS3Me4G",
    "JFkYGAtx0Sk96++KpJFzosZVyFC10qZIK0k0f68dFmJ7WpQVJdZ+SSyPMUBvxV+lXMC9Ge",
  ],
};

const bytesOf = (lines: string[]) => Uint8Array.from(atob(lines.join("")), (character) => character.charCodeAt(0));

for (const [format, lines] of Object.entries(COMPRESSED)) {
  const compressed = bytesOf(lines);

  test(`${format}: what another program compressed comes back`, async () => {
    assert.equal(compressionOf(compressed), format.split(" ")[0]);
    assert.deepEqual(await decompress(compressed, sample().length), sample());
  });

  test(`${format}: another size than the one that was said is an error`, async () => {
    // fzstd fills the buffer that it is given and does not say how far.
    if (format === "Zstandard") return;
    await assert.rejects(decompress(compressed, sample().length - 1), DecompressError);
    await assert.rejects(decompress(compressed, sample().length + 1), DecompressError);
  });

  test(`${format}: truncated anywhere is an error`, async () => {
    for (let length = 0; length < compressed.length; length++) {
      // fzstd does not look at the checksum, so that a frame without its last bytes is whole to it.
      if (format === "Zstandard" && length >= compressed.length - 4) continue;
      await assert.rejects(
        decompress(compressed.slice(0, length), sample().length),
        DecompressError,
        `${length} bytes`,
      );
    }
  });

  test(`${format}: damage is an error or gives bytes of the right number, never anything else`, async () => {
    const below = random(0xbad);
    for (let round = 0; round < 400; round++) {
      const damaged = compressed.slice();
      for (let flips = 1 + below(4); flips > 0; flips--) damaged[below(damaged.length)] ^= 1 << below(8);
      try {
        const output = await decompress(damaged, sample().length);
        assert.equal(output.length, sample().length);
      } catch (error) {
        assert.ok(error instanceof DecompressError, `round ${round}: ${error}`);
      }
    }
  });
}

test("a format that Linux does not use is an error", async () => {
  assert.equal(compressionOf(new Uint8Array(16)), null);
  await assert.rejects(decompress(new Uint8Array(16), 100), DecompressError);
});
