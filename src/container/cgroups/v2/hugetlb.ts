/** Documentation/admin-guide/cgroup-v2.rst, "HugeTLB Interface Files". */
import { integer } from "../control-folder.js";
import type { Controller } from "../controller.js";
import { checkPageSize, pageSizesIn } from "../huge-pages.js";
import { parseFlat } from "../stats.js";

export const hugetlb: Controller = {
  name: "hugetlb",
  isAsked: ({ hugepageLimits }) => (hugepageLimits?.length ?? 0) > 0,
  set(folder, { hugepageLimits = [] }) {
    for (const { pageSize, limit } of hugepageLimits) {
      const prefix = `hugetlb.${checkPageSize(pageSize)}`;
      const value = integer("hugetlb", "hugepageLimits.limit", limit, 0);
      folder.write(`${prefix}.max`, value);
      // Reserved pages have an account of their own since Linux 5.7.
      if (folder.has(`${prefix}.rsvd.max`)) folder.write(`${prefix}.rsvd.max`, value);
    }
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
