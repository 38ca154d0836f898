/** What `create` and `run` have in common. */
import { ContainerError } from "../../../container/errors.js";
import type { CreateOptions } from "../../../container/lifecycle/create.js";
import { describeChroot } from "../../../container/lifecycle/isolation.js";
import type { Options } from "../arguments.js";

export const CREATE_OPTIONS = {
  bundle: {
    kind: "value",
    short: "b",
    placeholder: "DIR",
    help: "folder with config.json; without it the working one",
  },
  "console-socket": { kind: "value", placeholder: "PATH", help: "socket that gets the terminal" },
  "pid-file": { kind: "value", placeholder: "FILE", help: "gets the pid of the container's process" },
  "no-pivot": { kind: "flag", help: "chroot instead of pivot_root (for a root on a ramdisk)" },
  isolation: { kind: "value", placeholder: "namespaces|chroot", help: "chroot: the root alone; it says what is open" },
  "no-new-keyring": { kind: "flag", help: "keep the session keyring of the caller" },
  "preserve-fds": { kind: "value", placeholder: "N", help: "descriptors from 3 on that the container gets" },
} as const;

/** Descriptors that a container gets beyond the standard streams, those of socket activation among them. */
export function countPreservedFds(options: Pick<Options<typeof CREATE_OPTIONS>, "preserve-fds">): number {
  const asked = parseCount(options["preserve-fds"]);
  const listening = Number.parseInt(process.env.LISTEN_FDS ?? "0", 10) || 0;
  return asked + Math.max(0, listening);
}

function parseCount(text: string | undefined): number {
  if (text === undefined) return 0;
  if (!/^\d{1,4}$/.test(text)) throw new ContainerError("USAGE", `--preserve-fds needs a number, not ${text}`);
  return Number(text);
}

/** Environment entries that tell a program of its sockets (sd_listen_fds(3)): it is process 1 of its own namespace. */
export function listenEnvironment(): string[] {
  const { LISTEN_FDS, LISTEN_FDNAMES } = process.env;
  if (!LISTEN_FDS) return [];
  const names = LISTEN_FDNAMES ? [`LISTEN_FDNAMES=${LISTEN_FDNAMES}`] : [];
  return [`LISTEN_FDS=${LISTEN_FDS}`, "LISTEN_PID=1", ...names];
}

export function createOptions(
  id: string,
  options: Options<typeof CREATE_OPTIONS>,
  stay: boolean,
): Omit<CreateOptions, "warn"> {
  const isolation = options.isolation ?? "namespaces";
  if (isolation !== "namespaces" && isolation !== "chroot") {
    throw new ContainerError("USAGE", `--isolation is namespaces or chroot, not ${isolation}`);
  }
  if (isolation === "chroot") process.stderr.write(`${describeChroot()}\n`);
  return {
    isolation,
    id,
    bundle: options.bundle ?? process.cwd(),
    consoleSocket: options["console-socket"] ?? null,
    pidFile: options["pid-file"] ?? null,
    preserveFds: countPreservedFds(options),
    extraEnvironment: listenEnvironment(),
    noPivot: options["no-pivot"],
    noNewKeyring: options["no-new-keyring"],
    stay,
  };
}
