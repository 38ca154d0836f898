// npm run test:engines: podman and containerd on images made of Debian packages, with runc and with ours.
//
//   --runtime A[,B]   columns (runc,ringvisor); the first one is the reference
//   --engine A[,B]    podman, rootless, containerd (all)
//   --group A[,B]     of podman's checks: process, limits, storage, security, network (all)
//   --results FILE    go on where an earlier run stopped: what it holds is not run again
//   --write           put the tables into docs/containers-conformance.md
//   WORD...           only the checks whose name contains one of these
//
// All state lies in one temporary folder; interfaces, mounts and processes in namespaces of this run's own. Exits with 1
// where a check passes with the first runtime and fails with another.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensureTestPackages } from "../../../scripts/lib/debian.mjs";
import { fail } from "../../../scripts/lib/project.mjs";
import { circumstances, table, writeSection } from "../lib/document.mjs";
import { removeCgroups } from "../lib/host.mjs";
import { inOwnNamespaces, inside } from "../lib/namespace.mjs";
import { runtimeProgram, runtimeVersion } from "../lib/runtimes.mjs";
import { listen, scratchFolder } from "../lib/scratch.mjs";
import { limitChecks } from "./checks/limits.mjs";
import { networkChecks } from "./checks/network.mjs";
import { processChecks } from "./checks/process.mjs";
import { securityChecks } from "./checks/security.mjs";
import { storageChecks } from "./checks/storage.mjs";
import { containerdEngine } from "./containerd.mjs";
import { BUSYBOX, buildAndPush, layersServed, PYTHON, prepareContexts, startRegistry } from "./images.mjs";
import { Podman, run } from "./podman.mjs";
import { rootlessEngine } from "./rootless.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runtime: { type: "string", default: "runc,ringvisor" },
    engine: { type: "string", default: "podman,rootless,containerd" },
    group: { type: "string" },
    results: { type: "string" },
    write: { type: "boolean", default: false },
  },
});
if (process.getuid() !== 0) fail("run it as root: it makes namespaces, networks and control groups", 2);

/** What Debian calls the programs that this needs. */
const TOOLS = [
  { program: "podman", packages: ["podman", "netavark", "aardvark-dns"] },
  { program: "catatonit", packages: ["catatonit"] },
  { program: "containerd", packages: ["containerd"] },
  { program: "runc", packages: ["runc"] },
  { program: "conmon", packages: ["conmon"] },
  { program: "docker-registry", packages: ["docker-registry"] },
  { program: "iptables", packages: ["iptables"] },
  { program: "ip", packages: ["iproute2"] },
  { program: "newuidmap", packages: ["uidmap"] },
  { program: "slirp4netns", packages: ["slirp4netns"] },
  { program: "setpriv", packages: ["util-linux"] },
  { program: "script", packages: ["bsdutils"] },
  { program: "python3", packages: ["python3-minimal"] },
];

/** Where the temporary folder lies is known on both sides of the namespaces: the outer one removes it. */
if (!inside) {
  ensureTestPackages(TOOLS);
  process.env.RINGVISOR_ENGINES_FOLDER = scratchFolder("engines-");
  console.log("fetching the packages of the images");
  // Here, because the network of the inner side reaches nothing.
  prepareContexts(join(process.env.RINGVISOR_ENGINES_FOLDER, "contexts"));
}
await inOwnNamespaces(["mount", "network", "pid"], () => {
  // Whatever was still running died with the PID namespace; control groups outlive it.
  removeCgroups((path) => /\/(libpod[-_]|ringvisor-test)/.test(path));
});

const folder = process.env.RINGVISOR_ENGINES_FOLDER;
const names = values.runtime.split(",");
const runtimes = names.map((name) => ({ name, program: runtimeProgram(folder, name) }));
const engines = values.engine.split(",");

await startRegistry(join(folder, "registry"));

const GROUPS = {
  process: processChecks,
  limits: limitChecks,
  storage: storageChecks,
  security: securityChecks,
  network: networkChecks,
};

/** podman as root with one runtime: its own store, filled from the registry. */
async function podmanEngine(runtime) {
  const podman = new Podman(join(folder, `podman-${runtimes.indexOf(runtime)}`), runtime);
  if (runtime === runtimes[0]) buildAndPush(podman, join(folder, "contexts"));
  const pull = () => {
    for (const image of [BUSYBOX, PYTHON]) {
      podman.run(["rmi", "--force", image]);
      podman.out("pull", "--quiet", image);
    }
  };
  return {
    checks: { "pull from docker-registry": pull, ...Object.assign({}, ...chosenGroups()) },
    subject: podman,
    sweep: () => podman.sweep(),
    end: () => podman.run(["system", "reset", "--force"]),
  };
}

function chosenGroups() {
  const names = values.group?.split(",") ?? Object.keys(GROUPS);
  for (const name of names) if (!GROUPS[name]) fail(`no group is called ${name}: ${Object.keys(GROUPS).join(", ")}`, 2);
  return names.map((name) => GROUPS[name]);
}

const ENGINES = {
  podman: podmanEngine,
  rootless: (runtime) => rootlessEngine(join(folder, `rootless-${runtimes.indexOf(runtime)}`), runtime, BUSYBOX),
  containerd: (runtime) => containerdEngine(join(folder, `containerd-${runtime.name}`), runtime, BUSYBOX),
};

const wanted = (name) =>
  positionals.length === 0 || positionals.some((word) => name.includes(word)) || name.startsWith("pull");

/** Results by engine, runtime and check: null where it passed, else the reason. */
const known = values.results && existsSync(values.results) ? JSON.parse(readFileSync(values.results, "utf8")) : {};
function keep(engine, runtime, name, reason) {
  known[engine] ??= {};
  known[engine][runtime.name] ??= {};
  known[engine][runtime.name][name] = reason ?? null;
  if (values.results) writeFileSync(values.results, JSON.stringify(known, null, 1));
}

/** Runs the checks of one engine with one runtime: undefined where it passed, else the reason, by name. */
async function column(engine, runtime) {
  const results = new Map();
  const { checks, subject, sweep, end } = await ENGINES[engine](runtime);
  try {
    for (const [name, check] of Object.entries(checks)) {
      if (!wanted(name)) continue;
      const earlier = known[engine]?.[runtime.name]?.[name];
      if (earlier !== undefined && !name.startsWith("pull")) {
        results.set(name, earlier ?? undefined);
        continue;
      }
      let reason;
      await listen();
      try {
        await check(subject);
      } catch (error) {
        reason = error.message.replaceAll(folder, "DIR").replace(/\s+/g, " ").slice(0, 300);
      }
      await sweep();
      results.set(name, reason);
      keep(engine, runtime, name, reason);
      console.log(
        `${engine} with ${runtime.name}: ${reason === undefined ? "ok    " : "FAILED"} ${name}${reason ? `: ${reason}` : ""}`,
      );
    }
  } finally {
    await end();
  }
  return results;
}

if (!engines.includes("podman")) await podmanEngine(runtimes[0]).then(({ end }) => end());
let worse = 0;
const sections = [];
for (const engine of engines) {
  if (ENGINES[engine] === undefined) fail(`no engine is called ${engine}: ${Object.keys(ENGINES).join(", ")}`, 2);
  const columns = [];
  for (const runtime of runtimes) columns.push(await column(engine, runtime));
  const rows = [...columns[0].keys()].map((name) => [name, ...columns.map((results) => results.get(name))]);
  for (const [, reference, ...others] of rows) if (reference === undefined) worse += others.filter(Boolean).length;
  sections.push({ engine, rows });
  for (const [index, runtime] of runtimes.entries()) {
    const passes = rows.filter((row) => row[index + 1] === undefined).length;
    console.log(`${engine} with ${runtime.name}: ${passes} of ${rows.length} pass`);
  }
}
console.log(
  worse === 0 ? `what passes with ${names[0]} passes` : `${worse} checks pass with ${names[0]} and fail here`,
);
if (values.write) {
  if (positionals.length > 0 || values.group) fail("--write wants every check, without words and --group", 2);
  const version = (...words) => run(words[0], words.slice(1)).stdout.trim().split("\n")[0];
  const versions = [
    version("podman", "--version"),
    version("conmon", "--version"),
    version("containerd", "--version"),
    ...names.map(runtimeVersion),
  ];
  const layers = `${layersServed(join(folder, "registry"), BUSYBOX)} and ${layersServed(join(folder, "registry"), PYTHON)} layers`;
  for (const { engine, rows } of sections) {
    const cell = (reason) => (reason === undefined ? "ok" : `fails: ${reason}`);
    const sums = runtimes.map((_, index) => `**${rows.filter((row) => row[index + 1] === undefined).length}**`);
    writeSection(engine, [
      circumstances(versions),
      `Images of ${layers}.`,
      "",
      ...table(
        ["check", ...names],
        [...rows.map(([name, ...reasons]) => [name, ...reasons.map(cell)]), [`**pass, of ${rows.length}**`, ...sums]],
      ),
    ]);
  }
}
process.exit(worse === 0 ? 0 : 1);
