// podman with all its state in one folder, driving one runtime.
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A command that takes longer than this has hung. */
const TIMEOUT_MS = 120_000;

/** A command that did not do what the check wants. */
export class CommandFailed extends Error {}

const oneLine = (text) => text.trim().split("\n").slice(-3).join(" / ").slice(0, 500);

/** Runs a program to its end. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, {
    encoding: "utf8",
    timeout: TIMEOUT_MS,
    killSignal: "SIGKILL",
    maxBuffer: 1 << 26,
    stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    ...options,
  });
  if (result.error) throw new CommandFailed(`${command} ${args.join(" ")}: ${result.error.message}`);
  return result;
}

const shellQuote = (word) => `'${word.replaceAll("'", "'\\''")}'`;

/**
 * Runs a program on a terminal; what the terminal showed, with plain line ends. `options.script` may be shell text that
 * prepares the terminal and ends with exec "$@".
 */
export function onTerminal(command, args, options = {}) {
  const { script, ...rest } = options;
  const words = script === undefined ? [command, ...args] : ["sh", "-c", script, "sh", command, ...args];
  const line = words.map(shellQuote).join(" ");
  const result = run("script", ["--quiet", "--return", "--command", line, "/dev/null"], rest);
  return { ...result, stdout: result.stdout.replace(/\r+\n/g, "\n") };
}

/** Waits until `condition()` is true. */
export async function until(what, condition) {
  const deadline = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new CommandFailed(`waited 60 s for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Throws unless both are equal. */
export function equal(actual, expected, what = "got") {
  if (actual !== expected)
    throw new CommandFailed(`${what} ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`);
}

/** Throws unless the pattern is found. */
export function matches(text, pattern, what = "got") {
  if (!pattern.test(text))
    throw new CommandFailed(`${what} ${JSON.stringify(text.slice(0, 500))}, which lacks ${pattern}`);
}

/** podman's configuration: no systemd, no host files, limits that a process without CAP_SYS_RESOURCE may set. */
function writeConfiguration(folder, runtime) {
  writeFileSync(
    join(folder, "containers.conf"),
    `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime_supports_json = ["${runtime.name}"]
[network]
network_backend = "netavark"
network_config_dir = "${join(folder, "networks")}"
`,
  );
  writeFileSync(
    join(folder, "storage.conf"),
    `[storage]
driver = "overlay"
graphroot = "${join(folder, "root")}"
runroot = "${join(folder, "run")}"
`,
  );
  writeFileSync(
    join(folder, "registries.conf"),
    `unqualified-search-registries = []\n[[registry]]\nlocation = "127.0.0.1:5000"\ninsecure = true\n`,
  );
}

export class Podman {
  #prefix;
  #environment;

  /**
   * All state goes below `folder`, whose path has to be short: podman cleans nothing up where runroot has over 50 letters. `user` is { name, uid, gid, home } for rootless podman; without it podman runs as
   * the caller.
   */
  constructor(folder, runtime, user) {
    mkdirSync(folder, { recursive: true });
    this.folder = folder;
    this.runtime = runtime;
    this.user = user;
    writeConfiguration(folder, runtime);
    this.#environment = {
      PATH: process.env.PATH,
      TMPDIR: process.env.TMPDIR ?? "/tmp",
      TERM: "xterm",
      HOME: user?.home ?? process.env.HOME ?? "/root",
      CONTAINERS_CONF: join(folder, "containers.conf"),
      CONTAINERS_STORAGE_CONF: join(folder, "storage.conf"),
      CONTAINERS_REGISTRIES_CONF: join(folder, "registries.conf"),
      ...(user ? { XDG_RUNTIME_DIR: join(user.home, "run") } : {}),
    };
    // By path, and not by a name of containers.conf: conmon calls podman to clean up without our environment.
    const podman = ["podman", "--tmpdir", join(folder, "tmp"), "--runtime", runtime.program];
    this.#prefix = user
      ? ["setpriv", "--reuid", String(user.uid), "--regid", String(user.gid), "--init-groups", ...podman]
      : podman;
  }

  #words(args) {
    return [this.#prefix[0], [...this.#prefix.slice(1), ...args]];
  }

  /** Runs `podman ...args`: status, stdout, stderr. */
  run(args, options = {}) {
    return run(...this.#words(args), { env: this.#environment, cwd: this.folder, ...options });
  }

  /** The trimmed standard output of a command that has to succeed. */
  out(...args) {
    return this.outWith({}, ...args);
  }

  /** The same with options of run, such as `input`. */
  outWith(options, ...args) {
    const { status, stdout, stderr } = this.run(args, options);
    if (status !== 0) throw new CommandFailed(`podman ${args[0]} ended with ${status}: ${oneLine(stderr)}`);
    return stdout.trim();
  }

  /** A command that has to end with `code`; its result. */
  ends(code, ...args) {
    const result = this.run(args);
    if (result.status !== code) {
      throw new CommandFailed(`podman ${args[0]} ended with ${result.status}, not ${code}: ${oneLine(result.stderr)}`);
    }
    return result;
  }

  /** The same as `run` on a terminal. */
  onTerminal(args, options = {}) {
    return onTerminal(...this.#words(args), { env: this.#environment, cwd: this.folder, ...options });
  }

  inspect(id, template) {
    return this.out("inspect", "--format", template, id);
  }

  /** Runs it with `path` open for reading as descriptor 3. */
  withDescriptor(path, args) {
    const descriptor = openSync(path, "r");
    try {
      return this.run(args, { stdio: ["ignore", "pipe", "pipe", descriptor] });
    } finally {
      closeSync(descriptor);
    }
  }

  /** Runs it as a service manager would that waits for a notification on `socket`. */
  withNotifySocket(socket, args) {
    const inner = this.#words(args).flat().map(shellQuote).join(" ");
    const script = `import os, socket, subprocess, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(${JSON.stringify(socket)})
os.environ["NOTIFY_SOCKET"] = ${JSON.stringify(socket)}
sys.exit(subprocess.call(sys.argv[1], shell=True))`;
    return run("python3", ["-c", script, inner], { env: this.#environment, cwd: this.folder });
  }

  /** Builds an image from the text of a Containerfile. */
  buildFrom(text, tag) {
    const folder = join(this.folder, "context");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "Containerfile"), text);
    this.out("build", "--quiet", "--tag", tag, folder);
  }

  /** Unpacks an image's root file system into a folder of the host. */
  unpackInto(image, folder) {
    const id = this.out("create", image);
    this.out("export", "--output", join(this.folder, "exported.tar"), id);
    const { status, stderr } = run("tar", ["-xf", join(this.folder, "exported.tar"), "-C", folder]);
    if (status !== 0) throw new CommandFailed(`tar: ${oneLine(stderr)}`);
  }

  /** Removes every container, pod, volume and network of this podman. */
  sweep() {
    this.run(["pod", "rm", "--all", "--force", "--time=0"]);
    this.run(["rm", "--all", "--force", "--time=0"]);
    this.run(["volume", "rm", "--all", "--force"]);
  }
}
