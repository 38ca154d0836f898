/** Fills a tmpfs with the folder that it hides (`tmpcopyup`). Both are given as folders of /proc/PID/fd. */
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fstatSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  type Stats,
  symlinkSync,
  utimesSync,
} from "node:fs";

/**
 * Copies folders, files and symbolic links with owners and modes; of what else there may be (sockets, devices), nothing.
 * A folder is walked by its descriptor, so that nobody can put a symbolic link in its place meanwhile.
 *
 * @param rootless owners that cannot be set are let be
 */
export function copyUp(from: string, to: string, rootless: boolean): void {
  const keep = (path: string, status: Stats) => {
    try {
      lchownSync(path, status.uid, status.gid);
    } catch (error) {
      if (!rootless) throw error;
    }
    if (!status.isSymbolicLink()) {
      chmodSync(path, status.mode & 0o7777);
      utimesSync(path, status.atime, status.mtime);
    }
  };
  const walk = (source: string, target: string) => {
    // Through /proc the first one is a link by nature; below, none is followed.
    const flags = constants.O_RDONLY | constants.O_DIRECTORY | (source === from ? 0 : constants.O_NOFOLLOW);
    const fd = openSync(source, flags);
    try {
      const here = `/proc/self/fd/${fd}`;
      for (const name of readdirSync(here)) {
        const one = `${here}/${name}`;
        const copy = `${target}/${name}`;
        const status = lstatSync(one);
        if (status.isDirectory()) {
          mkdirSync(copy);
          walk(one, copy);
        } else if (status.isSymbolicLink()) symlinkSync(readlinkSync(one), copy);
        else if (status.isFile()) copyRegular(one, copy);
        else continue;
        keep(copy, status);
      }
      keep(target, fstatSync(fd));
    } finally {
      closeSync(fd);
    }
  };
  walk(from, to);
}

function copyRegular(from: string, to: string): void {
  const fd = openSync(from, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if (fstatSync(fd).isFile()) copyFileSync(`/proc/self/fd/${fd}`, to, constants.COPYFILE_EXCL);
  } finally {
    closeSync(fd);
  }
}
