/**
 * Targets of mounts, and paths of devices, that lead through symbolic links to what is not there yet: an image's
 * /etc/resolv.conf -> ../run/systemd/resolve/stub-resolv.conf. The kernel makes nothing behind a link, so the folders
 * are made where it points, inside the root. What is decided here holds no promise: the stage opens every target
 * confined to the root (in-root.ts), wherever a link may point by then.
 */
import { lstatSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import type { Device, Mount } from "../spec/config.js";
import { components } from "./in-root.js";

/** The kernel's own limit (MAXSYMLINKS). */
const MAX_LINKS = 40;

/** Where `path` leads inside `rootfs`, if links lead it to something missing; else `path` itself. */
export function pastDanglingLinks(rootfs: string, path: string): string {
  const pending = components(path).reverse();
  const found: string[] = [];
  let links = 0;
  while (pending.length > 0) {
    const part = pending.pop()!;
    if (part === "" || part === ".") continue;
    if (part === "..") {
      found.pop();
      continue;
    }
    const file = join(rootfs, ...found, part);
    let target: string | null;
    try {
      target = lstatSync(file).isSymbolicLink() ? readlinkSync(file) : null;
    } catch (error) {
      if (links === 0 || (error as NodeJS.ErrnoException).code !== "ENOENT") return path;
      return `/${[...found, ...components([part, ...pending.reverse()].join("/"))].join("/")}`;
    }
    if (target === null) {
      found.push(part);
      continue;
    }
    if (++links > MAX_LINKS) return path;
    if (target.startsWith("/")) found.length = 0;
    pending.push(...target.split("/").reverse());
  }
  return path;
}

/** The same mounts, their destinations past dangling links. */
export function mountsPastDanglingLinks(rootfs: string, mounts: readonly Mount[]): Mount[] {
  return mounts.map((mount) => {
    const destination = pastDanglingLinks(rootfs, mount.destination);
    return destination === mount.destination ? mount : { ...mount, destination };
  });
}

/** The same devices, their paths past dangling links. */
export function devicesPastDanglingLinks(rootfs: string, devices: readonly Device[]): Device[] {
  return devices.map((device) => ({ ...device, path: pastDanglingLinks(rootfs, device.path) }));
}
