// QEMU without hardware virtualization, so that its processor is the one that we ask for, with AMD-V in it.
import { capture, start } from "./tools.mjs";

const PROGRAM = "qemu-system-x86_64";
/** The kernel will not come back from these. */
const DEAD = /Kernel panic|Unable to mount root|Attempted to kill init/;

export async function qemuVersion() {
  return (await capture(PROGRAM, ["--version"])).split("\n")[0];
}

/**
 * The translated processors' TSCs agree, but a slow host makes Linux doubt it, and its other clocks cost an exit each.
 *
 * @param parameters the end of the kernel's command line
 */
export function qemuArguments({ disk, kernel, cpu, cpus, memory, parameters }) {
  return [
    ...["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", cpu, "-smp", `${cpus}`, "-m", memory],
    ...["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio"],
    ...["-drive", `file=${disk},format=raw,if=none,id=root,cache=unsafe`, "-device", "nvme,drive=root,serial=root"],
    ...["-device", "virtio-rng-pci", "-kernel", kernel],
    ...["-append", `console=ttyS0 root=/dev/nvme0n1 rw panic=-1 loglevel=5 tsc=reliable ${parameters}`],
  ];
}

/**
 * Runs QEMU until it ends, its kernel dies, or the time is over.
 *
 * @param onLine gets each line of the console
 * @returns null where QEMU ended by itself, else why it was ended
 */
export function runQemu(args, { timeout, onLine }) {
  const child = start(PROGRAM, args, { stdio: ["ignore", "pipe", "pipe"] });
  let verdict = null;
  const end = (why) => {
    verdict ??= why;
    child.kill("SIGKILL");
  };
  const timer = setTimeout(() => end(`not done after ${timeout / 60_000} minutes`), timeout);
  const lines = (stream, handle) => {
    let rest = "";
    stream.setEncoding("utf8").on("data", (text) => {
      const parts = (rest + text).split("\n");
      rest = parts.pop();
      for (const part of parts) handle(part.replaceAll("\r", ""));
    });
    stream.on("end", () => rest !== "" && handle(rest.replaceAll("\r", "")));
  };
  lines(child.stdout, (line) => {
    onLine(line);
    // An inner guest's lines have a bar before them; its death is for Ringvisor to report.
    if (DEAD.test(line) && !line.startsWith("  |")) setTimeout(() => end("the kernel that QEMU boots died"), 2000);
  });
  lines(child.stderr, (line) => onLine(`qemu: ${line}`));
  return new Promise((resolve, reject) => {
    child.on("error", (error) => reject(new Error(`cannot run ${PROGRAM}: ${error.message}`)));
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      resolve(verdict ?? (code === 0 ? null : `QEMU ended with ${signal ?? code}`));
    });
  });
}
