// npm test: installs what is missing, checks format, lint and layers, builds, and runs every test.
// With arguments: builds and runs the test files whose path contains one of them.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { build } from "./lib/build.mjs";
import { ensureTestPackages } from "./lib/debian.mjs";
import { ensureDependencies } from "./lib/dependencies.mjs";
import { fail, ROOT, run, runTool } from "./lib/project.mjs";

/** A test that takes longer than this has hung. */
const TIMEOUT_MS = 300_000;
const wanted = process.argv.slice(2);

function testFiles() {
  const found = [];
  for (const [folder, ending] of [
    ["dist", ".test.js"],
    ["scripts", ".test.mjs"],
    ["guest", ".test.mjs"],
    ["test", ".test.mjs"],
    ["bench", ".test.mjs"],
  ]) {
    if (!existsSync(join(ROOT, folder))) continue;
    for (const name of readdirSync(join(ROOT, folder), { recursive: true })) {
      if (name.endsWith(ending)) found.push(join(folder, name));
    }
  }
  return found.filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part))).sort();
}

ensureDependencies();
if (wanted.length === 0) {
  ensureTestPackages();
  if (runTool("@biomejs/biome/bin/biome", ["check", "."]) !== 0)
    fail("format or lint: see above (npm run format mends most)");
}
if (!build()) fail("the build failed: see above");
if (wanted.length === 0 && run(process.execPath, ["scripts/check-layers.mjs"]) !== 0) fail("layers: see above");
const files = testFiles();
if (files.length === 0) fail(`no test file matches ${wanted.join(" ")}`);
const flags = ["--test", "--test-concurrency=2", `--test-timeout=${TIMEOUT_MS}`, "--test-reporter=spec"];
process.exit(run(process.execPath, [...flags, ...files]));
