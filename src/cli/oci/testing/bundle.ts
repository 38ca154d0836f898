/** Bundles for tests: a root file system of Debian's static busybox, and the runtime's command line. */
import { spawnSync } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openCgroup, planCgroup } from "../../../container/cgroups/index.js";
import type { Config, Process } from "../../../container/spec/config.js";

const RUNTIME = fileURLToPath(new URL("../../../../bin/ringvisor-oci", import.meta.url));
/** Whatever takes longer hangs. */
const TIMEOUT_MS = 60_000;
const APPLETS = [
  ...[
    "sh",
    "cat",
    "chmod",
    "chown",
    "dd",
    "echo",
    "env",
    "false",
    "grep",
    "hostname",
    "id",
    "kill",
    "ln",
    "ls",
    "mkdir",
  ],
  ...["mknod", "mount", "ps", "pwd", "readlink", "rm", "sleep", "stat", "stty", "test", "touch", "trap", "true", "tty"],
  ...["ulimit", "umount", "wc", "head", "sort", "tr", "cut", "ip", "unshare", "setsid", "nc", "date", "sync", "seq"],
];

function findBusybox(): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.map((folder) => join(folder, "busybox")).find((file) => existsSync(file));
}

/** Why containers cannot be tested here; false where they can. */
export function whyNot(): string | false {
  if (process.platform !== "linux" || process.arch !== "x64") return "containers need Linux on x86-64";
  if (process.geteuid?.() !== 0) return "needs root";
  const busybox = findBusybox();
  if (busybox === undefined) return "needs busybox (Debian: busybox-static)";
  // A program interpreter means that it needs libraries, which a bundle does not have.
  if (readFileSync(busybox).includes("/ld-linux")) return "needs a static busybox (Debian: busybox-static)";
  if (spawnSync("unshare", ["-mpf", "true"]).status !== 0) return "this host's root may not make namespaces";
  return cannotLimit();
}

/** Control groups may be there and not be ours to make. */
function cannotLimit(): string | false {
  try {
    const cgroup = openCgroup(planCgroup(undefined, `ringvisor-probe-${process.pid}`));
    cgroup.create({});
    cgroup.delete().catch(() => {});
    return false;
  } catch (error) {
    return `no control groups: ${(error as Error).message}`;
  }
}

/** Why another user cannot run the runtime here; false where it can. */
export function whyNotAs(uid: number): string | false {
  const { status } = spawnSync(RUNTIME, ["--version"], { uid, gid: uid, stdio: "ignore" });
  return status !== 0 && `user ${uid} may not read this checkout`;
}

/** A folder with a root file system, a state directory, and whatever containers a test makes in it. */
export class TestBundle implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "ringvisor-oci-"));
  readonly rootfs = join(this.folder, "rootfs");
  readonly state = join(this.folder, "state");

  constructor() {
    for (const name of ["bin", "etc", "tmp", "proc", "sys", "dev"])
      mkdirSync(join(this.rootfs, name), { recursive: true });
    copyFileSync(findBusybox() as string, join(this.rootfs, "bin/busybox"));
    for (const name of APPLETS) symlinkSync("busybox", join(this.rootfs, "bin", name));
  }

  /** Writes config.json: what `spec` prints, changed by `edit`. */
  configure(edit: (config: Mutable<Config>) => void): void {
    const { stdout } = this.run("spec", "--print");
    const config = JSON.parse(stdout) as Mutable<Config>;
    config.process!.terminal = false;
    edit(config);
    writeFileSync(join(this.folder, "config.json"), JSON.stringify(config));
  }

  /** Runs a shell script in a new container, in the foreground. */
  script(script: string, edit: (config: Mutable<Config>) => void = () => {}, options: string[] = []) {
    this.configure((config) => {
      config.process!.args = ["sh", "-c", script];
      edit(config);
    });
    return this.run("run", ...options, "test");
  }

  /** Output goes by files: a container that is created keeps its streams open after the runtime's end. */
  run(...args: string[]): { stdout: string; stderr: string; status: number | null } {
    const files = ["stdout", "stderr"].map((name) => join(this.folder, name));
    const fds = files.map((file) => openSync(file, "w+"));
    const { status } = spawnSync(RUNTIME, ["--root", this.state, ...args], {
      cwd: this.folder,
      stdio: ["ignore", ...fds],
      timeout: TIMEOUT_MS,
    });
    for (const fd of fds) closeSync(fd);
    const [stdout, stderr] = files.map((file) => readFileSync(file, "utf8"));
    return { stdout, stderr, status };
  }

  /** Makes another user the owner of everything. */
  giveTo(uid: number): void {
    for (const name of ["", ...readdirSync(this.folder, { recursive: true, encoding: "utf8" })]) {
      lchownSync(join(this.folder, name), uid, uid);
    }
  }

  /** Runs a script in a container that another user makes, by the configuration for users without privileges. */
  runAs(uid: number, script: string): { stdout: string; stderr: string; status: number | null } {
    const options = { cwd: this.folder, uid, gid: uid, encoding: "utf8", timeout: TIMEOUT_MS } as const;
    const { stdout } = spawnSync(RUNTIME, ["--root", this.state, "spec", "--rootless", "--print"], options);
    const config = JSON.parse(stdout) as Mutable<Config>;
    config.process!.terminal = false;
    config.process!.args = ["sh", "-c", script];
    config.root!.readonly = false;
    const file = join(this.folder, "config.json");
    writeFileSync(file, JSON.stringify(config));
    return spawnSync(RUNTIME, ["--root", this.state, "run", "test"], options);
  }

  [Symbol.dispose](): void {
    for (const id of existsSync(this.state) ? this.run("list", "--quiet").stdout.split("\n").filter(Boolean) : []) {
      this.run("delete", "--force", id);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** For tests, which change a configuration in place. */
export type Mutable<T> = T extends readonly (infer Item)[]
  ? Mutable<Item>[]
  : T extends object
    ? { -readonly [Key in keyof T]: Mutable<T[Key]> }
    : T;
export type MutableProcess = Mutable<Process>;
