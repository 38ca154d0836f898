/**
 * The guest that `ringvisor boot` boots when it is told nothing else: Debian's kernel for virtual
 * machines and an initramfs of Debian's static busybox with the files of guest/ around it.
 *
 * It is made from packages that apt fetches and checks, and kept in the cache folder beside digests of
 * its parts. It is made anew when a part is damaged, when guest/ changes, and when apt's lists name
 * another version of a package.
 */
import { readFileSync, statSync } from "node:fs";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { Apt, AptError, aptAvailable, type PackageRecord, unpackDeb } from "./apt.js";
import { cacheFolder, sha256, writeWhole } from "./cache-folder.js";
import { type CpioEntry, S_IFCHR, S_IFDIR, S_IFLNK, S_IFREG, writeCpio } from "./cpio.js";
import { fileError } from "./files.js";
import type { Progress } from "./progress.js";
import { TarError } from "./tar.js";

/** Debian's name for the newest kernel of the release. It depends on the package that has the kernel. */
const KERNEL_META_PACKAGE = "linux-image-cloud-amd64";
const BUSYBOX_PACKAGE = "busybox-static";
/** The kernel does not count timer interrupts to see whether they are routed: a host that stalls then makes it panic. */
const NO_TIMER_CHECK = "no_timer_check";
/** Linux's command line where the user gives none. Early messages come out as they arise, not a second later. */
export const DEFAULT_COMMAND_LINE = `console=ttyS0 earlyprintk=ttyS0 ${NO_TIMER_CHECK}`;
/** The same where the VGA's screen takes the serial port's place. */
export const SCREEN_COMMAND_LINE = `console=tty0 ${NO_TIMER_CHECK}`;
const MANIFEST_VERSION = 1;
const SYSTEM_LISTS = "/var/lib/apt/lists";

/** The default guest cannot be made on this host: why, and what to do instead. */
export class GuestBuildError extends Error {
  override readonly name = "GuestBuildError";
  readonly code = "GUEST_BUILD";
}

interface PartRecord {
  /** File name beside the manifest. */
  file: string;
  size: number;
  sha256: string;
}

interface Manifest {
  version: typeof MANIFEST_VERSION;
  /** Digest of the files of guest/ and of the layout. */
  recipe: string;
  packages: { name: string; version: string; sha256: string }[];
  kernel: PartRecord;
  initrd: PartRecord;
  /** When the system's package lists were last compared, as their modification time. */
  listsTime: number;
}

export interface DefaultGuest {
  kernel: { name: string; bytes: Uint8Array };
  initrd: { name: string; bytes: Uint8Array };
  commandLine: string;
  packages: { name: string; version: string; sha256: string }[];
  /** Whether this call made it. */
  built: boolean;
}

interface Recipe {
  digest: string;
  entries: CpioEntry[];
}

/**
 * The default guest from the cache, made first where needed.
 *
 * @param rebuild make it even if the cache is good
 * @throws GuestBuildError
 */
export async function getDefaultGuest(
  progress: Progress,
  options: { folder?: string; rebuild?: boolean } = {},
): Promise<DefaultGuest> {
  const folder = options.folder ?? join(cacheFolder(), "guest");
  const recipe = readRecipe();
  const cached = options.rebuild ? null : await load(folder, recipe);
  if (cached !== null && !(await isOutdated(folder, cached))) return toGuest(folder, cached, false);
  if (!aptAvailable()) {
    if (cached !== null) return toGuest(folder, cached, false);
    throw new GuestBuildError(
      "the default guest is made from Debian packages, and this host has no apt-get: give --kernel FILE and --initrd FILE",
    );
  }
  try {
    return await toGuest(folder, await build(folder, recipe, progress), true);
  } catch (error) {
    // An old guest is better than none, when the archive is out of reach.
    if (cached !== null && error instanceof AptError) return toGuest(folder, cached, false);
    if (error instanceof AptError || error instanceof TarError) {
      throw new GuestBuildError(
        `the default guest cannot be made: ${error.message}; --kernel FILE and --initrd FILE boot one of your own`,
        { cause: error },
      );
    }
    throw error instanceof Error && "code" in error && !(error instanceof GuestBuildError)
      ? fileError(folder, error)
      : error;
  } finally {
    progress.done();
  }
}

/** What is in the cache, checked, or null. Makes nothing. */
export async function describeDefaultGuest(
  folder: string = join(cacheFolder(), "guest"),
): Promise<(Pick<Manifest, "packages" | "kernel" | "initrd"> & { folder: string }) | null> {
  const found = await load(folder, readRecipe());
  return found && { folder, packages: found.packages, kernel: found.kernel, initrd: found.initrd };
}

type Loaded = Manifest & { kernelBytes: Uint8Array; initrdBytes: Uint8Array };

/** The cached guest with all digests checked: 10 MB, some milliseconds. */
async function load(folder: string, recipe: Recipe): Promise<Loaded | null> {
  let manifest: Manifest;
  try {
    manifest = JSON.parse(await readFile(join(folder, "manifest.json"), "utf8"));
    if (manifest.version !== MANIFEST_VERSION || manifest.recipe !== recipe.digest) return null;
    const [kernelBytes, initrdBytes] = await Promise.all([manifest.kernel, manifest.initrd].map(readPart));
    return { ...manifest, kernelBytes, initrdBytes };
  } catch {
    return null;
  }

  async function readPart(part: PartRecord): Promise<Uint8Array> {
    const bytes = await readFile(join(folder, part.file));
    if (bytes.length !== part.size || sha256(bytes) !== part.sha256) throw new Error(`${part.file} is damaged`);
    return bytes;
  }
}

function toGuest(folder: string, { kernel, initrd, kernelBytes, initrdBytes, packages }: Loaded, built: boolean) {
  return {
    kernel: { name: join(folder, kernel.file), bytes: kernelBytes },
    initrd: { name: join(folder, initrd.file), bytes: initrdBytes },
    commandLine: DEFAULT_COMMAND_LINE,
    packages,
    built,
  };
}

/** Whether the system's package lists, if they changed since we last looked, name other versions. */
async function isOutdated(folder: string, { kernelBytes: _k, initrdBytes: _i, ...manifest }: Loaded): Promise<boolean> {
  const listsTime = systemListsTime();
  if (listsTime === manifest.listsTime || !aptAvailable()) return false;
  const system = Apt.system();
  try {
    const current = await findPackages(system);
    const outdated = current.some(({ name, version }) => {
      const ours = manifest.packages.find((one) => one.name === name);
      return ours === undefined || ours.version !== version;
    });
    if (outdated) return true;
  } catch (error) {
    // Lists that do not know the packages say nothing about them.
    if (!(error instanceof AptError)) throw error;
  }
  await writeManifest(folder, { ...manifest, listsTime }).catch(() => {});
  return false;
}

function systemListsTime(): number {
  try {
    return statSync(SYSTEM_LISTS).mtimeMs;
  } catch {
    return 0;
  }
}

async function findPackages(apt: Apt): Promise<[kernel: PackageRecord, busybox: PackageRecord]> {
  const meta = await apt.show(KERNEL_META_PACKAGE);
  const kernelName = meta.depends.find((name) => name.startsWith("linux-image-"));
  if (kernelName === undefined) throw new AptError(`${KERNEL_META_PACKAGE} names no kernel`);
  return [await apt.show(kernelName), await apt.show(BUSYBOX_PACKAGE)];
}

async function build(folder: string, recipe: Recipe, progress: Progress): Promise<Loaded> {
  const scratch = join(folder, `build-${process.pid}`);
  await mkdir(scratch, { recursive: true });
  try {
    const { kernelDeb, busyboxDeb, packages } = await fetchPackages(scratch, progress);
    progress.update("default guest: unpacking");
    const [kernelFile] = await unpackDeb(kernelDeb, (path) => /^\.?\/?boot\/vmlinuz-/.test(path));
    const [busyboxFile] = await unpackDeb(busyboxDeb, (path) => /^\.?\/?(usr\/)?bin\/busybox$/.test(path));
    if (!kernelFile || !busyboxFile) throw new AptError("the packages do not have the files that a guest needs");
    const initrdBytes = writeInitramfs(recipe.entries, busyboxFile.bytes);
    const kernel = record("vmlinuz", kernelFile.bytes);
    const initrd = record("initrd", initrdBytes);
    await writeWhole(join(folder, kernel.file), kernelFile.bytes);
    await writeWhole(join(folder, initrd.file), initrdBytes);
    const manifest: Manifest = {
      version: MANIFEST_VERSION,
      recipe: recipe.digest,
      packages: packages.map(({ name, version, sha256 }) => ({ name, version, sha256 })),
      kernel,
      initrd,
      listsTime: systemListsTime(),
    };
    await writeManifest(folder, manifest);
    await removeOthers(folder, ["manifest.json", kernel.file, initrd.file]);
    return { ...manifest, kernelBytes: kernelFile.bytes, initrdBytes };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function writeInitramfs(entries: readonly CpioEntry[], busybox: Uint8Array): Uint8Array {
  return writeCpio([...entries, { path: "bin/busybox", mode: S_IFREG | 0o755, data: busybox }]);
}

/** The default guest's initramfs with another static busybox, and with more files. */
export function guestInitramfs(busybox: Uint8Array, more: readonly CpioEntry[] = []): Uint8Array {
  return writeInitramfs([...readRecipe().entries, ...more], busybox);
}

/** With the system's package lists if they serve, else with lists of our own. */
async function fetchPackages(scratch: string, progress: Progress) {
  progress.update("default guest: looking for packages");
  const fetchFrom = async (apt: Apt) => {
    const packages = await findPackages(apt);
    const [kernel, busybox] = packages;
    progress.update(`default guest: fetching ${kernel.name} ${kernel.version}`);
    const kernelDeb = await apt.download(kernel, scratch);
    progress.update(`default guest: fetching ${busybox.name} ${busybox.version}`);
    return { kernelDeb, busyboxDeb: await apt.download(busybox, scratch), packages };
  };
  if (process.arch === "x64") {
    try {
      return await fetchFrom(Apt.system());
    } catch (error) {
      if (!(error instanceof AptError)) throw error;
    }
  }
  progress.update("default guest: fetching package lists");
  return fetchFrom(await Apt.own(join(scratch, "apt")));
}

/** Parts are named by their digests, so that two builds at once do not disturb each other. */
function record(kind: string, bytes: Uint8Array): PartRecord {
  const digest = sha256(bytes);
  return { file: `${kind}-${digest.slice(0, 16)}`, size: bytes.length, sha256: digest };
}

function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  return writeWhole(join(folder, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

async function removeOthers(folder: string, kept: string[]): Promise<void> {
  for (const name of await readdir(folder)) {
    if (/^(vmlinuz|initrd)-[0-9a-f]+$/.test(name) && !kept.includes(name)) await rm(join(folder, name));
  }
}

/** The initramfs without busybox, from guest/. */
function readRecipe(): Recipe {
  const read = (name: string) => readFileSync(new URL(`../../guest/${name}`, import.meta.url));
  const folders = ["bin", "dev", "etc", "proc", "root", "run", "sbin", "sys", "tmp", "usr", "usr/bin", "usr/sbin"];
  const text = (content: string) => new TextEncoder().encode(content);
  const entries: CpioEntry[] = [
    ...folders.map((path) => ({ path, mode: S_IFDIR | 0o755 })),
    // The kernel opens it for init before anything is mounted.
    { path: "dev/console", mode: S_IFCHR | 0o600, device: [5, 1] },
    { path: "init", mode: S_IFREG | 0o755, data: read("init") },
    { path: "etc/profile", mode: S_IFREG | 0o644, data: read("profile") },
    { path: "etc/passwd", mode: S_IFREG | 0o644, data: text("root::0:0:root:/root:/bin/sh\n") },
    { path: "etc/group", mode: S_IFREG | 0o644, data: text("root:x:0:\n") },
    { path: "bin/sh", mode: S_IFLNK | 0o777, data: text("busybox") },
  ];
  return { digest: sha256(writeCpio(entries)), entries };
}
