// npm run test:boots -- [WORD...]: Debian's kernels with one vCPU and four, page table isolation on and off, as AMD
// and as Intel, each from power-on over a shell to power-off; only the rows whose name has every WORD. One at a time.
import { build } from "../../scripts/lib/build.mjs";

if (!build()) process.exit(1);
const dist = new URL("../../dist/", import.meta.url);
const { DEBIAN_KERNELS, getDebianGuest, noDebianGuests } = await import(new URL("cli/testing/debian-guests.js", dist));
const { bootDebian } = await import(new URL("cli/testing/boot-debian.js", dist));
if (noDebianGuests) {
  console.error(noDebianGuests);
  process.exit(1);
}

const rows = [];
for (const kernel of DEBIAN_KERNELS) {
  for (const cpus of [1, 4]) {
    for (const pti of [true, false]) {
      for (const vendor of ["amd", "intel"]) {
        const cells = [kernel.name, `${cpus} vCPU`, pti ? "pti=on" : "nopti", vendor];
        rows.push({ cells, boot: { kernel, cpus, pti, vendor } });
      }
    }
  }
}
const words = process.argv.slice(2);
const wanted = rows.filter(({ cells }) => words.every((word) => cells.join(" ").includes(word)));
if (wanted.length === 0) {
  console.error(`no row has ${words.join(" ")}`);
  process.exit(2);
}

let failures = 0;
const versions = new Set();
console.log("| kernel | vCPUs | PTI | vendor | result | CPU seconds | 10^6 instructions |");
console.log("| --- | --- | --- | --- | --- | --- | --- |");
for (const { cells, boot } of wanted) {
  const guest = await getDebianGuest(boot.kernel);
  versions.add(guest.version);
  try {
    const { cpuSeconds, instructions } = await bootDebian(boot, guest);
    console.log(`| ${[...cells, "boots", cpuSeconds.toFixed(1), Math.round(instructions / 1e6)].join(" | ")} |`);
  } catch (error) {
    failures++;
    console.log(`| ${[...cells, "**fails**", "", ""].join(" | ")} |`);
    console.error(error.message);
  }
}
console.log(`\n${wanted.length - failures} of ${wanted.length} boot: ${[...versions].join(", ")}`);
process.exit(failures === 0 ? 0 : 1);
