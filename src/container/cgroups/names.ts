/** The key of the v2 hierarchy among controllers, which has no controller's name. */
export const UNIFIED = "";

/** v1 has block I/O under its older name. */
export function v1Name(v2Name: string): string {
  return v2Name === "io" ? "blkio" : v2Name;
}
