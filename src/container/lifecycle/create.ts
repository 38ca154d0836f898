/** `create`: from a bundle to a process that waits for `start`. */
import { readFileSync, realpathSync, renameSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { capabilityWarning } from "../capabilities.js";
import { cgroupMounts } from "../cgroups/hierarchies.js";
import { type Cgroup, openCgroup, planCgroup } from "../cgroups/index.js";
import { ContainerError } from "../errors.js";
import { planContainer } from "../plan/container.js";
import { EVENT, HOOK_STATUS } from "../plan/events.js";
import { encodeText } from "../plan/hooks.js";
import { creates } from "../plan/namespaces.js";
import { FIND_PROGRAM } from "../plan/process.js";
import { planStart, START_PROGRAM } from "../plan/start.js";
import { type CompiledSeccomp, compileSeccomp } from "../seccomp/compile.js";
import type { Config, IdMapping, Process } from "../spec/config.js";
import { parseConfig } from "../spec/validate.js";
import { ERRNO } from "../stage/constants.js";
import { errnoText } from "../stage/errno-text.js";
import { Stage, StageError } from "../stage/run.js";
import { identify } from "../state/process-identity.js";
import { type ContainerRecord, type ContainerStatus, type Store, validateId } from "../state/store.js";
import { copyUp } from "./copy-up.js";
import { killAndWait } from "./delete.js";
import { attachDeviceProgram } from "./device-program.js";
import { withDefaultDevices } from "./device-rules.js";
import { withHome } from "./home.js";
import { runHooks, type Warn } from "./hooks.js";
import { callersFileLimit, inUserNamespace, isPrivileged } from "./host.js";
import { writeIdMaps } from "./id-maps.js";
import { withChrootAlone } from "./isolation.js";
import { type OciState, ociState } from "./state.js";

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
  /** `chroot`: no namespace at all (isolation.ts). */
  readonly isolation: "namespaces" | "chroot";
  readonly noNewKeyring: boolean;
  /** The stage stays as the parent of the container's process and tells how it ended. */
  readonly stay: boolean;
  readonly warn: Warn;
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
  const loaded = loadConfig(bundle);
  const original = options.isolation === "chroot" ? withChrootAlone(loaded) : loaded;
  const config = withDefaults(original, bundle, options);
  const rootfs = findRoot(bundle, config);
  const linux = config.linux ?? {};
  checkConsole(config, options);
  const warning = capabilityWarning(config, config.process?.capabilities);
  if (warning !== null) options.warn(warning);
  const seccomp = compileFilter(config);
  const cgroupPaths = planCgroup(linux.cgroupsPath, options.id);
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
    cgroup: cgroupPaths,
  };
  const cgroup = openCgroup(cgroupPaths);
  store.create(record, original);
  const undo: (() => Promise<void> | void)[] = [() => store.remove(options.id)];
  try {
    const deviceProgram = cgroup.create(withDefaultDevices(linux.resources ?? {}));
    undo.push(() => cgroup.delete());
    if (deviceProgram) await attachDeviceProgram(deviceProgram, store.folder(options.id));
    return await makeProcess(store, record, { options, config, cgroup, seccomp, undo });
  } catch (error) {
    for (const step of undo.reverse()) {
      try {
        await step();
      } catch {
        // The first error is the one to tell; delete --force tries the rest again.
      }
    }
    throw explain(error, config);
  }
}

interface Making {
  readonly options: CreateOptions;
  readonly config: Config;
  readonly cgroup: Cgroup;
  readonly seccomp: CompiledSeccomp | null;
  /** What takes back, in reverse order, what is done. */
  readonly undo: (() => Promise<void> | void)[];
}

async function makeProcess(store: Store, record: ContainerRecord, making: Making): Promise<CreatedContainer> {
  const { options, config, cgroup, seccomp, undo } = making;
  const linux = config.linux ?? {};
  const privileged = isPrivileged();
  const newUser = creates(linux.namespaces ?? [], "user");
  const wantsCgroups = config.mounts?.some(({ type }) => type === "cgroup" || type === "cgroup2");
  const { program, idmaps } = planContainer({
    config,
    id: options.id,
    bundle: record.bundle,
    rootfs: record.rootfs,
    folder: store.folder(options.id),
    preserveFds: options.preserveFds,
    consoleSocket: options.consoleSocket,
    seccomp,
    noPivot: options.noPivot,
    noNewKeyring: options.noNewKeyring,
    cgroupMounts: wantsCgroups ? cgroupMounts(record.cgroup) : [],
    privileged,
    mayMakeDevices: !inUserNamespace(),
    stay: options.stay,
    rootOwner: { uid: hostRoot(linux.uidMappings), gid: hostRoot(linux.gidMappings) },
    canSetGroups: privileged || (linux.gidMappings?.length ?? 0) > 1,
  });
  const preserved = Array.from({ length: options.preserveFds }, (_, index) => 3 + index);
  const stage = new Stage(program, { folder: store.folder(options.id), stdio: [0, 1, 2, ...preserved] });
  undo.push(() => stage.close());
  for (let index = 0; index < idmaps.length; index++) {
    const pid = await stage.expect(EVENT.idmap + (index << 8));
    writeIdMaps(pid, idmaps[index].uid, idmaps[index].gid, privileged);
    stage.proceed();
  }
  const pid = await stage.expect(EVENT.pid);
  const identity = identify(pid);
  if (identity === null) throw new ContainerError("STAGE_FAILED", "the container's first process ended early");
  let current: ContainerRecord = { ...record, process: identity };
  undo.push(() => killAndWait(current));
  store.save(current);
  cgroup.addProcess(pid);
  if (newUser) writeIdMaps(pid, linux.uidMappings ?? [], linux.gidMappings ?? [], privileged);
  setOomScore(pid, config.process!);
  stage.proceed();
  const hookState = (status: ContainerStatus) => ociState(current, config, status);
  await serve(stage, { pid, rootless: !privileged, config, hookState });
  if (!options.stay && !config.hooks?.poststart?.length) {
    const file = join(store.folder(options.id), START_PROGRAM);
    writeFileSync(file, planStart(store.fifo(options.id), pid), { mode: 0o700 });
  }
  current = { ...current, phase: "created" };
  store.save(current);
  if (options.pidFile !== null) writePidFile(options.pidFile, pid);
  return { record: current, config, stage };
}

interface Service {
  readonly pid: number;
  readonly rootless: boolean;
  readonly config: Config;
  readonly hookState: (status: ContainerStatus) => OciState;
}

/** Does what the stage asks for until it is ready. */
export async function serve(stage: Stage, { pid, rootless, config, hookState }: Service): Promise<void> {
  for (;;) {
    const message = await stage.next();
    if (message === null) throw new ContainerError("STAGE_FAILED", "the container's first process ended early");
    switch (message.event) {
      case EVENT.ready:
        return;
      case EVENT.runtimeHooks:
        await runHooks("prestart", config.hooks?.prestart, hookState("creating"));
        await runHooks("createRuntime", config.hooks?.createRuntime, hookState("creating"));
        stage.proceed();
        break;
      case EVENT.state:
        stage.send(encodeText(JSON.stringify(hookState(HOOK_STATUS[message.value]))));
        break;
      case EVENT.seccompState:
        stage.send(encodeText(JSON.stringify(seccompState(config, pid, hookState("creating")))));
        break;
      case EVENT.copyUp: {
        const mounted = await stage.expect(EVENT.copyUp);
        copyUp(`/proc/${pid}/fd/${message.value}`, `/proc/${pid}/fd/${mounted}`, rootless);
        stage.proceed();
        break;
      }
      default:
        throw new ContainerError("STAGE_FAILED", `the stage sent an unknown event ${message.event}`);
    }
  }
}

/** ContainerProcessState of the specification. */
function seccompState(config: Config, pid: number, state: OciState) {
  const { ociVersion } = state;
  const metadata = config.linux?.seccomp?.listenerMetadata;
  return { ociVersion, fds: ["seccompFd"], pid, ...(metadata ? { metadata } : {}), state };
}

export function compileFilter(config: Config): CompiledSeccomp | null {
  const seccomp = config.linux?.seccomp;
  if (!seccomp) return null;
  const compiled = compileSeccomp(seccomp, process.arch);
  if (compiled.notify && !seccomp.listenerPath) {
    throw new ContainerError("SPEC_INVALID", "linux.seccomp: SCMP_ACT_NOTIFY needs listenerPath");
  }
  return compiled;
}

export function setOomScore(pid: number, { oomScoreAdj }: Process): void {
  if (oomScoreAdj === undefined) return;
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(oomScoreAdj));
  } catch (error) {
    // Lowering it takes a privilege of the host's: rootless engines ask for it all the same.
    const { code } = error as NodeJS.ErrnoException;
    if (!inUserNamespace() || (code !== "EACCES" && code !== "EPERM")) throw error;
  }
}

/** Whoever waits for the file finds it whole. */
export function writePidFile(file: string, pid: number): void {
  const path = join(dirname(file), `.${basename(file)}.${process.pid}`);
  writeFileSync(path, String(pid), { mode: 0o644 });
  renameSync(path, file);
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
    error.errno === ERRNO.ENOENT && !name.includes("/")
      ? "executable file not found in $PATH"
      : error.errno === ERRNO.ENOENT
        ? `stat ${name}: no such file or directory`
        : errnoText(error.errno);
  return new ContainerError("STAGE_FAILED", `${prefix}exec: ${JSON.stringify(name)}: ${reason}`, { cause: error });
}
