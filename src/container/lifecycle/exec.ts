/** `exec`: a further process in a container that runs. */
import { readlinkSync } from "node:fs";
import { capabilityWarning } from "../capabilities.js";
import { openCgroup } from "../cgroups/index.js";
import { ContainerError } from "../errors.js";
import { EVENT } from "../plan/events.js";
import { planExec } from "../plan/exec.js";
import { NAMESPACE_FILE } from "../plan/namespaces.js";
import type { Config, Namespace, NamespaceType, Process } from "../spec/config.js";
import { Stage } from "../stage/run.js";
import { identify, isAlive } from "../state/process-identity.js";
import type { ContainerRecord, Store } from "../state/store.js";
import { compileFilter, explain, serve, setOomScore, writePidFile } from "./create.js";
import { withHome } from "./home.js";
import type { Warn } from "./hooks.js";
import { isPrivileged } from "./host.js";
import { ociState } from "./state.js";
import { statusOf } from "./status.js";

export interface ExecOptions {
  readonly process: Process;
  readonly consoleSocket: string | null;
  readonly pidFile: string | null;
  readonly preserveFds: number;
  readonly noNewKeyring: boolean;
  readonly ignorePaused: boolean;
  readonly stay: boolean;
  readonly warn: Warn;
}

/** @throws ContainerError `WRONG_STATE`, `STAGE_FAILED` */
export async function execInContainer(
  store: Store,
  record: ContainerRecord,
  options: ExecOptions,
): Promise<{ stage: Stage; pid: number }> {
  const status = statusOf(store, record);
  if (status === "stopped" || status === "creating") {
    throw new ContainerError("WRONG_STATE", `cannot exec in a ${status === "stopped" ? "stopped" : status} container`);
  }
  if (status === "paused" && !options.ignorePaused) {
    throw new ContainerError("WRONG_STATE", "cannot exec in a paused container (use --ignore-paused to override)");
  }
  const first = record.process!.pid;
  const config = store.loadConfig(record.id);
  const process = {
    ...options.process,
    env: withHome(options.process.env ?? [], `/proc/${first}/root`, options.process.user.uid),
  };
  if (process.terminal && options.consoleSocket === null && !options.stay) {
    throw new ContainerError("USAGE", "cannot allocate tty if runc will detach without setting console socket");
  }
  const warning = capabilityWarning(config, process.capabilities);
  if (warning !== null) options.warn(warning);
  const program = planExec({
    config,
    process,
    id: record.id,
    namespaces: namespacesToJoin(first),
    preserveFds: options.preserveFds,
    consoleSocket: options.consoleSocket,
    seccomp: compileFilter(config),
    noNewKeyring: options.noNewKeyring,
    stay: options.stay,
    canSetGroups: isPrivileged() || (config.linux?.gidMappings?.length ?? 0) > 1,
  });
  const preserved = Array.from({ length: options.preserveFds }, (_, index) => 3 + index);
  const stage = new Stage(program, { folder: store.folder(record.id), stdio: [0, 1, 2, ...preserved] });
  try {
    const pid = await stage.expect(EVENT.pid);
    // The namespaces were opened by pid: it must not have become another process's meanwhile.
    if (!isAlive(record.process!)) throw new ContainerError("WRONG_STATE", "cannot exec in a stopped container");
    if (identify(pid) === null) throw new ContainerError("STAGE_FAILED", "the process ended early");
    openCgroup(record.cgroup).addProcess(pid, first);
    setOomScore(pid, process);
    stage.proceed();
    await serve(stage, {
      pid,
      rootless: !isPrivileged(),
      config,
      hookState: (one) => ociState(record, config, one === "creating" ? status : one),
    });
    if (options.pidFile !== null) writePidFile(options.pidFile, pid);
    return { stage, pid };
  } catch (error) {
    stage.close();
    throw explainExec(error, config, process);
  }
}

/** Entering one's own user namespace is refused, and the others cost a system call each. */
function namespacesToJoin(pid: number): Namespace[] {
  const types = Object.keys(NAMESPACE_FILE) as NamespaceType[];
  return types.flatMap((type) => {
    const file = NAMESPACE_FILE[type];
    const path = `/proc/${pid}/ns/${file}`;
    try {
      return readlinkSync(path) === readlinkSync(`/proc/self/ns/${file}`) ? [] : [{ type, path }];
    } catch {
      // Not in this kernel.
      return [];
    }
  });
}

function explainExec(error: unknown, config: Config, process: Process): unknown {
  const explained = explain(error, { ...config, process });
  if (explained === error || !(explained instanceof ContainerError)) return error;
  return new ContainerError(explained.code, `exec failed: ${explained.message}`, { cause: error });
}
