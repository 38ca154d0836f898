// The core's numbers for the translator. The core is AssemblyScript, whose types tsc does not know: its constants come
// across as a TypeScript file made from the sources.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./project.mjs";

const CORE = "src/accel/translate/core";
/** In an order in which each name is known where it is used. */
const FILES = [
  "ops.ts",
  "ops-integer.ts",
  "ops-system.ts",
  "ops-fpu-state.ts",
  "sse-ops.ts",
  "avx-ops.ts",
  "record.ts",
  "mode-bits.ts",
  "flags.ts",
  "memory.ts",
  "blocks.ts",
];

/** Name and value of each exported number. */
export function coreConstants() {
  const known = new Map();
  const exported = new Map();
  for (const file of FILES) {
    const text = readFileSync(join(ROOT, CORE, file), "utf8");
    for (const [, isExported, name, expression] of text.matchAll(
      /^(export )?const ([A-Z][A-Z0-9_]*): (?:u8|u16|u32|u64|usize) = ([^;]+);/gm,
    )) {
      const value = expression.replace(/<\w+>/g, "").replace(/[A-Z][A-Z0-9_]*/g, (other) => known.get(other) ?? "NaN");
      // Numbers, operators and brackets only.
      if (!/^[0-9a-fx\s+\-*|&<>()~]+$/.test(value)) continue;
      const number = Number(Function(`return ${value}`)());
      known.set(name, number);
      if (isExported && Number.isSafeInteger(number)) exported.set(name, number);
    }
  }
  return exported;
}

/** The text of translator/operations.ts. */
export function renderOperations() {
  const lines = [...coreConstants()].map(([name, value]) => `export const ${name} = 0x${value.toString(16)};`);
  return `/** The core's numbers: made from core/*.ts by \`npm run generate:operations\`, which see for their meaning. */\n${lines.join("\n")}\n`;
}
