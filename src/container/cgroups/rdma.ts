/** Documentation/admin-guide/cgroup-v1/rdma.rst: the same file on both versions. */
import { integer } from "./control-folder.js";
import type { Controller } from "./controller.js";
import { invalid } from "./errors.js";

export const rdma: Controller = {
  name: "rdma",
  isAsked: ({ rdma: asked }) => Object.keys(asked ?? {}).length > 0,
  set(folder, { rdma: asked = {} }) {
    for (const [device, limit] of Object.entries(asked)) {
      if (!/^[\w.-]{1,64}$/.test(device)) throw invalid("rdma", `${JSON.stringify(device)} is no device's name`);
      const parts = [device];
      if (limit.hcaHandles !== undefined) {
        parts.push(`hca_handle=${integer("rdma", "rdma.hcaHandles", limit.hcaHandles, 0, 0xffff_ffff)}`);
      }
      if (limit.hcaObjects !== undefined) {
        parts.push(`hca_object=${integer("rdma", "rdma.hcaObjects", limit.hcaObjects, 0, 0xffff_ffff)}`);
      }
      if (parts.length === 1) throw invalid("rdma", `${device} has neither hcaHandles nor hcaObjects`);
      folder.write("rdma.max", parts.join(" "));
    }
  },
};
