// The results of all systems as one table of text.

function geometricMean(values) {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/** A virtual machine's CPU time has steps of 10 ms and may be none at all. */
const floor = (seconds) => Math.max(seconds, 0.001);

/** Ratios a / b over the programs that both completed. */
export function ratios(a, b) {
  const names = Object.keys(a.programs).filter((name) => name in b.programs);
  const values = names.map((name) => floor(a.programs[name].seconds) / floor(b.programs[name].seconds));
  return { names, values, mean: values.length > 0 ? geometricMean(values) : null };
}

/** Programs whose check differs from the first system's. */
export function wrongChecks(systems) {
  const [[, first] = [], ...others] = Object.entries(systems);
  const wrong = [];
  for (const [system, { programs }] of others) {
    for (const [name, { check }] of Object.entries(programs)) {
      if (first.programs[name] && first.programs[name].check !== check) wrong.push(`${system}: ${name}`);
    }
  }
  return wrong;
}

export function formatTable(systems) {
  const names = [...new Set(Object.values(systems).flatMap(({ programs }) => Object.keys(programs)))];
  const labels = Object.keys(systems);
  const base = systems.native;
  const cells = (row) => row.map((cell, index) => (index === 0 ? cell.padEnd(18) : cell.padStart(15))).join("");
  const header = [
    "CPU seconds",
    ...labels,
    ...labels.filter((label) => label !== "native").map((label) => `${label}/nat`),
  ];
  if (systems.ringvisor && systems.qemu) header.push("ring/qemu");
  const rows = names.map((name) => {
    const seconds = labels.map((label) => systems[label].programs[name]?.seconds);
    const row = [name, ...seconds.map((value) => (value === undefined ? "-" : value.toFixed(2)))];
    for (const label of labels.filter((each) => each !== "native")) {
      row.push(ratio(systems[label].programs[name], base?.programs[name]));
    }
    if (systems.ringvisor && systems.qemu)
      row.push(ratio(systems.ringvisor.programs[name], systems.qemu.programs[name]));
    return row;
  });
  const mean = ["geometric mean", ...labels.map(() => "")];
  for (const label of labels.filter((each) => each !== "native")) {
    mean.push(base ? format(ratios(systems[label], base).mean) : "-");
  }
  if (systems.ringvisor && systems.qemu) mean.push(format(ratios(systems.ringvisor, systems.qemu).mean));
  const boot = ["boot to init", ...labels.map((label) => format(systems[label].boot))];
  return [header, ...rows, mean, boot].map(cells).join("\n");
}

function ratio(a, b) {
  return a && b ? format(floor(a.seconds) / floor(b.seconds)) : "-";
}

function format(value) {
  return value === null || value === undefined ? "-" : value.toFixed(2);
}
