/** Documentation/admin-guide/cgroup-v1/hugetlb.rst. */
import type { Controller } from "../controller.js";
import { pageSizesIn, setHugePageLimits } from "../huge-pages.js";

export const hugetlb: Controller = {
  name: "hugetlb",
  isAsked: ({ hugepageLimits }) => (hugepageLimits?.length ?? 0) > 0,
  set(folder, { hugepageLimits = [] }) {
    setHugePageLimits(folder, hugepageLimits, "limit_in_bytes");
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
