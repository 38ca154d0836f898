// Debian's `cpuid` as a reader of tables.
import { spawnSync } from "node:child_process";

/** Why the tool cannot be asked, or false. */
export function toolObstacle() {
  const { error, status } = spawnSync("cpuid", ["-v"]);
  return error || status !== 0 ? "Debian's package cpuid is not installed" : false;
}

/** What the tool makes of raw text: for each CPU its lines as [indentation, name, value]. */
export function decode(raw) {
  const { status, stdout, stderr, error } = spawnSync("cpuid", ["-f", "-"], {
    input: raw,
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  if (error || status !== 0) throw new Error(`cpuid: ${error ?? stderr}`);
  return parseDecoded(stdout);
}

/** The same for what it printed elsewhere. */
export function parseDecoded(text) {
  const cpus = [];
  let group = "";
  for (const line of text.split(/\r?\n/)) {
    if (/^CPU( \d+)?:$/.test(line)) {
      cpus.push([]);
      continue;
    }
    if (cpus.length === 0 || line.trim() === "") continue;
    const named = line.match(/^(\s+)(.*?)\s+= (.*)$/);
    if (!named) {
      if (/^ {3}\S/.test(line)) group = line.trim().replace(/:$/, "");
      cpus.at(-1).push({ group, name: line.trim(), value: "" });
      continue;
    }
    if (named[1].length <= 3) group = "";
    cpus.at(-1).push({ group, name: named[2].trim(), value: named[3].trim() });
  }
  return cpus;
}
