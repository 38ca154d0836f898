/** The devices that every container may use, whatever its rules forbid (specification, "Default Devices"). */
import type { DeviceRule, Resources } from "../spec/config.js";

const DEFAULT_RULES: readonly DeviceRule[] = [
  // Making a node is no use of it.
  { allow: true, type: "c", major: -1, minor: -1, access: "m" },
  { allow: true, type: "b", major: -1, minor: -1, access: "m" },
  ...[3, 5, 7, 8, 9].map((minor): DeviceRule => ({ allow: true, type: "c", major: 1, minor, access: "rwm" })),
  // /dev/tty, /dev/ptmx, and pseudo-terminals.
  { allow: true, type: "c", major: 5, minor: 0, access: "rwm" },
  { allow: true, type: "c", major: 5, minor: 2, access: "rwm" },
  { allow: true, type: "c", major: 136, minor: -1, access: "rwm" },
];

/** Without rules a container may use what its parent's group may. */
export function withDefaultDevices(resources: Resources): Resources {
  if (!resources.devices?.length) return resources;
  return { ...resources, devices: [...resources.devices, ...DEFAULT_RULES] };
}
