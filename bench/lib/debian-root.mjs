// Debian root file systems of a few packages: as a folder, and as an initramfs. Kept in the cache folder. No root needed.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

const DIST = new URL("../../dist/", import.meta.url);
const { cacheFolder, writeWhole } = await import(new URL("node/cache-folder.js", DIST));
const { writeCpio, S_IFCHR, S_IFDIR, S_IFLNK, S_IFREG } = await import(new URL("node/cpio.js", DIST));

const FOLDER = join(cacheFolder(), "bench", "roots");
/** What no program of ours reads. */
const LEFT_OUT = /^usr\/(share\/(doc|man|locale|info|lintian|bug|icons|applications|zoneinfo)|lib\/debug)(\/|$)/;
const MOUNT_POINTS = ["dev", "proc", "root", "sys", "tmp"];

/** @param {string[]} args @param {string} [cwd] */
function run(program, args, cwd) {
  const env = { ...process.env, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" };
  const { status, error, stderr } = spawnSync(program, args, { cwd, env, encoding: "utf8", maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(`${program} ${args.at(-1)}: ${error?.message ?? stderr.trim()}`);
}

/** apt with lists and a state of its own: nothing counts as installed, so that whole closures are fetched. */
function apt(...args) {
  const state = join(FOLDER, "apt");
  mkdirSync(join(state, "state/lists/partial"), { recursive: true });
  mkdirSync(join(state, "cache/archives/partial"), { recursive: true });
  const set = {
    "Dir::State": join(state, "state"),
    "Dir::State::status": "/dev/null",
    "Dir::Cache": join(state, "cache"),
    "APT::Architecture": "amd64",
    "APT::Architectures": "amd64",
    "APT::Sandbox::User": "root",
    "APT::Keep-Downloaded-Packages": "true",
    "Acquire::Languages": "none",
  };
  run("apt-get", [...Object.entries(set).flatMap(([name, value]) => ["-o", `${name}=${value}`]), "-q", "-y", ...args]);
  return join(state, "cache/archives");
}

/**
 * The packages with all that they depend on, unpacked; maintainer scripts are not run.
 *
 * @returns {string} the folder
 */
export function debianRoot(packages) {
  const wanted = ["busybox-static", ...packages].sort();
  const digest = createHash("sha256").update(JSON.stringify(wanted)).update(String(LEFT_OUT)).digest("hex");
  const root = join(FOLDER, `${packages[0]}-${digest.slice(0, 12)}`);
  if (existsSync(root)) return root;
  console.error(`fetching ${packages.join(" ")} from Debian ...`);
  const archives = apt("clean");
  apt("update");
  apt("install", "--download-only", "--no-install-recommends", ...wanted);
  const scratch = `${root}.${process.pid}`;
  try {
    // Debian's layout: its packages still name both places.
    mkdirSync(join(scratch, "usr"), { recursive: true });
    for (const name of ["bin", "lib", "lib64", "sbin"]) {
      mkdirSync(join(scratch, "usr", name));
      run("ln", ["-s", `usr/${name}`, join(scratch, name)]);
    }
    for (const name of readdirSync(archives).filter((each) => each.endsWith(".deb"))) {
      // As no user has the right to make devices, and packages have none.
      const unpack = 'dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink --no-same-owner -C "$2"';
      run("bash", ["-o", "pipefail", "-c", unpack, "bash", join(archives, name), scratch]);
    }
    for (const path of ["usr/share", "usr/lib"].flatMap((folder) =>
      readdirSync(join(scratch, folder)).map((name) => `${folder}/${name}`),
    )) {
      if (LEFT_OUT.test(path)) rmSync(join(scratch, path), { recursive: true });
    }
    for (const name of [...MOUNT_POINTS, "bench"]) mkdirSync(join(scratch, name), { recursive: true });
    renameSync(scratch, root);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
    apt("clean");
  }
  return root;
}

function* walk(root, path = "") {
  for (const name of readdirSync(join(root, path)).sort()) {
    const inside = path === "" ? name : `${path}/${name}`;
    const file = join(root, inside);
    const stat = lstatSync(file);
    if (stat.isSymbolicLink()) {
      yield { path: inside, mode: S_IFLNK | 0o777, data: Buffer.from(readlinkSync(file)) };
    } else if (stat.isDirectory()) {
      yield { path: inside, mode: S_IFDIR | (stat.mode & 0o7777) };
      yield* walk(root, inside);
    } else if (stat.isFile()) {
      yield { path: inside, mode: S_IFREG | (stat.mode & 0o7777), data: readFileSync(file) };
    }
  }
}

/**
 * An initramfs of a root and of more files. Not compressed: the guest would spend its boot on unpacking.
 *
 * @param {Record<string, Uint8Array>} files programs and data by their paths; they may be executed
 * @returns {Promise<string>} the image's path
 */
export async function rootImage(root, files) {
  const entries = [...walk(root)];
  entries.push({ path: "dev/console", mode: S_IFCHR | 0o600, device: [5, 1] });
  for (const [path, data] of Object.entries(files)) entries.push({ path, mode: S_IFREG | 0o755, data });
  const image = `${root}.cpio`;
  await writeWhole(image, writeCpio(entries));
  return image;
}
