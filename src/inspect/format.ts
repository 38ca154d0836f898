/** Numbers as people read them in a debugger. */

export function hex(value: bigint | number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}

/** Lines of 16 bytes: address, hexadecimal, characters. */
export function dumpBytes(address: bigint, bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16);
    const digits = [...row].map((byte) => hex(byte, 2)).join(" ");
    const text = [...row].map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
    lines.push(`${hex(address + BigInt(at), 16)}  ${digits.padEnd(47)}  ${text}`);
  }
  return lines.join("\n");
}
