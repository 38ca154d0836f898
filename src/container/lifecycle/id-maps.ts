/** Writes the maps of a user namespace: itself, or by newuidmap(1) and newgidmap(1) where that takes privileges. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { ContainerError } from "../errors.js";
import type { IdMapping } from "../spec/config.js";

function lines(maps: readonly IdMapping[]): string {
  return maps.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join("");
}

/** A process without privileges may map nothing but itself. */
function isOwnId(maps: readonly IdMapping[], own: number): boolean {
  return maps.length === 1 && maps[0].size === 1 && maps[0].hostID === own;
}

function write(pid: number, kind: "uid" | "gid", maps: readonly IdMapping[], own: number): void {
  if (maps.length === 0) return;
  const file = `/proc/${pid}/${kind}_map`;
  try {
    writeFileSync(file, lines(maps));
    return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM" || isOwnId(maps, own)) {
      const { message } = error as Error;
      throw new ContainerError("STAGE_FAILED", `cannot write ${file}: ${message}`, { cause: error });
    }
  }
  const args = maps.flatMap(({ containerID, hostID, size }) => [containerID, hostID, size].map(String));
  const tool = `new${kind}map`;
  const { status, error, stderr } = spawnSync(tool, [String(pid), ...args], { encoding: "utf8" });
  if (error) {
    throw new ContainerError("UNSUPPORTED_BY_HOST", `rootless maps of several ids need ${tool}: ${error.message}`);
  }
  if (status !== 0) throw new ContainerError("STAGE_FAILED", `${tool} refused: ${stderr.trim()}`);
}

/** @param privileged we are root of our own user namespace: groups may be set in the new one */
export function writeIdMaps(
  pid: number,
  uidMappings: readonly IdMapping[],
  gidMappings: readonly IdMapping[],
  privileged: boolean,
): void {
  const { geteuid, getegid } = process as Required<Pick<typeof process, "geteuid" | "getegid">>;
  write(pid, "uid", uidMappings, geteuid.call(process));
  const gid = getegid.call(process);
  // user_namespaces(7): a single group mapped without privileges gives up setgroups(2).
  if (!privileged && isOwnId(gidMappings, gid)) writeFileSync(`/proc/${pid}/setgroups`, "deny");
  write(pid, "gid", gidMappings, gid);
}
