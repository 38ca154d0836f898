/** The four techniques on this host: usable, usable with limits, or not, and why. */
import type { HostFacts } from "./facts.js";
import { judgeContainers } from "./judge-containers.js";
import { judgeEngine } from "./judge-engine.js";
import { EXTENSIONS, judgeKvm } from "./judge-kvm.js";
import { type Finding, type Usability, worst } from "./verdict.js";

export type TechniqueName = "full" | "para" | "hardware" | "os";

export interface TechniqueVerdict {
  technique: TechniqueName;
  title: string;
  /** This version of Ringvisor has it. */
  built: boolean;
  /** What the host offers to it, whether it is built or not. */
  host: Usability;
  /** Built, and not unusable here. */
  works: boolean;
  /** At least one; the worst first. */
  findings: readonly Finding[];
}

interface Technique {
  name: TechniqueName;
  title: string;
  judge(host: HostFacts): Finding[];
  /** What is said where nothing stands in its way. */
  praise(host: HostFacts): { why: string; consequence: string };
}

const engineWorks = ({ node }: HostFacts) => `Node ${node.version} has all the WebAssembly that our virtual CPU uses`;

const TECHNIQUES: readonly Technique[] = [
  {
    name: "full",
    title: "full virtualization",
    judge: ({ node }) => judgeEngine(node),
    praise: (host) => ({
      why: engineWorks(host),
      consequence: "unmodified x86-64 guests run on it, without privileges",
    }),
  },
  {
    name: "para",
    title: "paravirtualization",
    judge: ({ node }) => judgeEngine(node),
    praise: (host) => ({
      why: engineWorks(host),
      consequence: "guests that call a hypervisor run on it, without privileges",
    }),
  },
  {
    name: "hardware",
    title: "hardware assistance",
    judge: judgeKvm,
    praise: ({ system, kvm }) => ({
      why: `/dev/kvm can be opened, with ${kvm.backing === "vmx" || kvm.backing === "svm" ? EXTENSIONS[kvm.backing] : "hardware"} underneath`,
      consequence: system.cpu.virtual
        ? "guests run on the processor itself; nested in this virtual machine, exits cost more"
        : "guests run on the processor itself",
    }),
  },
  {
    name: "os",
    title: "containers",
    judge: judgeContainers,
    praise: ({ security }) => ({
      why: `namespaces, cgroups, overlay and seccomp are there${security.sysAdmin ? "" : " without root"}`,
      consequence: "containers on this kernel with all limits",
    }),
  },
];

const SEVERITY: Record<Usability, number> = { unusable: 0, limited: 1, usable: 2 };

/** @param built the techniques that this version has */
export function judgeTechniques(host: HostFacts, built: ReadonlySet<TechniqueName>): TechniqueVerdict[] {
  return TECHNIQUES.map(({ name, title, judge, praise }) => {
    const findings = judge(host).sort((a, b) => SEVERITY[a.usability] - SEVERITY[b.usability]);
    const usability = worst(findings);
    if (findings.length === 0) findings.push({ usability, ...praise(host), remedy: null });
    const isBuilt = built.has(name);
    return {
      technique: name,
      title,
      built: isBuilt,
      host: usability,
      works: isBuilt && usability !== "unusable",
      findings,
    };
  });
}
