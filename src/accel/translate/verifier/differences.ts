/** Where two values of plain data differ, as lines of path and both values. */
export function differencesOf(first: unknown, second: unknown, path = ""): string[] {
  if (first === second) return [];
  if (isRecord(first) && isRecord(second)) {
    const names = new Set([...Object.keys(first), ...Object.keys(second)]);
    return [...names].flatMap((name) =>
      differencesOf(first[name], second[name], path === "" ? name : `${path}.${name}`),
    );
  }
  return Object.is(first, second) ? [] : [`${path}: ${show(first)}, ${show(second)}`];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object";
}

function show(value: unknown): string {
  return typeof value === "bigint" || typeof value === "number" ? `0x${value.toString(16)}` : String(value);
}
