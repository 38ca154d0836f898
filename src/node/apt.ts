/** Debian's package client as a source of files: finds a package's version, fetches it, unpacks it. No root needed. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { readTar, type TarFile } from "./tar.js";

export class AptError extends Error {
  override readonly name = "AptError";
  readonly code = "APT";
}

export interface PackageRecord {
  readonly name: string;
  readonly version: string;
  /** The first alternative of each dependency, without versions. */
  readonly depends: readonly string[];
  /** As the signed package list has it. */
  readonly sha256: string;
}

/** Debian's names of the architectures that have guests. */
export type Architecture = "amd64" | "i386";

/** Whether this host has apt and dpkg. */
export function aptAvailable(): boolean {
  return ["apt-get", "apt-cache", "dpkg-deb"].every(onPath);
}

function onPath(program: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, program)));
}

/** A view of the archive: package lists and where they are kept. */
export class Apt {
  private constructor(private readonly options: readonly string[]) {}

  /** The system's own lists, as its administrator last updated them. Only reading. */
  static system(): Apt {
    return new Apt([]);
  }

  /**
   * Lists of our own in `folder`, from the system's sources: for hosts whose lists are empty or out of date, and for
   * another architecture than the host's.
   *
   * @param incomplete lists that could be fetched serve where others could not (a mirror may be between two states)
   */
  static async own(folder: string, architecture: Architecture = "amd64", incomplete = false): Promise<Apt> {
    await mkdir(join(folder, "state/lists/partial"), { recursive: true });
    await mkdir(join(folder, "cache/archives/partial"), { recursive: true });
    const set = {
      "Dir::State": join(folder, "state"),
      "Dir::State::status": "/dev/null",
      "Dir::Cache": join(folder, "cache"),
      "APT::Architecture": architecture,
      "APT::Architectures": architecture,
      "Acquire::Languages": "none",
    };
    const apt = new Apt(Object.entries(set).flatMap(([name, value]) => ["-o", `${name}=${value}`]));
    try {
      await apt.get(["update"]);
    } catch (error) {
      const lists = await readdir(join(folder, "state/lists"));
      if (!incomplete || !lists.some((name) => /_Packages(\.\w+)?$/.test(name))) throw error;
    }
    return apt;
  }

  /**
   * What the lists say about a package's newest version.
   *
   * @throws AptError where the package is not in the lists
   */
  async show(name: string): Promise<PackageRecord> {
    const text = await capture("apt-cache", [...this.options, "show", "--no-all-versions", name]);
    const field = (key: string) => new RegExp(`^${key}: (.*)$`, "m").exec(text)?.[1] ?? "";
    const version = field("Version");
    if (version === "") throw new AptError(`package ${name} is not in the package lists`);
    const depends = field("Depends")
      .split(",")
      .map((dependency) => dependency.trim().split(/[ (|:]/)[0])
      .filter((dependency) => dependency !== "");
    return { name, version, depends, sha256: field("SHA256") };
  }

  /** Fetches a package into `folder`; the .deb file's path. apt checks it against the signed lists. @throws AptError */
  async download(record: PackageRecord, folder: string): Promise<string> {
    const target = join(folder, record.name);
    await rm(target, { recursive: true, force: true });
    await mkdir(target, { recursive: true });
    await this.get(["download", `${record.name}=${record.version}`], target);
    const file = (await readdir(target)).find((name) => name.endsWith(".deb"));
    if (file === undefined) throw new AptError(`apt-get download ${record.name} left no package`);
    return join(target, file);
  }

  private async get(args: readonly string[], cwd?: string): Promise<void> {
    // As root, apt would change to a user that cannot write to a home folder.
    await capture("apt-get", [...this.options, "-o", "APT::Sandbox::User=root", "-q", ...args], cwd);
  }
}

/** The files of a .deb that `wanted` picks. @throws AptError, TarError */
export async function unpackDeb(deb: string, wanted: (path: string) => boolean): Promise<TarFile[]> {
  const child = spawn("dpkg-deb", ["--fsys-tarfile", deb], { stdio: ["ignore", "pipe", "pipe"] });
  const ended = finish("dpkg-deb", child);
  const files: TarFile[] = [];
  const output: AsyncIterableIterator<Uint8Array> = child.stdout.iterator();
  try {
    for await (const file of readTar(output, wanted)) files.push(file);
    // What dpkg-deb writes behind the archive's end has to go somewhere before it ends.
    while (!(await output.next()).done);
  } catch (error) {
    child.kill();
    // What dpkg-deb itself complains about explains the archive's end better than the archive.
    await ended;
    throw error;
  }
  await ended;
  return files;
}

async function capture(command: string, args: readonly string[], cwd?: string): Promise<string> {
  const env = { ...process.env, LC_ALL: "C" };
  const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  await finish(command, child);
  return text;
}

/** Waits for a child; its own last word of complaint is ours. */
function finish(command: string, child: ReturnType<typeof spawn>): Promise<void> {
  let complaint = "";
  child.stderr?.setEncoding("utf8").on("data", (part: string) => {
    complaint = (complaint + part).slice(-4000);
  });
  return new Promise((resolve, reject) => {
    child.on("error", (error) => reject(new AptError(`cannot run ${command}: ${error.message}`, { cause: error })));
    child.on("close", (code) => {
      if (code === 0) return resolve();
      const lines = complaint.split("\n").filter((line) => line.trim() !== "");
      const why = lines.find((line) => line.startsWith("E:")) ?? lines.at(-1) ?? `exit code ${code}`;
      reject(new AptError(`${command} failed: ${why.replace(/^E: /, "")}`));
    });
  });
}
