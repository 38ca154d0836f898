/** What a program finds beside its code and registers, and what happens to it from outside. */

import { REGION_BUDGET } from "../../accel/translate/layout.js";
import { integer64 } from "../differential/values.js";
import { Random } from "../random.js";
import * as L from "./layout.js";
import type { Program, Slice, SliceEvent } from "./program.js";

/** Bytes of values that data and vector registers are taken from. */
export const NOISE_BYTES = 0x20000;

type Code = Pick<
  Program,
  "seed" | "bits" | "kernel" | "ring" | "base" | "features" | "addresses" | "sections" | "pointers"
>;

/** All but the code. */
export function circumstances(random: Random, { bits, addresses, features }: Code): Omit<Program, keyof Code> {
  const registers = Array.from({ length: 16 }, (_, register) =>
    register < (bits === 64 ? 16 : 8) ? BigInt.asUintN(bits === 64 ? 64 : 32, integer64(random)) : 0n,
  );
  for (const [register, address] of addresses) registers[register] = address;
  const faults = features.includes("faults");
  return {
    registers,
    rflags: (random.u32() & 0x8d5) | (random.chance(0.6) ? 0x200 : 0) | (random.chance(0.2) ? 0x3000 : 0),
    mxcsr: random.chance(0.6) ? 0x1f80 : 0x1f80 | (random.u32() & 0xe07f),
    fcw: random.chance(0.7) ? 0x37f : 0x7f | (random.u32() & 0xf00),
    noise: random.int((NOISE_BYTES - L.DATA_BYTES) / 16) * 16,
    cleared: faults ? clearedPages(random) : [],
    repaired: faults ? repairedPages(random) : [],
    eventLimit: 20 + random.int(200),
    stepLimit: random.int(40),
    slices: slicesOf(random, features.includes("events")),
  };
}

/** The same code under other circumstances; 0 leaves it as it is. */
export function vary(program: Program, variant: number): Program {
  if (variant === 0) return program;
  return { ...program, variant, ...circumstances(new Random(program.seed * 1009 + variant), program) };
}

function clearedPages(random: Random): Program["cleared"] {
  const pages: { page: number; bits: number }[] = [];
  for (let page = 0; page < 8; page++) {
    if (random.chance(0.2)) pages.push({ page: L.DATA / L.PAGE + page, bits: random.pick([1, 2, 4, 1]) });
  }
  for (let page = 0; page < 8; page++) {
    if (random.chance(0.06)) pages.push({ page: L.CODE / L.PAGE + page, bits: random.pick([1, 2, 4]) });
  }
  if (random.chance(0.15)) pages.push({ page: (L.STACK + L.STACK_BYTES) / L.PAGE - 1, bits: random.pick([1, 2]) });
  return pages;
}

function repairedPages(random: Random): number[] {
  const pages: number[] = [];
  for (let page = L.CODE / L.PAGE; page < (L.STACK + L.STACK_BYTES) / L.PAGE; page++) {
    const isData = page >= L.DATA / L.PAGE && page < (L.SPECIAL + L.SPECIAL_BYTES) / L.PAGE;
    if (random.chance(isData ? 0.6 : 0.97)) pages.push(page);
  }
  return pages;
}

function slicesOf(random: Random, disturbed: boolean): Slice[] {
  const slices: Slice[] = [];
  let left = 3000 + random.int(10_000);
  const kind = random.int(5);
  while (left > 0 && slices.length < 40) {
    let instructions = left;
    // A translated region is entered only with some instructions left: see REGION_BUDGET.
    if (kind < 3) instructions = REGION_BUDGET + (random.chance(0.5) ? random.int(200) : random.int(4000));
    else if (kind === 3) instructions = random.pick([1, 2, 3, 10, 50, 200, 4000]) + random.int(40);
    instructions = Math.min(left, instructions);
    slices.push({ events: disturbed && slices.length > 0 ? eventsOf(random) : [], instructions });
    left -= instructions;
  }
  return slices;
}

function eventsOf(random: Random): SliceEvent[] {
  const events: SliceEvent[] = [];
  const kind = random.int(12);
  if (kind < 4) events.push({ kind: "interrupt", vector: 0x30 + random.int(8) });
  else if (kind === 4) events.push({ kind: "external" });
  else if (kind === 5) events.push({ kind: "nmi" });
  else if (kind === 6) {
    const bytes = Array.from({ length: 1 + random.int(64) }, () => random.int(256));
    events.push({ kind: "write", gpa: L.DATA_AT + random.int(0x7f00), bytes });
  } else if (kind === 7 && random.chance(0.3)) events.push({ kind: "reload" });
  return events;
}
