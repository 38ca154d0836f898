/** What a program finds beside its code and registers, and what happens to it from outside. */
import type { Random } from "../random.js";
import * as L from "./layout.js";
import type { Program, Slice, SliceEvent } from "./program.js";

export function clearedPages(random: Random): Program["cleared"] {
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

export function repairedPages(random: Random): number[] {
  const pages: number[] = [];
  for (let page = L.CODE / L.PAGE; page < (L.STACK + L.STACK_BYTES) / L.PAGE; page++) {
    const isData = page >= L.DATA / L.PAGE && page < (L.SPECIAL + L.SPECIAL_BYTES) / L.PAGE;
    if (random.chance(isData ? 0.6 : 0.97)) pages.push(page);
  }
  return pages;
}

export function slicesOf(random: Random, disturbed: boolean): Slice[] {
  const slices: Slice[] = [];
  let left = 600 + random.int(4000);
  const kind = random.int(4);
  while (left > 0 && slices.length < 40) {
    let instructions = left;
    if (kind === 1) instructions = 200 + random.int(1200);
    if (kind === 2) instructions = random.pick([1, 2, 3, 10, 50, 200, 500, 1000]) + random.int(40);
    if (kind === 3) instructions = 30 + random.int(300);
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
