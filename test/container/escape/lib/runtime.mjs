// The runtimes under attack, driven by runc's command line.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGE = fileURLToPath(new URL("../../../..", import.meta.url));
/** As engines start it, and what it consists of. */
const OURS = join(PACKAGE, "bin/ringvisor-oci");
const OUR_FILES = [process.execPath, join(PACKAGE, "bin/load-oci.cjs"), join(PACKAGE, "dist/cli/oci-bundle.cjs")];

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

  /**
   * @param {string} name
   * @param {string} program
   * @param {string} state the folder for --root
   * @param {string[]} parts files beside the program that run as it
   */
  constructor(name, program, state, parts = []) {
    this.name = name;
    this.program = program;
    this.state = state;
    this.parts = parts;
  }

  args(verb, ...args) {
    return ["--root", this.state, verb, ...args];
  }

  newId() {
    return `escape-${this.name}-${process.pid}-${++this.#id}`;
  }

  /**
   * Starts `run`; the container's output is the child's. `descriptors` are inherited from number 3 on; `prefix`
   * is a program that runs the runtime.
   */
  start(bundle, id, { descriptors = [], env = {}, prefix = [] } = {}) {
    const [program, ...args] = [...prefix, this.program, ...this.args("run", "--bundle", bundle, id)];
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
    const child = spawn(this.program, this.args("exec", ...(cwd === undefined ? [] : ["--cwd", cwd]), id, ...args), {
      stdio: ["ignore", "pipe", "pipe", ...descriptors],
    });
    return collect(child, timeout);
  }

  /** Kills and removes a container, and what is left of one that did not start. */
  delete(id) {
    spawnSync(this.program, this.args("delete", "--force", id), { stdio: "ignore", timeout: 60_000 });
  }

  /** Digests of the files that an attacker would like to change. */
  digests() {
    return [this.program, ...this.parts]
      .map((file) => createHash("sha256").update(readFileSync(file)).digest("hex"))
      .join();
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
    if (spelled === "ringvisor") return [new Runtime(name, OURS, state, OUR_FILES)];
    const file = program.includes("/") ? program : find(program);
    if (file === undefined) missing.push(`no ${name} on this host (Debian's ${name})`);
    return file === undefined ? [] : [new Runtime(name, file, state)];
  });
  return { runtimes, missing };
}

export { collect };
