// What stands for the host: a secret in a folder, a process, a socket, a key. Attacks must not reach them.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export class Host {
  #process;
  #socket;

  async open() {
    this.folder = mkdtempSync(join(tmpdir(), "ringvisor-escape-run-"));
    /** The folder that must stay as it is. */
    this.canary = join(this.folder, "canary");
    this.secret = join(this.canary, "secret");
    this.renew();
    this.#process = spawn("sleep", ["86400"], { stdio: "ignore" });
    this.pid = this.#process.pid;
    this.socket = `ringvisor-escape-${process.pid}`;
    this.#socket = createServer().listen(`\0${this.socket}`);
    await new Promise((resolve) => this.#socket.once("listening", resolve));
    const { dev } = statSync(this.folder);
    /** Of the file system under the bundles. */
    this.disk = { major: (dev >> 8) & 0xfff, minor: (dev & 0xff) | ((dev >> 12) & 0xfff00) };
    return this;
  }

  /** The folder as it was, for the next attack. */
  renew() {
    this.#unmount(this.canary);
    rmSync(this.canary, { recursive: true, force: true });
    mkdirSync(this.canary);
    writeFileSync(this.secret, "secret\n");
  }

  /** What a runtime that failed left: nothing under a mount is to be removed. */
  #unmount(folder) {
    const mounted = readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .map((line) => line.split(" ")[4] ?? "")
      .filter((path) => path === folder || path.startsWith(`${folder}/`))
      .sort()
      .reverse();
    for (const path of mounted) spawnSync("umount", ["-l", path], { stdio: "ignore" });
  }

  /** What an attack changed, or undefined. */
  damage() {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return "a process of the host was killed";
    const names = readdirSync(this.canary);
    if (names.join() !== "secret") return `the host's folder has ${names}`;
    if (readFileSync(this.secret, "utf8") !== "secret\n") return "the host's file was changed";
    const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
    if (mounts.some((line) => line.split(" ")[4]?.startsWith(this.canary))) return "a mount on the host's folder";
    return undefined;
  }

  close() {
    this.#process?.kill("SIGKILL");
    this.#socket?.close();
    this.#unmount(this.folder);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Why this host cannot run the attacks, or undefined. */
export function lacking() {
  if (process.platform !== "linux") return "containers need Linux";
  if (process.getuid() !== 0) return "not root";
  for (const [file, name] of [
    ["/bin/busybox", "busybox-static"],
    ["/usr/bin/gcc", "gcc and libc6-dev"],
  ]) {
    if (!statSync(file, { throwIfNoEntry: false })) return `no ${file} (Debian's ${name})`;
  }
  // A program interpreter means that it needs libraries, which the bundles do not have.
  if (readFileSync("/bin/busybox").includes("/ld-linux")) return "/bin/busybox is not static (Debian's busybox-static)";
  const probe = spawnSync("unshare", ["--mount", "--pid", "--fork", "true"], { stdio: "ignore" });
  if (probe.status !== 0) return "this process cannot make namespaces";
  return undefined;
}
