/** `ringvisor doctor`: what this host offers to each of the four techniques, and why not. */
import { readFileSync } from "node:fs";
import { type HostFacts, probeHost } from "../node/host/facts.js";
import { hostView } from "../node/host/host-view.js";
import { hostWasm } from "../node/host/node.js";
import { judgeTechniques, type TechniqueName, type TechniqueVerdict } from "../node/host/techniques.js";
import { WASM_FEATURE_NAMES, WASM_FEATURES } from "../node/host/wasm-features.js";
import { type AcceleratorChoice, chooseAccelerator, type RealAcceleratorName } from "./choose-accelerator.js";
import { UsageError } from "./errors.js";
import { describeOptions, type OptionTable, parseArguments } from "./options.js";
import { AVAILABLE_ACCELERATORS, BUILT_TECHNIQUES, PROBE_OPTIONS } from "./parts.js";

const OPTIONS = {
  json: { kind: "flag", help: "print one JSON object (docs/doctor.md describes it)" },
} as const satisfies OptionTable;

/** This command's own exit code beside those of all commands. */
const NOTHING_WORKS = 1;

const HELP = `usage: ringvisor doctor [OPTIONS]

Says what this host offers to each of the four techniques: usable, usable with limits or not usable,
with the reason, what follows from it, and what to do about it. It changes nothing; it opens /dev/kvm
and closes it again, and lets unshare(1) try a user namespace.

${describeOptions(OPTIONS)}

Exit codes: 0 at least one technique is built and works here, with limits or without; ${NOTHING_WORKS} none does;
2 wrong usage.
`;

export interface DoctorReport {
  /** Of this object's shape: raised when a field goes or changes its meaning. */
  version: 1;
  ringvisor: string;
  /** At least one technique is built and works here. */
  works: boolean;
  techniques: readonly TechniqueVerdict[];
  /** What `--accel auto` takes. */
  auto: AcceleratorChoice;
  host: HostFacts;
}

/** Runs the command; its exit code. @throws what main.ts turns into a line */
export async function run(args: string[]): Promise<number> {
  const { options, operands, help } = parseArguments(OPTIONS, args);
  if (help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (operands.length > 0) throw new UsageError(`doctor takes options only, not "${operands[0]}"`);
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const host = await probeHost(hostView, { ...PROBE_OPTIONS, wasm: hostWasm() });
  const report = makeReport(host, { version, accelerators: AVAILABLE_ACCELERATORS, techniques: BUILT_TECHNIQUES });
  process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report));
  return report.works ? 0 : NOTHING_WORKS;
}

/** @param built what this version of Ringvisor has: techniques, and what `auto` chooses from */
export function makeReport(
  host: HostFacts,
  built: { version: string; accelerators: readonly RealAcceleratorName[]; techniques: ReadonlySet<TechniqueName> },
): DoctorReport {
  const techniques = judgeTechniques(host, built.techniques);
  return {
    version: 1,
    ringvisor: built.version,
    works: techniques.some(({ works }) => works),
    techniques,
    auto: chooseAccelerator(host, "auto", built.accelerators),
    host,
  };
}

const VERDICTS = { usable: "usable", limited: "usable with limits", unusable: "not usable" } as const;

/** The report for a person; ends with a newline. */
export function formatReport({ techniques, auto, host, ringvisor }: DoctorReport): string {
  const lines = [`Ringvisor ${ringvisor} on this host`];
  for (const [name, value] of describeHost(host)) lines.push(`  ${name.padEnd(14)}${value}`);
  for (const { technique, title, built, host: usability, findings } of techniques) {
    const verdict = built ? VERDICTS[usability] : `not built yet (this host: ${VERDICTS[usability]})`;
    lines.push("", `${technique.padEnd(10)}${title}: ${verdict}`);
    for (const { why, consequence, remedy } of findings) {
      lines.push(`  why           ${why}`, `  consequence   ${consequence}`);
      if (remedy !== null) lines.push(`  remedy        ${remedy}`);
    }
  }
  lines.push("", `--accel auto takes ${auto.accelerator}: ${auto.reason}`);
  return `${lines.join("\n")}\n`;
}

function describeHost(host: HostFacts): [string, string][] {
  const { system, node, kvm, cgroups, namespaces, security } = host;
  const { cpu } = system;
  const extension = { vmx: "VT-x", svm: "AMD-V", none: "neither VT-x nor AMD-V" }[cpu.extension ?? "none"];
  const memory = system.memory === null ? "" : `, ${(system.memory / 2 ** 30).toFixed(1)} GiB of RAM`;
  const virtual = cpu.virtual ? ", in a virtual machine" : "";
  const features = (present: boolean) =>
    WASM_FEATURES.filter((name) => node.wasmFeatures[name] === present)
      .map((name) => WASM_FEATURE_NAMES[name])
      .join(", ");
  const lacking = features(false);
  const facts: [string, string][] = [
    ["system", `${system.distribution ?? system.platform}${system.kernel === null ? "" : `, kernel ${system.kernel}`}`],
    ["user", `${system.user.name ?? system.user.uid}${security.sysAdmin ? ", with CAP_SYS_ADMIN" : ""}`],
    [
      "processor",
      `${system.arch}, ${cpu.model ?? "unknown model"}, ${cpu.count} online${memory}${virtual}; ${extension}`,
    ],
    ["Node", `${node.version}, V8 ${node.v8}`],
    ["WebAssembly", `${features(true) || "none"}${lacking === "" ? "" : `; not: ${lacking}`}`],
    ["native calls", host.nativeCalls.state === "broken" ? host.nativeCalls.error : `koffi ${host.nativeCalls.state}`],
  ];
  if (system.platform !== "linux") return facts;
  const kvmModules = kvm.modules.length === 0 ? "no modules seen" : kvm.modules.join(", ");
  const controllers = cgroups.controllers.map((name) => (cgroups.writable.includes(name) ? name : `(${name})`));
  const confinement = security.modules.join(", ") || "none seen";
  return [
    ...facts,
    ["KVM", `/dev/kvm ${kvm.device}${kvm.error === null ? "" : ` (${kvm.error})`}; ${kvmModules}`],
    ["namespaces", namespaces.kinds.join(", ") || "none"],
    ["cgroups", `${cgroups.version}: ${controllers.join(", ") || "no controllers"}${writeHint(host)}`],
    ["security", `seccomp ${security.seccomp.filters ? "filters" : "absent"}; modules: ${confinement}`],
  ];
}

function writeHint({ cgroups }: HostFacts): string {
  return cgroups.writable.length < cgroups.controllers.length ? "; in brackets: read-only for this process" : "";
}
