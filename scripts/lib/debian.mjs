// Debian packages that tests use: a real gdb, a real assembler, a real CPU's answers.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** A program or file that a test looks for, and the package that has it. */
const TOOLS = [
  { program: "gcc", packages: ["gcc", "libc6-dev"] },
  { program: "objcopy", packages: ["binutils"] },
  { program: "gdb", packages: ["gdb"] },
  { program: "script", packages: ["bsdutils"] },
  { program: "busybox", packages: ["busybox-static"] },
  { program: "strace", packages: ["strace"] },
  { program: "cpuid", packages: ["cpuid"] },
  { program: "/usr/share/seabios/bios-256k.bin", packages: ["seabios"] },
  { program: "/boot/memtest86+x64.bin", packages: ["memtest86+"] },
  { program: "/usr/lib/grub-rescue/grub-rescue-floppy.img", packages: ["grub-rescue-pc"] },
];

function has(program) {
  if (program.startsWith("/")) return existsSync(program);
  return (process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, program)));
}

/**
 * Installs what is missing where that is possible, and says so. Tests skip, with the reason, where it is not.
 *
 * @returns the programs that are still missing
 */
export function ensureTestPackages(tools = TOOLS) {
  const missing = () => tools.filter(({ program }) => !has(program));
  const lacking = missing();
  if (lacking.length === 0) return [];
  const packages = lacking.flatMap((tool) => tool.packages);
  if (process.getuid?.() !== 0 || !has("apt-get")) {
    console.log(`not installed, so some tests will be skipped: ${packages.join(" ")} (as root they are installed)`);
    return lacking.map(({ program }) => program);
  }
  console.log(`installing Debian packages for the tests: ${packages.join(" ")}`);
  const options = {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  };
  const apt = (...args) => spawnSync("apt-get", ["-qq", ...args], options).status === 0;
  const install = () => apt("install", "-y", "--no-install-recommends", ...packages);
  if (!install() && !(apt("update") && install())) console.log("that failed: some tests will be skipped");
  return missing().map(({ program }) => program);
}
