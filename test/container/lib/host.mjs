// What a host shows of its containers: mounts, control groups, processes.
import { existsSync, readdirSync, readFileSync, readlinkSync, rmdirSync } from "node:fs";
import { join } from "node:path";

const CGROUP = "/sys/fs/cgroup";

/** The mount points that this process sees, in the order in which they were mounted. */
export function mountPoints() {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) =>
      line.split(" ")[4].replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))),
    );
}

/** Every control group below the root of each hierarchy, children before their parents. */
export function cgroups(folder = CGROUP) {
  const found = [];
  let entries = [];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return found;
  }
  for (const entry of entries) {
    if (!entry.isDirectory()) continue;
    const path = join(folder, entry.name);
    found.push(...cgroups(path));
    if (existsSync(join(path, "cgroup.procs"))) found.push(path);
  }
  return found;
}

/** Removes the control groups that `matches` picks; those that are still in use stay. */
export function removeCgroups(matches) {
  for (const path of cgroups().filter(matches)) {
    try {
      rmdirSync(path);
    } catch {
      // In use, or gone already: whoever compares before and after reports it.
    }
  }
}

/** The processes for which `matches(commandLine, pid)` holds. */
export function processes(matches) {
  const found = [];
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const commandLine = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
      if (matches(commandLine, Number(pid))) found.push({ pid: Number(pid), commandLine });
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}

/** A file of the host, trimmed. */
export const hostFile = (path) => readFileSync(path, "utf8").trim();

/** Where a symbolic link of the host points. */
export const hostLink = (path) => readlinkSync(path);

/**
 * A control file of the group that a process is in: `v1` where the controller has a hierarchy of its own, `v2` in the
 * unified one.
 */
export function cgroupFile(pid, controller, v1, v2) {
  for (const line of hostFile(`/proc/${pid}/cgroup`).split("\n")) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line);
    if (controllers.split(",").includes(controller)) return hostFile(join(CGROUP, controller, path, v1));
    if (controllers === "" && existsSync(join(CGROUP, path, v2))) return hostFile(join(CGROUP, path, v2));
  }
  throw new Error(`process ${pid} is in no control group with ${controller}`);
}

/** A whole disk of the host, /dev/NAME. */
export function blockDevice() {
  const name = readdirSync("/sys/block").find((disk) => /^(vd|sd|xvd|nvme)/.test(disk));
  if (name === undefined) throw new Error("the host has no disk");
  return `/dev/${name}`;
}
