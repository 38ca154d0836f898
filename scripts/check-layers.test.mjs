import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("check-layers.mjs", import.meta.url));

/** Runs the check on a tree of these files. That this project passes it, `npm test` shows itself. */
function check(t, files) {
  const root = mkdtempSync(join(tmpdir(), "ringvisor-layers-"));
  t.after(() => rmSync(root, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  writeFileSync(join(root, "package.json"), '{ "type": "module" }');
  // CI=true turns colours on even in a pipe.
  const env = { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0" };
  const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT, root], { encoding: "utf8", env });
  return { status, output: stdout + stderr };
}

const GOOD = {
  "src/devices/line.ts": "export const line = new TextEncoder().encode('x');\n",
  "src/devices/line.test.ts": 'import assert from "node:assert";\nassert(process.pid);\n',
  "src/machine/machine.ts": 'import { line } from "../devices/line.js";\nexport const machine = line;\n',
  "src/cli/main.ts": 'import { machine } from "../machine/machine.js";\nprocess.stdout.write(String(machine));\n',
};

/** What it is, the file, its text, and how the check names it. */
const PLANTED = [
  [
    "a device that imports a machine",
    "src/devices/a.ts",
    'import { machine } from "../machine/machine.js";\nexport const bad = machine;\n',
    "devices-know-no-machine: src/devices/a.ts",
  ],
  [
    "a device that imports a machine's type alone",
    "src/devices/b.ts",
    'import type { machine } from "../machine/machine.js";\nexport type Bad = typeof machine;\n',
    "devices-know-no-machine: src/devices/b.ts",
  ],
  [
    "a lower layer that imports a higher one",
    "src/vcpu/a.ts",
    'export { machine } from "../machine/machine.js";\n',
    "vcpu-imports-upwards: src/vcpu/a.ts",
  ],
  [
    "a loader that imports Node",
    "src/boot/a.ts",
    'import { readFileSync } from "node:fs";\nexport const bad = readFileSync;\n',
    "portable-layers-import-no-node: src/boot/a.ts",
  ],
  [
    "a core that imports Node",
    "src/accel/translate/core/a.ts",
    'import { readFileSync } from "node:fs";\nexport const bad = readFileSync;\n',
    "portable-layers-import-no-node: src/accel/translate/core/a.ts",
  ],
  [
    "a core that imports its host's code",
    "src/accel/translate/core/b.ts",
    'import { machine } from "../../../machine/machine.js";\nexport const bad = machine;\n',
    "core-imports-no-typescript-of-the-host: src/accel/translate/core/b.ts",
  ],
  [
    "a device that uses Node's globals",
    "src/devices/c.ts",
    "export const bad = process.pid;\n",
    "src/devices/c.ts:1: process",
  ],
  [
    "a machine that uses a timer of the host",
    "src/machine/c.ts",
    "export const bad = () => setTimeout(() => {}, 1);\n",
    "src/machine/c.ts:1: setTimeout",
  ],
  ["a Buffer, as a type", "src/block/a.ts", "export type Bad = Buffer;\n", "src/block/a.ts:1: Buffer"],
  [
    "a translator that uses the DOM",
    "src/accel/translate/c.ts",
    "export const bad = () => document.title;\n",
    "src/accel/translate/c.ts:1: document",
  ],
  [
    "a global by way of globalThis",
    "src/vcpu/c.ts",
    "export const bad = globalThis.process;\n",
    "src/vcpu/c.ts:1: process",
  ],
  [
    "two files that import each other",
    "src/machine/d.ts",
    'import { other } from "./other.js";\nexport const bad = () => other;\n',
    "no-cycles: src/machine/d.ts",
  ],
];

test("a tree that keeps the layers passes", (t) => {
  const { status, output } = check(t, GOOD);
  assert.equal(status, 0, output);
});

test("planted violations are refused", async (t) => {
  const files = { ...GOOD, "src/machine/other.ts": 'import { bad } from "./d.js";\nexport const other = () => bad;\n' };
  for (const [, file, text] of PLANTED) files[file] = text;
  const { status, output } = check(t, files);
  assert.equal(status, 1, output);
  for (const [what, , , expected] of PLANTED) {
    await t.test(what, () => assert.ok(output.includes(expected), output));
  }
});
