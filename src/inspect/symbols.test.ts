import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parseSymbols, SymbolFileError } from "./symbols.js";

const file = (text: string) => ({ name: "map", bytes: new TextEncoder().encode(text) });

const MAP = `ffffffff81000000 T startup_64
ffffffff81000100 t helper
ffffffff82000000 D data\t[module]
`;

test("an address belongs to the symbol before it", () => {
  const symbols = parseSymbols(file(MAP));
  assert.equal(symbols.describe(0xffffffff81000000n), "startup_64");
  assert.equal(symbols.describe(0xffffffff810000ffn), "startup_64+0xff");
  assert.equal(symbols.describe(0xffffffff81000101n), "helper+0x1");
  assert.equal(symbols.describe(0xffffffff80ffffffn), null, "before the first");
  assert.equal(symbols.describe(0xffffffff81f00000n), null, "too far behind");
  assert.equal(symbols.find("helper"), 0xffffffff81000100n);
  assert.equal(symbols.find("nobody"), null);
});

test("a copy of /proc/kallsyms, made by root", () => {
  const text =
    "ffffffffc0301000 t helper\t[nf_tables]\nffffffff81000000 T _text\n0000000000000000 A fixed_percpu_data\n";
  const symbols = parseSymbols(file(text));
  assert.equal(symbols.size, 3);
  assert.equal(symbols.describe(0xffffffffc0301010n), "helper+0x10");
});

for (const [what, text] of [
  ["a copy of /proc/kallsyms that root did not make", "0000000000000000 T _text\n0000000000000000 t helper\n"],
  ["an empty file", ""],
  ["text", "hello world\n"],
  ["an ELF header alone", "\x7fELF\x02\x01"],
] as const) {
  test(`${what} is refused`, () => assert.throws(() => parseSymbols(file(text)), SymbolFileError));
}

const gcc = spawnSync("gcc", ["--version"]).status === 0 ? false : "gcc is not installed";

for (const mode of ["-m64", "-m32"]) {
  test(`an ELF file's symbol table (${mode})`, { skip: gcc }, (t) => {
    const folder = mkdtempSync(join(tmpdir(), "ringvisor-symbols-"));
    t.after(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, "a.s"), ".globl one\none: nop\n.globl two\n.type two,@function\ntwo: ret\n");
    const options = [mode, "-nostdlib", "-static", "-Wl,-Ttext=0x100000", "-Wl,-e,one", "-o", "a", "a.s"];
    const built = spawnSync("gcc", options, { cwd: folder, encoding: "utf8" });
    assert.equal(built.status, 0, built.stderr);
    const bytes = readFileSync(join(folder, "a"));
    const symbols = parseSymbols({ name: "a", bytes });
    assert.equal(symbols.find("one"), 0x100000n);
    assert.equal(symbols.describe(0x100001n), "two");
    // Truncated anywhere, it is refused or gives fewer symbols: nothing else.
    for (let length = 4; length < bytes.length; length += 97) {
      try {
        parseSymbols({ name: "a", bytes: bytes.subarray(0, length) });
      } catch (error) {
        assert.ok(error instanceof SymbolFileError, String(error));
      }
    }
  });
}
