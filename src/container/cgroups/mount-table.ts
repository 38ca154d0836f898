/** Readers of /proc/self/mountinfo and /proc/self/cgroup: proc(5), cgroups(7). */

export interface MountEntry {
  /** The path inside the mounted file system that stands at the mount point. */
  readonly root: string;
  readonly mountPoint: string;
  readonly options: readonly string[];
  readonly type: string;
  readonly superOptions: readonly string[];
}

/** Lines that are not of the format are left out. */
export function parseMountInfo(text: string): MountEntry[] {
  const entries: MountEntry[] = [];
  for (const line of text.split("\n")) {
    const fields = line.split(" ");
    // A variable number of optional fields ends with a lone hyphen.
    const hyphen = fields.indexOf("-", 6);
    if (hyphen < 0 || fields.length < hyphen + 4) continue;
    entries.push({
      root: decodeOctal(fields[3]!),
      mountPoint: decodeOctal(fields[4]!),
      options: fields[5]!.split(","),
      type: fields[hyphen + 1]!,
      superOptions: fields[hyphen + 3]!.split(","),
    });
  }
  return entries;
}

/** White space and backslashes are written in octal. */
function decodeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

export interface Membership {
  /** Names in a v1 hierarchy ("cpu", "name=systemd"); none is the v2 hierarchy. */
  readonly controllers: readonly string[];
  /** From the root of the reader's cgroup namespace. */
  readonly path: string;
}

export function parseMembership(text: string): Membership[] {
  return text.split("\n").flatMap((line) => {
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line);
    if (!match) return [];
    const controllers = match[1] === "" ? [] : match[1]!.split(",");
    return [{ controllers, path: match[2]!.replace(/ \(deleted\)$/, "") }];
  });
}
