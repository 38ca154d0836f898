/** Debian's kernels beyond the default guest: with 32 bits, and with several CPUs. `npm run test:boots` boots them all. */
import { test } from "node:test";
import { type BootCase, bootDebian } from "./testing/boot-debian.js";
import { DEBIAN_KERNELS, getDebianGuest, noDebianGuests } from "./testing/debian-guests.js";

const kernel = (wanted: string) => DEBIAN_KERNELS.find(({ name }) => name === wanted) ?? DEBIAN_KERNELS[0];
// By instructions: however busy the host is, the guest sees the same.
const CASES: BootCase[] = [
  { kernel: kernel("686-pae"), cpus: 1, pti: true, vendor: "amd", clock: "icount" },
  { kernel: kernel("cloud"), cpus: 4, pti: true, vendor: "intel", clock: "icount" },
];

for (const each of CASES) {
  const name = `${each.kernel.name}, ${each.cpus} vCPU, page table isolation, ${each.vendor}`;
  test(`${name}: boots to a shell, every CPU works, and power off`, { skip: noDebianGuests }, async () => {
    await bootDebian(each, await getDebianGuest(each.kernel));
  });
}
