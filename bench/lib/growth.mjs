// Whether a series of samples rises.
import { median } from "./table.mjs";

/** Medians of the second quarter, when everything is warm, and of the last. */
export function growth(values) {
  const quarter = Math.max(1, Math.floor(values.length / 4));
  return { early: median(values.slice(quarter, 2 * quarter)), late: median(values.slice(-quarter)) };
}
