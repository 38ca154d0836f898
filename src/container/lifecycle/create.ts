/** `create`: from a bundle to a process that waits for `start`. */
import { readFileSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { ContainerError } from "../errors.js";
import { planContainer } from "../plan/container.js";
import { EVENT } from "../plan/events.js";
import { creates } from "../plan/namespaces.js";
import { FIND_PROGRAM } from "../plan/process.js";
import { compileSeccomp } from "../seccomp/compile.js";
import type { Config, IdMapping } from "../spec/config.js";
import { parseConfig } from "../spec/validate.js";
import { errnoText } from "../stage/errno-text.js";
import { Stage, StageError } from "../stage/run.js";
import { identify } from "../state/process-identity.js";
import { type ContainerRecord, type Store, validateId } from "../state/store.js";
import { withHome } from "./home.js";
import { callersFileLimit, isPrivileged } from "./host.js";
import { writeIdMaps } from "./id-maps.js";

export interface CreateOptions {
  readonly id: string;
  /** Folder with config.json. */
  readonly bundle: string;
  readonly consoleSocket: string | null;
  readonly pidFile: string | null;
  readonly preserveFds: number;
  /** Entries that the container's environment gets besides config.json's. */
  readonly extraEnvironment: readonly string[];
  readonly noPivot: boolean;
  readonly noNewKeyring: boolean;
  /** The stage stays as the parent of the container's process and tells how it ended. */
  readonly stay: boolean;
}

export interface CreatedContainer {
  readonly record: ContainerRecord;
  readonly config: Config;
  readonly stage: Stage;
}

export function loadConfig(bundle: string): Config {
  const file = join(bundle, "config.json");
  let json: string;
  try {
    json = readFileSync(file, "utf8");
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    throw new ContainerError("FILE", missing ? `JSON specification file ${file} not found` : (error as Error).message);
  }
  return parseConfig(json);
}

function findRoot(bundle: string, config: Config): string {
  const { path } = config.root!;
  const root = isAbsolute(path) ? path : join(bundle, path);
  if (!statSync(root, { throwIfNoEntry: false })?.isDirectory()) {
    throw new ContainerError("FILE", `root.path ${root} is no folder`);
  }
  return realpathSync(root);
}

/** The id on the host that is 0 in the container. */
function hostRoot(maps: readonly IdMapping[] | undefined): number {
  return maps?.find(({ containerID }) => containerID === 0)?.hostID ?? 0;
}

/** @throws ContainerError; nothing is left of the container then */
export async function createContainer(store: Store, options: CreateOptions): Promise<CreatedContainer> {
  validateId(options.id);
  const bundle = resolve(options.bundle);
  const config = withDefaults(loadConfig(bundle), bundle, options);
  const rootfs = findRoot(bundle, config);
  const linux = config.linux ?? {};
  checkConsole(config, options);
  const seccomp = linux.seccomp ? compileSeccomp(linux.seccomp, process.arch) : null;
  const record: ContainerRecord = {
    version: 1,
    id: options.id,
    ociVersion: config.ociVersion,
    bundle,
    rootfs,
    created: new Date().toISOString(),
    owner: process.geteuid?.() ?? 0,
    phase: "creating",
    process: null,
    cgroup: { version: "none", folders: {} },
  };
  store.create(record, config);
  let stage: Stage | null = null;
  try {
    const privileged = isPrivileged();
    const newUser = creates(linux.namespaces ?? [], "user");
    const { program, idmaps, hasRuntimeHooks } = planContainer({
      config,
      id: options.id,
      bundle,
      rootfs,
      folder: store.folder(options.id),
      preserveFds: options.preserveFds,
      consoleSocket: options.consoleSocket,
      seccomp,
      noPivot: options.noPivot,
      noNewKeyring: options.noNewKeyring,
      cgroupMounts: [],
      privileged,
      stay: options.stay,
      rootOwner: { uid: hostRoot(linux.uidMappings), gid: hostRoot(linux.gidMappings) },
      canSetGroups: privileged || (linux.gidMappings?.length ?? 0) > 1,
    });
    const preserved = Array.from({ length: options.preserveFds }, (_, index) => 3 + index);
    stage = new Stage(program, { folder: store.folder(options.id), stdio: [0, 1, 2, ...preserved] });
    for (let index = 0; index < idmaps.length; index++) {
      const pid = await stage.expect(EVENT.idmap + (index << 8));
      writeIdMaps(pid, idmaps[index].uid, idmaps[index].gid, privileged);
      stage.proceed();
    }
    const pid = await stage.expect(EVENT.pid);
    const identity = identify(pid);
    if (identity === null) throw new ContainerError("STAGE_FAILED", "the container's first process ended early");
    let current: ContainerRecord = { ...record, process: identity };
    store.save(current);
    if (newUser) writeIdMaps(pid, linux.uidMappings ?? [], linux.gidMappings ?? [], privileged);
    if (config.process!.oomScoreAdj !== undefined) {
      writeFileSync(`/proc/${pid}/oom_score_adj`, String(config.process!.oomScoreAdj));
    }
    stage.proceed();
    void hasRuntimeHooks;
    await stage.expect(EVENT.ready);
    current = { ...current, phase: "created" };
    store.save(current);
    if (options.pidFile !== null) writeFileSync(options.pidFile, String(pid));
    return { record: current, config, stage };
  } catch (error) {
    stage?.close();
    store.remove(options.id);
    throw explain(error, config);
  }
}

function withDefaults(config: Config, bundle: string, { extraEnvironment }: CreateOptions): Config {
  if (!config.process) throw new ContainerError("SPEC_INVALID", "process is missing");
  const { rlimits = [], env = [], user } = config.process;
  const limit = rlimits.some(({ type }) => type === "RLIMIT_NOFILE") ? null : callersFileLimit();
  const process = {
    ...config.process,
    rlimits: limit ? [...rlimits, limit] : rlimits,
    env: [...withHome(env, findRoot(bundle, config), user.uid), ...extraEnvironment],
  };
  return { ...config, process };
}

function checkConsole(config: Config, { consoleSocket, stay }: CreateOptions): void {
  const terminal = config.process?.terminal ?? false;
  if (terminal && consoleSocket === null && !stay) {
    throw new ContainerError("USAGE", "cannot allocate tty if runc will detach without setting console socket");
  }
  if (!terminal && consoleSocket !== null) {
    throw new ContainerError("USAGE", "cannot use console socket if runc will not detach or allocate tty");
  }
}

/** Failures of the stage in runc's words, where engines look for those. */
export function explain(error: unknown, config: Config): unknown {
  if (!(error instanceof StageError)) return error;
  const prefix = "unable to start container process: error during container init: ";
  const name = config.process?.args?.[0] ?? "";
  if (error.step !== FIND_PROGRAM)
    return new ContainerError("STAGE_FAILED", `${prefix}${error.message}`, { cause: error });
  const reason =
    error.errnoName === "ENOENT" && !name.includes("/")
      ? "executable file not found in $PATH"
      : error.errnoName === "ENOENT"
        ? `stat ${name}: no such file or directory`
        : errnoText(error.errno);
  return new ContainerError("STAGE_FAILED", `${prefix}exec: ${JSON.stringify(name)}: ${reason}`, { cause: error });
}
