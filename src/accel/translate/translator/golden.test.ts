/**
 * The WebAssembly of short guest programs, pinned in golden/*.txt: the guest's assembly on top, below it what it becomes.
 * A change in generated code shows there, in review. RINGVISOR_UPDATE_GOLDEN=1 npm test -- translator/golden writes the
 * files anew; a new case is a file with its assembly alone.
 *
 * Lines that begin with "#!" say how the program is run, so that the interpreter knows its blocks: "#! mode: protected",
 * "#! rcx: 3". Registers that are not named point to data.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { translateForTest } from "../../../test-support/translated-region.js";

const FOLDER = fileURLToPath(new URL("../../../../src/accel/translate/translator/golden/", import.meta.url));
const SEPARATOR = "\n----\n";
const update = process.env.RINGVISOR_UPDATE_GOLDEN === "1";

for (const name of readdirSync(FOLDER).sort()) {
  test(`golden: ${name.replace(/\.txt$/, "")}`, async () => {
    const [assembly, golden = ""] = readFileSync(FOLDER + name, "utf8").split(SEPARATOR);
    const lines = await translateForTest(assembly);
    const now = `${lines.join("\n")}\n`;
    if (update) writeFileSync(FOLDER + name, `${assembly.trimEnd()}${SEPARATOR}${now}`);
    else assert.deepEqual(now.split("\n"), golden.split("\n"), "if it is meant: RINGVISOR_UPDATE_GOLDEN=1");
  });
}
