import { invalid } from "./errors.js";

/** A list of CPUs or memory nodes, such as 0-3,7. @throws CgroupError when it is not one */
export function checkCpuList(field: string, list: string): string {
  if (typeof list !== "string" || !/^[\d,\s-]{1,4096}$/.test(list)) {
    throw invalid("cpuset", `${field} is ${JSON.stringify(list).slice(0, 200)}: not a list such as "0-3,7"`);
  }
  return list;
}
