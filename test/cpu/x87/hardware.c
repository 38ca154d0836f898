// Runs x87 instructions on the processor at hand and writes what went in and what came out, for
// src/test-support/x87 to compare with the emulated x87. One 480-byte record a case:
//   0 opcode u8, ModRM u8, 2 zero bytes, offset of the instruction in its code u32
//   8 RFLAGS before and after, u64 each
//  24 RAX after, u64 (before: 0x1111111122222222)
//  32 the x87 state before, an FNSAVE image of 108 bytes
// 144 the x87 state after
// 256 the memory operand before, 112 bytes
// 368 the memory operand after
// Usage: hardware SEED COUNT KIND, KIND being arithmetic, register, memory, environment or transcendental.
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct record {
  uint8_t opcode, modrm, zero[2];
  uint32_t instruction;
  uint64_t flags_before, flags_after, rax_after;
  uint8_t before[112], after[112], memory_before[112], memory_after[112];
};
_Static_assert(sizeof(struct record) == 480, "record size");

static uint64_t state;
static uint64_t random64(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state * 0x2545f4914f6cdd1dull;
}
static uint32_t below(uint32_t n) { return (uint32_t)((random64() >> 32) % n); }

static uint64_t random_significand(void) {
  switch (below(8)) {
    case 0: return 0x8000000000000000ull;
    case 1: return ~0ull;
    case 2: return (random64() << below(64)) | 0x8000000000000000ull;
    case 3: return ~(random64() >> 1 >> below(63)) | 0x8000000000000000ull;
    case 4: return 0x8000000000000000ull | (1ull << below(63));
    case 5: return 0x8000000000000000ull | (random64() << 40 >> below(30)) ;
    default: return random64() | 0x8000000000000000ull;
  }
}

// An operand, leaning to the places where rules change.
static void operand(uint8_t *out, int mild) {
  uint64_t m = random_significand();
  uint32_t e, sign = below(2) << 15;
  switch (mild ? below(7) : below(20)) {
    case 0: case 1: case 2: e = 0x3fff - 4 + below(9); break;
    case 3: e = 0x3fff - 70 + below(140); break;
    case 4: e = 0x3fff + below(64); break;
    case 5: e = 0x3fff - 1 + below(3); break;
    case 6: // an integer
      m = random64() >> below(64);
      e = 0x3fff + 63;
      if (m == 0) { e = 0; break; }
      while (!(m >> 63)) { m <<= 1; e--; }
      break;
    case 7: case 8: e = below(0x7fff); break;
    case 9: e = below(70); break;
    case 10: e = 0x7ffe - below(70); break;
    case 11: e = 0; m = random_significand() >> (1 + below(63)); break; // denormal
    case 12: e = 0; break; // pseudo-denormal
    case 13: e = 0; m = 0; break;
    case 14: e = 0x7fff; m = 0x8000000000000000ull; break;
    case 15: e = 0x7fff; m |= 0xc000000000000000ull; break;
    case 16: e = 0x7fff; m = (m & 0xbfffffffffffffffull) | 1; break;
    case 17: e = 1 + below(0x7fff); m = random64() >> 1 >> below(63); break; // unsupported formats
    case 18: e = 0x3fff - 1026 + 2050 * below(2) + below(6) - 60 * below(2); break; // about double's limits
    default: e = 0x3fff - 130 + 256 * below(2) + below(6) - 25 * below(2); break; // about single's limits
  }
  e |= sign;
  memcpy(out, &m, 8);
  memcpy(out + 8, &e, 2);
}

static void put16(uint8_t *p, uint32_t v) { p[0] = (uint8_t)v; p[1] = (uint8_t)(v >> 8); p[2] = p[3] = 0; }

static void fill_state(uint8_t *image, int mild) {
  static const uint16_t precision[8] = {0x300, 0x300, 0x300, 0x300, 0x200, 0x200, 0x000, 0x100};
  memset(image, 0, 112);
  uint32_t masks = below(2) ? 0x3f : (below(3) ? 0x3fu ^ (1u << below(6)) : below(64));
  uint32_t control = masks | 0x40 | precision[below(8)] | below(4) << 10;
  uint32_t status = below(8) << 11;
  if (below(4) == 0) status |= (below(128) & (masks | 0x40)) | (uint32_t)(random64() & 0x4700);
  uint32_t tags = 0;
  if (below(6) == 0) for (int i = 0; i < 8; i++) if (below(4) == 0) tags |= 3u << 2 * i;
  put16(image, control);
  put16(image + 4, status);
  put16(image + 8, tags);
  // Instruction and operand pointers, selectors, opcode.
  for (int i = 12; i < 28; i++) image[i] = (uint8_t)random64();
  image[19] &= 7;
  for (int i = 0; i < 8; i++) operand(image + 28 + 10 * i, mild);
  // Often a second operand near the first: cancellation, equal values, quotients about one.
  if (below(4) == 0) {
    memcpy(image + 38, image + 28, 10);
    image[38] += (uint8_t)below(3);
    if (below(2)) image[47] ^= 0x80;
  }
}

static void fill_memory(uint8_t *memory, int opcode, int reg) {
  uint8_t value[10];
  uint64_t m, bits;
  uint32_t e;
  operand(value, 0);
  memcpy(memory, value, 10);
  uint64_t rest = random64();
  memcpy(memory + 10, &rest, 6);
  memcpy(&m, value, 8);
  e = value[8] | value[9] << 8;
  switch (opcode & 7) {
    case 0: case 1: // single
      if ((opcode & 7) == 1 && reg >= 4) break;
      bits = (e & 0x8000) << 16 | (uint64_t)(e + 0x80 & 0xff) << 23 | (m << 1 >> 41);
      if (below(8) == 0) bits = (bits & 0x80000000) | (below(2) ? 0x7f800000 : 0) | (below(2) ? random64() & 0x7fffff : 0);
      memcpy(memory, &bits, 4);
      break;
    case 4: case 5:
      if ((opcode & 7) == 5 && (reg == 1 || reg >= 4)) break;
      bits = (uint64_t)(e & 0x8000) << 48 | (uint64_t)(e + 0x400 & 0x7ff) << 52 | (m << 1 >> 12);
      if (below(8) == 0)
        bits = (bits & 1ull << 63) | (below(2) ? 0x7ffull << 52 : 0) | (below(2) ? random64() & 0xfffffffffffffull : 0);
      memcpy(memory, &bits, 8);
      break;
    case 2: case 3: case 6: case 7:
      if ((opcode & 7) == 7 && reg == 4) { // packed BCD
        for (int i = 0; i < 9; i++) memory[i] = (uint8_t)(below(10) << 4 | below(10));
        if (below(4) == 0) memset(memory + 1 + below(7), 0, 1);
        if (below(8) == 0) memset(memory, 0, 9);
        memory[9] = below(2) << 7;
      } else if (!((opcode & 7) == 3 && reg >= 5)) {
        bits = random64() >> below(64);
        if (below(2)) bits = -bits;
        memcpy(memory, &bits, 8);
      }
      break;
  }
}

static int valid_register_form(int opcode, int modrm) {
  int reg = modrm >> 3 & 7;
  switch (opcode) {
    case 0xd9:
      if (reg == 2) return modrm == 0xd0;
      return modrm != 0xe2 && modrm != 0xe3 && modrm != 0xe6 && modrm != 0xe7 && modrm != 0xef;
    case 0xda: return reg < 4 || modrm == 0xe9;
    case 0xdb: return reg < 4 || (modrm >= 0xe0 && modrm <= 0xe4) || reg == 5 || reg == 6;
    case 0xdd: return reg < 6;
    case 0xde: return reg != 3 || modrm == 0xd9;
    case 0xdf: return reg < 4 || modrm == 0xe0 || reg == 5 || reg == 6;
    default: return 1;
  }
}
static int transcendental(int opcode, int modrm) {
  if (opcode != 0xd9) return 0;
  switch (modrm) {
    case 0xf0: case 0xf1: case 0xf2: case 0xf3: case 0xf9: case 0xfb: case 0xfe: case 0xff: return 1;
    default: return 0;
  }
}
static int valid_memory_form(int opcode, int reg) {
  switch (opcode) {
    case 0xd9: return reg != 1;
    case 0xdb: return reg != 4 && reg != 6;
    case 0xdd: return reg != 5;
    default: return 1;
  }
}
static int environment(int opcode, int reg) {
  return (opcode == 0xd9 && (reg == 4 || reg == 6)) || (opcode == 0xdd && (reg == 4 || reg == 6));
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  state = strtoull(argv[1], 0, 0) * 0x9e3779b97f4a7c15ull + 0x1234567;
  long count = atol(argv[2]);
  const char *kind = argv[3];
  uint8_t *code = mmap((void *)0x20000000, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  uint8_t *memory = mmap((void *)0x30000000, 4096, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (code != (uint8_t *)0x20000000 || memory != (uint8_t *)0x30000000) return 3;
  // rdi: state before, rsi: memory, rdx: state after, rcx: RFLAGS before and after, RAX after
  static const uint8_t head[] = {0x53, 0x48, 0x89, 0xf3,             // push rbx; mov rbx, rsi
                                 0xff, 0x31, 0x9d,                   // push [rcx]; popfq
                                 0xdd, 0x27,                         // frstor [rdi]
                                 0x48, 0xb8, 0x22, 0x22, 0x22, 0x22, 0x11, 0x11, 0x11, 0x11};
  static const uint8_t tail[] = {0xdd, 0x32,                         // fnsave [rdx]
                                 0x9c, 0x8f, 0x41, 0x08,             // pushfq; pop [rcx + 8]
                                 0x48, 0x89, 0x41, 0x10, 0x5b, 0xc3}; // mov [rcx + 16], rax; pop rbx; ret
  memcpy(code, head, sizeof head);
  memcpy(code + sizeof head + 2, tail, sizeof tail);
  void (*execute)(void *, void *, void *, void *) = (void (*)(void *, void *, void *, void *))code;
  static const uint8_t arithmetic[] = {0xc0, 0xc8, 0xe0, 0xe8, 0xf0, 0xf8};
  static const uint8_t functions[] = {0xf0, 0xf1, 0xf2, 0xf3, 0xf9, 0xfb, 0xfe, 0xff};
  static const uint8_t plain[] = {0xfa, 0xfc, 0xfd, 0xf5, 0xf8, 0xf4};
  for (long n = 0; n < count; n++) {
    struct record r;
    memset(&r, 0, sizeof r);
    int opcode = 0, modrm = 0, mild = 0;
    if (kind[0] == 'a') {
      if (below(3)) {
        opcode = 0xd8;
        modrm = arithmetic[below(6)] + 1;
      } else {
        opcode = 0xd9;
        modrm = plain[below(6)];
      }
      mild = below(2);
    } else if (kind[0] == 't') {
      opcode = 0xd9;
      modrm = functions[below(8)];
      mild = below(4) != 0;
    } else if (kind[0] == 'r') {
      do {
        opcode = 0xd8 + below(8);
        modrm = 0xc0 + below(64);
      } while (!valid_register_form(opcode, modrm) || transcendental(opcode, modrm));
    } else {
      do {
        opcode = 0xd8 + below(8);
        modrm = below(8) << 3 | 3;
      } while (!valid_memory_form(opcode, modrm >> 3) || environment(opcode, modrm >> 3) != (kind[0] == 'e'));
    }
    r.opcode = (uint8_t)opcode;
    r.modrm = (uint8_t)modrm;
    r.instruction = sizeof head;
    fill_state(r.before, mild);
    fill_memory(r.memory_before, opcode, modrm >> 3 & 7);
    r.flags_before = 0x202 | (random64() & 0x8d5);
    if (kind[0] == 'e' && (modrm >> 3) == 4) { // FLDENV, FRSTOR
      fill_state(r.memory_before, 0);
      r.memory_before[4] |= (uint8_t)random64();
      r.memory_before[8] = (uint8_t)random64();
      r.memory_before[9] = (uint8_t)random64();
    }
    memcpy(code + sizeof head, &r.opcode, 2);
    // A task switch may lose the pointers to the last instruction: believe what comes out twice.
    struct record first;
    do {
      memcpy(memory, r.memory_before, 112);
      execute(r.before, memory, r.after, &r.flags_before);
      memcpy(r.memory_after, memory, 112);
      first = r;
      memcpy(memory, r.memory_before, 112);
      execute(r.before, memory, r.after, &r.flags_before);
      memcpy(r.memory_after, memory, 112);
    } while (memcmp(&first, &r, sizeof r) != 0);
    if (fwrite(&r, sizeof r, 1, stdout) != 1) return 1;
  }
  return 0;
}
