// npm run test:nested -- [OPTIONS]: Ringvisor on hardware virtualization, on a host that has none. See docs/nested.md.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { build } from "../../scripts/lib/build.mjs";
import { ensureTestPackages } from "../../scripts/lib/debian.mjs";
import { ensureDependencies } from "../../scripts/lib/dependencies.mjs";
import { fail, progress, ROOT } from "../../scripts/lib/project.mjs";

const HELP = `usage: npm run test:nested -- [OPTIONS]

QEMU without KVM emulates a processor with AMD-V and boots Debian with Node in it; in there Ringvisor
boots the default guest by kvm_amd, to its shell and out again. Takes some minutes.

  --log FILE       write the log to FILE
  --probe          stop before Ringvisor: is there a working /dev/kvm in QEMU?
  --accel NAME     Ringvisor's accelerator (default kvm)
  --append TEXT    more for the inner kernel's command line
  --cpu MODEL      QEMU's processor (default max)
  --cpus N         QEMU's processors (default 2)
  --memory SIZE    QEMU's memory (default 3G)
  --minutes N      give up after this time (default 30)
`;
const TOOLS = [
  { program: "qemu-system-x86_64", packages: ["qemu-system-x86"] },
  { program: "gcc", packages: ["gcc", "libc6-dev"] },
];
/** The lines by which the guest says how far it is, in order, and what each shows. */
const MILESTONES = [
  { line: /^NESTED-UP /, shows: "Debian runs in QEMU" },
  { line: /^NESTED-KVM-AMD$/, shows: "kvm_amd is loaded and gives /dev/kvm" },
  { line: /^NESTED-PROBE$/, shows: "KVM runs a guest of five bytes" },
  { line: /^NESTED-INIT /, shows: "Ringvisor boots Debian's cloud kernel to the init line", ringvisor: true },
  { line: /^NESTED-POWEROFF$/, shows: "the inner guest powers off and Ringvisor ends with 0", ringvisor: true },
  { line: /^NESTED-DONE ok$/, shows: "all of it ends well" },
];

const { values } = parseArgs({
  options: {
    help: { type: "boolean", short: "h" },
    log: { type: "string" },
    probe: { type: "boolean", default: false },
    accel: { type: "string", default: "kvm" },
    append: { type: "string", default: "" },
    cpu: { type: "string", default: "max" },
    cpus: { type: "string", default: "2" },
    memory: { type: "string", default: "3G" },
    minutes: { type: "string", default: "30" },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const minutes = Number(values.minutes);
if (!(minutes > 0)) fail(`--minutes ${values.minutes} is not a number above 0`, 2);
if (process.arch !== "x64") fail(`this Node is for ${process.arch}; the Debian in QEMU needs one for x64`);

ensureDependencies();
if (!build()) fail("the build failed: see above");
const missing = ensureTestPackages(TOOLS);
if (missing.length > 0) fail(`missing: ${missing.join(", ")}`);

const { scratchFolder } = await import("./tools.mjs");
const { makeRootDisk } = await import("./root-disk.mjs");
const { qemuArguments, qemuVersion, runQemu } = await import("./qemu.mjs");

const log = [];
const say = (line) => {
  log.push(line);
  if (process.stdout.isTTY) console.log(line);
};
// Ringvisor gives up first, so that its own words about it are in the log.
const timeout = Math.max(60, Math.round(minutes * 60) - 300);
const bootOptions = ["--accel", values.accel, "--timeout", `${timeout}`];
if (values.append !== "") bootOptions.push("--append", values.append);
const { disk, kernel, packages } = await makeRootDisk(scratchFolder(), { bootOptions, progress }).catch((error) =>
  fail(error.message),
);
const parameters = `init=/usr/sbin/init -- ${values.probe ? "probe" : "ringvisor"}`;
const args = qemuArguments({ disk, kernel, parameters, cpu: values.cpu, cpus: values.cpus, memory: values.memory });

say(`Ringvisor ${revision()} on ${new Date().toISOString()}`);
say(await qemuVersion());
say(`Node ${process.version} here and in QEMU`);
say(`Debian packages in QEMU: ${packages.join(", ")}`);
say(`$ qemu-system-x86_64 ${args.map(show).join(" ")}`);
say("");

const started = performance.now();
const reached = new Set();
const ending = await runQemu(args, {
  timeout: minutes * 60_000,
  onLine(line) {
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    say(`${seconds.padStart(6)}  ${line}`.trimEnd());
    for (const milestone of MILESTONES) if (milestone.line.test(line)) reached.add(milestone);
  },
});
say("");
const wanted = MILESTONES.filter((milestone) => !(values.probe && milestone.ringvisor));
for (const milestone of wanted) say(`${reached.has(milestone) ? "ok  " : "FAIL"}  ${milestone.shows}`);
if (ending !== null) say(`FAIL  ${ending}`);
const passed = ending === null && wanted.every((milestone) => reached.has(milestone));

if (values.log !== undefined) writeFileSync(values.log, `${log.join("\n")}\n`);
// In a pipe: the verdict, and the console only where it explains a failure.
if (!process.stdout.isTTY) console.log((passed ? log.slice(-wanted.length) : log).join("\n"));
process.exit(passed ? 0 : 1);

/** Version, commit, and whether there were changes on top. */
function revision() {
  const git = (...words) => execFileSync("git", words, { cwd: ROOT, encoding: "utf8", stdio: "pipe" }).trim();
  try {
    return `${git("rev-parse", "--short", "HEAD")}${git("status", "--porcelain") === "" ? "" : " with changes"}`;
  } catch {
    return "outside git";
  }
}

/** As one would type it, without the folders of this host. */
function show(argument) {
  const short = argument.replaceAll(disk, basename(disk)).replaceAll(kernel, basename(kernel));
  return /[^\w,.=:/-]/.test(short) ? `"${short}"` : short;
}
