import { readFileSync } from "node:fs";
import { ContainerError } from "../../../container/errors.js";
import { execInContainer } from "../../../container/lifecycle/exec.js";
import { followContainer } from "../../../container/lifecycle/follow.js";
import type { Capabilities, Process } from "../../../container/spec/config.js";
import { checkProcess } from "../../../container/spec/validate.js";
import { describe, expectOperands, type Options, parse } from "../arguments.js";
import type { Verb } from "../context.js";
import { countPreservedFds, listenEnvironment } from "./create-options.js";

const OPTIONS = {
  "console-socket": { kind: "value", placeholder: "PATH", help: "socket that gets the terminal" },
  cwd: { kind: "value", placeholder: "DIR", help: "working folder" },
  env: { kind: "list", short: "e", placeholder: "NAME=VALUE", help: "more environment" },
  tty: { kind: "flag", short: "t", help: "with a terminal" },
  user: { kind: "value", short: "u", placeholder: "UID[:GID]", help: "whom to run it as" },
  "additional-gids": { kind: "list", short: "g", placeholder: "GID", help: "more groups" },
  process: { kind: "value", short: "p", placeholder: "FILE", help: "a process as in config.json" },
  detach: { kind: "flag", short: "d", help: "come back once the program runs" },
  "pid-file": { kind: "value", placeholder: "FILE", help: "gets the process's pid" },
  "process-label": { kind: "value", placeholder: "LABEL", help: "SELinux label" },
  apparmor: { kind: "value", placeholder: "PROFILE", help: "AppArmor profile" },
  "no-new-privs": { kind: "flag", help: "no way to new privileges" },
  cap: { kind: "list", short: "c", placeholder: "NAME", help: "more capabilities" },
  "preserve-fds": { kind: "value", placeholder: "N", help: "descriptors from 3 on that the program gets" },
  "ignore-paused": { kind: "flag", help: "also in a container that is paused" },
} as const;

function readProcess(file: string): Process {
  try {
    return checkProcess(JSON.parse(readFileSync(file, "utf8")));
  } catch (error) {
    if (error instanceof ContainerError) throw error;
    throw new ContainerError("FILE", `cannot read the process ${file}: ${(error as Error).message}`);
  }
}

function parseUser(text: string, user: Process["user"]): Process["user"] {
  const [, uid, gid] = /^(\d+)(?::(\d+))?$/.exec(text) ?? [];
  if (uid === undefined) throw new ContainerError("USAGE", `--user needs UID or UID:GID, not ${JSON.stringify(text)}`);
  return { ...user, uid: Number(uid), gid: gid === undefined ? user.gid : Number(gid) };
}

function addCapabilities(capabilities: Capabilities | undefined, names: readonly string[]): Capabilities {
  const add = (set: readonly string[] = []) => [...new Set([...set, ...names])];
  const { bounding, effective, inheritable, permitted, ambient } = capabilities ?? {};
  return {
    bounding: add(bounding),
    effective: add(effective),
    permitted: add(permitted),
    // Without an inheritable set of its own the container's programs are not to pass these on.
    inheritable,
    ambient,
  };
}

/** The container's own process, with what the options change. */
function makeProcess(base: Process, args: string[], options: Options<typeof OPTIONS>): Process {
  const gids = options["additional-gids"].map((gid) => {
    if (!/^\d+$/.test(gid)) throw new ContainerError("USAGE", `--additional-gids needs a number, not ${gid}`);
    return Number(gid);
  });
  const user = options.user ? parseUser(options.user, base.user) : base.user;
  return checkProcess({
    ...base,
    args,
    terminal: options.tty,
    cwd: options.cwd ?? base.cwd,
    env: [...(base.env ?? []), ...options.env],
    user: gids.length > 0 ? { ...user, additionalGids: gids } : user,
    noNewPrivileges: options["no-new-privs"] || base.noNewPrivileges,
    selinuxLabel: options["process-label"] ?? base.selinuxLabel,
    apparmorProfile: options.apparmor ?? base.apparmorProfile,
    capabilities: options.cap.length > 0 ? addCapabilities(base.capabilities, options.cap) : base.capabilities,
  });
}

export const verb: Verb = {
  usage: `usage: ringvisor oci exec [OPTIONS] ID COMMAND [ARGUMENTS...]
       ringvisor oci exec [OPTIONS] --process FILE ID

${describe(OPTIONS)}`,
  async run(args, { store, log }) {
    const { options, operands } = parse(OPTIONS, args);
    const [id, ...command] = operands;
    expectOperands("exec", operands, options.process ? 1 : 2, Number.POSITIVE_INFINITY);
    const record = store.load(id);
    const base = options.process ? readProcess(options.process) : store.loadConfig(id).process!;
    const process = options.process
      ? { ...base, terminal: (base.terminal ?? false) || options.tty }
      : makeProcess(base, command, options);
    const { stage, pid } = await execInContainer(store, record, {
      process: { ...process, env: [...(process.env ?? []), ...listenEnvironment()] },
      consoleSocket: options["console-socket"] ?? null,
      pidFile: options["pid-file"] ?? null,
      preserveFds: countPreservedFds(options),
      noNewKeyring: false,
      ignorePaused: options["ignore-paused"],
      stay: !options.detach,
      warn: (message) => log.write("warning", message),
    });
    try {
      return options.detach ? 0 : await followContainer(stage, pid);
    } finally {
      stage.close();
    }
  },
};
