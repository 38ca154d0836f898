/*
 * Runs machine code on the CPU under us and tells what it did.
 *
 * Standard input: a batch, as src/test-support/differential/wire.ts describes it: a header, the
 * contents of the data pages, and cases of fixed size. Standard output: for each case a result of
 * fixed size and the 8-byte words of the data pages that it changed.
 *
 * Everything happens inside a signal handler: it notes what the interrupted case left, writes the
 * next case's registers into the signal frame and returns, which enters the case. Each case ends by
 * a fault or an INT3. While cases run, FS and GS belong to them: nothing here may use thread-local
 * storage between enter() and leave().
 *
 * 32-bit code runs in the same 64-bit process, by its code segment: Linux's handlers return to it, too.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

enum {
  PAGE = 4096,
  CODE_BASE = 0x10000000, /* two pages, read, write and execute */
  CODE_BYTES = 2 * PAGE,
  DATA_BASE = 0x20000000, /* two writable pages, then one that is read-only */
  WRITABLE_BYTES = 2 * PAGE,
  DATA_BYTES = 3 * PAGE,
  FS_BASE = DATA_BASE + 0x800,
  GS_BASE = DATA_BASE + 0x1400,
  FS_SELECTOR = 0x07, /* of the local descriptor table */
  GS_SELECTOR = 0x0f,
  USER32_CS = 0x23, /* Linux's */
  USER_SS = 0x2b,
  FPU_BYTES = 416, /* the part of the FXSAVE image that holds registers */
  XSAVE_MAGIC_AT = 464, /* Linux's mark in the signal frame: an XSAVE image follows the FXSAVE one */
  XSAVE_MAGIC = 0x46505853,
  XSTATE_BV = 512,
  YMM_AT = 576, /* the upper halves of YMM0-YMM15, in standard format */
  YMM_BYTES = 256,
  TRAP_HANG = 255,
};

/* RFLAGS bits that a case chooses: CF PF AF ZF SF DF OF AC. */
#define FLAGS_MASK 0x40cd5ull

struct header {
  uint32_t magic, count, bits, unused;
};

struct testcase {
  uint64_t gpr[16], rip, rflags, code_address;
  uint32_t code_length, unused;
  uint8_t code[352];
  uint8_t fpu[512], xsave_header[64], ymm[YMM_BYTES];
};

struct result {
  uint64_t gpr[16], rip, rflags;
  uint32_t trap, error;
  uint64_t cr2;
  uint32_t changed, unused;
  uint16_t segments[6];
  uint8_t pad[76];
  uint8_t fpu[512], xsave_header[64], ymm[YMM_BYTES];
};

struct change {
  uint64_t offset, value;
};

static const int gregs[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                              REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

static struct header head;
static uint8_t template_pages[DATA_BYTES] __attribute__((aligned(64)));
static struct testcase *cases;
static uint8_t *output;
static size_t output_used;
static volatile int64_t current = -1;
static int64_t alarmed_at = -1;
static gregset_t home;

static void set_base(int code, uint64_t base) {
  long ignored;
  __asm__ volatile("syscall" : "=a"(ignored) : "a"(SYS_arch_prctl), "D"(code), "S"(base) : "rcx", "r11", "memory");
}

/* XSTATE_BV of the frame, or null where it has no upper halves of YMM registers. */
static uint64_t *avx_state(uint8_t *fpu) {
  uint32_t magic;
  uint64_t features;
  memcpy(&magic, fpu + XSAVE_MAGIC_AT, sizeof magic);
  memcpy(&features, fpu + XSAVE_MAGIC_AT + 8, sizeof features);
  return magic == XSAVE_MAGIC && (features & 4) != 0 ? (uint64_t *)(fpu + XSTATE_BV) : NULL;
}

#define GET_SEGMENT(name) ({ uint16_t selector_; __asm__ volatile("mov %%" #name ", %0" : "=r"(selector_)); selector_; })
#define SET_SEGMENT(name, selector) __asm__ volatile("mov %0, %%" #name : : "r"((uint32_t)(selector)) : "memory")

/* DS, ES, FS and GS as each case begins with them. */
static void set_segments(void) {
  if (head.bits == 32) {
    SET_SEGMENT(ds, USER_SS);
    SET_SEGMENT(es, USER_SS);
    SET_SEGMENT(fs, FS_SELECTOR);
    SET_SEGMENT(gs, GS_SELECTOR);
    return;
  }
  SET_SEGMENT(ds, 0);
  SET_SEGMENT(es, 0);
  /* Setting a base sets the selector to 0. */
  set_base(ARCH_SET_FS, FS_BASE);
  set_base(ARCH_SET_GS, GS_BASE);
}

static void take_result(ucontext_t *context, uint32_t trap) {
  struct result *result = (struct result *)(output + output_used);
  output_used += sizeof *result;
  memset(result, 0, sizeof *result);
  greg_t *from = context->uc_mcontext.gregs;
  for (int i = 0; i < 16; i++) result->gpr[i] = (uint64_t)from[gregs[i]];
  result->rip = (uint64_t)from[REG_RIP];
  result->rflags = (uint64_t)from[REG_EFL];
  result->trap = trap;
  result->error = (uint32_t)from[REG_ERR];
  result->cr2 = (uint64_t)from[REG_CR2];
  uint8_t *fpu = (uint8_t *)context->uc_mcontext.fpregs;
  memcpy(result->fpu, fpu, FPU_BYTES);
  const uint64_t *present = avx_state(fpu);
  if (present != NULL && (*present & 4) != 0) memcpy(result->ymm, fpu + YMM_AT, YMM_BYTES);
  uint64_t selectors = (uint64_t)from[REG_CSGSFS];
  result->segments[0] = GET_SEGMENT(ds);
  result->segments[1] = GET_SEGMENT(es);
  result->segments[2] = GET_SEGMENT(fs);
  result->segments[3] = GET_SEGMENT(gs);
  result->segments[4] = (uint16_t)selectors;
  result->segments[5] = (uint16_t)(selectors >> 48);
  set_segments();
  const uint64_t *now = (const uint64_t *)DATA_BASE, *before = (const uint64_t *)template_pages;
  if (memcmp(now, before, WRITABLE_BYTES) == 0) return;
  for (size_t i = 0; i < WRITABLE_BYTES / 8; i++) {
    if (now[i] == before[i]) continue;
    struct change change = {i * 8, now[i]};
    memcpy(output + output_used, &change, sizeof change);
    output_used += sizeof change;
    result->changed++;
  }
  memcpy((void *)DATA_BASE, template_pages, WRITABLE_BYTES);
}

static void load_case(ucontext_t *context, const struct testcase *next) {
  memset((void *)CODE_BASE, 0xcc, CODE_BYTES);
  memcpy((void *)next->code_address, next->code, next->code_length);
  greg_t *to = context->uc_mcontext.gregs;
  for (int i = 0; i < 16; i++) to[gregs[i]] = (greg_t)next->gpr[i];
  to[REG_RIP] = (greg_t)next->rip;
  uint64_t code = head.bits == 32 ? USER32_CS : (uint64_t)home[REG_CSGSFS] & 0xffff;
  uint64_t stack = head.bits == 32 ? USER_SS : (uint64_t)home[REG_CSGSFS] >> 48;
  to[REG_CSGSFS] = (greg_t)(code | (stack << 48));
  to[REG_EFL] = (greg_t)((next->rflags & FLAGS_MASK) | 0x202);
  uint8_t *fpu = (uint8_t *)context->uc_mcontext.fpregs;
  memcpy(fpu, next->fpu, FPU_BYTES);
  /* XSTATE_BV: the state comes from the frame, not from initial values. */
  *(uint64_t *)(fpu + XSTATE_BV) |= 3;
  uint64_t *present = avx_state(fpu);
  if (present == NULL) return;
  *present |= 4;
  memcpy(fpu + YMM_AT, next->ymm, YMM_BYTES);
}

static void handler(int signal, siginfo_t *info, void *raw) {
  (void)info;
  /* Linux leaves a case's NT, AC and ID set. */
  __asm__ volatile(
      "pushfq\n\t"
      "andl $~0x244000, (%%rsp)\n\t"
      "popfq" ::
          : "memory", "cc");
  ucontext_t *context = raw;
  uint32_t trap = (uint32_t)context->uc_mcontext.gregs[REG_TRAPNO];
  if (signal == SIGALRM) {
    int64_t seen = current;
    if (seen < 0 || seen != alarmed_at) {
      alarmed_at = seen;
      return;
    }
    trap = TRAP_HANG;
  }
  if (current < 0) {
    memcpy(home, context->uc_mcontext.gregs, sizeof home);
  } else {
    take_result(context, trap);
  }
  current++;
  if (current < head.count) {
    load_case(context, &cases[current]);
  } else {
    current = -1;
    memcpy(context->uc_mcontext.gregs, home, sizeof home);
  }
}

static void *map(uint64_t at, size_t size, int protection) {
  void *page = mmap((void *)at, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (page == MAP_FAILED) {
    perror("mmap");
    exit(1);
  }
  return page;
}

static void read_all(void *to, size_t size) {
  if (fread(to, 1, size, stdin) == size) return;
  fprintf(stderr, "the batch is shorter than its header says\n");
  exit(1);
}

/* A writable data segment of 4 GiB in the local descriptor table. */
static void describe_segment(unsigned selector, unsigned base) {
  struct user_desc descriptor = {.entry_number = selector >> 3, .base_addr = base, .limit = 0xfffff, .seg_32bit = 1,
                                 .limit_in_pages = 1};
  if (syscall(SYS_modify_ldt, 0x11, &descriptor, sizeof descriptor) == 0) return;
  perror("modify_ldt");
  exit(1);
}

int main(void) {
  read_all(&head, sizeof head);
  if (head.magic != 0x34565243) {
    fprintf(stderr, "not a batch\n");
    return 1;
  }
  read_all(template_pages, sizeof template_pages);
  size_t bytes = head.count * sizeof *cases;
  cases = malloc(bytes);
  read_all(cases, bytes);
  output = malloc((size_t)head.count * (sizeof(struct result) + WRITABLE_BYTES * 2));

  map(CODE_BASE, CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC);
  map(DATA_BASE, DATA_BYTES, PROT_READ | PROT_WRITE);
  memcpy((void *)DATA_BASE, template_pages, DATA_BYTES);
  mprotect((void *)(DATA_BASE + WRITABLE_BYTES), DATA_BYTES - WRITABLE_BYTES, PROT_READ);

  stack_t stack = {.ss_size = 1 << 16};
  stack.ss_sp = malloc(stack.ss_size);
  sigaltstack(&stack, NULL);
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigfillset(&action.sa_mask);
  const int signals[] = {SIGSEGV, SIGILL, SIGFPE, SIGTRAP, SIGBUS, SIGALRM};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, NULL);
  struct itimerval timer = {{0, 500000}, {0, 500000}};
  setitimer(ITIMER_REAL, &timer, NULL);

  if (head.bits == 32) {
    describe_segment(FS_SELECTOR, FS_BASE);
    describe_segment(GS_SELECTOR, GS_BASE);
  }
  uint64_t thread_pointer;
  syscall(SYS_arch_prctl, ARCH_GET_FS, &thread_pointer);
  set_segments();
  __asm__ volatile("int3" ::: "memory", "cc");
  SET_SEGMENT(gs, 0);
  set_base(ARCH_SET_FS, thread_pointer);

  timer = (struct itimerval){0};
  setitimer(ITIMER_REAL, &timer, NULL);
  fwrite(output, 1, output_used, stdout);
  return fflush(stdout) == 0 ? 0 : 1;
}
