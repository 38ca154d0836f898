// The layout of the first 144 MiB of the machine's wasm memory and of a vCPU's state block, shared by
// the AssemblyScript core (which compiles this file too: no types, no TypeScript-only syntax) and the
// TypeScript around it. Offsets are in bytes.

// ---- The memory map. 0x1000-0xfffff: the core's static data.
export const VCPU_BASE = 0x100000; // 16 state blocks
export const VCPU_STRIDE = 0x10000;
export const MAX_VCPUS = 16;
export const MACHINE_BLOCK = 0x200000; // shared by the vCPUs: memory slots, counters
export const TLB_BASE = 0x400000; // 1 MiB a vCPU: TLB_CONTEXTS arrays of TLB_ENTRIES entries
export const TLB_STRIDE = 0x100000;
export const TLB_CONTEXTS = 16;
export const TLB_ENTRIES = 2048;
export const TLB_ENTRY_BYTES = 32;
export const CODE_ARENA = 0x1400000; // predecoded records
export const CODE_ARENA_END = 0x7000000;
export const BLOCK_HASH = 0x7000000; // block lookup tables
export const BLOCK_HASH_END = 0x8000000;
export const PAGE_INFO = 0x8000000; // u32 a 4 KiB page of the whole wasm memory: its code-page structure or 0
export const PAGE_INFO_END = 0x8400000;
export const DIRTY_BITMAP = 0x8400000; // 1 bit a page of the wasm memory (written by a vCPU since cleared)
export const DIRTY_BITMAP_END = 0x8420000;
export const CODE_PAGES = 0x8420000; // code-page structures
export const CODE_PAGES_END = 0x9000000; // = ACCELERATOR_BYTES of guest memory

// ---- The machine block.
export const SLOT_COUNT = 0x00; // u32
export const SLOTS = 0x10; // 32 entries of 16 bytes: gpa >> 12 u32, pages u32, wasm offset u32, flags u32 (1: read-only)
export const SLOT_BYTES = 16;
export const ARENA_NEXT = 0x300; // u32: first free byte of the code arena
export const CODE_PAGES_NEXT = 0x304; // u32: first free byte of the code-page structures
export const HEAT_INITIAL = 0x308; // u32: BLOCK_HEAT of a new block; 0: the translator is off
export const CODE_RETIRED = 0x30c; // u32: set when a block is retired, cleared by who wants to know
export const PROFILING = 0x310; // u32: what runs in regions is counted by block
export const REGION_DROPS = 0x314; // u32: counts regions that were dropped
export const EMPTY_PAGE = 0x201000; // 4 KiB of 0xff: what a fetch from no memory reads
export const NO_TLB = 0x210000; // a TLB array without entries, for states in which every access takes the slow path
export const REGION_CALLOUTS = 0x220000; // u64 an operation (REC_OP): how often regions had the core execute it
export const REGION_LEAVES = 0x228000; // likewise: how often they left before it, without an exception
export const REGION_SYSTEM = 0x230000; // likewise: how often it was executed between two regions
export const REGION_OPERATIONS = 0x1000; // how many each of these has
export const MAX_SLOTS = 32;

// ---- A block's header, before its records: core/blocks.ts.
export const BLOCK_NEXT = 0; // u32: next block in the same hash bucket
export const BLOCK_OFFSET = 4; // u32: wasm offset of the first code byte
export const BLOCK_MODE = 8; // u32: MODE; all ones when the block is retired
export const BLOCK_COUNT = 12; // u16: instructions
export const BLOCK_RECORDS = 14; // u16
export const BLOCK_PAGE_NEXT = 16; // u32: next block in the list of its first page
export const BLOCK_SECOND_NEXT = 20; // u32: next block in the list of its second page
export const BLOCK_SECOND_PAGE = 24; // u32: wasm offset of the second page, or 0
export const BLOCK_CODE_BYTES = 28; // u32
export const BLOCK_HEAT = 32; // u32: entries left until the host is told that the block is hot; 0: it is not counted
export const BLOCK_REGION = 36; // u32: place of its region in the core's table, 0 none
export const BLOCK_FIRST_OP = 40; // u16: the first record's operation, while OP_REGION stands in its place
export const BLOCK_TRANSLATED = 42; // u8: the host wants to know when the block is retired
export const BLOCK_ENTERED = 43; // u8: its region was entered since the host cleared this
export const BLOCK_DEFERRED = 44; // u32: the host's
export const BLOCK_MADE_RIP = 48; // u64: RIP at the block when it was made, for profiles
export const BLOCK_REGION_ENTRIES = 56; // u32: entries to its region, while PROFILING
export const BLOCK_ENTRIES = 60; // u32: with BLOCK_HEAT subtracted, entries to the block that were counted
export const BLOCK_HEADER = 64;
/** In the record behind a block's last instruction, in its REC_IMM: u64, instructions retired in its region, while PROFILING. */
export const END_REGION_INSTRUCTIONS = 16;

/** Instructions that a region may execute between two looks at REMAINING. With less left it is not entered. */
export const REGION_BUDGET = 2048;

// ---- The state block of a vCPU.
// General registers by number, 8 bytes each. A u8 in a record addresses the first 256 bytes.
export const GPR = 0x00;
export const ZERO = 0x80; // always 0: "no base", "no index"
export const BLOCK_RIP = 0x88; // RIP (an offset in CS) of the running block's first instruction
export const RIP = 0x90; // valid between blocks, and set before an instruction that ends a block
export const RFLAGS = 0x98; // all but the lazy arithmetic flags; theirs too while CC_OP is 0
export const CC_RESULT = 0xa0; // lazy flags: what the last flag-setting instruction left
export const CC_SRC1 = 0xa8;
export const CC_SRC2 = 0xb0;
export const CC_OP = 0xb8; // u32
export const CUR_REC = 0xbc; // u32: address of the record being executed; set before each instruction
export const TLB = 0xc0; // u32: address of the current context's TLB array
export const SYS_TLB = 0xc4; // u32: TLB array for implicit supervisor accesses (descriptor tables, TSS)
export const REMAINING = 0xc8; // i64: instructions left of the budget, counted down by block
export const EXIT_REQUEST = 0xd0; // u32: non-zero makes the run loop leave between blocks
export const INTERRUPT_CHECK = 0xd4; // u32: non-zero makes the run loop look for events between blocks
export const STEP_TRAP = 0xd8; // u32: TF was set when the instruction under way started
export const STEPPING = 0xdc; // u32: the main loop runs one instruction and then looks at its trap

// Segments: ES CS SS DS FS GS LDTR TR in this order, 32 bytes each.
export const SEGMENTS = 0x100;
export const SEG_BYTES = 32;
export const SEG_BASE = 0; // u64
export const SEG_LIMIT = 8; // u32, bytes
export const SEG_ATTR = 12; // u32, SegmentState.attributes
export const SEG_SELECTOR = 16; // u32
export const ES = 0;
export const CS = 1;
export const SS = 2;
export const DS = 3;
export const FS = 4;
export const GS = 5;
export const LDTR = 6;
export const TR = 7;
export const GDTR_BASE = 0x200; // u64
export const GDTR_LIMIT = 0x208; // u32
export const IDTR_BASE = 0x210;
export const IDTR_LIMIT = 0x218;

// Control and debug registers, u64.
export const CR0 = 0x220;
export const CR2 = 0x228;
export const CR3 = 0x230;
export const CR4 = 0x238;
export const CR8 = 0x240;
export const XCR0 = 0x248;
export const DR = 0x250; // DR0-DR7, u64 each
export const PDPTR = 0x290; // four, u64

// MSRs with a place of their own, u64.
export const MSR_EFER = 0x2b0;
export const MSR_STAR = 0x2b8;
export const MSR_LSTAR = 0x2c0;
export const MSR_CSTAR = 0x2c8;
export const MSR_FMASK = 0x2d0;
export const MSR_KERNEL_GS_BASE = 0x2d8;
export const MSR_SYSENTER_CS = 0x2e0;
export const MSR_SYSENTER_ESP = 0x2e8;
export const MSR_SYSENTER_EIP = 0x2f0;
export const MSR_PAT = 0x2f8;
export const MSR_APIC_BASE = 0x300;
export const MSR_TSC_AUX = 0x308;
export const MSR_MISC_ENABLE = 0x310;
export const MSR_XSS = 0x318;
export const MSR_MTRR_DEF_TYPE = 0x320;
export const MSR_TSC_ADJUST = 0x328;
export const MSR_DEBUGCTL = 0x330;
export const MSR_SPARE = 0x338; // to 0x3ff: MSRs without a meaning of their own, see core/msr.ts
export const MTRR_FIXED = 0x400; // 11 u64
export const MTRR_VARIABLE = 0x458; // 8 pairs of u64: base, mask
export const MCE_BANKS = 0x4d8; // CTL, STATUS, ADDR, MISC for 4 banks would be 128 bytes: to 0x557
export const MCG_STATUS = 0x558;
export const MCG_CTL = 0x560;

// Mode and events.
export const CPL = 0x580; // u32
export const MODE = 0x584; // u32: code key of the current mode, see core/mode.ts
export const SHADOW = 0x588; // u32: 0 none, 1 STI, 2 MOV SS; holds interrupts for one instruction
export const NMI_MASKED = 0x58c; // u32
export const NMI_PENDING = 0x590; // u32: how many, 2 at most
export const EXTINT = 0x594; // u32: level of the PIC's INTR
export const RUN_STATE = 0x598; // u32: 0 running, 1 halted, 2 wait for SIPI, 3 INIT received, 4 shutdown, 5 in MWAIT
export const SIPI_VECTOR = 0x59c; // u32: 0xffffffff none
export const EXC_PENDING = 0x5a0; // u32: an exception raised and not yet delivered: kind below
export const EXC_VECTOR = 0x5a4; // u32
export const EXC_ERROR = 0x5a8; // u32
export const EXC_HAS_ERROR = 0x5ac; // u32
export const EXC_PAYLOAD = 0x5b0; // u64: CR2 of a #PF, DR6 of a #DB
export const DELIVERING = 0x5b8; // u32: 0 nothing, else 1 + vector of the event whose delivery is under way
export const DELIVERING_KIND = 0x5bc; // u32: EVENT_* below
export const EVENT_NONE = 0;
export const EVENT_EXCEPTION = 1;
export const EVENT_INTERRUPT = 2;
export const EVENT_NMI = 3;
export const EVENT_SOFTWARE = 4;

// Leaving `run`.
export const EXIT_REASON = 0x5c0; // u32: EXIT_* below
export const EXIT_DETAIL = 0x5c4; // u32
export const EXIT_ADDRESS = 0x5c8; // u64
export const EXIT_LENGTH = 0x5d0; // u32: instruction length
export const EXIT_NONE = 0;
export const EXIT_BUDGET = 1;
export const EXIT_HALT = 2;
export const EXIT_SHUTDOWN = 3;
export const EXIT_HYPERCALL = 4;
export const EXIT_INTERCEPT = 5; // EXIT_DETAIL: bit number of INTERCEPT_BITS, or 32 + exception vector
export const EXIT_BREAKPOINT = 6;
export const EXIT_WATCHPOINT = 7; // EXIT_ADDRESS: linear address; EXIT_DETAIL: 1 write, 0 read
export const EXIT_STEP = 8;
export const EXIT_UNIMPLEMENTED = 9; // an instruction that this core does not have yet; RIP is at it
export const EXIT_DEFECT = 10; // EXIT_DETAIL: a number that its raiser documents

export const INTERCEPTS = 0x5e0; // u32: INTERCEPT_BITS
export const INTERCEPT_EXCEPTIONS = 0x5e4; // u32
export const DEBUG_STEP = 0x5e8; // u32: the debugger single-steps
export const DEBUG_BREAKPOINTS = 0x5ec; // u32: number of breakpoints in DEBUG_BP
export const DEBUG_WATCHPOINTS = 0x5f0; // u32: number in DEBUG_WP
export const ICOUNT_MODE = 0x5f4; // u32: the clock counts instructions
export const RETIRED = 0x5f8; // u64: instructions retired at the start of this run; add budget - REMAINING
export const BUDGET = 0x600; // i64: what REMAINING started from
export const FEATURES = 0x608; // 8 u32: feature words, vcpu/features.ts
export const VENDOR = 0x628; // u32: 0 AMD, 1 Intel
export const VCPU_ID = 0x62c; // u32
export const PHYSICAL_BITS = 0x630; // u32: MAXPHYADDR
export const LINEAR_BITS = 0x634; // u32: 48 or 57, by CR4.LA57
export const TSC_FREQUENCY = 0x638; // f64: ticks a nanosecond
export const TSC_OFFSET = 0x640; // i64
export const FPU_BLOCKED = 0x648; // u32: 0 usable, else the vector that x87 raises now: 7 for CR0.EM or TS
export const SSE_BLOCKED = 0x64c; // u32: 0 usable, else the vector that SSE raises now: 6 for CR0.EM or no OSFXSR, 7 for TS
export const FPU_PENDING = 0x650; // u32: an unmasked x87 exception waits for the next waiting instruction (mirrors FSW.ES)
export const AVX_BLOCKED = 0x654; // u32: 0 usable, else the vector that AVX raises now: 6 for no OSXSAVE or XCR0 without SSE and AVX, 7 for TS
export const CPUID_COUNT = 0x658; // u32
export const MMU_GENERATION = 0x65c; // u32
export const PKRS = 0x660; // u32: protection keys of supervisor pages, IA32_PKRS
export const ENDS_EARLY = 0x664; // u32: this run may end where too little of its budget is left for a region
export const REPEATING = 0x6f8; // u32: the string instruction at RIP has repetitions left; RF is set in what is pushed there
export const IGNNE = 0x6fc; // u32: IGNNE# is asserted: x87 errors are not reported while CR0.NE is clear

// x87 and SSE.
export const FCW = 0x700; // u32 each
export const FSW = 0x704; // with TOP in bits 11-13
export const FTW = 0x708; // full tag word, physical order
export const FOP = 0x70c;
export const FIP = 0x710; // u64
export const FDP = 0x718; // u64
export const FCS = 0x720;
export const FDS = 0x724;
export const MXCSR = 0x728;
export const PKRU = 0x72c; // u32: rights of protection keys for user pages
export const ST = 0x730; // 8 physical registers of 16 bytes: significand u64, sign and exponent u16. MMn is the significand of physical register n.
export const XMM = 0x800; // 16 registers of 32 bytes: XMM low, upper half of YMM high

// Breakpoints and watchpoints of the debugger.
export const DEBUG_BP = 0xa00; // 32 u64 linear addresses
export const DEBUG_WP = 0xb00; // 16 entries of 16 bytes: u64 linear address, u32 size, u32 access: 1 write, 2 read, 3 both
export const MAX_BREAKPOINTS = 32;
export const MAX_WATCHPOINTS = 16;

// Operands of AVX instructions while one executes, as vector registers that SSE's handlers can address: 4 of 32 bytes,
// their numbers counted from XMM; and the record that those see.
export const AVX_STAGE = 0xc00; // to 0xc7f
export const AVX_RECORD = 0xc80; // 32 bytes

// The local APIC: its register page, register i at APIC + i * 16, then what the page does not show.
export const APIC = 0x1000; // 4 KiB
export const APIC_TIMER_START = 0x2000; // f64 ns
export const APIC_TIMER_DEADLINE = 0x2008; // f64 ns, +Infinity when unarmed
export const APIC_TSC_DEADLINE = 0x2010; // u64
export const APIC_ESR_LATCH = 0x2018; // u32

// Turns and waiting.
export const EXTINT_MESSAGE = 0x201c; // u32: an ExtINT message came: the PIC is asked for its vector
export const YIELDED = 0x2020; // u32: this run left because of a PAUSE
export const MONITOR_LINE = 0x2024; // u32: wasm offset of the line that MONITOR armed, 0 none: not armed, or written since
export const MONITOR_INTERRUPTS = 0x2028; // u32: MWAIT's ECX bit 0: an interrupt ends the wait, be it masked or not

// CPUID answers: CPUID_COUNT entries of 32 bytes: leaf, subleaf (0xffffffff: any), eax, ebx, ecx, edx, 0, 0.
export const CPUID_TABLE = 0x2400;
export const MAX_CPUID = 96;

// MMU contexts of the pool, 32 bytes each: see core/mmu.ts.
export const MMU_CONTEXTS = 0x3400; // to 0x3600
export const MMU_CLASS_TLB = 0x3600; // 3 u32: TLB arrays of the current address space by class, 0 where there is none yet
export const MMU_CLOCK = 0x360c; // u32: counts context switches, for replacement
export const DEBUG_PENDING = 0x3610; // u64: DR6 bits of debug traps that wait for the instruction's end
export const DEBUG_RESUME = 0x3618; // u32: the first instruction of this run does not stop at its breakpoint
export const MMU_KEYED_COUNT = 0x3620; // u32: pages in MMU_KEYED, or more than it holds: then any page may be one
export const WATCH_HIT = 0x361c; // u32: a watchpoint of the debugger was hit: 1 read, 2 written

// Counters, u64 each.
export const COUNTERS = 0x3800;
export const MMU_KEYED = 0x3a00; // 64 u64 to 0x3c00: pages in the TLB that have a protection key other than 0
export const MAX_KEYED = 64;
export const COUNT_BLOCKS_DECODED = 0;
export const COUNT_TLB_MISSES = 1;
export const COUNT_INVALIDATIONS = 2;
export const COUNT_EXCEPTIONS = 3;
export const COUNT_INTERRUPTS = 4;
export const COUNT_SYSCALLS = 5;
export const COUNT_PORT = 6;
export const COUNT_MMIO = 7;
export const COUNT_ARENA_FLUSHES = 8;
export const COUNT_CR3_WRITES = 9;
export const COUNT_TLB_FLUSHES = 10;
export const COUNT_REGION_RUNS = 11; // entries to a region from the interpreter
export const COUNT_REGION_INSTRUCTIONS = 12; // instructions retired from there until the interpreter went on
// Why it went on:
export const COUNT_REGION_PENDING = 13; // something had to be looked at, or the budget was nearly used up
export const COUNT_REGION_UNKNOWN = 14; // the next block was not known, or lies on two pages
export const COUNT_REGION_COLD = 15; // the next block has no region
export const COUNT_REGION_LEAVES = 16; // the region left before an instruction that is the interpreter's
export const COUNT_REGION_FAULTS = 17; // an exception or an exit
export const COUNT_REGION_READS = 18; // accesses that missed the TLB in a region
export const COUNT_REGION_WRITES = 19;
export const COUNT_REGION_SYSTEM = 20; // system operations between regions, after which they went on

// Scratch space for instructions that need memory for intermediate values (one vCPU uses its own).
export const SCRATCH = 0x4000; // to 0x7fff
export const SINGLE_BLOCK = 0x8000; // a block of one instruction, for stepping: header and two records
export const FETCH_BUFFER = 0x8100; // 32 bytes: an instruction that lies on two pages
export const REGION_BUFFER = 0x8140; // 32 bytes: what a region reads from two pages
// Blocks that regions were followed by, by RIP: 16 bytes each: RIP u64, block u32, JUMP_KEY u32 at that time. See core/mmu.ts.
export const JUMPS = 0xc000; // to 0xffff
export const JUMP_ENTRIES = 1024;
export const JUMP_KEY = 0x8160; // u32: generation << 4 | MMU context; 0 while no entry is valid
export const JUMP_GENERATION = 0x8164; // u32: counts what may change where code is mapped
