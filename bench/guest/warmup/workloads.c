/* A small hot loop, an interpreter of objects as scripting languages have, and a flat profile of a thousand functions. */
#include "workloads.h"
#include <stddef.h>
#include <string.h>

/* Few instructions, executed often: what any translator finds at once. */
uint64_t unit_loop(void) {
  uint32_t a = 0x12345678, sum = 0;
  for (uint32_t i = 0; i < 30000; i++) {
    a ^= a << 13;
    a ^= a >> 17;
    a ^= a << 5;
    sum += (a & i) ^ (sum >> 3);
  }
  return (uint64_t)sum << 32 | a;
}

/* A stack machine whose values are counted references, whose names are looked up in a hash table. */
enum op { PUSH, LOAD, STORE, ADD, MUL, XOR, LESS, JUMP_IF, JUMP, CALL, RETURN, END };
struct object {
  uint32_t references;
  int64_t value;
  struct object *next;
};
struct name {
  const char *text;
  struct object *object;
};

static struct object objects[1024], *free_objects;
static struct name names[64];

static struct object *make(int64_t value) {
  struct object *object = free_objects;
  free_objects = object->next;
  object->references = 1;
  object->value = value;
  return object;
}

static void drop(struct object *object) {
  if (--object->references) return;
  object->next = free_objects;
  free_objects = object;
}

static struct object **look_up(const char *text) {
  uint32_t hash = 5381;
  for (const char *c = text; *c; c++) hash = hash * 33 + (uint8_t)*c;
  for (uint32_t at = hash & 63;; at = (at + 1) & 63) {
    if (!names[at].text) names[at].text = text;
    if (!strcmp(names[at].text, text)) return &names[at].object;
  }
}

struct code {
  enum op op;
  int32_t number;
  const char *name;
};

/* i = 0; s = 7; while (i < 400) { s = f(s) + i; i = i + 1 }; with f(x) = (x * 31) ^ seed */
static const struct code program[] = {
    {PUSH, 0, 0},       {STORE, 0, "i"},    {PUSH, 7, 0},      {STORE, 0, "state"}, {LOAD, 0, "i"},  {PUSH, 400, 0},
    {LESS, 0, 0},       {JUMP_IF, 9, 0},    {END, 0, 0},       {LOAD, 0, "state"},  {CALL, 19, 0},   {LOAD, 0, "i"},
    {ADD, 0, 0},        {STORE, 0, "state"}, {LOAD, 0, "i"},   {PUSH, 1, 0},        {ADD, 0, 0},     {STORE, 0, "i"},
    {JUMP, 4, 0},       {PUSH, 31, 0},      {MUL, 0, 0},       {LOAD, 0, "seed"},   {XOR, 0, 0},     {RETURN, 0, 0},
};

static void store(const char *name, struct object *object) {
  struct object **slot = look_up(name);
  if (*slot) drop(*slot);
  *slot = object;
}

static int64_t interpret(void) {
  struct object *stack[32];
  uint32_t top = 0, returns[32], depth = 0;
  for (uint32_t at = 0;;) {
    const struct code *code = &program[at++];
    struct object *a, *b;
    switch (code->op) {
      case PUSH:
        stack[top++] = make(code->number);
        break;
      case LOAD:
        stack[top] = *look_up(code->name);
        stack[top++]->references++;
        break;
      case STORE:
        store(code->name, stack[--top]);
        break;
      case ADD:
      case MUL:
      case XOR:
      case LESS:
        b = stack[--top];
        a = stack[--top];
        stack[top++] = make(code->op == ADD   ? a->value + b->value
                            : code->op == MUL ? a->value * b->value
                            : code->op == XOR ? a->value ^ b->value
                                              : a->value < b->value);
        drop(a);
        drop(b);
        break;
      case JUMP_IF:
        a = stack[--top];
        if (a->value) at = (uint32_t)code->number;
        drop(a);
        break;
      case JUMP:
        at = (uint32_t)code->number;
        break;
      case CALL:
        returns[depth++] = at;
        at = (uint32_t)code->number;
        break;
      case RETURN:
        at = returns[--depth];
        break;
      case END:
        return (*look_up("state"))->value;
    }
  }
}

uint64_t unit_interpreter(void) {
  if (!free_objects) {
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++) {
      objects[i].next = free_objects;
      free_objects = &objects[i];
    }
    store("seed", make(0x5bd1e995));
  }
  return (uint64_t)interpret();
}

/* A thousand functions, each its own code, called in an order that looks random. */
#define FUNCTION(n)                                                        \
  static __attribute__((noinline)) uint32_t function_##n(uint32_t x) {     \
    uint32_t y = x ^ (0x9e3779b9u * (1##n##u + 3));                        \
    for (uint32_t i = 0; i < 3 + 1##n##u % 5; i++) {                       \
      y = (y << (1 + 1##n##u % 13)) | (y >> (31 - 1##n##u % 13));          \
      if (y & (1u << (1##n##u % 29))) y += 0x1##n##u;                      \
      else y = y * 5 - x;                                                  \
    }                                                                      \
    return y;                                                              \
  }
#define NAME(n) function_##n,
#define TEN(x, n) x(n##0) x(n##1) x(n##2) x(n##3) x(n##4) x(n##5) x(n##6) x(n##7) x(n##8) x(n##9)
#define HUNDRED(x, n)                                                                                      \
  TEN(x, n##0) TEN(x, n##1) TEN(x, n##2) TEN(x, n##3) TEN(x, n##4) TEN(x, n##5) TEN(x, n##6) TEN(x, n##7) \
  TEN(x, n##8) TEN(x, n##9)
#define THOUSAND(x)                                                                                 \
  HUNDRED(x, 0) HUNDRED(x, 1) HUNDRED(x, 2) HUNDRED(x, 3) HUNDRED(x, 4) HUNDRED(x, 5) HUNDRED(x, 6) \
  HUNDRED(x, 7) HUNDRED(x, 8) HUNDRED(x, 9)
THOUSAND(FUNCTION)
static uint32_t (*const functions[])(uint32_t) = {THOUSAND(NAME)};

uint64_t unit_flat(void) {
  uint32_t x = 1, at = 1;
  for (uint32_t i = 0; i < 3000; i++) {
    at = (at * 421 + 1663) % 1000;
    x = functions[at](x);
  }
  return x;
}

const struct workload workloads[] = {
    {"loop", unit_loop}, {"interpreter", unit_interpreter}, {"flat", unit_flat}, {0},
};
