import { getSystemErrorMap } from "node:util";

/** The texts of strerror(3) that engines look for in a runtime's words; libuv's differ for none of the others. */
const TEXT: Readonly<Record<number, string>> = {
  1: "operation not permitted",
  2: "no such file or directory",
  3: "no such process",
  5: "input/output error",
  6: "no such device or address",
  8: "exec format error",
  11: "resource temporarily unavailable",
  12: "cannot allocate memory",
  13: "permission denied",
  16: "device or resource busy",
  17: "file exists",
  19: "no such device",
  20: "not a directory",
  21: "is a directory",
  22: "invalid argument",
  26: "text file busy",
  28: "no space left on device",
  30: "read-only file system",
  36: "file name too long",
  38: "function not implemented",
  40: "too many levels of symbolic links",
  62: "timer expired",
  125: "operation canceled",
  95: "operation not supported",
};

export function errnoText(errno: number): string {
  return TEXT[errno] ?? getSystemErrorMap().get(-errno)?.[1] ?? `errno ${errno}`;
}
