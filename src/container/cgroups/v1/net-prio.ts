/** Documentation/admin-guide/cgroup-v1/net_prio.rst. */
import { integer } from "../control-folder.js";
import type { Controller } from "../controller.js";
import { invalid } from "../errors.js";

export const netPrio: Controller = {
  name: "net_prio",
  isAsked: ({ network }) => (network?.priorities?.length ?? 0) > 0,
  set(folder, { network }) {
    for (const { name, priority } of network?.priorities ?? []) {
      if (!/^[^\s/]{1,15}$/.test(name)) throw invalid("net_prio", `${JSON.stringify(name)} is no interface's name`);
      const value = integer("net_prio", "network.priorities.priority", priority, 0, 0xffff_ffff);
      folder.write("net_prio.ifpriomap", `${name} ${value}`);
    }
  },
};
