/** Documentation/admin-guide/cgroup-v2.rst, "HugeTLB Interface Files". */
import type { Controller } from "../controller.js";
import { pageSizesIn, setHugePageLimits } from "../huge-pages.js";
import { parseFlat } from "../stats.js";

export const hugetlb: Controller = {
  name: "hugetlb",
  isAsked: ({ hugepageLimits }) => (hugepageLimits?.length ?? 0) > 0,
  set(folder, { hugepageLimits = [] }) {
    setHugePageLimits(folder, hugepageLimits, "max");
  },
  readStats(folder, stats) {
    for (const size of pageSizesIn(folder)) {
      const usage =
        folder.tryReadNumber(`hugetlb.${size}.rsvd.current`) ?? folder.tryReadNumber(`hugetlb.${size}.current`);
      if (usage === undefined) continue;
      const events = parseFlat(folder.tryRead(`hugetlb.${size}.events`) ?? "");
      stats.hugetlb[size] = { usage, failcnt: events.max ?? 0n };
    }
  },
};
