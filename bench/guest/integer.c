/* Integer programs: register arithmetic, tables, sorting, calls and switches. */
#include <stdlib.h>
#include <string.h>
#include "bench.h"

static NOINLINE uint64_t b_int_alu(void) {
  uint32_t a = 0x12345678, b = 0x9e3779b9, c = 1, n = times(80000000);
  for (uint32_t i = 0; i < n; i++) {
    a ^= a << 13;
    a ^= a >> 17;
    a ^= a << 5;
    b = b * 1664525u + 1013904223u;
    c += (a & b) ^ (c >> 3);
    c = (c << 7) | (c >> 25);
  }
  return ((uint64_t)c << 32) | (a ^ b);
}

static NOINLINE uint64_t b_int_alu64(void) {
  uint64_t a = 88172645463325252ull, c = 1;
  uint32_t n = times(80000000);
  for (uint32_t i = 0; i < n; i++) {
    a ^= a >> 12;
    a ^= a << 25;
    a ^= a >> 27;
    c += a * 0x2545F4914F6CDD1Dull;
    c = (c << 11) | (c >> 53);
  }
  return a ^ c;
}

#define SIEVE_N (2u << 20)
static void s_sieve(void) {
  get_bufs(SIEVE_N, 0);
  memset(bufa, 1, SIEVE_N);
}
static NOINLINE uint64_t b_sieve(void) {
  uint64_t sum = 0;
  uint32_t n = times(45);
  for (uint32_t r = 0; r < n; r++) {
    for (uint32_t i = 0; i < SIEVE_N; i++) bufa[i] = 1;
    uint32_t count = 0;
    for (uint32_t i = 2; i < SIEVE_N; i++) {
      if (!bufa[i]) continue;
      count++;
      for (uint32_t j = i + i; j < SIEVE_N; j += i) bufa[j] = 0;
    }
    sum = sum * 31 + count;
  }
  return sum;
}

static uint32_t crc_tab[256];
static void s_crc32(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int k = 0; k < 8; k++) c = (c & 1) ? 0xEDB88320u ^ (c >> 1) : c >> 1;
    crc_tab[i] = c;
  }
  get_bufs(1 << 20, 0);
  fill_random(bufa, 1 << 20);
}
static NOINLINE uint64_t b_crc32(void) {
  uint32_t c = ~0u, n = times(80);
  for (uint32_t r = 0; r < n; r++)
    for (uint32_t i = 0; i < (1u << 20); i++) c = crc_tab[(c ^ bufa[i]) & 255] ^ (c >> 8);
  return ~c;
}

static const uint32_t K256[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
#define ROR(x, n) (((x) >> (n)) | ((x) << (32 - (n))))
static void sha_block(uint32_t h[8], const uint8_t *p) {
  uint32_t w[64], s[8];
  for (int i = 0; i < 16; i++, p += 4) w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
  for (int i = 16; i < 64; i++) {
    uint32_t x = w[i - 15], y = w[i - 2];
    w[i] = w[i - 16] + w[i - 7] + (ROR(x, 7) ^ ROR(x, 18) ^ (x >> 3)) + (ROR(y, 17) ^ ROR(y, 19) ^ (y >> 10));
  }
  for (int i = 0; i < 8; i++) s[i] = h[i];
  for (int i = 0; i < 64; i++) {
    uint32_t t1 =
        s[7] + (ROR(s[4], 6) ^ ROR(s[4], 11) ^ ROR(s[4], 25)) + ((s[4] & s[5]) ^ (~s[4] & s[6])) + K256[i] + w[i];
    uint32_t t2 = (ROR(s[0], 2) ^ ROR(s[0], 13) ^ ROR(s[0], 22)) + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
    s[7] = s[6];
    s[6] = s[5];
    s[5] = s[4];
    s[4] = s[3] + t1;
    s[3] = s[2];
    s[2] = s[1];
    s[1] = s[0];
    s[0] = t1 + t2;
  }
  for (int i = 0; i < 8; i++) h[i] += s[i];
}
static void s_sha256(void) {
  get_bufs(1 << 20, 0);
  fill_random(bufa, 1 << 20);
}
static NOINLINE uint64_t b_sha256(void) {
  uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  uint32_t n = times(50);
  for (uint32_t r = 0; r < n; r++)
    for (uint32_t i = 0; i < (1u << 20); i += 64) sha_block(h, bufa + i);
  return (uint64_t)h[0] << 32 | h[7];
}

#define QN 1000000u
static int cmp_int(const void *a, const void *b) {
  int x = *(const int *)a, y = *(const int *)b;
  return (x > y) - (x < y);
}
static void s_qsort(void) { get_bufs(QN * 4, 0); }
static NOINLINE uint64_t b_qsort(void) {
  uint64_t sum = 0;
  uint32_t n = times(2);
  for (uint32_t r = 0; r < n; r++) {
    fill_random(bufa, QN * 4);
    qsort(bufa, QN, 4, cmp_int);
    sum = sum * 31 + ((uint32_t *)bufa)[QN / 3] + ((uint32_t *)bufa)[QN - 1];
  }
  return sum;
}

const struct bench integer_benches[] = {
    {"int_alu", NULL, b_int_alu},
    {"int_alu64", NULL, b_int_alu64},
    {"sieve", s_sieve, b_sieve},
    {"crc32", s_crc32, b_crc32},
    {"sha256", s_sha256, b_sha256},
    {"qsort", s_qsort, b_qsort},
    {0},
};
