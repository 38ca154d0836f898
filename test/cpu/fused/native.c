// The processor's fused multiply-add and half-precision conversions: cases on standard input, each answered on standard
// output. A case: kind (4), MXCSR (4), x, y, z (8 each), result (8). In the answer MXCSR has the flags that the instruction
// set, and kind is 1 where it raised an exception. Kinds: 0-3 VFMADD213SD, VFNMADD, VFMSUB, VFNMSUB; 4-7 the same SS; 8-15
// VCVTPS2PH with that immediate less 8; 16 VCVTPH2PS.
#include <immintrin.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct testcase {
  uint32_t kind, mxcsr;
  uint64_t x, y, z, result;
};

static sigjmp_buf back;

static void on_signal(int number, siginfo_t *info, void *context) {
  (void)number;
  (void)info;
  uint8_t *fpu = (uint8_t *)((ucontext_t *)context)->uc_mcontext.fpregs;
  uint32_t mxcsr;
  memcpy(&mxcsr, fpu + 24, 4);
  siglongjmp(back, 0x40 | (mxcsr & 0x3f));
}

/* In this order of operands x, the second one, is the first factor; the destination is the other one. */
#define FUSED(name) \
  __asm__ volatile("vldmxcsr %1\n\t" #name " %4, %3, %0\n\tvstmxcsr %2\n\tvldmxcsr %5\n\tvmovaps %0, %3" \
                   : "+x"(y), "+m"(mxcsr), "=m"(after), "+x"(x) : "x"(z), "m"(plain))
#define NARROW(imm) \
  __asm__ volatile("vldmxcsr %1\n\tvcvtps2ph $" #imm ", %0, %0\n\tvstmxcsr %2\n\tvldmxcsr %3" \
                   : "+x"(x), "+m"(mxcsr), "=m"(after) : "m"(plain))

static void run(struct testcase *c) {
  const uint32_t plain = 0x1f80;
  uint32_t mxcsr = c->mxcsr, after = 0;
  __m128i x = _mm_set_epi64x(0, (long long)c->x), y = _mm_set_epi64x(0, (long long)c->y), z = _mm_set_epi64x(0, (long long)c->z);
  int raised = sigsetjmp(back, 1);
  if (raised) {
    _mm_setcsr(plain);
    c->kind = 1;
    c->mxcsr = raised & 0x3f;
    return;
  }
  switch (c->kind) {
    case 0: FUSED(vfmadd213sd); break;
    case 1: FUSED(vfnmadd213sd); break;
    case 2: FUSED(vfmsub213sd); break;
    case 3: FUSED(vfnmsub213sd); break;
    case 4: FUSED(vfmadd213ss); break;
    case 5: FUSED(vfnmadd213ss); break;
    case 6: FUSED(vfmsub213ss); break;
    case 7: FUSED(vfnmsub213ss); break;
    case 8: NARROW(0); break;
    case 9: NARROW(1); break;
    case 10: NARROW(2); break;
    case 11: NARROW(3); break;
    case 12: NARROW(4); break;
    case 13: NARROW(5); break;
    case 14: NARROW(6); break;
    case 15: NARROW(7); break;
    default:
      __asm__ volatile("vldmxcsr %1\n\tvcvtph2ps %0, %0\n\tvstmxcsr %2\n\tvldmxcsr %3"
                       : "+x"(x), "+m"(mxcsr), "=m"(after) : "m"(plain));
  }
  uint64_t low = (uint64_t)_mm_cvtsi128_si64(x);
  c->result = c->kind < 4 ? low : c->kind >= 8 && c->kind < 16 ? low & 0xffff : low & 0xffffffff;
  c->kind = 0;
  c->mxcsr = after & 0x3f;
}

int main(void) {
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
  sigaction(SIGFPE, &action, 0);
  struct testcase c;
  while (fread(&c, sizeof c, 1, stdin) == 1) {
    run(&c);
    fwrite(&c, sizeof c, 1, stdout);
  }
  return 0;
}
