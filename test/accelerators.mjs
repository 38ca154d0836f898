// npm run test:accelerators: which guests of the suite pass on which accelerator of this host, as a table for docs.
import { build } from "../scripts/lib/build.mjs";
import { ensureTestPackages } from "../scripts/lib/debian.mjs";

if (!build()) process.exit(1);
ensureTestPackages();
const dist = new URL("../dist/", import.meta.url);
const { ACCELERATORS } = await import(new URL("test-support/accelerators.js", dist));
const { GUEST_CASES } = await import(new URL("test-support/guest-suite/suite.js", dist));

let failures = 0;
const reasons = new Set();

async function result({ run, skip: obstacle }, { skip, create }) {
  const reason = skip || obstacle;
  if (reason) {
    reasons.add(reason);
    return "skipped";
  }
  try {
    await run(await create());
    return "passes";
  } catch (error) {
    failures++;
    reasons.add(error.message.split("\n")[0]);
    return "**fails**";
  }
}

console.log(`| | ${ACCELERATORS.map(({ name }) => name).join(" | ")} |`);
console.log(`| --- |${" --- |".repeat(ACCELERATORS.length)}`);
for (const guest of GUEST_CASES) {
  const cells = [];
  for (const accelerator of ACCELERATORS) cells.push(await result(guest, accelerator));
  console.log(`| ${guest.group}: ${guest.name} | ${cells.join(" | ")} |`);
}
for (const reason of reasons) console.log(`\n${reason}`);
process.exit(failures === 0 ? 0 : 1);
