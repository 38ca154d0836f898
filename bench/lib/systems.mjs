// The systems that are compared, and how each is started.
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { ensureTestPackages } from "../../scripts/lib/debian.mjs";
import { getNode } from "./node-versions.mjs";

const CLI = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const V86 = fileURLToPath(new URL("./v86-guest.mjs", import.meta.url));

/** What each system is: the guest's bits, whether Node runs it, and the Debian packages that it needs here. */
export const SYSTEMS = {
  native: { bits: 64, tools: [] },
  ringvisor: { bits: 64, javascript: true, tools: [] },
  qemu: { bits: 64, tools: [{ program: "qemu-system-x86_64", packages: ["qemu-system-x86"] }] },
  "ringvisor-i386": { bits: 32, javascript: true, tools: [] },
  "qemu-i386": { bits: 32, tools: [{ program: "qemu-system-i386", packages: ["qemu-system-x86"] }] },
  v86: { bits: 32, javascript: true, tools: [{ program: "/usr/share/seabios/bios.bin", packages: ["seabios"] }] },
};

/** Why the system cannot be started on this host, or null. */
export function whyNot(system) {
  if (!SYSTEMS[system]) return `there is no such system, only ${Object.keys(SYSTEMS).join(", ")}`;
  const missing = ensureTestPackages(SYSTEMS[system].tools);
  if (missing.length > 0) return `${missing.join(", ")} is missing`;
  if (system !== "v86") return null;
  try {
    createRequire(import.meta.url).resolve("v86");
    return null;
  } catch {
    return "the npm package v86 is not installed: npm ci";
  }
}

/**
 * What the options name: a run for each system, with each accelerator and on each version of Node where those matter.
 * Says what it leaves out.
 *
 * @param values the options `systems`, `accel` and `node`, each a list
 * @returns {{label: string, system: string, accel: string | null, node: string | null, program: string | undefined,
 *   results: object[]}[]} `label` is unique; `node` is a version, `program` its path; `results` is for the caller
 */
export function listRuns(values) {
  const nodes = values.node.split(",").map(getNode);
  const accels = values.accel.split(",");
  const runs = [];
  for (const system of values.systems.split(",")) {
    const reason = whyNot(system);
    if (reason !== null) {
      console.error(`${system}: left out: ${reason}`);
      continue;
    }
    for (const node of SYSTEMS[system].javascript ? nodes : [null]) {
      for (const accel of system.startsWith("ringvisor") ? accels : [null]) {
        const label = [
          system,
          ...(accel && accels.length > 1 ? [`-${accel}`] : []),
          ...(node && nodes.length > 1 ? [`@${node.version.slice(1).split(".")[0]}`] : []),
        ].join("");
        runs.push({ label, system, accel, node: node?.version ?? null, program: node?.program, results: [] });
      }
    }
  }
  return runs;
}

/** With 32 bits, the kernel's self-tests of its ciphers are most of the work of a boot, and not what is measured. */
const SKIPPED = { 32: ["cryptomgr.notests"], 64: [] };

/**
 * The command of a virtual machine with a Linux guest and its console on standard output.
 *
 * @param run `system`, and for those that Node runs `node` (a program); for Ringvisor `accel` and perhaps `stats` (a file)
 * @param guest `kernel`, `initrd` (files), `append`, `memory` (MiB)
 */
export function linuxCommand({ system, node, accel, stats, nodeOptions = [], more = [] }, guest) {
  const { kernel, initrd, memory } = guest;
  const append = [guest.append, ...SKIPPED[SYSTEMS[system].bits]].join(" ");
  switch (system) {
    case "ringvisor":
    case "ringvisor-i386":
      return [
        ...[node, ...nodeOptions, CLI, "boot", "--accel", accel, "--kernel", kernel, "--initrd", initrd],
        ...[
          "--append",
          append,
          "--memory",
          `${memory}M`,
          "--no-reboot",
          ...(stats ? [`--stats=${stats}`] : []),
          ...more,
        ],
      ];
    case "qemu":
    case "qemu-i386":
      return [
        ...[SYSTEMS[system].tools[0].program, "-accel", "tcg", "-cpu", "max", "-m", `${memory}`, "-no-reboot"],
        ...["-display", "none", "-serial", "stdio", "-monitor", "none"],
        ...["-kernel", kernel, "-initrd", initrd, "-append", append, ...more],
      ];
    case "v86":
      return [node, ...nodeOptions, V86, kernel, initrd, append, `${memory}`];
    default:
      throw new Error(`${system} boots no kernel`);
  }
}

/** The command of a virtual machine of 32 MiB with a multiboot guest, whose write to port 0xf4 ends it. */
export function multibootCommand({ system, node, accel, nodeOptions = [] }, kernel) {
  if (system === "ringvisor") {
    const guest = ["boot", "--accel", accel, "--memory", "32M", "--kernel", kernel, "--debug-exit"];
    return [node, ...nodeOptions, CLI, ...guest];
  }
  if (system !== "qemu") throw new Error(`${system} boots no multiboot kernel here`);
  return [
    ...["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "32", "-kernel", kernel, "-no-reboot"],
    ...["-display", "none", "-serial", "stdio", "-monitor", "none", "-vga", "none", "-nic", "none"],
    ...["-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
  ];
}
