// npm run test:nested -- [OPTIONS]: Ringvisor on hardware virtualization, on a host that has none. See docs/nested.md.
import { parseArgs } from "node:util";
import { fail, progress } from "../../scripts/lib/project.mjs";
import { prepareDebian } from "../support/prepare-debian.mjs";

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
const minutes = prepareDebian(values.minutes, TOOLS);

const { scratchFolder } = await import("../support/tools.mjs");
const { nestedDisk } = await import("./contents.mjs");
const { makeRootDisk } = await import("../support/root-disk.mjs");
const { judgeBoot } = await import("../support/milestones.mjs");

// Ringvisor gives up first, so that its own words about it are in the log.
const timeout = Math.max(60, Math.round(minutes * 60) - 300);
const bootOptions = ["--accel", values.accel, "--timeout", `${timeout}`];
const disk = await makeRootDisk(
  scratchFolder(),
  progress,
  nestedDisk({ boot: bootOptions, append: values.append }),
).catch((error) => fail(error.message));
const parameters = `init=/usr/sbin/init -- ${values.probe ? "probe" : "ringvisor"}`;
const passed = await judgeBoot({
  disk,
  machine: { parameters, cpu: values.cpu, cpus: values.cpus, memory: values.memory },
  milestones: MILESTONES.filter((milestone) => !(values.probe && milestone.ringvisor)),
  minutes,
  logFile: values.log,
});
process.exit(passed ? 0 : 1);
