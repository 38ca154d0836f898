// The results of all systems as tables of text, and ratios between them.

export function geometricMean(values) {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/** The middle one; of an even number the mean of the two in the middle. */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The value that `share` of them do not exceed: 0 gives the least, 1 the most. */
export function percentile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

/** Below this a time is noise, and may be none at all. */
const floor = (seconds) => Math.max(seconds, 0.0001);

/** Programs of guestbench that belong together, beside all of them. */
export const GROUPS = {
  "floating point, SIMD": ["matmul_f64", "mandelbrot_f64", "simd"],
  "kernel paths": ["syscall_getppid", "pipe_pingpong", "fork_exit", "pagefault", "sh_spawn"],
};

/** Ratios a / b over the programs that both completed, of `only` where it is given. */
export function ratios(a, b, only = null) {
  const names = Object.keys(a.programs).filter((name) => name in b.programs && (only?.includes(name) ?? true));
  const values = names.map((name) => floor(a.programs[name].seconds) / floor(b.programs[name].seconds));
  return { names, values, mean: values.length > 0 ? geometricMean(values) : null };
}

/** Geometric means of the ratios a / b over all programs and over each group, and the worst program. */
export function summary(a, b) {
  const all = ratios(a, b);
  if (all.mean === null) return null;
  const worst = all.values.indexOf(Math.max(...all.values));
  const groups = Object.entries(GROUPS).map(([name, only]) => [name, ratios(a, b, only).mean]);
  return {
    all: all.mean,
    ...Object.fromEntries(groups),
    worst: { name: all.names[worst], ratio: all.values[worst] },
  };
}

/** Without SSE2 it does other work, so its check is another with 32 bits. */
const DIFFERS_BY_BITS = ["simd"];

/**
 * Programs whose check differs from the first system's that ran them, as `system: program`.
 *
 * @param bits of a system's guest, by its label
 */
export function wrongChecks(systems, bits = () => 64) {
  const right = new Map();
  const wrong = [];
  for (const [system, { programs }] of Object.entries(systems)) {
    for (const [name, { check }] of Object.entries(programs)) {
      const key = DIFFERS_BY_BITS.includes(name) ? `${name} ${bits(system)}` : name;
      if (!right.has(key)) right.set(key, check);
      else if (right.get(key) !== check) wrong.push(`${system}: ${name}`);
    }
  }
  return wrong;
}

/**
 * Several runs of one system as one: medians of the times; what failed in any run is left out.
 *
 * @throws Error where a program's check differs between the runs
 */
export function mergeRounds(results) {
  const [first, ...others] = results;
  const programs = {};
  for (const [name, { check }] of Object.entries(first.programs)) {
    if (!others.every((each) => name in each.programs)) continue;
    for (const each of others) {
      if (each.programs[name].check !== check)
        throw new Error(`${name} gave ${check} and ${each.programs[name].check}`);
    }
    programs[name] = { seconds: median(results.map((each) => each.programs[name].seconds)), check };
  }
  const middle = (key) => {
    const values = results.map((each) => each[key]).filter((value) => value !== null);
    return values.length > 0 ? median(values) : null;
  };
  const error = results.find((each) => each.error !== null)?.error ?? null;
  return { ...first, programs, boot: middle("boot"), peakRss: middle("peakRss"), total: middle("total"), error };
}

/**
 * Which columns are compared: each of ours with each peer that runs the same guest. A peer that runs on Node too is
 * compared on the same version only.
 *
 * @param runs `{ label, system, node }` of the columns; `node` is null for a peer that is no JavaScript
 */
export function comparisons(runs) {
  const peers = { ringvisor: ["native", "qemu"], "ringvisor-i386": ["v86", "qemu-i386"] };
  const pairs = [];
  for (const ours of runs) {
    for (const system of peers[ours.system] ?? []) {
      for (const peer of runs.filter((each) => each.system === system)) {
        if (peer.node === null || peer.node === ours.node) pairs.push([ours.label, peer.label]);
      }
    }
  }
  return pairs;
}

/** Lays out rows: the first column to the left, the others to the right, each as wide as it needs. */
export function layOut(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  const pad = (cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column] + 2));
  return rows.map((row) => row.map(pad).join("").trimEnd()).join("\n");
}

/** A row a program: seconds of each system, then the ratios of the pairs. */
export function formatTable(systems, pairs = []) {
  const names = [...new Set(Object.values(systems).flatMap(({ programs }) => Object.keys(programs)))];
  const labels = Object.keys(systems);
  const header = ["CPU seconds", ...labels, ...pairs.map(([ours, peer]) => `${ours}/${peer}`)];
  const rows = names.map((name) => [
    name,
    ...labels.map((label) => format(systems[label].programs[name]?.seconds, 3)),
    ...pairs.map(([ours, peer]) => format(ratios(systems[ours], systems[peer], [name]).mean)),
  ]);
  const boot = ["boot to init", ...labels.map((label) => format(systems[label].boot, 3))];
  boot.push(...pairs.map(([ours, peer]) => ratio(systems[ours].boot, systems[peer].boot)));
  const rss = ["peak RSS, MiB", ...labels.map((label) => format(mebibytes(systems[label].peakRss), 0))];
  return layOut([header, ...rows, boot, rss]);
}

/** A row a pair: geometric means over all programs and the groups, and the worst. */
export function formatSummary(systems, pairs) {
  const rows = pairs.flatMap(([ours, peer]) => {
    const each = summary(systems[ours], systems[peer]);
    if (each === null) return [];
    const groups = Object.keys(GROUPS).map((name) => format(each[name]));
    return [[`${ours}/${peer}`, format(each.all), ...groups, `${format(each.worst.ratio)} ${each.worst.name}`]];
  });
  return rows.length > 0 ? layOut([["geometric means", "all", ...Object.keys(GROUPS), "worst"], ...rows]) : "";
}

export function mebibytes(bytes) {
  return typeof bytes === "number" ? bytes / (1 << 20) : null;
}

export function ratio(a, b) {
  return a && b ? format(a / b) : "-";
}

export function format(value, digits = 2) {
  return value === null || value === undefined ? "-" : value.toFixed(digits);
}
