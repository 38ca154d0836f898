#!/usr/bin/env node
/** `ringvisor COMMAND`: finds the command, runs it, turns what it throws into one line and an exit code. */
import { readFileSync } from "node:fs";
import { EXIT, NotImplementedError, UsageError } from "./errors.js";

interface Command {
  readonly summary: string;
  /** Null: it is part of the command line to come. */
  readonly load: (() => Promise<{ run(args: string[]): Promise<number> }>) | null;
}

const COMMANDS: Record<string, Command> = {
  boot: { summary: "boot a kernel or a ROM", load: () => import("./boot.js") },
  guest: { summary: "build or show the default guest", load: () => import("./guest.js") },
  doctor: { summary: "say what this host can do", load: () => import("./doctor.js") },
  run: { summary: "run an image", load: null },
  exec: { summary: "run a command in an instance", load: null },
  ps: { summary: "list instances", load: null },
  logs: { summary: "show an instance's output", load: null },
  stop: { summary: "stop an instance", load: null },
  kill: { summary: "kill an instance", load: null },
  rm: { summary: "remove an instance", load: null },
  cp: { summary: "copy files into or out of an instance", load: null },
  snapshot: { summary: "save, restore, list or remove snapshots", load: null },
  image: { summary: "pull, import, list or remove images", load: null },
  oci: { summary: "the OCI runtime's verbs", load: () => import("./oci.js") },
  audit: { summary: "find sensitive unprivileged instructions", load: null },
  compare: { summary: "measure the four techniques", load: null },
};

/** Classes of errors that wrong input causes, by their `name`: the user can do something about them. */
const INPUT_ERRORS = new Set([
  "UsageError",
  "NotImplementedError",
  "BootFileError",
  "CpuModelError",
  "FileError",
  "GuestBuildError",
  "GuestMemoryError",
  "MachineError",
  "SavedMachineError",
  "SymbolFileError",
]);

function help(): string {
  const lines = (ready: boolean) =>
    Object.entries(COMMANDS)
      .filter(([, command]) => (command.load !== null) === ready)
      .map(([name, command]) => `  ${name.padEnd(10)}${command.summary}`)
      .join("\n");
  return `usage: ringvisor COMMAND [OPTIONS]

A virtualization platform. \`ringvisor COMMAND --help\` tells more.

${lines(true)}

Not implemented yet:
${lines(false)}

  --version  show the version
  --help     this text
`;
}

async function dispatch(args: string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined) {
    process.stderr.write(help());
    return EXIT.USAGE;
  }
  if (name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(help());
    return 0;
  }
  if (name === "--version") {
    const file = new URL("../../package.json", import.meta.url);
    process.stdout.write(`ringvisor ${JSON.parse(readFileSync(file, "utf8")).version}\n`);
    return 0;
  }
  if (!Object.hasOwn(COMMANDS, name)) {
    throw new UsageError(`unknown ${name.startsWith("-") ? "option" : "command"} ${name}`);
  }
  const { load, summary } = COMMANDS[name];
  if (load === null) {
    if (rest.includes("--help") || rest.includes("-h")) {
      process.stdout.write(`usage: ringvisor ${name} ...\n\n${summary}. This command is not implemented yet.\n`);
      return 0;
    }
    throw new NotImplementedError(`the command "${name}"`);
  }
  const command = await load();
  return command.run(rest);
}

function report(error: unknown): number {
  const known = error instanceof Error ? error : new Error(String(error));
  if (INPUT_ERRORS.has(known.name) || (known as { code?: unknown }).code === "ACCELERATOR_UNAVAILABLE") {
    const hint = known instanceof UsageError ? " (--help shows what there is)" : "";
    process.stderr.write(`ringvisor: ${known.message}${hint}\n`);
    return EXIT.USAGE;
  }
  process.stderr.write(`ringvisor: ${known.message}\n`);
  if (known.name !== "AcceleratorError") process.stderr.write(`${known.stack}\n`);
  return EXIT.OUR_FAILURE;
}

try {
  process.exitCode = await dispatch(process.argv.slice(2));
} catch (error) {
  process.exitCode = report(error);
}
