/** Makes a cgroup in the v2 hierarchy and hands it its controllers: cgroup-v2.rst, "Organizing Processes". */
import { posix } from "node:path";
import { ControlFolder } from "../control-folder.js";
import { readControllers } from "../detect.js";
import { CgroupError } from "../errors.js";
import { type CgroupFiles, errnoOf } from "../files.js";

/** These know processes, not threads: a cgroup in a threaded subtree cannot have them. */
const DOMAIN_CONTROLLERS = ["memory", "io", "hugetlb", "rdma", "misc"];

export interface V2FolderRequest {
  readonly files: CgroupFiles;
  readonly mountPoint: string;
  /** The cgroup's folder, below the mount point. */
  readonly folder: string;
  /** Controllers that limits were asked of. */
  readonly needed: ReadonlySet<string>;
  /** Enable what else there is, for statistics and later updates. */
  readonly enableAll: boolean;
  /** Told of each folder that was made. */
  readonly made: (folder: string) => void;
}

/** @throws CgroupError that names the controller that cannot be had, and why */
export function makeV2Folder(request: V2FolderRequest): void {
  const { files, mountPoint, folder, needed, made } = request;
  const failures = new Map<string, CgroupError>();
  let parent = mountPoint;
  for (const component of posix.relative(mountPoint, folder).split("/")) {
    enableControllers(request, parent, failures);
    const child = `${parent}/${component}`;
    try {
      files.mkdir(child);
      made(child);
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw new ControlFolder("cgroup", parent, files).error(component, error);
    }
    checkType(new ControlFolder("cgroup", child, files), needed, child === folder);
    parent = child;
  }
  const available = readControllers(files, folder);
  for (const controller of needed) {
    if (available.includes(controller)) continue;
    throw (
      failures.get(controller) ??
      new CgroupError(
        controller,
        "unavailable",
        `not among the controllers that ${mountPoint} has: limits cannot be set`,
      )
    );
  }
}

function enableControllers(
  { files, needed, enableAll }: V2FolderRequest,
  folder: string,
  failures: Map<string, CgroupError>,
) {
  const control = new ControlFolder("cgroup", folder, files);
  const enabled = (control.tryRead("cgroup.subtree_control") ?? "").split(" ");
  const lacking = readControllers(files, folder).filter(
    (name) => !enabled.includes(name) && (enableAll || needed.has(name)),
  );
  if (lacking.length === 0) return;
  try {
    control.write("cgroup.subtree_control", lacking.map((name) => `+${name}`).join(" "));
    return;
  } catch {
    // One by one: the kernel takes all or none.
  }
  for (const name of lacking) {
    try {
      control.write("cgroup.subtree_control", `+${name}`);
    } catch (error) {
      failures.set(name, explain(name, folder, error as CgroupError));
    }
  }
}

function explain(controller: string, folder: string, error: CgroupError): CgroupError {
  if (error.problem !== "busy") return new CgroupError(controller, error.problem, error.detail, { cause: error });
  const detail = `${folder} has processes in it and can give its children no controllers: move them to a cgroup below it, or use a cgroupsPath elsewhere`;
  return new CgroupError(controller, "busy", detail, { cause: error });
}

/** A child of a threaded cgroup is invalid until it is made threaded too, and cannot be a domain then. */
function checkType(folder: ControlFolder, needed: ReadonlySet<string>, isLast: boolean): void {
  const type = folder.tryRead("cgroup.type");
  if (type === undefined || type === "domain") return;
  const domainController = DOMAIN_CONTROLLERS.find((name) => needed.has(name));
  if (type === "domain threaded" && !isLast) return;
  if (domainController) {
    const detail = `${folder.path} is a cgroup of type "${type}": only a domain can have this controller`;
    throw new CgroupError(domainController, "refused", detail);
  }
  if (type === "domain invalid") folder.write("cgroup.type", "threaded");
}
