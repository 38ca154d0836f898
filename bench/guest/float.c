/* Scalar double precision. The sums are exact on x87 and on SSE2 alike. */
#include <stddef.h>
#include "bench.h"

#define MN 256
static double ma[MN][MN], mb[MN][MN], mc[MN][MN];
static void s_matmul(void) {
  for (int i = 0; i < MN; i++)
    for (int j = 0; j < MN; j++) {
      ma[i][j] = (int)(rng() & 1023) - 512; /* integers: exact sums on */
      mb[i][j] = (int)(rng() & 1023) - 512; /* x87 and on SSE2 alike   */
    }
}
static NOINLINE __attribute__((optimize("no-tree-vectorize"))) uint64_t b_matmul(void) {
  uint64_t sum = 0;
  uint32_t n = times(10);
  for (uint32_t r = 0; r < n; r++) {
    for (int i = 0; i < MN; i++)
      for (int j = 0; j < MN; j++) {
        double s = 0;
        for (int k = 0; k < MN; k++) s += ma[i][k] * mb[k][j];
        mc[i][j] = s;
      }
    sum = sum * 31 + (uint64_t)(int64_t)mc[r % MN][(r * 7) % MN];
    ma[r % MN][0] += 1;
  }
  return sum;
}

static NOINLINE __attribute__((optimize("no-tree-vectorize"))) uint64_t b_mandel(void) {
  uint64_t total = 0;
  uint32_t rows = times(420);
  for (uint32_t y = 0; y < rows; y++) {
    double ci = -1.25 + 2.5 * (double)(y % 420) / 420.0;
    for (uint32_t x = 0; x < 420; x++) {
      double cr = -2.0 + 2.5 * x / 420.0, zr = 0, zi = 0, r2 = 0, i2 = 0;
      int it = 0;
      while (it < 1000 && r2 + i2 < 4.0) {
        zi = 2 * zr * zi + ci;
        zr = r2 - i2 + cr;
        r2 = zr * zr;
        i2 = zi * zi;
        it++;
      }
      total += it;
    }
  }
  return total;
}

const struct bench float_benches[] = {
    {"matmul_f64", s_matmul, b_matmul},
    {"mandelbrot_f64", NULL, b_mandel},
    {0},
};
