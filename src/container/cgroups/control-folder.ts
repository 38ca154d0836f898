/** One cgroup's folder in one hierarchy, as one controller sees it. */
import { CgroupError, type CgroupProblem } from "./errors.js";
import { type CgroupFiles, errnoOf } from "./files.js";

const PROBLEMS: Record<string, [CgroupProblem, string]> = {
  ENOENT: [
    "unavailable",
    "the kernel does not offer it here: the controller is not enabled or the feature not built in",
  ],
  EACCES: ["not-permitted", "permission denied"],
  EPERM: ["not-permitted", "the kernel does not permit it"],
  EROFS: ["not-permitted", "the cgroup file system is mounted read-only"],
  EINVAL: ["refused", "the kernel refuses the value"],
  ERANGE: ["refused", "the value is out of the kernel's range"],
  ENODEV: ["refused", "there is no such device"],
  ENOSPC: ["refused", "the limit on cgroups is reached, or cpuset.cpus and cpuset.mems of the cgroup are empty"],
  EOPNOTSUPP: [
    "refused",
    "not supported in the cgroup's state: a threaded cgroup has no processes or domain controllers",
  ],
  EBUSY: ["busy", "in use"],
  ENOTDIR: ["refused", "a control file has the cgroup's name"],
  ESRCH: ["refused", "there is no such process"],
};

export class ControlFolder {
  /** @param controller whose name errors carry */
  constructor(
    readonly controller: string,
    readonly path: string,
    readonly files: CgroupFiles,
  ) {}

  has(name: string): boolean {
    return this.files.exists(`${this.path}/${name}`);
  }

  /** @throws CgroupError */
  write(name: string, value: string | number | bigint): void {
    try {
      this.files.write(`${this.path}/${name}`, String(value));
    } catch (error) {
      throw this.error(name, error, String(value));
    }
  }

  /** Without white space at the end. @throws CgroupError */
  read(name: string): string {
    try {
      return this.files.read(`${this.path}/${name}`).trimEnd();
    } catch (error) {
      throw this.error(name, error);
    }
  }

  /** Undefined where the file is not there or cannot be read now. */
  tryRead(name: string): string | undefined {
    try {
      return this.files.read(`${this.path}/${name}`).trimEnd();
    } catch {
      return undefined;
    }
  }

  /** A number file; "max" and no file are undefined. */
  tryReadNumber(name: string): bigint | undefined {
    const text = this.tryRead(name);
    return text !== undefined && /^-?\d+$/.test(text) ? BigInt(text) : undefined;
  }

  /** A system error with this folder's file in it. */
  error(name: string, error: unknown, value?: string): CgroupError {
    if (error instanceof CgroupError) return error;
    const [problem, words] = PROBLEMS[errnoOf(error)] ?? ["refused", (error as Error).message];
    const what = value === undefined ? "" : ` (writing ${JSON.stringify(value)})`;
    return new CgroupError(this.controller, problem, `${this.path}/${name}: ${words}${what}`, { cause: error });
  }
}

/** The text of a whole number. JavaScript's own would round what lies above 2^53 a second time. */
export function integer(controller: string, field: string, value: number, min: number, max = 2 ** 64): string {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new CgroupError(
      controller,
      "invalid",
      `${field} is ${JSON.stringify(value)}: not a whole number from ${min} to ${max}`,
    );
  }
  // 2^63 - 1 and 2^64 - 1, which mean no limit, arrive from JSON rounded up to the next power of two.
  const exact = BigInt(value);
  return String(exact === 1n << 63n || exact === 1n << 64n ? exact - 1n : exact);
}
