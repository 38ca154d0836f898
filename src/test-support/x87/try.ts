import { readFileSync } from "node:fs";
import { EmulatedX87, RECORD_BYTES, describe } from "./emulated.js";
const x87 = await EmulatedX87.create(readFileSync(process.argv[2]!));
const data = readFileSync(process.argv[3]!);
const view = new DataView(data.buffer, data.byteOffset, data.length);
const seen = new Map<string, number>();
let bad = 0;
for (let at = 0; at < data.length; at += RECORD_BYTES) {
  x87.run(view, at);
  const d = x87.differences(view, at);
  if (d.length) {
    bad++;
    const modrm = data[at + 1]!;
    const key = `${data[at]!.toString(16)} ${modrm >= 0xc0 ? (modrm & 0xf8).toString(16) + (data[at] === 0xd9 && modrm >= 0xd8 || data[at]===0xdb ? "+" + (modrm & 7) : "") : "/" + (modrm >> 3)} ${d.map((x) => x.split(":")[0]).join(",")}`;
    const n = seen.get(key) ?? 0;
    seen.set(key, n + 1);
    if (n < 2) console.log(describe(view, at), "\n    ", d.join("; "));
  }
}
console.log(bad, "of", data.length / RECORD_BYTES);
for (const [k, v] of [...seen].sort((a, b) => b[1] - a[1]).slice(0, 60)) console.log(v, k);
