/** Readers for the few shapes in which Linux tells about itself. */
import type { HostView } from "./host-view.js";

/** "key: value" lines of /proc; the first of each key counts. */
export function parseFields(text: string | null): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of (text ?? "").split("\n")) {
    const match = /^([^:\s][^:]*?)\s*:\s*(.*)$/.exec(line);
    if (match && !fields.has(match[1])) fields.set(match[1], match[2].trim());
  }
  return fields;
}

/** The number that a file of /proc or /sys holds, or null. */
export function readNumber(view: HostView, path: string): number | null {
  const text = view.readText(path)?.trim() ?? "";
  return /^-?[0-9]+$/.test(text) ? Number(text) : null;
}

export function words(text: string | null | undefined): string[] {
  return (text ?? "").split(/\s+/).filter((word) => word !== "");
}

/** Whether version "a.b.c-more" is at least `minimum`, number by number. */
export function isAtLeast(version: string, minimum: readonly number[]): boolean {
  const parts = version.split(/[^0-9]+/).map(Number);
  for (const [index, wanted] of minimum.entries()) {
    const part = parts[index] || 0;
    if (part !== wanted) return part > wanted;
  }
  return true;
}

/** The full path of a command in PATH, or null. */
export function findCommand(view: HostView, name: string): string | null {
  for (const folder of view.process.path.split(":")) {
    if (!folder.startsWith("/")) continue;
    const path = `${folder}/${name}`;
    const status = view.status(path);
    if (status?.kind === "file" && (status.mode & 0o111) !== 0) return path;
  }
  return null;
}
