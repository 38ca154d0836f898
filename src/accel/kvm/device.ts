/** /dev/kvm: opened, its version and capabilities checked. */
import { AcceleratorError } from "../../vcpu/accelerator.js";
import { FEATURE_LEAVES, FEATURE_WORDS } from "../../vcpu/features.js";
import * as api from "./api.js";
import { errno, libc, O_CLOEXEC, O_RDWR, systemError } from "./libc.js";

const API_VERSION = 12;
const EACCES = 13;
const ENOENT = 2;
const E2BIG = 7;

/** What this VMM cannot do without, with the kernel version that brought it. */
const REQUIRED: readonly [capability: number, name: string, since: string][] = [
  [api.KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY", "2.6.20"],
  [api.KVM_CAP_VCPU_EVENTS, "KVM_CAP_VCPU_EVENTS", "2.6.33"],
  [api.KVM_CAP_DEBUGREGS, "KVM_CAP_DEBUGREGS", "2.6.34"],
  [api.KVM_CAP_XSAVE, "KVM_CAP_XSAVE", "2.6.36"],
  [api.KVM_CAP_XCRS, "KVM_CAP_XCRS", "2.6.36"],
  [api.KVM_CAP_GET_TSC_KHZ, "KVM_CAP_GET_TSC_KHZ", "2.6.39"],
  [api.KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD", "2.6.32"],
  [api.KVM_CAP_IRQFD, "KVM_CAP_IRQFD", "2.6.32"],
  [api.KVM_CAP_SIGNAL_MSI, "KVM_CAP_SIGNAL_MSI", "3.5"],
  [api.KVM_CAP_READONLY_MEM, "KVM_CAP_READONLY_MEM", "3.7"],
  [api.KVM_CAP_SPLIT_IRQCHIP, "KVM_CAP_SPLIT_IRQCHIP", "4.4"],
  [api.KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT", "4.13"],
  [api.KVM_CAP_SREGS2, "KVM_CAP_SREGS2", "5.14"],
];

const X2APIC = 1 << 21;
const PKU = 1 << 3;
const TSC_DEADLINE = 1 << 24;
const HYPERVISOR = 1 << 31;

export interface CpuidEntry {
  leaf: number;
  subleaf: number;
  /** Bit 0: the subleaf matters. */
  flags: number;
  eax: number;
  ebx: number;
  ecx: number;
  edx: number;
}

export class KvmDevice {
  private constructor(private readonly fd: number) {}

  /** Opens /dev/kvm and checks that it has what this VMM needs. Throws ACCELERATOR_UNAVAILABLE with reason and remedy. */
  static open(): KvmDevice {
    const device = KvmDevice.openUnchecked();
    try {
      device.check();
    } catch (error) {
      device.close();
      throw error;
    }
    return device;
  }

  static openUnchecked(): KvmDevice {
    const fd = libc().open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (fd >= 0) return new KvmDevice(fd);
    const code = errno();
    if (code === ENOENT) {
      throw new AcceleratorError(
        "ACCELERATOR_UNAVAILABLE",
        "there is no /dev/kvm: the kernel module is not loaded, or the CPU's virtualization is off in the firmware",
      );
    }
    if (code === EACCES) {
      throw new AcceleratorError(
        "ACCELERATOR_UNAVAILABLE",
        "no permission for /dev/kvm: join the group that owns it (usually kvm)",
      );
    }
    throw systemError("ACCELERATOR_UNAVAILABLE", "/dev/kvm cannot be opened", code);
  }

  close(): void {
    libc().close(this.fd);
  }

  createVm(): number {
    const fd = libc().ioctl(this.fd, api.KVM_CREATE_VM, 0);
    if (fd < 0) throw systemError("ACCELERATOR_UNAVAILABLE", "KVM_CREATE_VM");
    return fd;
  }

  capability(capability: number): number {
    return Math.max(0, libc().ioctl(this.fd, api.KVM_CHECK_EXTENSION, capability));
  }

  runPageSize(): number {
    return libc().ioctl(this.fd, api.KVM_GET_VCPU_MMAP_SIZE, 0);
  }

  /** What CPUID KVM can give to guests on this host. */
  supportedCpuid(): CpuidEntry[] {
    for (let count = 128; count <= 1024; count *= 2) {
      const bytes = new Uint8Array(8 + count * 40);
      const view = new DataView(bytes.buffer);
      view.setUint32(0, count, true);
      if (libc().ioctlBuffer(this.fd, api.KVM_GET_SUPPORTED_CPUID, bytes) === 0) {
        return Array.from({ length: view.getUint32(0, true) }, (_, index) => {
          const word = (field: number) => view.getUint32(8 + index * 40 + field * 4, true);
          return {
            leaf: word(0),
            subleaf: word(1),
            flags: word(2),
            eax: word(3),
            ebx: word(4),
            ecx: word(5),
            edx: word(6),
          };
        });
      }
      if (errno() !== E2BIG) break;
    }
    throw systemError("ACCELERATOR_UNAVAILABLE", "KVM_GET_SUPPORTED_CPUID");
  }

  /** Ticks a second of the TSC that a fresh vCPU has: the host's. */
  tscFrequency(): number {
    const vm = this.createVm();
    try {
      const vcpu = libc().ioctl(vm, api.KVM_CREATE_VCPU, 0);
      if (vcpu < 0) throw systemError("ACCELERATOR_UNAVAILABLE", "KVM_CREATE_VCPU");
      try {
        const kilohertz = libc().ioctl(vcpu, api.KVM_GET_TSC_KHZ, 0);
        if (kilohertz < 0) throw systemError("ACCELERATOR_UNAVAILABLE", "KVM_GET_TSC_KHZ");
        return kilohertz * 1000;
      } finally {
        libc().close(vcpu);
      }
    } finally {
      libc().close(vm);
    }
  }

  /** Feature words as features.ts numbers them: what KVM can give to guests on this host. */
  supportedFeatures(): Uint32Array {
    const words = new Uint32Array(FEATURE_WORDS);
    const entries = this.supportedCpuid();
    FEATURE_LEAVES.forEach(([leaf, subleaf, register], index) => {
      const entry = entries.find((other) => other.leaf === leaf && other.subleaf === subleaf);
      words[index] = entry?.[register] ?? 0;
    });
    // Not in KVM's list, but in its hands: the local APIC's x2APIC mode and timer, and that this is a virtual machine.
    words[1]! |= X2APIC | TSC_DEADLINE | HYPERVISOR;
    // Where PKRU is in XSAVE's area differs between hosts, so states would not move.
    words[3]! &= ~PKU;
    return words;
  }

  /** The MSRs that KVM saves and restores on this host. */
  msrIndexList(): number[] {
    const bytes = new Uint8Array(4 + 1024 * 4);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, 1024, true);
    if (libc().ioctlBuffer(this.fd, api.KVM_GET_MSR_INDEX_LIST, bytes) !== 0) {
      throw systemError("ACCELERATOR_UNAVAILABLE", "KVM_GET_MSR_INDEX_LIST");
    }
    return Array.from({ length: view.getUint32(0, true) }, (_, index) => view.getUint32(4 + index * 4, true));
  }

  apiVersion(): number {
    return libc().ioctl(this.fd, api.KVM_GET_API_VERSION, 0);
  }

  /** "KVM_CAP_NAME (Linux 5.14 has it)" for each capability that this VMM needs and the host lacks. */
  missingCapabilities(): string[] {
    return REQUIRED.filter(([capability]) => this.capability(capability) === 0).map(
      ([, name, since]) => `${name} (Linux ${since} has it)`,
    );
  }

  private check(): void {
    const version = this.apiVersion();
    if (version !== API_VERSION) {
      throw new AcceleratorError(
        "ACCELERATOR_UNAVAILABLE",
        `/dev/kvm speaks version ${version} of its API, not ${API_VERSION}`,
      );
    }
    const missing = this.missingCapabilities();
    if (missing.length > 0) {
      throw new AcceleratorError("ACCELERATOR_UNAVAILABLE", `this host's KVM lacks ${missing.join(", ")}`);
    }
  }
}
