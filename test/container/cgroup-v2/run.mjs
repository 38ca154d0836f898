// npm run test:cgroup-v2 -- [OPTIONS]: containers' limits on cgroup v2, in QEMU. See docs/cgroup-v2.md.
import { parseArgs } from "node:util";
import { build } from "../../../scripts/lib/build.mjs";
import { ensureTestPackages } from "../../../scripts/lib/debian.mjs";
import { ensureDependencies } from "../../../scripts/lib/dependencies.mjs";
import { fail, progress } from "../../../scripts/lib/project.mjs";

const HELP = `usage: npm run test:cgroup-v2 -- [OPTIONS]

QEMU without KVM boots Debian with its own kernel, cgroup v2 alone, and Node; in there \`ringvisor-oci\` runs
containers with limits, and each limit is shown to bite. Takes some minutes.

  --log FILE       write the log to FILE
  --cpus N         QEMU's processors (default 2)
  --memory SIZE    QEMU's memory (default 1G)
  --minutes N      give up after this time (default 30)
`;
const TOOLS = [{ program: "qemu-system-x86_64", packages: ["qemu-system-x86"] }];

const { values } = parseArgs({
  options: {
    help: { type: "boolean", short: "h" },
    log: { type: "string" },
    cpus: { type: "string", default: "2" },
    memory: { type: "string", default: "1G" },
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

const { scratchFolder } = await import("../../support/tools.mjs");
const { makeRootDisk } = await import("../../support/root-disk.mjs");
const { judgeBoot } = await import("../../support/milestones.mjs");
const { CASES, VERBS } = await import("./cases.mjs");

const disk = await makeRootDisk(scratchFolder(), progress, {
  init: new URL("init.sh", import.meta.url),
  files: ["bin", "test/container/cgroup-v2"],
  packages: ["busybox-static"],
}).catch((error) => fail(error.message));
const passed = await judgeBoot({
  disk,
  machine: { cpu: "max", cpus: values.cpus, memory: values.memory, parameters: "init=/usr/sbin/init" },
  milestones: [
    { line: /^CGROUP-UP /, shows: "Debian runs in QEMU, with cgroup v2 alone" },
    ...[...CASES, ...VERBS].map(({ name, shows }) => ({ line: new RegExp(`^CGROUP-OK ${name}$`), shows })),
    { line: /^CGROUP-DONE ok$/, shows: "nothing is left behind" },
  ],
  wrong: /^CGROUP-FAIL /,
  minutes,
  logFile: values.log,
});
process.exit(passed ? 0 : 1);
