/** The sizes of huge pages that a kernel knows, and their names. */
import type { Resources } from "../spec/config.js";
import { type ControlFolder, integer } from "./control-folder.js";
import { invalid } from "./errors.js";

/** @throws CgroupError for what is no size such as 2MB: it becomes part of a file's name */
function checkPageSize(size: string): string {
  if (typeof size !== "string" || !/^[1-9]\d{0,5}[KMG]B$/.test(size)) {
    throw invalid("hugetlb", `pageSize is ${JSON.stringify(size)?.slice(0, 100)}: not a size such as "2MB" or "1GB"`);
  }
  return size;
}

/** Architectures have few: these are all of Linux's. */
const SIZES = [
  "16KB",
  "64KB",
  "512KB",
  "1MB",
  "2MB",
  "4MB",
  "8MB",
  "16MB",
  "32MB",
  "64MB",
  "256MB",
  "512MB",
  "1GB",
  "2GB",
  "16GB",
];

export function pageSizesIn(folder: ControlFolder): string[] {
  return SIZES.filter((size) => folder.has(`hugetlb.${size}.limit_in_bytes`) || folder.has(`hugetlb.${size}.max`));
}

/** Writes limits into files of that name: one a size. @throws CgroupError */
export function setHugePageLimits(
  folder: ControlFolder,
  limits: NonNullable<Resources["hugepageLimits"]>,
  file: string,
): void {
  for (const { pageSize, limit } of limits) {
    const prefix = `hugetlb.${checkPageSize(pageSize)}`;
    const value = integer("hugetlb", "hugepageLimits.limit", limit, 0);
    folder.write(`${prefix}.${file}`, value);
    // Reserved pages have an account of their own since Linux 5.7.
    if (folder.has(`${prefix}.rsvd.${file}`)) folder.write(`${prefix}.rsvd.${file}`, value);
  }
}
