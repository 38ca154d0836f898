/** Documentation/admin-guide/cgroup-v1/devices.rst. */
import type { Controller } from "../controller.js";
import { devicePolicy, deviceWrites, parseDeviceList } from "../devices/rules.js";

export const devices: Controller = {
  name: "devices",
  isAsked: ({ devices: rules }) => rules !== undefined,
  set(folder, { devices: rules }) {
    if (!rules) return;
    const policy = devicePolicy(rules);
    const current = parseDeviceList(folder.read("devices.list"));
    for (const { file, value } of deviceWrites(current, policy)) folder.write(file, value);
  },
};
