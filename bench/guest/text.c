/* Library string functions, a switch interpreter, direct and indirect calls. */
#include <stdio.h>
#include <string.h>
#include "bench.h"

static char words[64][48];
static void s_strings(void) {
  for (int i = 0; i < 64; i++) {
    int len = 8 + rng() % 32;
    for (int k = 0; k < len; k++) words[i][k] = k < 6 ? 'a' : 'a' + rng() % 26;
    words[i][len] = 0;
  }
}
static NOINLINE uint64_t b_strings(void) {
  uint64_t sum = 0;
  uint32_t n = times(2250000);
  char out[128];
  for (uint32_t r = 0; r < n; r++) {
    const char *a = words[r & 63], *b = words[(r * 7 + 3) & 63];
    sum += strlen(a) + strlen(b);
    int c = strcmp(a, b);
    sum += c < 0 ? 1 : c > 0 ? 2 : 3;
    sum += (uintptr_t)(strchr(a, 'q') ? strchr(a, 'q') - a : 99);
    if ((r & 1) == 0) sum += (unsigned)sprintf(out, "%s:%u:%08x:%-10s|", a, r, r * 2654435761u, "xyz");
    sum = (sum << 1) ^ (unsigned char)out[r % 12] ^ (sum >> 63);
  }
  return sum;
}

/* Nested counting loops over byte cells: an endless supply of unpredictable
 * indirect jumps through the switch table. */
static const char bf_src[] =
    "+++++++[>+++++++++[>+++++++++++[>++++++++++++[>+>+++<<-]>[>>+<<-]"
    ">[>>+++<<-]>+[-]<<<<-]<[->+>+<<]>>[-<<+>>]<<[>]<-]<-]";
static uint8_t bf_op[256];
static uint16_t bf_jmp[256];
static uint32_t bf_len;
static void s_bf(void) {
  uint32_t st[64], sp = 0;
  bf_len = 0;
  for (const char *s = bf_src; *s; s++) {
    uint32_t i = bf_len;
    switch (*s) {
      case '>':
        bf_op[i] = 0;
        break;
      case '<':
        bf_op[i] = 1;
        break;
      case '+':
        bf_op[i] = 2;
        break;
      case '-':
        bf_op[i] = 3;
        break;
      case '.':
        bf_op[i] = 4;
        break;
      case ',':
        bf_op[i] = 5;
        break;
      case '[':
        bf_op[i] = 6;
        st[sp++] = i;
        break;
      case ']':
        bf_op[i] = 7;
        sp--;
        bf_jmp[i] = st[sp];
        bf_jmp[st[sp]] = i;
        break;
      default:
        continue;
    }
    bf_len++;
  }
  bf_op[bf_len] = 8;
}
static NOINLINE uint64_t b_bf(void) {
  static uint8_t tape[65536];
  uint64_t steps = 0, limit = (uint64_t)times(120000000), sum = 0;
  while (steps < limit) {
    memset(tape, 0, 512);
    uint32_t pc = 0;
    uint16_t dp = 128;
    uint32_t left = limit - steps > 3000000 ? 3000000 : (uint32_t)(limit - steps), start = left;
    for (;;) {
      if (left-- == 0) {
        left = 0;
        break;
      }
      switch (bf_op[pc]) {
        case 0:
          dp++;
          break;
        case 1:
          dp--;
          break;
        case 2:
          tape[dp]++;
          break;
        case 3:
          tape[dp]--;
          break;
        case 4:
          sum = sum * 33 + tape[dp];
          break;
        case 5:
          tape[dp] = (uint8_t)sum;
          break;
        case 6:
          if (!tape[dp]) pc = bf_jmp[pc];
          break;
        case 7:
          if (tape[dp]) pc = bf_jmp[pc];
          break;
        default:
          goto out;
      }
      pc++;
    }
  out:
    steps += start - left;
    for (int i = 0; i < 512; i++) sum = sum * 33 + tape[i];
    sum += pc + dp;
  }
  return sum ^ steps << 40;
}

static NOINLINE __attribute__((optimize("O1", "no-optimize-sibling-calls"))) uint32_t fib(uint32_t n) {
  return n < 2 ? n : fib(n - 1) + fib(n - 2);
}
static NOINLINE uint32_t f0(uint32_t x) { return x + 0x1234567; }
static NOINLINE uint32_t f1(uint32_t x) { return x ^ (x >> 3); }
static NOINLINE uint32_t f2(uint32_t x) { return x * 9; }
static NOINLINE uint32_t f3(uint32_t x) { return (x << 5) | (x >> 27); }
static NOINLINE uint32_t f4(uint32_t x) { return ~x; }
static uint32_t (*volatile ftab[8])(uint32_t) = {f0, f1, f2, f3, f4, f0, f3, f1};
static NOINLINE uint64_t b_calls(void) {
  uint64_t sum = 0;
  uint32_t n = times(9), x = 1, m = times(30000000);
  for (uint32_t r = 0; r < n; r++) sum += fib(32);
  for (uint32_t i = 0; i < m; i++) x = ftab[(i ^ (i >> 3)) & 7](x);
  return sum << 32 | x;
}

const struct bench text_benches[] = {
    {"strings", s_strings, b_strings},
    {"bf_switch", s_bf, b_bf},
    {"func_calls", NULL, b_calls},
    {0},
};
