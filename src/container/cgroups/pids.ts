/** Documentation/admin-guide/cgroup-v1/pids.rst. */
import { integer } from "./control-folder.js";
import { type Controller, isGiven } from "./controller.js";

/** The same files on both versions. */
export const pids: Controller = {
  name: "pids",
  isAsked: ({ pids: asked }) => isGiven(asked?.limit),
  set(folder, { pids: asked }) {
    if (!asked || !isGiven(asked.limit)) return;
    // Any negative number is no limit.
    const max = asked.limit < 0 ? "max" : integer("pids", "pids.limit", asked.limit, 1);
    folder.write("pids.max", max);
  },
  readStats(folder, { pids: stats }) {
    stats.current = folder.tryReadNumber("pids.current");
    stats.limit = folder.tryReadNumber("pids.max");
  },
};
