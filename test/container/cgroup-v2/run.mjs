// npm run test:cgroup-v2 -- [OPTIONS]: containers' limits on cgroup v2, in QEMU. See docs/cgroup-v2.md.
import { parseArgs } from "node:util";
import { fail, progress } from "../../../scripts/lib/project.mjs";
import { prepareDebian } from "../../support/prepare-debian.mjs";

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
const minutes = prepareDebian(values.minutes, TOOLS);

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
