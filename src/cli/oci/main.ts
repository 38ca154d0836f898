/** `ringvisor oci VERB`: global options, then the verb, whose module alone is loaded. */
import { readFileSync } from "node:fs";
import { ContainerError } from "../../container/errors.js";
import { describe, parse } from "./arguments.js";
import { type Context, makeStore, type Verb } from "./context.js";
import { Log } from "./log.js";

const GLOBAL = {
  root: { kind: "value", placeholder: "DIR", help: "folder of the containers' states (tmpfs)" },
  log: { kind: "value", placeholder: "FILE", help: "log file; without it standard error" },
  "log-format": { kind: "value", placeholder: "text|json", help: "of the log" },
  debug: { kind: "flag", help: "log more" },
  "systemd-cgroup": { kind: "flag", help: "let systemd make the control groups (not supported)" },
  rootless: { kind: "value", placeholder: "auto|true|false", help: "treated as auto: what the process may do decides" },
  criu: { kind: "value", placeholder: "PATH", help: "accepted and unused, as by runc" },
  version: { kind: "flag", short: "v", help: "show the versions" },
} as const;

interface Entry {
  readonly summary: string;
  readonly load: () => Promise<{ verb: Verb }>;
}

const VERBS: Readonly<Record<string, Entry>> = {
  create: { summary: "make a container", load: () => import("./verbs/create.js") },
  start: { summary: "run the program of a container that was made", load: () => import("./verbs/start.js") },
  run: { summary: "make a container and run its program", load: () => import("./verbs/run.js") },
  state: { summary: "show a container's state", load: () => import("./verbs/state.js") },
  kill: { summary: "send a signal to a container", load: () => import("./verbs/kill.js") },
  delete: { summary: "remove what is left of a container", load: () => import("./verbs/delete.js") },
  exec: { summary: "run a further program in a container", load: () => import("./verbs/exec.js") },
  ps: { summary: "show a container's processes", load: () => import("./verbs/ps.js") },
  pause: { summary: "stop a container's processes", load: () => import("./verbs/pause.js") },
  resume: { summary: "let them go on", load: () => import("./verbs/resume.js") },
  update: { summary: "change a container's limits", load: () => import("./verbs/update.js") },
  events: { summary: "show statistics and when memory runs out", load: () => import("./verbs/events.js") },
  features: { summary: "show what this runtime can do", load: () => import("./verbs/features.js") },
  spec: { summary: "write a config.json to begin with", load: () => import("./verbs/spec.js") },
  list: { summary: "list containers", load: () => import("./verbs/list.js") },
};

function help(): string {
  const verbs = Object.entries(VERBS).map(([name, { summary }]) => `  ${name.padEnd(10)}${summary}`);
  return `usage: ringvisor oci [OPTIONS] VERB ...

An OCI runtime with runc's command line.

${verbs.join("\n")}

${describe(GLOBAL)}
`;
}

function version(): string {
  const file = new URL("../../../package.json", import.meta.url);
  return `ringvisor ${JSON.parse(readFileSync(file, "utf8")).version}\nspec: 1.2.0\n`;
}

/** @returns the exit code; errors are told in the log and on standard error */
export async function main(args: readonly string[]): Promise<number> {
  let log = new Log(null, "text", false);
  let name: string | undefined;
  try {
    const { options, operands, help: wantsHelp } = parse(GLOBAL, args);
    if (options.version) {
      process.stdout.write(version());
      return 0;
    }
    const rest = operands.slice(1);
    name = operands[0];
    if (wantsHelp || name === undefined || name === "help") {
      process.stdout.write(help());
      return 0;
    }
    const format = options["log-format"] ?? "text";
    if (format !== "text" && format !== "json") throw new ContainerError("USAGE", `unknown log-format ${format}`);
    log = new Log(options.log ?? null, format, options.debug);
    if (options["systemd-cgroup"]) {
      throw new ContainerError(
        "UNSUPPORTED_BY_HOST",
        "systemd cgroup flag passed, but systemd support is not available",
      );
    }
    if (!Object.hasOwn(VERBS, name)) throw new ContainerError("USAGE", `no such command: ${name}`);
    const { verb } = await VERBS[name].load();
    if (rest.length === 1 && (rest[0] === "--help" || rest[0] === "-h")) {
      process.stdout.write(`${verb.usage}\n`);
      return 0;
    }
    const context: Context = { store: makeStore(options.root), log };
    return await verb.run(rest, context);
  } catch (error) {
    const known = error instanceof Error ? error : new Error(String(error));
    const isOurs = known instanceof ContainerError || known.name === "CgroupError";
    log.fatal(isOurs ? known.message : `ringvisor ${name ?? ""} failed: ${known.message}`);
    if (!isOurs) log.write("debug", known.stack ?? "");
    // runc's code for it, out of the way of the program's own.
    return name === "exec" ? 255 : 1;
  }
}
