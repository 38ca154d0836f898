// npm run bench:programs -- [--only LIST] [--scale X] [--runs N] [--systems LIST] [--accel NAME] [--kernel FILE]
//   [--memory MIB] [--timeout SECONDS] [--node-options TEXT] [--out FILE] [--stats FOLDER] [--echo] [--show]
// Programs that nobody tuned for, from Debian's packages: python3, perl, sqlite3, openssl, gcc, node. Each in a root
// file system and a guest of its own, several times: natively, on Ringvisor, on QEMU. Host CPU seconds in one table.
import { generateKeyPairSync } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "../scripts/lib/build.mjs";
import { fail } from "../scripts/lib/project.mjs";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    scale: { type: "string", default: "0.3" },
    runs: { type: "string", default: "3" },
    systems: { type: "string", default: "native,ringvisor,qemu" },
    accel: { type: "string", default: "auto" },
    kernel: { type: "string" },
    memory: { type: "string", default: "1536" },
    timeout: { type: "string", default: "1800" },
    "node-options": { type: "string", default: "" },
    out: { type: "string", default: "bench-programs.json" },
    stats: { type: "string" },
    echo: { type: "boolean", default: false },
    show: { type: "boolean", default: false },
  },
});
if (!build()) fail("the build failed: see above");
const { debianRoot, rootImage } = await import("./lib/debian-root.mjs");
const { measure } = await import("./lib/measure.mjs");
const { comparisons, formatTable, ratios, wrongChecks } = await import("./lib/table.mjs");
const dist = new URL("../dist/", import.meta.url);
const { cacheFolder } = await import(new URL("node/cache-folder.js", dist));
const { getDefaultGuest } = await import(new URL("node/default-guest.js", dist));
const { createProgress } = await import(new URL("node/progress.js", dist));

const GUEST = fileURLToPath(new URL("./guest/", import.meta.url));
/** Debian packages, and the files that the program works on, below /bench. */
const PROGRAMS = {
  python3: { packages: ["python3"], files: () => ({ "work.py": ours("python3.py") }) },
  perl: { packages: ["perl"], files: () => ({ "work.pl": ours("perl.pl") }) },
  sqlite3: { packages: ["sqlite3"], files: () => ({ "work.sql": ours("sqlite3.sql") }) },
  openssl: { packages: ["openssl"], files: keys },
  gcc: {
    packages: ["gcc", "libc6-dev"],
    files: () => {
      const names = readdirSync(GUEST).filter((name) => /\.[ch]$/.test(name));
      return Object.fromEntries(names.map((name) => [name, readFileSync(join(GUEST, name))]));
    },
  },
  node: { packages: ["nodejs"], files: () => ({ "work.js": ours("node.js") }) },
};

function ours(name) {
  return readFileSync(join(GUEST, "programs", name));
}

/** Private keys, made once: the same in all systems, and none in the repository. */
function keys() {
  const kinds = {
    "rsa.pem": () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
    "ec.pem": () => generateKeyPairSync("ec", { namedCurve: "prime256v1" }),
    "ed25519.pem": () => generateKeyPairSync("ed25519"),
  };
  const folder = join(cacheFolder(), "bench", "keys");
  mkdirSync(folder, { recursive: true });
  return Object.fromEntries(
    Object.entries(kinds).map(([name, make]) => {
      const file = join(folder, name);
      if (!existsSync(file)) writeFileSync(file, make().privateKey.export({ type: "pkcs8", format: "pem" }));
      return [name, readFileSync(file)];
    }),
  );
}

const names = values.only === "" ? Object.keys(PROGRAMS) : values.only.split(",");
for (const name of names) if (!(name in PROGRAMS)) fail(`no program is called ${name}`, 2);
for (const name of values.systems.split(",")) {
  if (!["native", "ringvisor", "qemu"].includes(name)) fail(`there is no system ${name}`, 2);
}
const scratch = mkdtempSync(join(tmpdir(), "ringvisor-bench-programs-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
let { kernel } = values;
if (!kernel) {
  kernel = join(scratch, "vmlinuz");
  writeFileSync(kernel, (await getDefaultGuest(createProgress())).kernel.bytes);
}
if (values.stats) mkdirSync(values.stats, { recursive: true });

function command(system, program, root, image, files) {
  const settings = {
    BENCH_PROGRAM: program,
    BENCH_RUNS: values.runs,
    BENCH_SCALE: values.scale,
    ...(values.show && { BENCH_SHOW: "1" }),
  };
  const words = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  const append = `console=ttyS0 no_timer_check quiet panic=-1 ${words.join(" ")}`;
  if (system === "native") {
    // A mount namespace of its own: devices, processes, and a /bench and a /tmp that leave the root as it is.
    const user = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
    const script =
      'mount --rbind /dev "$1/dev" && mount --rbind /proc "$1/proc" && mount -t tmpfs tmp "$1/tmp" && ' +
      'mount --rbind "$2" "$1/bench" && ' +
      'exec chroot "$1" /bin/busybox sh -c ". /bench/run.sh; echo BENCH_DONE"';
    return ["unshare", ...user, "--mount", "sh", "-c", script, "sh", root, files];
  }
  if (system === "qemu") {
    return [
      ...["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", values.memory, "-no-reboot"],
      ...["-display", "none", "-serial", "stdio", "-monitor", "none"],
      ...["-kernel", kernel, "-initrd", image, "-append", append],
    ];
  }
  return [
    ...[process.execPath, ...values["node-options"].split(" ").filter((word) => word !== "")],
    ...[fileURLToPath(new URL("cli/main.js", dist)), "boot", "--accel", values.accel],
    ...["--kernel", kernel, "--initrd", image, "--append", append, "--memory", `${values.memory}M`, "--no-reboot"],
    ...(values.stats ? [`--stats=${join(values.stats, `${program}.json`)}`] : []),
  ];
}

/** Runs whose digest is not that of the first: the work is the same each time. */
function unlikeFirst() {
  return Object.entries(systems).flatMap(([system, { programs }]) =>
    Object.entries(programs)
      .filter(([name, { check }]) => check !== programs[name.replace(/-\d+$/, "-1")]?.check)
      .map(([name]) => `${system}: ${name} is unlike the first run`),
  );
}

const systems = {};
const failures = [];
for (const program of names) {
  const root = debianRoot(PROGRAMS[program].packages);
  const files = { ...PROGRAMS[program].files(), "run.sh": ours("run.sh"), "workload.sh": ours(`${program}.sh`) };
  const folder = join(scratch, program);
  mkdirSync(folder);
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
  const inside = Object.fromEntries(Object.entries(files).map(([name, bytes]) => [`bench/${name}`, bytes]));
  const image = await rootImage(root, { init: ours("init"), ...inside });
  for (const system of values.systems.split(",")) {
    console.error(`${program} on ${system} ...`);
    const env = { BENCH_PROGRAM: program, BENCH_RUNS: values.runs, BENCH_SCALE: values.scale };
    if (values.show) env.BENCH_SHOW = "1";
    const result = await measure(command(system, program, root, image, folder), {
      native: system === "native",
      env: system === "native" ? env : {},
      timeoutSeconds: Number(values.timeout),
      echo: values.echo || values.show,
    });
    if (result.error) failures.push(`${program} on ${system}: ${result.error}`);
    for (const [name, { check }] of Object.entries(result.programs)) {
      if (check.startsWith("status-")) failures.push(`${name} on ${system}: the program ended with ${check}`);
    }
    systems[system] ??= { programs: {}, boot: null, peakRss: {} };
    Object.assign(systems[system].programs, result.programs);
    systems[system].boot ??= result.boot;
    systems[system].peakRss[program] = result.peakRss;
  }
}

const runs = Object.keys(systems).map((system) => ({ label: system, system, node: null }));
console.log(formatTable(systems, comparisons(runs)));
const wrong = [...wrongChecks(systems), ...unlikeFirst()];
for (const each of wrong) console.log(`WRONG RESULT ${each}`);
for (const each of failures) console.log(`FAILED ${each}`);
const against = (base) => (systems.ringvisor && systems[base] ? ratios(systems.ringvisor, systems[base]) : null);
const record = {
  date: new Date().toISOString(),
  host: { cpu: cpus()[0]?.model, node: process.version },
  scale: Number(values.scale),
  systems,
  wrong,
  failures,
  ringvisorToNative: against("native"),
  ringvisorToQemu: against("qemu"),
};
writeFileSync(values.out, `${JSON.stringify(record, null, 2)}\n`);
process.exit(wrong.length + failures.length === 0 ? 0 : 1);
