// npm run generate:operations: writes src/accel/translate/translator/operations.ts.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { renderOperations } from "./lib/operations.mjs";
import { ROOT } from "./lib/project.mjs";

writeFileSync(join(ROOT, "src/accel/translate/translator/operations.ts"), renderOperations());
