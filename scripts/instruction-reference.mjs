// npm run docs:instructions: writes docs/instructions.md.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "./lib/build.mjs";
import { fail, ROOT } from "./lib/project.mjs";

if (!build()) fail("the build failed: see above");
const { loadDecoder } = await import("../test/cpu/decoder/our-decoder.mjs");
const { collectInstructions, renderReference } = await import("./lib/instruction-reference.mjs");
const { instructionTests } = await import("./lib/instruction-tests.mjs");
const ours = await loadDecoder();
writeFileSync(join(ROOT, "docs/instructions.md"), renderReference(collectInstructions(ours), instructionTests(ours)));
