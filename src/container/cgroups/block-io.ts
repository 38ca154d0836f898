/** What the two versions of the block I/O controller share. */

import type { BlockIoResources } from "../spec/config.js";
import { integer } from "./control-folder.js";
import { isGiven } from "./controller.js";

/** The configuration's four lists, by the names that io.max has for them. */
export const THROTTLES = [
  { field: "throttleReadBpsDevice", key: "rbps" },
  { field: "throttleWriteBpsDevice", key: "wbps" },
  { field: "throttleReadIOPSDevice", key: "riops" },
  { field: "throttleWriteIOPSDevice", key: "wiops" },
] as const;

export function hasBlockIo(asked: BlockIoResources | undefined): boolean {
  if (!asked) return false;
  const lists = [asked.weightDevice, ...THROTTLES.map(({ field }) => asked[field])];
  return isGiven(asked.weight) || isGiven(asked.leafWeight) || lists.some((list) => (list?.length ?? 0) > 0);
}

const MAX_MAJOR = 0xfff;
const MAX_MINOR = 0xfffff;

/** A device as the control files name it. @throws CgroupError when it cannot be one */
export function deviceNumber(controller: string, device: { major: number; minor: number }): string {
  const major = integer(controller, "blockIO device's major", device.major, 0, MAX_MAJOR);
  return `${major}:${integer(controller, "blockIO device's minor", device.minor, 0, MAX_MINOR)}`;
}
