// npm run bench -- [--only LIST] [--scale X] [--systems LIST] [--accel NAME] [--shell] [--kernel FILE]
//                  [--kernel-i386 FILE] [--memory MIB] [--timeout SECONDS] [--out FILE] [--echo]
// Fixed work natively, on Ringvisor, on QEMU and on v86: host CPU seconds in one table, and as JSON.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "../scripts/lib/build.mjs";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    scale: { type: "string", default: "0.1" },
    systems: { type: "string", default: "native,ringvisor,qemu,v86" },
    accel: { type: "string", default: "auto" },
    shell: { type: "boolean", default: false },
    kernel: { type: "string" },
    "kernel-i386": { type: "string" },
    memory: { type: "string", default: "512" },
    timeout: { type: "string", default: "1800" },
    out: { type: "string", default: "bench-results.json" },
    echo: { type: "boolean", default: false },
  },
});
if (!build()) process.exit(1);
const dist = new URL("../dist/", import.meta.url);
const { guestbench, guestbenchImage, shellImage, shellScript, dataFile } = await import("./lib/images.mjs");
const { measure } = await import("./lib/measure.mjs");
const { formatTable, ratios, wrongChecks } = await import("./lib/table.mjs");

const scratch = mkdtempSync(join(tmpdir(), "ringvisor-bench-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
const { getDefaultGuest } = await import(new URL("node/default-guest.js", dist));
const { createProgress } = await import(new URL("node/progress.js", dist));
const guest = await getDefaultGuest(createProgress());
let { kernel } = values;
if (!kernel) {
  kernel = join(scratch, "vmlinuz");
  writeFileSync(kernel, guest.kernel.bytes);
}

const image = values.shell ? shellImage(guest.initrd.bytes) : guestbenchImage(64);
const append = [
  "console=ttyS0 quiet panic=-1",
  ...(values.shell ? [] : [`BENCH_SCALE=${values.scale}`, `BENCH_ONLY=${values.only}`]),
].join(" ");
const statsFile = join(scratch, "stats.json");

/** How each system is started; null, with a reason, where it cannot be. */
const SYSTEMS = {
  native: () => {
    if (!values.shell) return { command: [guestbench(64), values.scale, values.only], native: true };
    const env = { DIR: scratch, XZ: dataFile() ?? "/none" };
    return { command: ["sh", "-c", `. ${shellScript()}; echo BENCH_DONE`], native: true, env };
  },
  ringvisor: () => ({
    command: [
      ...[process.execPath, fileURLToPath(new URL("cli/main.js", dist)), "boot", "--accel", values.accel],
      ...["--kernel", kernel, "--initrd", image, "--append", append, "--memory", `${values.memory}M`],
      ...["--no-reboot", `--stats=${statsFile}`],
    ],
  }),
  qemu: () => ({
    command: [
      ...["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", values.memory, "-no-reboot"],
      ...["-display", "none", "-serial", "stdio", "-monitor", "none"],
      ...["-kernel", kernel, "-initrd", image, "-append", append],
    ],
  }),
  v86: () => {
    if (values.shell) return "the shell programs are for 64-bit guests";
    try {
      import.meta.resolve("v86");
    } catch {
      return "the npm package v86 is not installed";
    }
    if (!values["kernel-i386"]) return "it needs a 32-bit kernel: --kernel-i386 FILE";
    const image32 = guestbenchImage(32);
    if (!image32) return "32-bit guestbench needs gcc-multilib";
    const script = fileURLToPath(new URL("./lib/v86-guest.mjs", import.meta.url));
    return { command: [process.execPath, script, values["kernel-i386"], image32, append, values.memory] };
  },
};

const systems = {};
for (const name of values.systems.split(",")) {
  const start = SYSTEMS[name]?.() ?? "there is no such system";
  if (typeof start === "string") {
    console.error(`${name}: left out: ${start}`);
    continue;
  }
  console.error(`${name} ...`);
  const result = await measure(start.command, { ...start, timeoutSeconds: Number(values.timeout), echo: values.echo });
  if (result.error) console.error(`${name}: ${result.error}`);
  if (Object.keys(result.programs).length > 0 || result.boot !== null) systems[name] = result;
}

if (systems.ringvisor) {
  try {
    systems.ringvisor.stats = JSON.parse(readFileSync(statsFile, "utf8"));
  } catch {
    console.error("ringvisor wrote no statistics");
  }
}
console.log(formatTable(systems));
const stats = systems.ringvisor?.stats;
if (stats?.instructions && stats.cpuSeconds) {
  console.log(`ringvisor: ${(stats.instructions / stats.cpuSeconds / 1e6).toFixed(0)} MIPS over the whole run`);
}
const wrong = wrongChecks(systems);
for (const each of wrong) console.log(`WRONG RESULT ${each}`);

const against = (base) => (systems.ringvisor && systems[base] ? ratios(systems.ringvisor, systems[base]).mean : null);
writeFileSync(
  values.out,
  `${JSON.stringify(
    {
      date: new Date().toISOString(),
      host: { cpu: cpus()[0]?.model, node: process.version },
      scale: Number(values.scale),
      systems,
      wrong,
      ringvisorToNative: against("native"),
      ringvisorToQemu: against("qemu"),
    },
    null,
    2,
  )}\n`,
);
process.exit(wrong.length === 0 ? 0 : 1);
