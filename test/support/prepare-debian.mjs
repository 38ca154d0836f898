// What a run in a Debian that QEMU boots needs before anything of dist/ is imported.
import { build } from "../../scripts/lib/build.mjs";
import { ensureTestPackages } from "../../scripts/lib/debian.mjs";
import { ensureDependencies } from "../../scripts/lib/dependencies.mjs";
import { fail } from "../../scripts/lib/project.mjs";

/**
 * Checks the host, installs and builds; ends the process where that fails.
 *
 * @param text what --minutes says
 * @returns the minutes
 */
export function prepareDebian(text, tools) {
  const minutes = Number(text);
  if (!(minutes > 0)) fail(`--minutes ${text} is not a number above 0`, 2);
  if (process.arch !== "x64") fail(`this Node is for ${process.arch}; the Debian in QEMU needs one for x64`);
  ensureDependencies();
  if (!build()) fail("the build failed: see above");
  const missing = ensureTestPackages(tools);
  if (missing.length > 0) fail(`missing: ${missing.join(", ")}`);
  return minutes;
}
