// docs/containers-conformance.md: each suite writes its own section between two markers.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { ROOT } from "../../../scripts/lib/project.mjs";

const DOCUMENT = join(ROOT, "docs/containers-conformance.md");

/** Replaces the section `name`. Throws where the document has no such section. */
export function writeSection(name, lines) {
  const [start, end] = [`<!-- ${name}: written by the suite -->`, `<!-- ${name}: end -->`];
  const text = readFileSync(DOCUMENT, "utf8");
  const [from, to] = [text.indexOf(start), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`docs/containers-conformance.md has no section ${name}`);
  writeFileSync(DOCUMENT, `${text.slice(0, from) + start}\n\n${lines.join("\n")}\n\n${text.slice(to)}`);
}

/** A Markdown table. */
export function table(head, rows) {
  const line = (cells) => `| ${cells.map((cell) => String(cell).replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)];
}

/** When and on what: one line for the document. */
export function circumstances(versions) {
  const commit = spawnSync("git", ["-C", ROOT, "rev-parse", "--short", "HEAD"], { encoding: "utf8" }).stdout?.trim();
  const date = new Date().toISOString().slice(0, 10);
  return `${date}, commit ${commit || "unknown"}, Linux ${release().split("-")[0]}, Node ${process.versions.node}; ${versions.join("; ")}.`;
}
