/** The smallest program that still shows a difference. */
import type { Mismatch } from "./lockstep.js";
import type { Item, Program } from "./program.js";

/** Candidates that are tried at most. */
const ATTEMPTS = 4000;

/**
 * Leaves out instructions, slices and whatever else can go while the two sides still differ. `attempt` runs a program
 * on machines in the same state each time.
 */
export function shrink(found: Mismatch, attempt: (program: Program) => Mismatch | null): Mismatch {
  let best = found;
  let left = ATTEMPTS;
  const accept = (program: Program): boolean => {
    if (left-- <= 0) return false;
    const mismatch = attempt(program);
    if (!mismatch) return false;
    best = mismatch;
    return true;
  };
  const change = (part: Partial<Program>) => accept({ ...best.program, ...part });

  change({ slices: best.program.slices.slice(0, best.slice + 1) });
  for (let before = -1; before !== size(best.program); ) {
    before = size(best.program);
    shrinkSlices();
    shrinkItems();
    for (const page of best.program.cleared)
      change({ cleared: best.program.cleared.filter((other) => other !== page) });
  }
  change({ base: 0n });
  if (best.program.kernel === best.program.bits) change({ ring: 0 });
  change({ mxcsr: 0x1f80 });
  change({ fcw: 0x37f });
  change({ rflags: 0 });
  best.program.registers.forEach((value, index) => {
    if (value !== 0n && index !== 4)
      change({ registers: best.program.registers.map((other, at) => (at === index ? 0n : other)) });
  });
  shrinkSlices();
  return best;

  function shrinkSlices(): void {
    const { slices } = best.program;
    const total = slices.reduce((sum, slice) => sum + slice.instructions, 0);
    if (slices.length > 1) change({ slices: [{ events: [], instructions: total }] });
    for (let index = 0; index < best.program.slices.length && best.program.slices.length > 1; ) {
      const { slices: now } = best.program;
      const joined = now.filter((_, at) => at !== index);
      const next = now[index + 1];
      const merged = next
        ? now.flatMap((slice, at) =>
            at === index
              ? [{ events: [...slice.events, ...next.events], instructions: slice.instructions + next.instructions }]
              : at === index + 1
                ? []
                : [slice],
          )
        : joined;
      if (!change({ slices: joined }) && !change({ slices: merged })) index++;
    }
    best.program.slices.forEach(({ events }, index) => {
      if (events.length > 0) replaceSlice(index, { events: [] });
    });
    // The last slice ends as soon as there is a difference.
    for (let step = best.program.slices.at(-1)!.instructions >> 1; step > 0; step >>= 1) {
      for (;;) {
        const index = best.program.slices.length - 1;
        const { instructions } = best.program.slices[index]!;
        if (instructions <= step || !replaceSlice(index, { instructions: instructions - step })) break;
      }
    }
  }

  function replaceSlice(index: number, part: Partial<Program["slices"][number]>): boolean {
    return change({ slices: best.program.slices.map((slice, at) => (at === index ? { ...slice, ...part } : slice)) });
  }

  // Halves, quarters and so on of each section's instructions, down to single ones. Labels stay.
  function shrinkItems(): void {
    for (let index = 0; index < best.program.sections.length; index++) {
      const count = () => real(best.program.sections[index]!.items).length;
      for (let size = count(); size > 0; size >>= 1) {
        for (let at = 0; at < count(); ) {
          const gone = new Set(real(best.program.sections[index]!.items).slice(at, at + size));
          const sections = best.program.sections.map((section, other) =>
            other === index ? { ...section, items: section.items.filter((item) => !gone.has(item)) } : section,
          );
          if (!change({ sections })) at += size;
        }
      }
    }
  }
}

function real(items: readonly Item[]): Item[] {
  return items.filter(({ label }) => label === undefined);
}

function size(program: Program): number {
  const instructions = program.sections.reduce((sum, { items }) => sum + real(items).length, 0);
  return instructions + program.slices.length + program.cleared.length;
}
