// What a validation program says in TAP, and how two runs of it compare.

/**
 * Reads the output of one program: its test points by description, and whether it reported an error outside of any
 * (programs whose point is a failure print only a diagnostic).
 */
export function parseTap(text) {
  const points = [];
  for (const line of text.split("\n")) {
    const found = /^(not )?ok\b\s*(\d+)?\s*(?:- )?(.*?)\s*(# skip.*)?$/i.exec(line);
    if (!found) continue;
    points.push({ description: found[3], result: found[4] ? "skip" : found[1] ? "not ok" : "ok" });
  }
  return { points, error: points.length === 0 && /^\s*"error":/m.test(text) };
}

const count = (run, result) => run.points.filter((point) => point.result === result).length;

/** Figures of one run for a table. */
export function figures(run) {
  return { ok: count(run, "ok"), notOk: count(run, "not ok"), skipped: count(run, "skip") };
}

/** Whether a whole program passed. */
export function passed(run) {
  return !run.timedOut && run.status === 0 && !run.error && count(run, "not ok") === 0;
}

/** What passes in `reference` and does not in `other`: descriptions, empty where `other` is no worse. */
export function regressions(reference, other) {
  const found = [];
  const descriptions = new Set(reference.points.map((point) => point.description));
  for (const description of descriptions) {
    const oks = (run) =>
      run.points.filter((point) => point.description === description && point.result === "ok").length;
    // A point that the reference passes and the other skips is not passed: skips count like failures here.
    if (oks(other) < oks(reference)) found.push(description || "(no description)");
  }
  if (reference.status === 0 && other.status !== 0) {
    found.push(other.timedOut ? "did not end in time" : `exit code ${other.status ?? other.signal}`);
  }
  if (passed(reference) && !passed(other) && found.length === 0) found.push("the program as a whole");
  return found;
}
