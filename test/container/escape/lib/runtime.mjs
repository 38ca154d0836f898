// The runtimes under attack, driven by runc's command line.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const OURS = fileURLToPath(new URL("../../../../dist/cli/main.js", import.meta.url));

function find(program) {
  return [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"]
    .map((folder) => join(folder, program))
    .find((file) => existsSync(file));
}

/** Everything that a program printed, and how it ended. */
function collect(child, timeout) {
  return new Promise((resolve) => {
    const output = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"]) {
      child[name].setEncoding("utf8").on("data", (text) => {
        if (output[name].length < 1 << 20) output[name] += text;
      });
    }
    const timer = setTimeout(() => child.kill("SIGKILL"), timeout);
    child.on("close", (status, signal) => {
      clearTimeout(timer);
      resolve({ status, signal, ...output });
    });
  });
}

export class Runtime {
  #id = 0;

  /** @param {string} name @param {string[]} command @param {string} state the folder for --root */
  constructor(name, command, state) {
    this.name = name;
    this.command = command;
    this.state = state;
  }

  args(verb, ...args) {
    return [...this.command.slice(1), "--root", this.state, verb, ...args];
  }

  newId() {
    return `escape-${this.name}-${process.pid}-${++this.#id}`;
  }

  /**
   * Starts `run`; the container's output is the child's. `descriptors` are inherited from number 3 on; `prefix`
   * is a program that runs the runtime.
   */
  start(bundle, id, { descriptors = [], env = {}, prefix = [] } = {}) {
    const [program, ...args] = [...prefix, this.command[0], ...this.args("run", "--bundle", bundle, id)];
    return spawn(program, args, {
      stdio: ["ignore", "pipe", "pipe", ...descriptors],
      env: { ...process.env, ...env },
      cwd: bundle,
    });
  }

  /** Runs a container to its end. */
  async run(bundle, { timeout = 60_000, ...options } = {}) {
    const id = this.newId();
    try {
      return await collect(this.start(bundle, id, options), timeout);
    } finally {
      this.delete(id);
    }
  }

  /** Runs a program in a running container. */
  exec(id, args, { timeout = 60_000, descriptors = [], cwd } = {}) {
    const child = spawn(this.command[0], this.args("exec", ...(cwd === undefined ? [] : ["--cwd", cwd]), id, ...args), {
      stdio: ["ignore", "pipe", "pipe", ...descriptors],
    });
    return collect(child, timeout);
  }

  /** Kills and removes a container, and what is left of one that did not start. */
  delete(id) {
    spawnSync(this.command[0], this.args("delete", "--force", id), { stdio: "ignore", timeout: 60_000 });
  }

  /** Digests of the files that an attacker would like to change. */
  digests() {
    const files = this.command.filter((word) => existsSync(word)).map((word) => realpathSync(word));
    return files.map((file) => createHash("sha256").update(readFileSync(file)).digest("hex")).join();
  }
}

/**
 * The runtimes of this host; `missing` says why one is not among them.
 * @param {string[]} names `ringvisor`, a program on the path, or `NAME=FILE`
 */
export function findRuntimes(names, folder) {
  const missing = [];
  const runtimes = names.flatMap((spelled) => {
    const [name, program = name] = spelled.split("=");
    const state = join(folder, `state-${name}`);
    if (spelled === "ringvisor") return [new Runtime(name, [process.execPath, OURS, "oci"], state)];
    const file = program.includes("/") ? program : find(program);
    if (file === undefined) missing.push(`no ${name} on this host (Debian's ${name})`);
    return file === undefined ? [] : [new Runtime(name, [file], state)];
  });
  return { runtimes, missing };
}

export { collect };
