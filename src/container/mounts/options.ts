/** `mounts[].options`: what mount(8) calls file-system independent options become flags, the rest is data. */
import * as C from "../stage/constants.js";

/** A change of attributes for mount_setattr(2). */
export interface AttributeChange {
  set: number;
  clear: number;
}

export interface MountOptions {
  /** MS_* for mount(2). */
  flags: number;
  /** The same for mount_setattr(2), of this mount alone; what no option names stays as it is. */
  attributes: AttributeChange;
  /** Of this mount and those under it (`rro` and its like). */
  recursiveAttributes: AttributeChange;
  /** MS_SHARED and so on, with MS_REC where they are to reach the mounts under it, in order. */
  propagation: number[];
  /** `bind` or `rbind`. */
  bind: "none" | "one" | "recursive";
  /** The file system's own options, with commas between them. */
  data: string;
  /** Fill a tmpfs with what it hides. */
  copyUp: boolean;
  /** `idmap` or `ridmap`. */
  idmap: "none" | "one" | "recursive";
}

const FLAGS: Readonly<Record<string, readonly [clear: boolean, flag: number]>> = {
  async: [true, C.MS_SYNCHRONOUS],
  sync: [false, C.MS_SYNCHRONOUS],
  dirsync: [false, C.MS_DIRSYNC],
  iversion: [false, C.MS_I_VERSION],
  noiversion: [true, C.MS_I_VERSION],
  lazytime: [false, C.MS_LAZYTIME],
  nolazytime: [true, C.MS_LAZYTIME],
  loud: [true, C.MS_SILENT],
  silent: [false, C.MS_SILENT],
  mand: [false, C.MS_MANDLOCK],
  nomand: [true, C.MS_MANDLOCK],
  remount: [false, C.MS_REMOUNT],
  defaults: [false, 0],
};

/** MS_* flag, MOUNT_ATTR_*, and whether the option clears it. */
const ATTRIBUTES: Readonly<Record<string, readonly [clear: boolean, flag: number, attribute: number]>> = {
  ro: [false, C.MS_RDONLY, C.MOUNT_ATTR_RDONLY],
  rw: [true, C.MS_RDONLY, C.MOUNT_ATTR_RDONLY],
  nosuid: [false, C.MS_NOSUID, C.MOUNT_ATTR_NOSUID],
  suid: [true, C.MS_NOSUID, C.MOUNT_ATTR_NOSUID],
  nodev: [false, C.MS_NODEV, C.MOUNT_ATTR_NODEV],
  dev: [true, C.MS_NODEV, C.MOUNT_ATTR_NODEV],
  noexec: [false, C.MS_NOEXEC, C.MOUNT_ATTR_NOEXEC],
  exec: [true, C.MS_NOEXEC, C.MOUNT_ATTR_NOEXEC],
  nodiratime: [false, C.MS_NODIRATIME, C.MOUNT_ATTR_NODIRATIME],
  diratime: [true, C.MS_NODIRATIME, C.MOUNT_ATTR_NODIRATIME],
  nosymfollow: [false, C.MS_NOSYMFOLLOW, C.MOUNT_ATTR_NOSYMFOLLOW],
  symfollow: [true, C.MS_NOSYMFOLLOW, C.MOUNT_ATTR_NOSYMFOLLOW],
};

/** The access time's three ways are values of one field. */
const ACCESS_TIMES: Readonly<Record<string, readonly [clear: boolean, flag: number, attribute: number]>> = {
  noatime: [false, C.MS_NOATIME, C.MOUNT_ATTR_NOATIME],
  atime: [true, C.MS_NOATIME, C.MOUNT_ATTR_RELATIME],
  relatime: [false, C.MS_RELATIME, C.MOUNT_ATTR_RELATIME],
  norelatime: [true, C.MS_RELATIME, C.MOUNT_ATTR_RELATIME],
  strictatime: [false, C.MS_STRICTATIME, C.MOUNT_ATTR_STRICTATIME],
  nostrictatime: [true, C.MS_STRICTATIME, C.MOUNT_ATTR_RELATIME],
};

const PROPAGATION: Readonly<Record<string, number>> = {
  private: C.MS_PRIVATE,
  shared: C.MS_SHARED,
  slave: C.MS_SLAVE,
  unbindable: C.MS_UNBINDABLE,
};

/** Every option that is not a file system's own: `features` lists them. */
export const MOUNT_OPTION_NAMES: readonly string[] = [
  ...Object.keys(FLAGS),
  ...Object.keys(ATTRIBUTES).flatMap((name) => [name, `r${name}`]),
  ...Object.keys(ACCESS_TIMES).flatMap((name) => [name, `r${name}`]),
  ...Object.keys(PROPAGATION).flatMap((name) => [name, `r${name}`]),
  ...["bind", "rbind", "idmap", "ridmap", "tmpcopyup"],
].sort();

function has<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

function change(target: AttributeChange, clear: boolean, attribute: number): void {
  if (clear) {
    target.clear |= attribute;
    target.set &= ~attribute;
  } else {
    target.set |= attribute;
    target.clear &= ~attribute;
  }
}

function changeAccessTime(target: AttributeChange, attribute: number): void {
  target.set = (target.set & ~C.MOUNT_ATTR__ATIME) | attribute;
  target.clear |= C.MOUNT_ATTR__ATIME;
}

export function parseMountOptions(options: readonly string[]): MountOptions {
  const parsed: MountOptions = {
    flags: 0,
    attributes: { set: 0, clear: 0 },
    recursiveAttributes: { set: 0, clear: 0 },
    propagation: [],
    bind: "none",
    data: "",
    copyUp: false,
    idmap: "none",
  };
  const data: string[] = [];
  for (const option of options) {
    const recursive = option.startsWith("r") ? option.slice(1) : "";
    const flag = has(FLAGS, option);
    const attribute = has(ATTRIBUTES, option);
    const recursiveAttribute = has(ATTRIBUTES, recursive);
    const accessTime = has(ACCESS_TIMES, option);
    const recursiveAccessTime = has(ACCESS_TIMES, recursive);
    const propagation = has(PROPAGATION, option) ?? has(PROPAGATION, recursive);
    if (option === "bind" || option === "rbind") parsed.bind = option === "bind" ? "one" : "recursive";
    else if (option === "idmap" || option === "ridmap") parsed.idmap = option === "idmap" ? "one" : "recursive";
    else if (option === "tmpcopyup") parsed.copyUp = true;
    else if (flag) parsed.flags = flag[0] ? parsed.flags & ~flag[1] : parsed.flags | flag[1];
    else if (attribute) {
      parsed.flags = attribute[0] ? parsed.flags & ~attribute[1] : parsed.flags | attribute[1];
      change(parsed.attributes, attribute[0], attribute[2]);
    } else if (accessTime) {
      parsed.flags = accessTime[0] ? parsed.flags & ~accessTime[1] : parsed.flags | accessTime[1];
      changeAccessTime(parsed.attributes, accessTime[2]);
    } else if (propagation !== undefined) {
      parsed.propagation.push(propagation | (has(PROPAGATION, option) ? 0 : C.MS_REC));
    } else if (recursiveAttribute) change(parsed.recursiveAttributes, recursiveAttribute[0], recursiveAttribute[2]);
    else if (recursiveAccessTime) changeAccessTime(parsed.recursiveAttributes, recursiveAccessTime[2]);
    else if (option !== "") data.push(option);
  }
  parsed.data = data.join(",");
  return parsed;
}
