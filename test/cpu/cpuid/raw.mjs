// The raw form that Debian's `cpuid -r` prints and `cpuid -f` reads: a line for each leaf and subleaf of each CPU.

const REGISTERS = ["eax", "ebx", "ecx", "edx"];
const LINE =
  /^\s+0x([0-9a-f]{8}) 0x([0-9a-f]{2}): eax=0x([0-9a-f]+) ebx=0x([0-9a-f]+) ecx=0x([0-9a-f]+) edx=0x([0-9a-f]+)$/;

/** The answers of each CPU, in order. */
export function parseRaw(text) {
  const cpus = [];
  for (const line of text.split(/\r?\n/)) {
    if (/^CPU( \d+)?:$/.test(line)) cpus.push([]);
    const found = line.match(LINE);
    if (!found || cpus.length === 0) continue;
    const [leaf, subleaf, eax, ebx, ecx, edx] = found.slice(1).map((digits) => Number.parseInt(digits, 16));
    cpus.at(-1).push({ leaf, subleaf, eax, ebx, ecx, edx });
  }
  return cpus;
}

/** What the CPU of a table (cpuidTable's) answers, but for bits that follow from what runs. */
export function lookUp(table, leaf, subleaf) {
  const found = table.find((each) => each.leaf === leaf && (each.subleaf === subleaf || each.subleaf === null));
  return found ?? { leaf, subleaf, eax: 0, ebx: 0, ecx: 0, edx: 0 };
}

/** The raw form of tables, one for each CPU. */
export function rawText(tables) {
  return tables
    .map((table, index) => {
      const lines = [`CPU ${index}:`];
      const print = (leaf, subleaf) => {
        const answer = lookUp(table, leaf, subleaf);
        const registers = REGISTERS.map((name) => `${name}=0x${answer[name].toString(16).padStart(8, "0")}`);
        lines.push(
          `   0x${leaf.toString(16).padStart(8, "0")} 0x${subleaf.toString(16).padStart(2, "0")}: ${registers.join(" ")}`,
        );
      };
      for (const first of [0, 0x40000000, 0x80000000]) {
        const highest = lookUp(table, first, 0).eax;
        for (let leaf = first; leaf <= highest; leaf++) {
          const subleaves = table.filter((each) => each.leaf === leaf && each.subleaf !== null);
          if (subleaves.length === 0) print(leaf, 0);
          for (const { subleaf } of subleaves) print(leaf, subleaf);
        }
      }
      return lines.join("\n");
    })
    .join("\n")
    .concat("\n");
}
