/** What `--accel` comes to on this host. */
import type { AccelerationFacts } from "../node/host/acceleration.js";
import { EXTENSIONS, judgeKvm } from "../node/host/judge-kvm.js";
import { worst } from "../node/host/verdict.js";
import { type Accelerator, AcceleratorError } from "../vcpu/accelerator.js";
import type { AcceleratorName } from "./boot-options.js";
import { NotImplementedError } from "./errors.js";

export type RealAcceleratorName = Exclude<AcceleratorName, "auto"> & Accelerator["name"];

export interface AcceleratorChoice {
  accelerator: RealAcceleratorName;
  /** One sentence, for `--stats` and `ringvisor doctor`. */
  reason: string;
}

/**
 * `auto` takes KVM where it is usable without limits, with VT-x or AMD-V underneath; else our own engine.
 * @param available the accelerators that this version has; "interpret" is always among them
 * @throws NotImplementedError for one that it does not have, AcceleratorError ACCELERATOR_UNAVAILABLE for KVM on a
 * host that cannot run it
 */
export function chooseAccelerator(
  host: AccelerationFacts,
  requested: AcceleratorName,
  available: readonly RealAcceleratorName[],
): AcceleratorChoice {
  if (requested !== "auto" && !available.includes(requested)) throw new NotImplementedError(`--accel ${requested}`);
  const findings = available.includes("kvm") ? judgeKvm(host) : [];
  const obstacle = findings.find((finding) => finding.usability === worst(findings));
  if (requested === "kvm") {
    if (obstacle?.usability === "unusable") {
      const remedy = obstacle.remedy === null ? "" : `; ${obstacle.remedy}`;
      throw new AcceleratorError("ACCELERATOR_UNAVAILABLE", `--accel kvm: ${obstacle.why}${remedy}`);
    }
    return { accelerator: "kvm", reason: obstacle ? `asked for, though ${obstacle.why}` : "asked for" };
  }
  if (requested !== "auto") return { accelerator: requested, reason: "asked for" };
  const own = available.includes("translate") ? "translate" : "interpret";
  if (!available.includes("kvm")) return { accelerator: own, reason: "the fastest that this version has" };
  if (obstacle !== undefined) {
    const what = obstacle.usability === "unusable" ? "KVM is not usable" : "KVM is no faster";
    return { accelerator: own, reason: `${what}: ${obstacle.why}` };
  }
  const { backing } = host.kvm;
  const underneath = backing === "vmx" || backing === "svm" ? EXTENSIONS[backing] : "hardware";
  return { accelerator: "kvm", reason: `KVM is usable, with ${underneath} underneath` };
}
