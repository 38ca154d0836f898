/** Debian's kernels as guests of tests: fetched by apt, kept in the cache folder until apt has a newer one. */
import { mkdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Apt, type Architecture, aptAvailable, type PackageRecord, unpackDeb } from "../../node/apt.js";
import { cacheFolder, writeWhole } from "../../node/cache-folder.js";
import type { CpioEntry } from "../../node/cpio.js";
import { guestInitramfs } from "../../node/default-guest.js";

export interface DebianKernel {
  /** What the flavour is called here. */
  name: "cloud" | "amd64" | "686-pae";
  /** The package that depends on the newest kernel of the flavour. */
  metaPackage: string;
  architecture: Architecture;
  /** `uname -m` of a guest. */
  machine: string;
}

export const DEBIAN_KERNELS: readonly DebianKernel[] = [
  { name: "cloud", metaPackage: "linux-image-cloud-amd64", architecture: "amd64", machine: "x86_64" },
  { name: "amd64", metaPackage: "linux-image-amd64", architecture: "amd64", machine: "x86_64" },
  { name: "686-pae", metaPackage: "linux-image-686-pae", architecture: "i386", machine: "i686" },
];

/** Why Debian's kernels cannot be had on this host, or false. */
export const noDebianGuests: string | false = aptAvailable() ? false : "this host has no apt";

export interface DebianGuest {
  /** Paths of the kernel, of the default guest's initramfs with a busybox of its architecture, and of that busybox. */
  kernel: string;
  initrd: string;
  busybox: string;
  /** Kernel package and version. */
  version: string;
}

interface Manifest {
  /** Milliseconds since 1970. */
  made: number;
  version: string;
}

/** A guest older than this is compared with the archive: lists of our own are fetched for some architectures. */
const FRESH_MS = 7 * 24 * 3600 * 1000;

/**
 * A kernel of Debian's and the default guest's initramfs.
 *
 * @throws AptError where the packages cannot be had
 */
export async function getDebianGuest(kernel: DebianKernel, more: readonly CpioEntry[] = []): Promise<DebianGuest> {
  const folder = join(cacheFolder(), "test-guests", kernel.name);
  const guest = {
    kernel: join(folder, "vmlinuz"),
    initrd: join(folder, more.length > 0 ? `initrd-${process.pid}` : "initrd"),
    busybox: join(folder, "busybox"),
  };
  const manifestFile = join(folder, "manifest.json");
  let version = await freshVersion(manifestFile);
  if (version === null) {
    version = await fetchGuest(kernel, folder, guest.kernel, guest.busybox);
    const manifest: Manifest = { made: Date.now(), version };
    await writeWhole(manifestFile, `${JSON.stringify(manifest)}\n`);
  }
  await writeWhole(guest.initrd, guestInitramfs(await readFile(guest.busybox), more));
  return { ...guest, version };
}

async function freshVersion(manifestFile: string): Promise<string | null> {
  try {
    const { made, version }: Manifest = JSON.parse(await readFile(manifestFile, "utf8"));
    await Promise.all(["vmlinuz", "busybox"].map((name) => stat(join(manifestFile, "..", name))));
    return Date.now() - made < FRESH_MS ? version : null;
  } catch {
    return null;
  }
}

async function fetchGuest(kernel: DebianKernel, folder: string, vmlinuz: string, busybox: string): Promise<string> {
  const scratch = join(folder, `fetch-${process.pid}`);
  await mkdir(scratch, { recursive: true });
  try {
    const system = kernel.architecture === "amd64" && process.arch === "x64";
    const apt = system ? Apt.system() : await Apt.own(join(scratch, "apt"), kernel.architecture, true);
    const meta = await apt.show(kernel.metaPackage);
    const image = await apt.show(meta.depends.find((name) => name.startsWith("linux-image-")) ?? kernel.metaPackage);
    await extract(apt, image, scratch, /^\.?\/?boot\/vmlinuz-/, vmlinuz);
    await extract(apt, await apt.show("busybox-static"), scratch, /^\.?\/?(usr\/)?bin\/busybox$/, busybox);
    return `${image.name} ${image.version}`;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function extract(apt: Apt, record: PackageRecord, scratch: string, wanted: RegExp, to: string): Promise<void> {
  const deb = await apt.download(record, scratch);
  const [file] = await unpackDeb(deb, (path) => wanted.test(path));
  if (!file) throw new Error(`${record.name} has no file that matches ${wanted}`);
  await writeWhole(to, file.bytes);
}
