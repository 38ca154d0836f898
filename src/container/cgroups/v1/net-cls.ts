/** Documentation/admin-guide/cgroup-v1/net_cls.rst. */
import { integer } from "../control-folder.js";
import { type Controller, isGiven } from "../controller.js";

export const netCls: Controller = {
  name: "net_cls",
  isAsked: ({ network }) => isGiven(network?.classID),
  set(folder, { network }) {
    if (!isGiven(network?.classID)) return;
    folder.write("net_cls.classid", integer("net_cls", "network.classID", network.classID, 0, 0xffff_ffff));
  },
};
