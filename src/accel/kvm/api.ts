/**
 * The KVM API's numbers: ioctls, capabilities, exit reasons, and where the fields of its structures
 * are. Documentation/virt/kvm/api.rst of Linux; include/uapi/linux/kvm.h and asm/kvm.h for x86.
 */

// System ioctls, on /dev/kvm.
export const KVM_GET_API_VERSION = 0xae00;
export const KVM_CREATE_VM = 0xae01;
export const KVM_GET_MSR_INDEX_LIST = 0xc004ae02;
export const KVM_CHECK_EXTENSION = 0xae03;
export const KVM_GET_VCPU_MMAP_SIZE = 0xae04;
export const KVM_GET_SUPPORTED_CPUID = 0xc008ae05;

// VM ioctls.
export const KVM_REGISTER_COALESCED_MMIO = 0x4010ae67;
export const KVM_CREATE_VCPU = 0xae41;
export const KVM_GET_DIRTY_LOG = 0x4010ae42;
export const KVM_SET_USER_MEMORY_REGION = 0x4020ae46;
export const KVM_SET_TSS_ADDR = 0xae47;
export const KVM_SET_IDENTITY_MAP_ADDR = 0x4008ae48;
export const KVM_SET_GSI_ROUTING = 0x4008ae6a;
export const KVM_IRQFD = 0x4020ae76;
export const KVM_IOEVENTFD = 0x4040ae79;
export const KVM_SIGNAL_MSI = 0x4020aea5;
export const KVM_ENABLE_CAP = 0x4068aea3;

// vCPU ioctls.
export const KVM_RUN = 0xae80;
export const KVM_GET_REGS = 0x8090ae81;
export const KVM_SET_REGS = 0x4090ae82;
export const KVM_GET_SREGS2 = 0x8140aecc;
export const KVM_SET_SREGS2 = 0x4140aecd;
export const KVM_SET_TSC_KHZ = 0xaea2;
export const KVM_GET_TSC_KHZ = 0xaea3;
export const KVM_TRANSLATE = 0xc018ae85;
export const KVM_INTERRUPT = 0x4004ae86;
export const KVM_GET_MSRS = 0xc008ae88;
export const KVM_SET_MSRS = 0x4008ae89;
export const KVM_SET_SIGNAL_MASK = 0x4004ae8b;
export const KVM_GET_LAPIC = 0x8400ae8e;
export const KVM_SET_LAPIC = 0x4400ae8f;
export const KVM_SET_CPUID2 = 0x4008ae90;
export const KVM_GET_MP_STATE = 0x8004ae98;
export const KVM_SET_MP_STATE = 0x4004ae99;
export const KVM_NMI = 0xae9a;
export const KVM_SET_GUEST_DEBUG = 0x4048ae9b;
export const KVM_GET_VCPU_EVENTS = 0x8040ae9f;
export const KVM_SET_VCPU_EVENTS = 0x4040aea0;
export const KVM_GET_DEBUGREGS = 0x8080aea1;
export const KVM_SET_DEBUGREGS = 0x4080aea2;
export const KVM_GET_XSAVE = 0x9000aea4;
export const KVM_SET_XSAVE = 0x5000aea5;
export const KVM_GET_XCRS = 0x8188aea6;
export const KVM_SET_XCRS = 0x4188aea7;

// Capabilities.
export const KVM_CAP_USER_MEMORY = 3;
export const KVM_CAP_NR_VCPUS = 9;
export const KVM_CAP_NR_MEMSLOTS = 10;
export const KVM_CAP_COALESCED_MMIO = 15;
export const KVM_CAP_SET_GUEST_DEBUG = 23;
export const KVM_CAP_IRQFD = 32;
export const KVM_CAP_IOEVENTFD = 36;
export const KVM_CAP_TSC_CONTROL = 60;
export const KVM_CAP_GET_TSC_KHZ = 61;
export const KVM_CAP_SREGS2 = 200;
export const KVM_CAP_COALESCED_PIO = 162;
export const KVM_CAP_VCPU_EVENTS = 41;
export const KVM_CAP_DEBUGREGS = 50;
export const KVM_CAP_XSAVE = 55;
export const KVM_CAP_XCRS = 56;
export const KVM_CAP_MAX_VCPUS = 66;
export const KVM_CAP_SIGNAL_MSI = 77;
export const KVM_CAP_READONLY_MEM = 81;
export const KVM_CAP_SPLIT_IRQCHIP = 121;
export const KVM_CAP_X2APIC_API = 129;
export const KVM_CAP_IMMEDIATE_EXIT = 136;
export const KVM_CAP_EXCEPTION_PAYLOAD = 164;

// Memory region flags.
export const KVM_MEM_LOG_DIRTY_PAGES = 1;
export const KVM_MEM_READONLY = 2;

// Flags of KVM_IOEVENTFD and KVM_IRQFD.
export const KVM_IOEVENTFD_DATAMATCH = 1;
export const KVM_IOEVENTFD_PIO = 2;
export const KVM_IOEVENTFD_DEASSIGN = 4;
export const KVM_IRQFD_DEASSIGN = 1;
/** Type of an entry of KVM_SET_GSI_ROUTING. */
export const KVM_IRQ_ROUTING_MSI = 2;

// Exit reasons.
export const KVM_EXIT_UNKNOWN = 0;
export const KVM_EXIT_EXCEPTION = 1;
export const KVM_EXIT_IO = 2;
export const KVM_EXIT_HYPERCALL = 3;
export const KVM_EXIT_DEBUG = 4;
export const KVM_EXIT_HLT = 5;
export const KVM_EXIT_MMIO = 6;
export const KVM_EXIT_IRQ_WINDOW_OPEN = 7;
export const KVM_EXIT_SHUTDOWN = 8;
export const KVM_EXIT_FAIL_ENTRY = 9;
export const KVM_EXIT_INTR = 10;
export const KVM_EXIT_SET_TPR = 11;
export const KVM_EXIT_INTERNAL_ERROR = 17;
export const KVM_EXIT_SYSTEM_EVENT = 24;
export const KVM_EXIT_IOAPIC_EOI = 26;

/** Fields of struct kvm_run. */
export const RUN = {
  requestInterruptWindow: 0, // u8
  immediateExit: 1, // u8
  exitReason: 8, // u32
  readyForInterrupt: 12, // u8
  ifFlag: 13, // u8
  cr8: 16, // u64
  apicBase: 24, // u64
  // The union of exit data.
  ioDirection: 32, // u8, 1: out
  ioSize: 33, // u8
  ioPort: 34, // u16
  ioCount: 36, // u32
  ioDataOffset: 40, // u64
  mmioAddress: 32, // u64
  mmioData: 40, // 8 bytes
  mmioLength: 48, // u32
  mmioIsWrite: 52, // u8
  debugException: 32, // u32
  debugPc: 40, // u64
  debugDr6: 48, // u64
  debugDr7: 56, // u64
  failReason: 32, // u64
  internalSuberror: 32, // u32
  internalCount: 36, // u32
  internalData: 40, // u64 each
  eoiVector: 32, // u8
  systemEventType: 32, // u32
} as const;
