import type { ControlFolder } from "./control-folder.js";
import { CgroupError } from "./errors.js";

/** memory.checkBeforeUpdate. @throws CgroupError when more is in use than the limit would allow */
export function checkAgainstUse(folder: ControlFolder, file: string, limit: string | undefined): void {
  const use = folder.tryReadNumber(file);
  if (limit === undefined || limit === "-1" || use === undefined || use <= BigInt(limit)) return;
  throw new CgroupError(
    "memory",
    "refused",
    `a limit of ${limit} bytes is below the ${use} in use (memory.checkBeforeUpdate)`,
  );
}
