// What a cold program did in its first moments, from the lines of guest/warmup.

/**
 * @param line `WARM <workload> <check> <window in ms> <units by the end of each window>...`
 * @returns `{ name, check, window, units }`; the window in seconds
 */
export function parseWarmLine(line) {
  const [, name, check, window, ...units] = line.split(" ");
  return { name, check, window: Number(window) / 1000, units: units.map(Number) };
}

/** Units done in the first `seconds`. */
export function unitsBy({ window, units }, seconds) {
  return units[Math.round(seconds / window) - 1] ?? null;
}

/** Units a second in the last third. */
export function steadyRate({ window, units }) {
  const from = Math.floor((units.length * 2) / 3) - 1;
  return (units.at(-1) - units[from]) / ((units.length - 1 - from) * window);
}

/** What was done in the first `seconds` as a share of what the steady state would have done. */
export function shareOfSteady(run, seconds) {
  const units = unitsBy(run, seconds);
  return units === null ? null : units / (steadyRate(run) * seconds);
}
