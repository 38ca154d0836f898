// Executes single instructions on the processor below: reads cases on standard input, writes what each left.
// A case, 1216 bytes: FXSAVE image (512), upper halves of YMM (256), general registers (128), memory (256), length (8),
// code (16), RFLAGS (8), pad (32). A result: the same with the vector that was raised (0: none) for length.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define CODE 0x10000000u
#define STATE 0x11000000u
#define MEMORY 0x20000100u

struct block {
  uint8_t fx[512];
  uint8_t upper[256];
  uint64_t gpr[16];
  uint8_t memory[256];
  uint64_t vector;
  uint8_t code[16];
  uint64_t rflags;
  uint8_t pad[32];
};

static struct block *in = (struct block *)STATE;
static struct block *out = (struct block *)(uintptr_t)(STATE + 0x1000);
static sigjmp_buf back;

static void on_signal(int number, siginfo_t *info, void *context) {
  (void)number;
  (void)info;
  ucontext_t *uc = context;
  const uint8_t *area = (const uint8_t *)uc->uc_mcontext.fpregs;
  uint64_t present;
  memcpy(out->fx, area, 512);
  memcpy(&present, area + 512, 8);
  if (present & 4) memcpy(out->upper, area + 576, 256);
  static const int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  for (int i = 0; i < 16; i++) out->gpr[i] = uc->uc_mcontext.gregs[order[i]];
  out->rflags = uc->uc_mcontext.gregs[REG_EFL];
  out->vector = uc->uc_mcontext.gregs[REG_TRAPNO];
  siglongjmp(back, 1);
}

static uint8_t *p;
static void byte(int b) { *p++ = b; }
static void dword(uint32_t d) { memcpy(p, &d, 4), p += 4; }
static void absolute(int rex, int opcode, int reg, uint32_t address) {
  if (reg & 8) rex |= 4;
  byte(rex), byte(opcode), byte((reg & 7) << 3 | 4), byte(0x25), dword(address);
}
// VINSERTF128 (0x18) and VEXTRACTF128 (0x19) of the upper half.
static void half(int opcode, int reg, uint32_t address) {
  byte(0xc4), byte((reg & 8 ? 0x60 : 0xe0) | 3);
  byte(5 | (opcode == 0x18 ? (~reg & 15) << 3 : 0x78));
  byte(opcode), byte((reg & 7) << 3 | 4), byte(0x25), dword(address), byte(1);
}

int main(void) {
  uint8_t *code = mmap((void *)CODE, 4096, 7, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  mmap((void *)STATE, 8192, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  mmap((void *)(MEMORY & ~4095u), 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
  sigaltstack(&stack, 0);
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  const int signals[] = {SIGFPE, SIGSEGV, SIGBUS, SIGILL, SIGTRAP};
  for (int i = 0; i < 5; i++) sigaction(signals[i], &action, 0);

  const uint32_t in_at = STATE, out_at = STATE + 0x1000;
  p = code;
  byte(0x53), byte(0x55), byte(0x41), byte(0x54), byte(0x41), byte(0x55), byte(0x41), byte(0x56), byte(0x41), byte(0x57);
  byte(0xff), byte(0x34), byte(0x25), dword(in_at + offsetof(struct block, rflags)); // push flags
  byte(0x48), byte(0x0f), byte(0xae), byte(0x0c), byte(0x25), dword(in_at);          // fxrstor64
  for (int i = 0; i < 16; i++) half(0x18, i, in_at + offsetof(struct block, upper) + i * 16);
  for (int i = 0; i < 16; i++)
    if (i != 4) absolute(0x48, 0x8b, i, in_at + offsetof(struct block, gpr) + i * 8);
  byte(0x9d); // popf
  uint8_t *slot = p;
  for (int i = 0; i < 16; i++) byte(0x90);
  for (int i = 0; i < 16; i++) absolute(0x48, 0x89, i, out_at + offsetof(struct block, gpr) + i * 8);
  byte(0x9c), byte(0x8f), byte(0x04), byte(0x25), dword(out_at + offsetof(struct block, rflags)); // pushf, pop
  byte(0x48), byte(0x0f), byte(0xae), byte(0x04), byte(0x25), dword(out_at);                      // fxsave64
  for (int i = 0; i < 16; i++) half(0x19, i, out_at + offsetof(struct block, upper) + i * 16);
  byte(0xdb), byte(0xe3), byte(0xfc), byte(0xc5), byte(0xf8), byte(0x77); // fninit, cld, vzeroupper
  byte(0x41), byte(0x5f), byte(0x41), byte(0x5e), byte(0x41), byte(0x5d), byte(0x41), byte(0x5c), byte(0x5d), byte(0x5b);
  byte(0xc3);

  const uint32_t normal = 0x1f80;
  static struct block batch[512];
  for (;;) {
    size_t n = fread(batch, sizeof *batch, 512, stdin);
    for (volatile size_t i = 0; i < n; i++) {
      memcpy(in, &batch[i], sizeof *in);
      memcpy((void *)(uintptr_t)MEMORY, in->memory, 256);
      memset(slot, 0x90, 16);
      memcpy(slot, in->code, in->vector < 16 ? in->vector : 15);
      memset(out, 0, sizeof *out);
      if (!sigsetjmp(back, 1)) ((void (*)(void))code)();
      asm volatile("ldmxcsr %0" : : "m"(normal));
      memcpy(out->memory, (void *)(uintptr_t)MEMORY, 256);
      memcpy(&batch[i], out, sizeof *out);
    }
    fwrite(batch, sizeof *batch, n, stdout);
    if (n < 512) return fflush(stdout);
  }
}
