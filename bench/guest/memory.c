/* Copying, pointer chasing, and packed integers. */
#include <string.h>
#ifdef __x86_64__
#include <emmintrin.h>
#endif
#include "bench.h"

#define CPY (16u << 20)
static void s_memcpy(void) {
  get_bufs(CPY, CPY);
  fill_random(bufa, CPY);
  memset(bufb, 1, CPY);
}
static NOINLINE uint64_t b_memcpy(void) {
  uint64_t sum = 0;
  uint32_t n = times(250);
  for (uint32_t r = 0; r < n; r++) {
    bufa[r * 4099u % CPY] += 1;
    memcpy(bufb, bufa, CPY);
    __asm__ volatile("" ::: "memory");
    sum = sum * 31 + bufb[r * 65537u % CPY];
  }
  return sum;
}

#define CH_BYTES (32u << 20)
#define CH_N (CH_BYTES / 4)
static void s_memrand(void) {
  get_bufs(CH_BYTES, 0);
  uint32_t *p = (uint32_t *)bufa;
  for (uint32_t i = 0; i < CH_N; i++) p[i] = i;
  for (uint32_t i = CH_N - 1; i > 0; i--) { /* Sattolo: one full cycle */
    uint32_t j = rng() % i, t = p[i];
    p[i] = p[j];
    p[j] = t;
  }
}
static NOINLINE uint64_t b_memrand(void) {
  const uint32_t *p = (const uint32_t *)bufa;
  uint32_t i = 0, n = times(1200000);
  for (uint32_t r = 0; r < n; r++) i = p[i];
  return i;
}

#define SAD_N (256u << 10)
static void s_simd(void) {
  get_bufs(SAD_N, SAD_N);
  fill_random(bufa, SAD_N);
  fill_random(bufb, SAD_N);
}
#ifdef __x86_64__
static NOINLINE uint64_t b_simd(void) {
  /* per 16 bytes: absolute differences summed; saturating average folded in;
   * 16-bit multiply-add.  SSE2 only, so every amd64 CPU model runs it. */
  uint32_t n = times(15000);
  __m128i acc = _mm_setzero_si128(), mad = acc, zero = acc;
  for (uint32_t r = 0; r < n; r++) {
    __m128i key = _mm_set1_epi8((char)r);
    for (uint32_t i = 0; i < SAD_N; i += 16) {
      __m128i a = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(bufa + i)), key);
      __m128i b = _mm_loadu_si128((const __m128i *)(bufb + i));
      acc = _mm_add_epi64(acc, _mm_sad_epu8(a, b));
      __m128i v = _mm_avg_epu8(a, b);
      __m128i lo = _mm_unpacklo_epi8(v, zero), hi = _mm_unpackhi_epi8(v, zero);
      mad = _mm_add_epi32(mad, _mm_madd_epi16(lo, hi));
    }
  }
  uint64_t t[2];
  uint32_t m[4];
  _mm_storeu_si128((__m128i *)t, acc);
  _mm_storeu_si128((__m128i *)m, mad);
  return (t[0] + t[1]) * 31 + (uint32_t)(m[0] + m[1] + m[2] + m[3]);
}
#else
static NOINLINE uint64_t b_simd(void) {
  /* same sums in plain C, 1/30 of the rounds (so the check differs) */
  uint32_t n = times(500), mad = 0;
  uint64_t acc = 0;
  for (uint32_t r = 0; r < n; r++) {
    uint8_t key = (uint8_t)r;
    for (uint32_t i = 0; i < SAD_N; i += 16) {
      uint32_t s = 0;
      uint8_t v[16];
      for (int k = 0; k < 16; k++) {
        uint8_t a = bufa[i + k] ^ key, b = bufb[i + k];
        s += a > b ? a - b : b - a;
        v[k] = (uint8_t)((a + b + 1) >> 1);
      }
      for (int k = 0; k < 8; k++) mad += (uint32_t)v[k] * v[k + 8];
      acc += s;
    }
  }
  return acc * 31 + mad;
}
#endif

const struct bench memory_benches[] = {
    {"memcpy", s_memcpy, b_memcpy},
    {"memrand", s_memrand, b_memrand},
    {"simd", s_simd, b_simd},
    {0},
};
