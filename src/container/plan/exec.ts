/** A further process in a container that runs, as one stage program. */
import type { CompiledSeccomp } from "../seccomp/compile.js";
import type { Config, Namespace, Process } from "../spec/config.js";
import * as C from "../stage/constants.js";
import { StageProgram } from "../stage/program.js";
import { planConsole } from "./console.js";
import { becomeRoot, joinKeyring } from "./container.js";
import { fork } from "./fork.js";
import { joinNamespaces } from "./namespaces.js";
import { planProcess, raiseHardLimits, setAffinity } from "./process.js";
import { runFromSealedCopy } from "./sealed-copy.js";
import { prepareListener } from "./seccomp-listener.js";
import { connectTo } from "./unix-socket.js";

export interface ExecPlan {
  readonly config: Config;
  readonly process: Process;
  readonly id: string;
  /** Those of the container's first process that are not ours, with their paths. */
  readonly namespaces: readonly Namespace[];
  readonly preserveFds: number;
  readonly consoleSocket: string | null;
  readonly seccomp: CompiledSeccomp | null;
  readonly noNewKeyring: boolean;
  readonly stay: boolean;
  readonly canSetGroups: boolean;
}

export function planExec(plan: ExecPlan): StageProgram {
  const { config, process } = plan;
  const program = new StageProgram(3 + plan.preserveFds);
  const proc = program.slot();
  program.call("close inherited descriptors", "close_range", [program.channel + 1, 0xffffffff, 0]);
  runFromSealedCopy(program);
  program.call("clear the umask", "umask", [0], { ignore: "all" });
  const procArgs = [C.AT_FDCWD, program.string("/proc"), C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC];
  program.call("open /proc", "openat", procArgs, { result: proc });
  const consoleSocket = plan.consoleSocket ? connectTo(program, plan.consoleSocket, "console socket") : null;
  const listenerPath = config.linux?.seccomp?.listenerPath;
  const seccompSocket = plan.seccomp?.notify ? connectTo(program, listenerPath!, "seccomp agent") : null;
  raiseHardLimits(program, process.rlimits ?? []);
  setAffinity(program, process.execCPUAffinity?.initial);
  joinNamespaces(program, plan.namespaces);
  // From the fork on the container's processes see this one: they are not to look into it.
  program.call("hide from tracers", "prctl", [C.PR_SET_DUMPABLE, 0, 0, 0, 0]);
  const relay = plan.stay && (process.terminal ?? false) && consoleSocket === null;
  const relaySocket = fork(program, { flags: 0, stay: plan.stay, relay });
  program.awaitByte();
  setAffinity(program, process.execCPUAffinity?.final);
  if (plan.namespaces.some(({ type }) => type === "user")) becomeRoot(program);
  program.call("hide from tracers", "prctl", [C.PR_SET_DUMPABLE, 0, 0, 0, 0]);
  program.call("start a session", "setsid", [], { ignore: "all" });
  if (!plan.noNewKeyring) joinKeyring(program, plan.id);
  const socket = consoleSocket ?? relaySocket;
  if (process.terminal && socket) planConsole(program, process, socket, null);
  planProcess(program, {
    config,
    process,
    seccomp: plan.seccomp,
    sendListener: seccompSocket && prepareListener(program, seccompSocket),
    canSetGroups: plan.canSetGroups,
    proc,
    firstPrivateFd: 3 + plan.preserveFds,
    whenReady: () => {},
  });
  return program;
}
