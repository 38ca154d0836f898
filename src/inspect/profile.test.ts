import assert from "node:assert/strict";
import { test } from "node:test";
import type { CodeProfileEntry } from "../accel/translate/code-profile.js";
import { formatProfile } from "./profile.js";
import { SymbolTable } from "./symbols.js";

const ENTRIES: CodeProfileEntry[] = [
  { address: 0x1010n, tier: "interpret", executions: 10, instructions: 50 },
  { address: 0x1000n, tier: "translate", executions: 3, instructions: 600 },
  { address: 0x2000n, tier: "translate", executions: 1, instructions: 300 },
];

test("the hottest first, with symbols and shares of the whole run; once more by symbol", () => {
  const symbols = new SymbolTable([
    { address: 0x1000n, name: "copy" },
    { address: 0x2000n, name: "sum" },
  ]);
  assert.equal(
    formatProfile(ENTRIES, { symbols, total: 1000 }),
    `1000 instructions: 90.00 % in regions, 5.00 % in blocks of the interpreter listed here

  share  instructions  executions  tier       address           symbol
60.00 %           600           3  translate  0000000000001000  copy
30.00 %           300           1  translate  0000000000002000  sum
 5.00 %            50          10  interpret  0000000000001010  copy+0x10

  share  in regions  interpreted  symbol
65.00 %     60.00 %       5.00 %  copy
30.00 %     30.00 %       0.00 %  sum
`,
  );
});

test("without symbols, and with fewer rows than there are entries", () => {
  const lines = formatProfile(ENTRIES, { total: 950, rows: 1 }).trimEnd().split("\n");
  assert.equal(lines.length, 4);
  assert.match(lines[3], /^63\.16 % .* 0000000000001000$/);
});

test("a run without any instruction", () => {
  assert.match(formatProfile([], { total: 0 }), /^0 instructions: 0\.00 % in regions/);
});
