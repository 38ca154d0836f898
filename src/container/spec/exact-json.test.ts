import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseExactJson, stringifyExactJson } from "./exact-json.js";

describe("JSON with integers of 64 bits", () => {
  const keys = new Set(["value"]);

  it("keeps what a number would round", () => {
    const json =
      '[{"value":18446744073709551615},{"value":9007199254740991},{"value":-9007199254740993},{"value":1.5e3}]';
    const value = [18446744073709551615n, 9007199254740991, -9007199254740993n, 1500].map((one) => ({ value: one }));
    assert.deepEqual(parseExactJson(json, keys), value);
    assert.deepEqual(parseExactJson(stringifyExactJson(value), keys), value);
  });

  it("rounds under other names, as everybody does", () => {
    assert.deepEqual(parseExactJson('{"limit":18446744073709551615}', keys), { limit: 2 ** 64 });
  });

  it("passes over digits in strings, names and fractions", () => {
    const json = '{"18446744073709551615":"18446744073709551615","\\"18446744073709551615":0.18446744073709551615}';
    assert.deepEqual(parseExactJson(json, keys), JSON.parse(json));
  });

  it("refuses what is no JSON", () => {
    assert.throws(() => parseExactJson("18446744073709551615 18446744073709551615", keys), SyntaxError);
    assert.throws(() => parseExactJson('{"a":018446744073709551615}', keys), SyntaxError);
  });
});
