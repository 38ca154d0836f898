// containerd, driven by ctr, with all its state in one folder.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cgroupFile, hostLink } from "../lib/host.mjs";
import { CommandFailed, equal, matches, onTerminal, run, until } from "./podman.mjs";

class Containerd {
  #socket;
  #process;
  #counter = 0;

  constructor(folder, runtime) {
    this.folder = folder;
    this.runtime = runtime;
    mkdirSync(folder, { recursive: true });
    this.#socket = join(folder, "containerd.sock");
    const plugins = `[plugins."io.containerd.internal.v1.opt"]\n  path = "${join(folder, "opt")}"\n`;
    writeFileSync(
      join(folder, "config.toml"),
      `version = 2
root = "${join(folder, "root")}"
state = "${join(folder, "state")}"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "${this.#socket}"
[ttrpc]
  address = "${this.#socket}.ttrpc"
[debug]
  level = "warn"
${plugins}`,
    );
    this.#process = spawn("containerd", ["--config", join(folder, "config.toml")], { stdio: "ignore" });
  }

  async ready() {
    await until("containerd", () => existsSync(this.#socket) && this.run(["version"]).status === 0);
  }

  #words(args) {
    return ["--address", this.#socket, ...args];
  }

  run(args, options) {
    return run("ctr", this.#words(args), options);
  }

  onTerminal(args, options) {
    return onTerminal("ctr", this.#words(args), options);
  }

  out(...args) {
    const { status, stdout, stderr } = this.run(args);
    if (status !== 0)
      throw new CommandFailed(`ctr ${args.slice(0, 2).join(" ")} ended with ${status}: ${stderr.trim().slice(-400)}`);
    return stdout.trim();
  }

  ends(code, ...args) {
    const result = this.run(args);
    if (result.status !== code) {
      throw new CommandFailed(
        `ctr ${args.slice(0, 2).join(" ")} ended with ${result.status}, not ${code}: ${result.stderr.trim().slice(-400)}`,
      );
    }
    return result;
  }

  /** The words of `ctr run` with our runtime, and a new container's name. */
  runWords(image, options, ...command) {
    const id = `ringvisor-test-${++this.#counter}`;
    return { id, words: ["run", "--runc-binary", this.runtime.program, ...options, image, id, ...command] };
  }

  /** Runs a container to its end; what it printed. */
  runToEnd(image, options, ...command) {
    return this.out(...this.runWords(image, ["--rm", ...options], ...command).words);
  }

  /** Starts a container that stays. */
  start(image, options, ...command) {
    const { id, words } = this.runWords(image, ["--detach", ...options], ...command);
    this.out(...words);
    return id;
  }

  pid(id) {
    const line = this.out("task", "ls")
      .split("\n")
      .find((text) => text.startsWith(`${id} `));
    if (!line) throw new CommandFailed(`no task of ${id}`);
    return line.split(/\s+/)[1];
  }

  status(id) {
    return this.out("task", "ls")
      .split("\n")
      .find((text) => text.startsWith(`${id} `))
      ?.split(/\s+/)[2];
  }

  sweep() {
    for (const id of this.run(["task", "ls", "--quiet"]).stdout.split("\n").filter(Boolean)) {
      this.run(["task", "delete", "--force", id]);
    }
    for (const id of this.run(["container", "ls", "--quiet"]).stdout.split("\n").filter(Boolean)) {
      this.run(["container", "delete", id]);
    }
  }

  async end() {
    this.sweep();
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.kill("SIGTERM");
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), 10_000);
    await ended;
    clearTimeout(timer);
  }
}

const checks = (image) => ({
  "pull from docker-registry": (ctr) => matches(ctr.out("image", "pull", "--plain-http", image), /done/),
  "run: output, exit code": (ctr) => {
    equal(ctr.runToEnd(image, [], "echo", "hello"), "hello");
    ctr.ends(37, ...ctr.runWords(image, ["--rm"], "sh", "-c", "exit 37").words);
  },
  "run: a program that is not there": (ctr) => {
    const { status, stderr } = ctr.run(ctr.runWords(image, ["--rm"], "/no/such").words);
    if (status === 0) throw new CommandFailed("it ran");
    matches(stderr, /no such file/i);
  },
  "run on a terminal": (ctr) => {
    const { words } = ctr.runWords(image, ["--rm", "--tty"], "sh", "-c", "tty; exit 5");
    const { stdout, status } = ctr.onTerminal(words);
    equal(status, 5);
    matches(stdout, /\/dev\/(pts\/0|console)/);
  },
  "a shell on a terminal": (ctr) => {
    const { words } = ctr.runWords(image, ["--rm", "--tty"], "sh");
    const { stdout, status } = ctr.onTerminal(words, { input: "echo $((6*7))\nexit 9\n" });
    equal(status, 9);
    matches(stdout, /\n42\n/);
  },
  "run --detach, task list, kill, delete": async (ctr) => {
    const id = ctr.start(image, [], "sleep", "1000");
    equal(ctr.status(id), "RUNNING");
    ctr.out("task", "kill", "--signal", "SIGKILL", id);
    await until("the task to end", () => ctr.status(id) === "STOPPED");
    ctr.out("task", "delete", id);
    equal(ctr.status(id), undefined);
  },
  "kill with a signal that is trapped": async (ctr) => {
    const id = ctr.start(image, [], "sh", "-c", "trap 'exit 3' TERM; echo > /ready; while :; do sleep 0.1; done");
    await until("ready", () => existsSync(`/proc/${ctr.pid(id)}/root/ready`));
    ctr.out("task", "kill", "--signal", "SIGTERM", id);
    await until("the task to end", () => ctr.status(id) === "STOPPED");
  },
  "exec: output, exit code": (ctr) => {
    const id = ctr.start(image, [], "sleep", "1000");
    equal(ctr.out("task", "exec", "--exec-id", "one", id, "echo", "inside"), "inside");
    ctr.ends(41, "task", "exec", "--exec-id", "two", id, "sh", "-c", "exit 41");
    equal(ctr.out("task", "exec", "--exec-id", "three", "--user", "1000", id, "id", "-u"), "1000");
    equal(ctr.out("task", "exec", "--exec-id", "four", "--cwd", "/etc", id, "pwd"), "/etc");
    equal(ctr.run(["task", "exec", "--exec-id", "five", id, "cat"], { input: "abc" }).stdout, "abc");
  },
  "exec on a terminal": (ctr) => {
    const id = ctr.start(image, [], "sleep", "1000");
    const { stdout, status } = ctr.onTerminal(["task", "exec", "--tty", "--exec-id", "one", id, "sh"], {
      input: "tty\nexit 8\n",
    });
    equal(status, 8);
    matches(stdout, /\/dev\/pts\/\d+/);
  },
  "exec --detach": async (ctr) => {
    const id = ctr.start(image, [], "sleep", "1000");
    ctr.out("task", "exec", "--detach", "--exec-id", "one", id, "sh", "-c", "echo > /mark");
    await until("the file", () => existsSync(`/proc/${ctr.pid(id)}/root/mark`));
  },
  "task ps": (ctr) => {
    const id = ctr.start(image, [], "sh", "-c", "sleep 1000 & wait");
    const listed = ctr.out("task", "ps", id).split("\n").slice(1);
    matches(listed.map((line) => line.split(/\s+/)[0]).join(" "), new RegExp(`\\b${ctr.pid(id)}\\b`));
  },
  "pause, resume": (ctr) => {
    const id = ctr.start(image, [], "sleep", "1000");
    ctr.out("task", "pause", id);
    equal(ctr.status(id), "PAUSED");
    ctr.out("task", "resume", id);
    equal(ctr.status(id), "RUNNING");
  },
  "task metrics": (ctr) => {
    const id = ctr.start(image, ["--memory-limit", "67108864"], "sleep", "1000");
    matches(ctr.out("task", "metrics", id), /memory\.|memory_usage|memory\.usage/);
  },
  "--memory-limit, --cpus": (ctr) => {
    const id = ctr.start(image, ["--memory-limit", "67108864", "--cpus", "0.5"], "sleep", "1000");
    equal(cgroupFile(ctr.pid(id), "memory", "memory.limit_in_bytes", "memory.max"), "67108864");
    matches(cgroupFile(ctr.pid(id), "cpu", "cpu.cfs_quota_us", "cpu.max"), /^50000/);
  },
  "--mount, read-write and read-only": (ctr) => {
    const folder = join(ctr.folder, "volume");
    mkdirSync(folder, { recursive: true });
    const mount = (options) => ["--mount", `type=bind,src=${folder},dst=/data,options=${options}`];
    ctr.runToEnd(image, mount("rbind:rw"), "sh", "-c", "echo x > /data/file");
    equal(readFileSync(join(folder, "file"), "utf8"), "x\n");
    equal(ctr.runToEnd(image, mount("rbind:ro"), "sh", "-c", "echo y > /data/file || echo refused"), "refused");
  },
  "--read-only": (ctr) =>
    equal(ctr.runToEnd(image, ["--read-only"], "sh", "-c", "echo x > /file || echo refused"), "refused"),
  "--env, --cwd": (ctr) =>
    equal(ctr.runToEnd(image, ["--env", "A=b c", "--cwd", "/etc"], "sh", "-c", 'echo "$A" $PWD'), "b c /etc"),
  "--cap-add, --cap-drop": (ctr) => {
    const effective = (...options) =>
      ctr.runToEnd(image, options, "sh", "-c", "grep ^CapEff: /proc/self/status | cut -f2");
    equal(effective(), "00000000a80425fb");
    equal(effective("--cap-add", "CAP_NET_ADMIN"), "00000000a80435fb");
    equal(effective("--cap-drop", "CAP_NET_RAW"), "00000000a80405fb");
  },
  "--seccomp": (ctr) => {
    const script = "grep ^Seccomp: /proc/self/status | cut -f2; unshare -U true 2>/dev/null || echo refused";
    equal(ctr.runToEnd(image, ["--seccomp"], "sh", "-c", script), "2\nrefused");
  },
  "--net-host": (ctr) =>
    equal(ctr.runToEnd(image, ["--net-host"], "readlink", "/proc/self/ns/net"), hostLink("/proc/self/ns/net")),
  "--with-ns: a network namespace by path": (ctr) => {
    const first = ctr.start(image, [], "sleep", "1000");
    const options = ["--with-ns", `network:/proc/${ctr.pid(first)}/ns/net`];
    const own = ctr.out("task", "exec", "--exec-id", "one", first, "readlink", "/proc/self/ns/net");
    equal(ctr.runToEnd(image, options, "readlink", "/proc/self/ns/net"), own);
  },
  "--pid-file": (ctr) => {
    const file = join(ctr.folder, "pid");
    const id = ctr.start(image, ["--pid-file", file], "sleep", "1000");
    equal(readFileSync(file, "utf8").trim(), ctr.pid(id));
  },
  "--device": (ctr) =>
    equal(ctr.runToEnd(image, ["--device", "/dev/fuse"], "sh", "-c", "test -c /dev/fuse && echo there"), "there"),
  "--allow-new-privs": (ctr) => {
    const script = "grep ^NoNewPrivs: /proc/self/status | cut -f2";
    equal(ctr.runToEnd(image, [], "sh", "-c", script), "1");
    equal(ctr.runToEnd(image, ["--allow-new-privs"], "sh", "-c", script), "0");
  },
  "a task can be started again after its end": async (ctr) => {
    const id = ctr.start(image, [], "sleep", "1000");
    ctr.out("task", "kill", "--signal", "SIGKILL", id);
    await until("the task to end", () => ctr.status(id) === "STOPPED");
    ctr.run(["task", "delete", id]);
    ctr.out("task", "start", "--detach", id);
    equal(ctr.status(id), "RUNNING");
  },
});

/** containerd with one runtime. */
export async function containerdEngine(folder, runtime, image) {
  const containerd = new Containerd(folder, runtime);
  await containerd.ready();
  containerd.out("image", "pull", "--plain-http", image);
  return {
    checks: checks(image),
    subject: containerd,
    sweep: () => containerd.sweep(),
    end: () => containerd.end(),
  };
}
