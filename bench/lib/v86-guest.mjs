// A 32-bit guest on v86, its serial port on standard output: node v86-guest.mjs KERNEL INITRD APPEND MEMORY_MIB
// Needs the npm package v86 and SeaBIOS (Debian package seabios).
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { V86 } from "v86";

const [kernel, initrd, append, memory] = process.argv.slice(2);
const file = (path) => {
  const bytes = readFileSync(path);
  return { buffer: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) };
};
const require = createRequire(import.meta.url);
const emulator = new V86({
  wasm_path: join(dirname(require.resolve("v86")), "v86.wasm"),
  memory_size: Number(memory) << 20,
  vga_memory_size: 8 << 20,
  bios: file("/usr/share/seabios/bios.bin"),
  vga_bios: file("/usr/share/seabios/vgabios-stdvga.bin"),
  bzimage: file(kernel),
  initrd: file(initrd),
  cmdline: `${append} tsc=reliable mitigations=off`,
  autostart: true,
  disable_keyboard: true,
  disable_mouse: true,
  acpi: false,
});
let tail = "";
emulator.add_listener("serial0-output-byte", (byte) => {
  const character = String.fromCharCode(byte);
  process.stdout.write(character);
  tail = (tail + character).slice(-32);
  // It cannot power off.
  if (tail.includes("BENCH_DONE")) setTimeout(() => process.exit(0), 100);
});
