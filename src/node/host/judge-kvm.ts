/** KVM on this host: what hardware assistance stands on, and whether `--accel auto` takes it. */
import type { AccelerationFacts } from "./acceleration.js";
import { KVM_API_VERSION } from "./kvm.js";
import { type Finding, limited, unusable } from "./verdict.js";

const NO_HARDWARE = "guests run on our own virtual CPU instead";

/** Guests are x86-64, and KVM runs those of its host's architecture. */
export function judgeKvm({ system, kvm, nativeCalls }: AccelerationFacts): Finding[] {
  if (system.platform !== "linux") {
    return [unusable(`KVM is Linux's, and this is ${system.platform}`, NO_HARDWARE, "run Ringvisor on a Linux host")];
  }
  if (system.arch !== "x64") {
    const why = `this is an ${system.arch} processor, and KVM runs guests of the host's kind only`;
    return [unusable(why, NO_HARDWARE, "run Ringvisor on an x86-64 host")];
  }
  const findings = [...judgeDevice({ system, kvm }), ...judgeBacking(kvm.backing, kvm.device)];
  if (nativeCalls.state === "absent") {
    findings.push(unusable("the npm package koffi is not installed", `no ioctls: ${NO_HARDWARE}`, "npm install"));
  } else if (nativeCalls.state === "broken") {
    const why = `the npm package koffi does not load: ${nativeCalls.error}`;
    findings.push(unusable(why, `no ioctls: ${NO_HARDWARE}`, "npm rebuild koffi"));
  }
  const { capabilities } = kvm;
  if (capabilities !== null && capabilities.apiVersion !== KVM_API_VERSION) {
    const why = `/dev/kvm answers API version ${capabilities.apiVersion}, not ${KVM_API_VERSION}`;
    findings.push(unusable(why, NO_HARDWARE, "boot a newer kernel"));
  } else if (capabilities !== null) {
    if (capabilities.missing.length > 0) {
      const why = `this KVM lacks ${capabilities.missing.join(", ")}`;
      findings.push(unusable(why, NO_HARDWARE, "boot a newer kernel"));
    }
    if (capabilities.reduced.length > 0) {
      const names = capabilities.reduced.map((line) => line.split(":")[0]).join(", ");
      const losses = capabilities.reduced.map((line) => line.split(":")[1]?.trim()).filter(Boolean);
      findings.push(
        limited(`this KVM lacks ${names}`, losses.join("; ") || "some functions are missing", "boot a newer kernel"),
      );
    }
  }
  return findings;
}

function judgeDevice({ system, kvm }: Pick<AccelerationFacts, "system" | "kvm">): Finding[] {
  switch (kvm.device) {
    case "open":
      return [];
    case "absent":
      return [judgeAbsence({ system, kvm })];
    case "denied": {
      const why = `this user may not open /dev/kvm (${kvm.error})`;
      return [unusable(why, NO_HARDWARE, remedyForDenial({ system, kvm }))];
    }
    case "broken":
      if (kvm.error === "ENODEV" || kvm.error === "ENXIO" || kvm.error === "ENOENT") {
        return [judgeAbsence({ system, kvm })];
      }
      return [unusable(`/dev/kvm cannot be used (${kvm.error})`, NO_HARDWARE, "see the kernel's log: dmesg")];
  }
}

function remedyForDenial({ system, kvm }: Pick<AccelerationFacts, "system" | "kvm">): string {
  if (kvm.permitted) return "let the container use the device: --device /dev/kvm";
  const user = system.user.name ?? String(system.user.uid);
  if (kvm.group !== null)
    return `join the group ${kvm.group}: sudo usermod -aG ${kvm.group} ${user}, then log in again`;
  return "give it to a group: sudo chgrp kvm /dev/kvm && sudo chmod 660 /dev/kvm, and join that group";
}

function judgeAbsence({ system, kvm }: Pick<AccelerationFacts, "system" | "kvm">): Finding {
  const { extension, virtual } = system.cpu;
  const what = kvm.device === "absent" ? "there is no /dev/kvm" : `/dev/kvm has no driver (${kvm.error})`;
  if (kvm.modules.some((name) => name !== "kvm") && kvm.device === "absent") {
    const why = `${what}, though the kernel has ${kvm.modules.join(", ")}: a container hides it`;
    return unusable(why, NO_HARDWARE, "give it to the container: --device /dev/kvm");
  }
  if (extension !== null) {
    const module = extension === "vmx" ? "kvm_intel" : "kvm_amd";
    const why = `${what}, though the processor has ${EXTENSIONS[extension]}`;
    return unusable(why, NO_HARDWARE, `load its module: sudo modprobe ${module} (in a container: --device /dev/kvm)`);
  }
  if (virtual) {
    const why = `${what}: this host is itself a virtual machine, without nested virtualization`;
    return unusable(
      why,
      NO_HARDWARE,
      "switch nested virtualization on in the hypervisor below, or take a real machine",
    );
  }
  const why = `${what}: the processor shows neither VT-x nor AMD-V`;
  return unusable(why, NO_HARDWARE, "switch virtualization on in the firmware's set-up, where the processor has it");
}

function judgeBacking(
  backing: AccelerationFacts["kvm"]["backing"],
  device: AccelerationFacts["kvm"]["device"],
): Finding[] {
  if (device === "absent") return [];
  if (backing === "pvm") {
    return [
      limited(
        "the module kvm_pvm serves /dev/kvm, without VT-x or AMD-V underneath",
        "it emulates stock guests at about a million instructions a second: our own virtual CPU is faster",
        "take a host with VT-x or AMD-V, or with nested virtualization",
      ),
    ];
  }
  if (backing === null && device === "open") {
    return [
      limited(
        "nothing shows what stands behind /dev/kvm: neither VT-x nor AMD-V among the processor's flags",
        "it may be slower than our own virtual CPU",
        "try --accel kvm",
      ),
    ];
  }
  return [];
}

export const EXTENSIONS = { vmx: "VT-x", svm: "AMD-V" } as const;
