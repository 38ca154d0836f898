// What the nested test's disk has beside Debian, Node and Ringvisor: the inner guest and the probe.
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { capture } from "../support/tools.mjs";

/** @param bootOptions for `ringvisor boot` in there: its options, and more for the kernel's command line */
export function nestedDisk(bootOptions) {
  return {
    init: new URL("init.sh", import.meta.url),
    files: ["test/nested/guest.mjs"],
    async add(root) {
      writeFileSync(join(root, "opt/boot-options.json"), JSON.stringify(bootOptions));
      await addDefaultGuest(join(root, "root/.cache/ringvisor/guest"));
      const probe = fileURLToPath(new URL("probe.c", import.meta.url));
      await capture("gcc", ["-O2", "-Wall", "-static", "-o", join(root, "opt/probe"), probe]);
    },
  };
}

/** The inner guest as the cache has it: the Debian that we make has no apt to make it with. */
async function addDefaultGuest(target) {
  const { describeDefaultGuest, getDefaultGuest } = await import("../../dist/node/default-guest.js");
  await getDefaultGuest({ update: () => {}, done: () => {} });
  const { folder, kernel, initrd } = await describeDefaultGuest();
  mkdirSync(target, { recursive: true });
  for (const file of ["manifest.json", kernel.file, initrd.file]) copyFileSync(join(folder, file), join(target, file));
}
