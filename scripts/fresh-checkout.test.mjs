// `npm start` and `npm test` begin in a checkout without node_modules: what they import before they install packages
// must come with Node.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const SCRIPTS = dirname(fileURLToPath(import.meta.url));

/** The static imports of a script and of all scripts that it imports, as [importer, target]. */
function staticImports(file, seen = new Map()) {
  if (seen.has(file)) return [];
  const targets = [...readFileSync(file, "utf8").matchAll(/^(?:import|export)\b[^;]*?\bfrom "([^"]+)"/gm)].map(
    (m) => m[1],
  );
  seen.set(file, targets);
  const below = targets.filter((target) => target.startsWith("."));
  return [
    ...targets.map((target) => [file.slice(SCRIPTS.length + 1), target]),
    ...below.flatMap((target) => staticImports(join(dirname(file), target), seen)),
  ];
}

for (const script of ["start.mjs", "test.mjs"]) {
  test(`scripts/${script} imports no package before it has installed them`, () => {
    const imports = staticImports(join(SCRIPTS, script));
    assert.ok(
      imports.some(([, target]) => target === "node:fs"),
      "the imports are found",
    );
    assert.deepEqual(
      imports.filter(([, target]) => !target.startsWith(".") && !target.startsWith("node:")),
      [],
    );
  });
}
