// The attacks that a container must not win. Each gets the runtime, the host that must stay whole, and a folder;
// it returns a verdict.
import { spawn } from "node:child_process";
import { chmodSync, closeSync, mkdirSync, openSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { configFor, makeBundle, SECCOMP } from "./lib/bundle.mjs";
import { complaint, judge, worst } from "./lib/verdict.mjs";

/**
 * @typedef {object} Context
 * @property {import("./lib/runtime.mjs").Runtime} runtime
 * @property {import("./lib/host.mjs").Host} host
 * @property {string} programs folder of the attacks' programs
 * @property {() => string} newFolder
 * @property {number} rounds how often what depends on luck is tried
 */

/** A container that runs one program, which reports. `change` gets config.json and the root file system's folder. */
async function attack(context, args, { capabilities, change, start, mayRefuse } = {}) {
  const { runtime, host, programs, newFolder } = context;
  const folder = newFolder();
  const config = configFor(args, { capabilities });
  const root = makeBundle(folder, config, programs);
  change?.(config, root);
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  const result = await runtime.run(folder, start);
  return judge(result, host.damage(), mayRefuse);
}

/** A container that stays, and something done to it. */
async function withContainer(context, args, { change, capabilities }, body) {
  const { runtime, programs, newFolder } = context;
  const folder = newFolder();
  const config = configFor(args, { capabilities });
  const root = makeBundle(folder, config, programs);
  change?.(config, root);
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  const id = runtime.newId();
  const child = runtime.start(folder, id);
  const output = { text: "", errors: "" };
  child.stdout.setEncoding("utf8").on("data", (text) => {
    output.text += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    output.errors += text;
  });
  const ended = new Promise((resolve) => child.on("close", (status, signal) => resolve({ status, signal })));
  try {
    await new Promise((resolve, reject) => {
      const look = () => output.text.includes("ready") && resolve();
      child.stdout.on("data", look);
      ended.then((end) => reject(new Error(complaint({ ...end, stderr: output.errors }))));
    });
    return await body({ id, output, ended, root });
  } finally {
    runtime.delete(id);
    child.kill("SIGKILL");
    await ended;
  }
}

/** Descriptors of the host that a careless parent leaves open in the runtime. */
function leaks(host) {
  return [openSync("/", "r"), openSync(host.canary, "r"), openSync(host.secret, "r")];
}

async function leaking(host, body) {
  const descriptors = leaks(host);
  try {
    return await body(descriptors);
  } finally {
    for (const fd of descriptors) closeSync(fd);
  }
}

/** Paths in the image that are symbolic links to the host's folder. */
function linkedMount(change) {
  return (context) =>
    attack(context, ["/bin/links", context.host.canary], {
      mayRefuse: true,
      change: (config, root) => change(config, root, context.host.canary),
    });
}

const tmpfsAt = (destination) => ({ destination, type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev"] });

/** @type {{name: string, run: (context: Context) => Promise<import("./lib/verdict.mjs").Verdict>}[]} */
export const ATTACKS = [
  { name: "writes to /proc and /sys, masked files", run: (context) => attack(context, ["/bin/files"]) },
  {
    name: "mount tricks, chroot, user namespace",
    run: (context) => attack(context, ["/bin/mounts", context.host.secret]),
  },
  {
    name: "processes of the host: signals, ptrace, memory, sockets",
    run: ({ host, ...context }) =>
      attack({ host, ...context }, ["/bin/processes", `${host.pid}`, host.socket], {
        capabilities: ["CAP_SYS_PTRACE"],
      }),
  },
  {
    name: "privileged system calls, set-uid, rlimits, OOM score",
    run: (context) => attack(context, ["/bin/privileges", "/bin/set-uid"]),
  },
  {
    name: "device nodes, with CAP_MKNOD",
    run: ({ host, ...context }) =>
      attack({ host, ...context }, ["/bin/devices", `${host.disk.major}`, `${host.disk.minor}`], {
        capabilities: ["CAP_MKNOD"],
      }),
  },
  {
    name: "control groups: limits, release_agent (CVE-2022-0492)",
    run: (context) => attack(context, ["/bin/cgroups"]),
  },
  { name: "keys of the runtime's session", run: keys },
  { name: "raw sockets, audit, interfaces", run: (context) => attack(context, ["/bin/sockets"]) },
  {
    name: "raw sockets with CAP_NET_RAW",
    run: (context) => attack(context, ["/bin/sockets", "raw"], { capabilities: ["CAP_NET_RAW"] }),
  },
  {
    name: "mount tricks under a seccomp profile",
    run: (context) => attack(context, ["/bin/mounts", context.host.secret], { change: filtered }),
  },
  {
    name: "control groups under a seccomp profile",
    run: (context) => attack(context, ["/bin/cgroups"], { change: filtered }),
  },
  {
    name: "keys under a seccomp profile",
    run: (context) => keys(context, filtered),
  },
  {
    name: "descriptors and environment of the runtime's parent",
    run: ({ host, ...context }) =>
      leaking(host, (descriptors) =>
        attack({ host, ...context }, ["/bin/descriptors", host.secret], {
          start: { descriptors, env: { HOST_SECRET: "1" } },
        }),
      ),
  },
  {
    name: "working directory in a descriptor (CVE-2024-21626)",
    run: ({ host, ...context }) =>
      leaking(host, async (descriptors) => {
        const verdicts = [];
        for (let fd = 3; fd <= 16; fd++) {
          verdicts.push(
            await attack({ host, ...context }, ["/bin/descriptors", host.secret], {
              mayRefuse: true,
              start: { descriptors },
              change: (config) => {
                config.process.cwd = `/proc/self/fd/${fd}`;
              },
            }),
          );
        }
        return worst(verdicts);
      }),
  },
  {
    name: "the same by exec, and its descriptors",
    run: ({ host, ...context }) =>
      withContainer(context, ["/bin/sh", "-c", "echo ready; exec /bin/busybox sleep 600"], {}, ({ id }) =>
        leaking(host, async (descriptors) => {
          const verdicts = [];
          const program = ["/bin/descriptors", host.secret];
          for (let fd = 3; fd <= 16; fd++) {
            const cwd = `/proc/self/fd/${fd}`;
            verdicts.push(judge(await context.runtime.exec(id, program, { descriptors, cwd }), host.damage(), true));
          }
          verdicts.push(judge(await context.runtime.exec(id, program, { descriptors }), host.damage()));
          return worst(verdicts);
        }),
      ),
  },
  {
    name: "the runtime's program as the container's (#!/proc/self/exe)",
    run: async (context) => {
      const before = context.runtime.digests();
      const verdict = await attack(context, ["/bin/evil"], { mayRefuse: true, change: evil });
      // The runtime, run again by itself in the container, finds nothing to do there.
      const harmless = verdict.text.startsWith("BROKEN") ? { ok: true, text: "contained: ran into nothing" } : verdict;
      return context.runtime.digests() === before
        ? harmless
        : { ok: false, text: "ESCAPED: the runtime's program changed" };
    },
  },
  { name: "overwriting the runtime's program from inside (CVE-2019-5736)", run: (context) => overwrite(context, []) },
  {
    name: "the same with CAP_SYS_PTRACE",
    run: (context) => overwrite(context, ["CAP_SYS_PTRACE"]),
  },
  {
    name: "a mount whose target leads through a link of the image",
    run: linkedMount((config, root, canary) => {
      symlinkSync(canary, join(root, "evil"));
      config.mounts.push(tmpfsAt("/evil/mount"));
    }),
  },
  {
    name: "/proc and /sys as links of the image (CVE-2019-19921)",
    run: linkedMount((_config, root, canary) => {
      for (const name of ["proc", "sys"]) {
        rmSync(join(root, name), { recursive: true });
        symlinkSync(canary, join(root, name));
      }
    }),
  },
  {
    name: "/dev as a link of the image",
    run: linkedMount((config, root, canary) => {
      rmSync(join(root, "dev"), { recursive: true });
      symlinkSync(canary, join(root, "dev"));
      config.mounts = config.mounts.filter(({ destination }) => !destination.startsWith("/dev"));
    }),
  },
  {
    name: "a device whose path leads through a link of the image",
    run: linkedMount((config, root, canary) => {
      symlinkSync(canary, join(root, "evil"));
      config.linux.devices = [{ path: "/evil/device", type: "c", major: 1, minor: 3, fileMode: 0o666, uid: 0, gid: 0 }];
    }),
  },
  {
    name: "a working directory that leads through a link of the image",
    run: linkedMount((config, root, canary) => {
      symlinkSync(canary, join(root, "evil"));
      config.process.cwd = "/evil/made";
    }),
  },
  {
    name: "masked and read-only paths as links of the image",
    run: linkedMount((config, root, canary) => {
      symlinkSync(join(canary, "secret"), join(root, "evil"));
      symlinkSync(canary, join(root, "evil-folder"));
      config.linux.maskedPaths.push("/evil", "/evil-folder");
      config.linux.readonlyPaths.push("/evil-folder");
    }),
  },
  {
    name: "links to the host's files in a folder that a tmpfs copies",
    run: (context) =>
      attack(context, ["/bin/links", "/evil"], {
        change: (config, root) => {
          mkdirSync(join(root, "evil"));
          symlinkSync(context.host.secret, join(root, "evil/secret"));
          symlinkSync(context.host.canary, join(root, "evil/folder"));
          const { options, ...rest } = tmpfsAt("/evil");
          config.mounts.push({ ...rest, options: [...options, "tmpcopyup"] });
        },
      }),
  },
  {
    name: "a link that is exchanged while a volume is mounted (CVE-2021-30465)",
    run: async ({ host, ...context }) => {
      const volume = context.newFolder();
      const [folder, link] = [join(volume, "folder"), join(volume, "link")];
      mkdirSync(folder);
      symlinkSync(host.canary, link);
      const swapper = spawn(join(context.programs, "swap"), [folder, link], { stdio: "ignore" });
      try {
        const verdicts = [];
        for (let round = 0; round < context.rounds; round++) {
          verdicts.push(
            await attack({ host, ...context }, ["/bin/links", host.canary], {
              mayRefuse: true,
              change: (config) => {
                config.mounts.push(
                  { destination: "/volume", type: "bind", source: volume, options: ["rbind", "rw"] },
                  tmpfsAt("/volume/folder/mount"),
                  { destination: "/volume/folder/bind", type: "bind", source: volume, options: ["rbind", "ro"] },
                );
              },
            }),
          );
        }
        const started = verdicts.filter(({ text }) => text !== "container refused").length;
        const first = worst(verdicts);
        return first.ok
          ? { ok: true, text: `contained ${started}, container refused ${verdicts.length - started}` }
          : first;
      } finally {
        swapper.kill("SIGKILL");
      }
    },
  },
];

async function overwrite(context, capabilities) {
  const before = context.runtime.digests();
  const args = ["/bin/overwrite", "6"];
  return withContainer(context, args, { capabilities, change: evil }, async ({ id, output, ended }) => {
    for (let round = 0; round < 6; round++) {
      await context.runtime.exec(id, [round % 2 === 0 ? "/bin/evil" : "/bin/busybox", "true"]);
    }
    const end = await ended;
    if (context.runtime.digests() !== before) return { ok: false, text: "ESCAPED: the runtime's program changed" };
    return judge({ ...end, stdout: output.text, stderr: output.errors }, context.host.damage());
  });
}

function keys(context, change) {
  const prefix = [join(context.programs, "with-key"), "ringvisor-escape"];
  return attack(context, ["/bin/keyrings", "ringvisor-escape"], { change, start: { prefix } });
}

function filtered(config) {
  config.linux.seccomp = SECCOMP;
}

/** A program whose interpreter is whatever runs it: the runtime, when it has entered the container. */
function evil(_config, root) {
  writeFileSync(join(root, "bin/evil"), "#!/proc/self/exe\n");
  chmodSync(join(root, "bin/evil"), 0o755);
}
