/** What a program may have in it beside integer instructions, loops, branches and calls; each is in by chance. */
export const PROGRAM_FEATURES = [
  "sse",
  "mmx",
  "x87",
  "bmi",
  "avx",
  "strings",
  "indirect",
  "modify",
  "faults",
  "wild",
  "devices",
  "system",
  "events",
  "steps",
] as const;
export type ProgramFeature = (typeof PROGRAM_FEATURES)[number];

/** How likely a feature is in a program. */
export const LIKELY: Record<ProgramFeature, number> = {
  sse: 0.35,
  mmx: 0.08,
  x87: 0.12,
  bmi: 0.15,
  avx: 0.15,
  strings: 0.35,
  indirect: 0.4,
  modify: 0.25,
  faults: 0.3,
  wild: 0.25,
  devices: 0.15,
  system: 0.35,
  events: 0.5,
  steps: 0.08,
};
