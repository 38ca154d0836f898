/** Reads config.json: hostile until every field that is used has been looked at. */
import { ContainerError } from "../errors.js";
import { array, boolean, type Check, checkObject, integer, oneOf, record, string } from "./checks.js";
import type { Config, Linux, NamespaceType, Process } from "./config.js";
import { parseExactJson, WIDE_KEYS } from "./exact-json.js";

const SUPPORTED_MAJOR = "1";
const U32_MAX = 0xffff_ffff;
const NAMESPACE_TYPES: readonly NamespaceType[] = [
  ...(["pid", "network", "ipc", "uts", "mount", "user", "cgroup", "time"] as const),
];

const PROPAGATIONS = ["shared", "slave", "private", "unbindable"];

const id = integer(0, U32_MAX);
const text = string();
const path = string({ absolute: true });
const any: Check = () => {};
/** Unsigned, of 64 bits: exact, so a bigint beyond 2^53. */
const wide: Check = (value, path) => {
  if (typeof value !== "bigint") integer(0, Number.MAX_SAFE_INTEGER)(value, path);
  else if (value < 0n || value >> 64n !== 0n) throw new ContainerError("SPEC_INVALID", `${path} must have 64 bits`);
};
const number = integer(Number.MIN_SAFE_INTEGER, 2 ** 64);

const idMapping = checkObject({
  required: { containerID: id, hostID: id, size: integer(1, U32_MAX) },
});
const capabilities = checkObject({
  optional: {
    bounding: array(text),
    effective: array(text),
    inheritable: array(text),
    permitted: array(text),
    ambient: array(text),
  },
});
const hook = checkObject({
  required: { path },
  optional: { args: array(text), env: array(text), timeout: integer(1, U32_MAX) },
});

const processCheck = checkObject({
  required: { cwd: path },
  optional: {
    user: checkObject({
      optional: { uid: id, gid: id, umask: integer(0, 0o7777), additionalGids: array(id), username: any },
    }),
    terminal: boolean,
    consoleSize: checkObject({ required: { height: integer(0, U32_MAX), width: integer(0, U32_MAX) } }),
    env: array(text),
    args: array(text),
    rlimits: array(checkObject({ required: { type: text, soft: number, hard: number } })),
    apparmorProfile: text,
    capabilities,
    noNewPrivileges: boolean,
    oomScoreAdj: integer(-1000, 1000),
    scheduler: checkObject({
      required: { policy: text },
      optional: {
        nice: integer(-20, 19),
        priority: integer(0, 99),
        flags: array(text),
        runtime: number,
        deadline: number,
        period: number,
      },
    }),
    selinuxLabel: text,
    ioPriority: checkObject({ required: { class: text }, optional: { priority: integer(0, 7) } }),
    execCPUAffinity: checkObject({ optional: { initial: text, final: text } }),
    commandLine: any,
  },
});

const deviceRule = checkObject({
  required: { allow: boolean },
  optional: { type: oneOf(["a", "b", "c", ""]), major: number, minor: number, access: text },
});
const throttle = array(checkObject({ required: { major: number, minor: number, rate: number } }));
const resources = checkObject({
  optional: {
    devices: array(deviceRule),
    memory: checkObject({
      optional: {
        limit: number,
        reservation: number,
        swap: number,
        kernel: number,
        kernelTCP: number,
        swappiness: integer(0, 2 ** 64),
        disableOOMKiller: boolean,
        useHierarchy: boolean,
        checkBeforeUpdate: boolean,
      },
    }),
    cpu: checkObject({
      optional: {
        shares: number,
        quota: number,
        burst: number,
        period: number,
        realtimeRuntime: number,
        realtimePeriod: number,
        cpus: text,
        mems: text,
        idle: number,
      },
    }),
    pids: checkObject({ optional: { limit: number } }),
    blockIO: checkObject({
      optional: {
        weight: integer(0, 0xffff),
        leafWeight: integer(0, 0xffff),
        weightDevice: array(
          checkObject({ required: { major: number, minor: number }, optional: { weight: number, leafWeight: number } }),
        ),
        throttleReadBpsDevice: throttle,
        throttleWriteBpsDevice: throttle,
        throttleReadIOPSDevice: throttle,
        throttleWriteIOPSDevice: throttle,
      },
    }),
    hugepageLimits: array(checkObject({ required: { pageSize: text, limit: number } })),
    network: checkObject({
      optional: {
        classID: id,
        priorities: array(checkObject({ required: { name: text, priority: id } })),
      },
    }),
    rdma: record(checkObject({ optional: { hcaHandles: id, hcaObjects: id } })),
    unified: record(text),
  },
});

const seccomp = checkObject({
  required: { defaultAction: text },
  optional: {
    defaultErrnoRet: id,
    architectures: array(text),
    flags: array(text),
    listenerPath: text,
    listenerMetadata: text,
    syscalls: array(
      checkObject({
        required: { names: array(text), action: text },
        optional: {
          errnoRet: id,
          args: array(checkObject({ required: { index: id, value: wide, op: text }, optional: { valueTwo: wide } })),
        },
      }),
    ),
  },
});

const linux = checkObject({
  optional: {
    uidMappings: array(idMapping),
    gidMappings: array(idMapping),
    sysctl: record(text),
    resources,
    cgroupsPath: text,
    namespaces: array(checkObject({ required: { type: oneOf(NAMESPACE_TYPES) }, optional: { path: text } })),
    devices: array(
      checkObject({
        required: { path, type: oneOf(["c", "b", "u", "p"]) },
        optional: { major: number, minor: number, fileMode: integer(0, U32_MAX), uid: id, gid: id },
      }),
    ),
    seccomp,
    rootfsPropagation: oneOf([...PROPAGATIONS, ...PROPAGATIONS.map((name) => `r${name}`), ""]),
    maskedPaths: array(path),
    readonlyPaths: array(path),
    mountLabel: text,
    intelRdt: any,
    personality: checkObject({ required: { domain: oneOf(["LINUX", "LINUX32"]) }, optional: { flags: array(text) } }),
    timeOffsets: record(checkObject({ optional: { secs: number, nanosecs: number } })),
    memoryPolicy: any,
    netDevices: any,
  },
});

const hooks = checkObject({
  optional: {
    prestart: array(hook),
    createRuntime: array(hook),
    createContainer: array(hook),
    startContainer: array(hook),
    poststart: array(hook),
    poststop: array(hook),
  },
});

const configCheck = checkObject({
  required: { ociVersion: text },
  optional: {
    root: checkObject({ required: { path: string({ nonEmpty: true }) }, optional: { readonly: boolean } }),
    mounts: array(
      checkObject({
        required: { destination: string({ nonEmpty: true }) },
        optional: {
          type: text,
          source: text,
          options: array(text),
          uidMappings: array(idMapping),
          gidMappings: array(idMapping),
        },
      }),
    ),
    process: processCheck,
    hostname: text,
    domainname: text,
    hooks,
    annotations: record(text),
    linux,
  },
});

/** `process` of config.json, or the file that `exec --process` names. @throws ContainerError `SPEC_INVALID` */
export function checkProcess(value: unknown): Process {
  processCheck(value, "process");
  const process = value as Process & { user?: Process["user"] };
  if (!process.args?.length) throw new ContainerError("SPEC_INVALID", "process.args must not be empty");
  return { ...process, user: { ...process.user, uid: process.user?.uid ?? 0, gid: process.user?.gid ?? 0 } };
}

/** @throws ContainerError `SPEC_INVALID` that names the field */
export function checkResources(value: unknown): NonNullable<NonNullable<Config["linux"]>["resources"]> {
  resources(value, "linux.resources");
  return value as object;
}

/** @throws ContainerError `SPEC_INVALID` that names the field */
export function parseConfig(json: string): Config {
  let value: unknown;
  try {
    value = parseExactJson(json, WIDE_KEYS);
  } catch (error) {
    throw new ContainerError("SPEC_INVALID", `config.json is not JSON: ${(error as Error).message}`);
  }
  configCheck(value, "");
  const config = value as Config;
  if (!/^\d+\.\d+\.\d+/.test(config.ociVersion) || config.ociVersion.split(".")[0] !== SUPPORTED_MAJOR) {
    const version = JSON.stringify(config.ociVersion);
    throw new ContainerError("SPEC_INVALID", `ociVersion ${version}: this runtime knows version 1`);
  }
  checkNamespaces(config);
  refuseMissing(config);
  if (!config.root) throw new ContainerError("SPEC_INVALID", "root is missing");
  for (const name of Object.keys(config.linux?.timeOffsets ?? {})) {
    if (name !== "monotonic" && name !== "boottime") {
      throw new ContainerError("SPEC_INVALID", `linux.timeOffsets: unknown clock ${JSON.stringify(name)}`);
    }
  }
  return normalize(config);
}

/** What the specification has and this runtime does not: said, not passed over. */
function refuseMissing({ linux = {} }: Config): void {
  const refuse = (what: string) => new ContainerError("NOT_IMPLEMENTED", `${what} is not implemented`);
  if (linux.intelRdt && Object.keys(linux.intelRdt).length > 0) throw refuse("linux.intelRdt");
  for (const field of ["memoryPolicy", "netDevices"]) if (field in linux) throw refuse(`linux.${field}`);
  if (linux.personality?.flags?.length) throw refuse("linux.personality.flags");
}

/** Empty strings stand for absence, `rslave` for `slave`. */
function normalize(config: Config): Config {
  const linux = config.linux && {
    ...config.linux,
    namespaces: config.linux.namespaces?.map(({ type, path }) => ({ type, path: path || undefined })),
    rootfsPropagation: (config.linux.rootfsPropagation?.replace(/^r/, "") || undefined) as Linux["rootfsPropagation"],
  };
  return { ...config, linux, process: config.process && checkProcess(config.process) };
}

function checkNamespaces({ linux = {}, hostname, domainname }: Config): void {
  const seen = new Set<string>();
  for (const { type, path } of linux.namespaces ?? []) {
    if (seen.has(type)) throw new ContainerError("SPEC_INVALID", `linux.namespaces: ${type} is there twice`);
    seen.add(type);
    if (path !== undefined && path !== "" && !path.startsWith("/")) {
      throw new ContainerError("SPEC_INVALID", `linux.namespaces: path of ${type} must be absolute`);
    }
  }
  const need = (condition: boolean, what: string, type: NamespaceType) => {
    if (condition && !seen.has(type)) throw new ContainerError("SPEC_INVALID", `${what} needs a ${type} namespace`);
  };
  need(!!hostname, "hostname", "uts");
  need(!!domainname, "domainname", "uts");
  need(Object.keys(linux.timeOffsets ?? {}).length > 0, "linux.timeOffsets", "time");
  const maps = (linux.uidMappings?.length ?? 0) + (linux.gidMappings?.length ?? 0);
  need(maps > 0, "linux.uidMappings", "user");
  const needsMount = ["maskedPaths", "readonlyPaths"] as const;
  for (const field of needsMount) need((linux[field]?.length ?? 0) > 0, `linux.${field}`, "mount");
  const user = linux.namespaces?.find(({ type }) => type === "user");
  if (user && !user.path && maps === 0) {
    throw new ContainerError("SPEC_INVALID", "a new user namespace needs linux.uidMappings and linux.gidMappings");
  }
  checkSysctls(linux.sysctl ?? {}, seen);
}

/** Sysctls of no namespace would change the host. */
function checkSysctls(sysctls: Readonly<Record<string, string>>, namespaces: ReadonlySet<string>): void {
  const ipc = /^(kernel[./](msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)|fs[./]mqueue[./])/;
  const uts = /^kernel[./](hostname|domainname)$/;
  for (const name of Object.keys(sysctls)) {
    const refuse = (why: string) => new ContainerError("SPEC_INVALID", `linux.sysctl: ${name} ${why}`);
    if (/(^|[./])\.?\.([./]|$)|^\/|\0/.test(name) || name === "") throw refuse("is no sysctl's name");
    if (ipc.test(name)) {
      if (!namespaces.has("ipc")) throw refuse("needs an ipc namespace");
    } else if (/^net[./]/.test(name)) {
      if (!namespaces.has("network")) throw refuse("needs a network namespace");
    } else if (uts.test(name)) {
      if (!namespaces.has("uts")) throw refuse("needs a uts namespace");
      if (name.endsWith("hostname")) throw refuse("conflicts with the field hostname: set that");
    } else throw refuse("is not in a separate kernel namespace");
  }
}
