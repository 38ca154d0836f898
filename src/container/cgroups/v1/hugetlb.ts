/** Documentation/admin-guide/cgroup-v1/hugetlb.rst. */
import { integer } from "../control-folder.js";
import type { Controller } from "../controller.js";
import { checkPageSize, pageSizesIn } from "../huge-pages.js";

export const hugetlb: Controller = {
  name: "hugetlb",
  isAsked: ({ hugepageLimits }) => (hugepageLimits?.length ?? 0) > 0,
  set(folder, { hugepageLimits = [] }) {
    for (const { pageSize, limit } of hugepageLimits) {
      const prefix = `hugetlb.${checkPageSize(pageSize)}`;
      const value = integer("hugetlb", "hugepageLimits.limit", limit, 0);
      folder.write(`${prefix}.limit_in_bytes`, value);
      // Reserved pages have an account of their own since Linux 5.7.
      if (folder.has(`${prefix}.rsvd.limit_in_bytes`)) folder.write(`${prefix}.rsvd.limit_in_bytes`, value);
    }
  },
  readStats(folder, stats) {
    for (const size of pageSizesIn(folder)) {
      const prefix = folder.has(`hugetlb.${size}.rsvd.limit_in_bytes`) ? `hugetlb.${size}.rsvd` : `hugetlb.${size}`;
      const usage = folder.tryReadNumber(`${prefix}.usage_in_bytes`);
      if (usage === undefined) continue;
      stats.hugetlb[size] = {
        usage,
        max: folder.tryReadNumber(`${prefix}.max_usage_in_bytes`),
        failcnt: folder.tryReadNumber(`${prefix}.failcnt`) ?? 0n,
      };
    }
  },
};
