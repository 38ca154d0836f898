// A disk that QEMU boots from: Debian's packages, this Node, Ringvisor with what it needs at run time, a test's own.
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { ROOT } from "../../scripts/lib/project.mjs";
import { capture } from "./tools.mjs";

/** What the init script and Node use. apt finds what these need. */
const PACKAGES = ["base-files", "dash", "coreutils", "util-linux", "mount", "sed", "kmod", "libc6", "libstdc++6"];
/** It has ext4 and NVMe built in, so that no initramfs is needed, and kvm_amd as a module. */
const KERNEL_META_PACKAGE = "linux-image-cloud-amd64";
/** A sparse file: only what is used takes space. */
const DISK_SIZE = "2G";
const APT = ["-q", "-o", "APT::Sandbox::User=root", "-o", "APT::Architecture=amd64"];

/**
 * Makes the disk and the kernel that boots it.
 *
 * @param folder scratch space
 * @param progress called with one line for each step
 * @param test what is the test's own: `init`, the URL of the script that becomes PID 1; `files` of the project beside
 *   what is installed; `packages` beside the usual ones; `add(root)`, which puts more into the root's folder
 * @returns the files' paths, and what went in for the log
 */
export async function makeRootDisk(folder, progress, { init, files, packages: more = [], add = () => {} }) {
  const root = join(folder, "root");
  mkdirSync(root);
  progress("fetching Debian packages");
  const debs = await fetchPackages(folder, more);
  progress(`unpacking ${debs.length} packages`);
  // The links of a merged /usr have to be there first: packages still name the old folders.
  for (const name of ["bin", "sbin", "lib", "lib64"]) {
    mkdirSync(join(root, "usr", name), { recursive: true });
    symlinkSync(`usr/${name}`, join(root, name));
  }
  for (const deb of debs) await unpack(deb, root);
  for (const name of ["dev", "proc", "sys", "run", "tmp", "root", "opt"]) {
    mkdirSync(join(root, name), { recursive: true });
  }
  const kernel = join(folder, "vmlinuz");
  const boot = join(root, "boot");
  copyFileSync(join(boot, only(boot, /^vmlinuz-/)), kernel);

  progress("adding Node and Ringvisor");
  await addNode(root);
  addRingvisor(join(root, "opt/ringvisor"), files);
  await add(root);
  const first = join(root, "usr/sbin/init");
  rmSync(first, { force: true });
  copyFileSync(init, first);
  chmodSync(first, 0o755);

  progress("making the disk");
  const disk = join(folder, "root.ext4");
  await capture("mke2fs", ["-q", "-t", "ext4", "-E", "root_owner=0:0", "-d", root, disk, DISK_SIZE]);
  const packages = debs.map(describe);
  rmSync(root, { recursive: true, force: true });
  return { disk, kernel, packages };
}

/** Downloads the packages with all that they depend on; the paths of the .deb files. */
async function fetchPackages(folder, more) {
  const archives = join(folder, "archives");
  mkdirSync(join(archives, "partial"), { recursive: true });
  // An empty status file: for apt, nothing is installed yet.
  const empty = ["-o", "Dir::State::status=/dev/null", "-o", `Dir::Cache::archives=${archives}`];
  const fetch = ["install", "--download-only", "--yes", "--no-install-recommends", ...PACKAGES, ...more];
  await capture("apt-get", [...APT, ...empty, ...fetch]);
  // By itself: what a kernel depends on makes an initramfs, and there is none here.
  const meta = await capture("apt-cache", ["show", "--no-all-versions", KERNEL_META_PACKAGE]);
  const image = /^Depends: (linux-image-\S+)/m.exec(meta)?.[1];
  if (image === undefined) throw new Error(`${KERNEL_META_PACKAGE} names no kernel`);
  await capture("apt-get", [...APT, "download", image], { cwd: archives });
  return readdirSync(archives)
    .filter((name) => name.endsWith(".deb"))
    .sort()
    .map((name) => join(archives, name));
}

/** "dash 0.5.12-2" for dash_0.5.12-2_amd64.deb; apt writes an epoch's colon as %3a. */
function describe(deb) {
  const [name, version] = basename(deb).split("_");
  return `${name} ${decodeURIComponent(version)}`;
}

async function unpack(deb, root) {
  const script = 'dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink --no-same-owner -C "$2"';
  await capture("bash", ["-o", "pipefail", "-c", script, "unpack", deb, root]);
}

/** The Node that runs this, with those of its libraries that the root does not have. */
async function addNode(root) {
  const node = realpathSync(process.execPath);
  copyFileSync(node, join(root, "usr/bin/node"));
  const lines = (await capture("ldd", [node])).split("\n");
  for (const library of lines.flatMap((line) => /(\/\S+) \(0x/.exec(line)?.[1] ?? [])) {
    const target = join(root, library);
    if (existsSync(target)) continue;
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(library, target);
  }
}

/** What an installed package has: dist, guest, and the modules that the lock file does not mark as for development. */
function addRingvisor(target, files) {
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  const modules = Object.entries(lock.packages)
    .filter(([path, entry]) => path !== "" && !entry.dev && !entry.devOptional && existsSync(join(ROOT, path)))
    .map(([path]) => path);
  for (const path of ["package.json", "dist", "guest", ...files, ...modules]) {
    const options = { recursive: true, dereference: true, filter: (name) => !/\.(map|test\.js|d\.ts)$/.test(name) };
    mkdirSync(dirname(join(target, path)), { recursive: true });
    cpSync(join(ROOT, path), join(target, path), options);
  }
}

function only(folder, pattern) {
  const found = readdirSync(folder).filter((name) => pattern.test(name));
  if (found.length !== 1) throw new Error(`${found.length} files in ${folder} match ${pattern}, not one`);
  return found[0];
}
