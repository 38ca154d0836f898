// What an attack came to.

/** @typedef {{ok: boolean, text: string}} Verdict */

/** The most frequent first: "12 EPERM, 3 EROFS". */
function tally(words) {
  const counts = new Map();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .map(([word, count]) => (count > 1 ? `${count} ${word}` : word))
    .join(", ");
}

/** The last line of what a runtime says, without its time stamp. */
export function complaint({ status, signal, stderr }) {
  const last = stderr.trim().split("\n").at(-1) ?? "";
  const message = /msg="((?:[^"\\]|\\.)*)"/.exec(last)?.[1] ?? last;
  return `${signal ?? `exit ${status}`}: ${message}`.slice(0, 200);
}

/**
 * Reads what an attack's program printed (programs/report.h).
 * @param {{status: number | null, signal: string | null, stdout: string, stderr: string}} result
 * @param {string | undefined} damage what the host found changed
 * @param {boolean} mayRefuse the runtime may refuse to start the container
 * @returns {Verdict}
 */
export function judge(result, damage, mayRefuse = false) {
  const lines = result.stdout.split("\n");
  const escaped = lines.filter((line) => line.startsWith("ESCAPED"));
  if (damage !== undefined) return { ok: false, text: `ESCAPED: ${damage}` };
  if (escaped.length > 0)
    return { ok: false, text: `${escaped[0]}${escaped.length > 1 ? ` (of ${escaped.length})` : ""}` };
  const refused = lines.filter((line) => line.startsWith("refused"));
  const contained = lines.filter((line) => line.startsWith("contained"));
  if (!lines.includes("done")) {
    const started = refused.length + contained.length > 0;
    if (mayRefuse && !started && result.status !== 0) return { ok: true, text: "container refused" };
    return { ok: false, text: `BROKEN: ${complaint(result)}` };
  }
  const parts = [];
  if (refused.length > 0) parts.push(`refused: ${tally(refused.map((line) => line.split(": ").at(-1)))}`);
  if (contained.length > 0) parts.push(`contained: ${contained.length}`);
  return parts.length > 0 ? { ok: true, text: parts.join("; ") } : { ok: false, text: "BROKEN: nothing was tried" };
}

/** Several verdicts as one: the first that is not good, else the last. */
export function worst(verdicts) {
  return verdicts.find(({ ok }) => !ok) ?? verdicts.at(-1);
}
