// Debian's kernels that the guests run: the cloud kernel for 64 bits, 686-pae for 32, each as apt has it now.
const DIST = new URL("../../dist/", import.meta.url);
const { DEBIAN_KERNELS, getDebianGuest } = await import(new URL("cli/testing/debian-guests.js", DIST));

/** Paths of the kernel and of an initramfs with busybox, and the kernel's version. @throws AptError */
export async function getKernel(bits) {
  const name = bits === 32 ? "686-pae" : "cloud";
  return getDebianGuest(DEBIAN_KERNELS.find((kernel) => kernel.name === name));
}
