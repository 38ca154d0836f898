/** What a judgement of the host consists of. */

/** From best to worst. */
export type Usability = "usable" | "limited" | "unusable";

export interface Finding {
  usability: Usability;
  /** One line each: what was found, what follows from it, what to do about it (null: nothing to do). */
  why: string;
  consequence: string;
  remedy: string | null;
}

export function limited(why: string, consequence: string, remedy: string | null): Finding {
  return { usability: "limited", why, consequence, remedy };
}

export function unusable(why: string, consequence: string, remedy: string | null): Finding {
  return { usability: "unusable", why, consequence, remedy };
}

export function worst(findings: readonly Finding[]): Usability {
  for (const usability of ["unusable", "limited"] as const) {
    if (findings.some((finding) => finding.usability === usability)) return usability;
  }
  return "usable";
}
