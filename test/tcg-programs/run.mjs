// npm run test:tcg-programs -- --dir DIR [--kernel cloud|amd64|686-pae] [--cpu MODEL] [--only WORD]... [--timeout SECONDS]
// Programs of one's own build (QEMU's tests/tcg: each a static executable in DIR) on this machine's CPU and in a guest
// with a kernel of Debian's: output and exit code are to be the same. What is not the same twice on this machine
// (addresses, times) is compared by its exit code alone. Differing outputs are written to DIR/NAME.guest and .native.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { build } from "../../scripts/lib/build.mjs";
import { existing, wholeNumber } from "../support/arguments.mjs";

const { values } = parseArgs({
  options: {
    dir: { type: "string" },
    kernel: { type: "string", default: "amd64" },
    cpu: { type: "string", default: "max" },
    only: { type: "string", multiple: true, default: [] },
    timeout: { type: "string", default: "600" },
  },
});
if (!values.dir) {
  console.error("--dir DIR: where the programs are");
  process.exit(2);
}
existing(values.dir);
const timeout = wholeNumber(values, "timeout", 1);
if (!build()) process.exit(1);
const dist = new URL("../../dist/", import.meta.url);
const load = (path) => import(new URL(path, dist));
const { DEBIAN_KERNELS, getDebianGuest } = await load("cli/testing/debian-guests.js");
const { MAIN, Running } = await load("cli/testing/ringvisor.js");
const { S_IFDIR, S_IFREG } = await load("node/cpio.js");

const kernel = DEBIAN_KERNELS.find(({ name }) => name === values.kernel);
if (!kernel) {
  console.error(`--kernel is one of ${DEBIAN_KERNELS.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}

function isProgram(name) {
  const path = join(values.dir, name);
  if (!statSync(path).isFile() || (statSync(path).mode & 0o111) === 0) return false;
  const bytes = readFileSync(path);
  // An ELF file; one of 64 bits is nothing for a 32-bit kernel.
  return bytes.readUInt32BE(0) === 0x7f454c46 && (bytes[4] === 1 || kernel.machine === "x86_64");
}
const names = readdirSync(values.dir)
  .filter((name) => isProgram(name) && (values.only.length === 0 || values.only.some((word) => name.includes(word))))
  .sort();
if (names.length === 0) {
  console.error(`no static executable in ${values.dir} for this kernel`);
  process.exit(2);
}

// ---- On this machine.

const scratch = mkdtempSync(join(tmpdir(), "ringvisor-tcg-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));

/** As a shell has it: both outputs in one file, and 128 + n for signal n. */
function runNatively(name) {
  const script = `cd ${scratch}; timeout ${timeout} "$1" >out 2>&1; echo $?`;
  const { stdout } = spawnSync("sh", ["-c", script, "sh", resolve(values.dir, name)], { encoding: "utf8" });
  const output = readFileSync(join(scratch, "out"));
  return {
    code: Number(stdout.trim().split("\n").at(-1)),
    output,
    md5: createHash("md5").update(output).digest("hex"),
  };
}

// The second runs come after all first ones: what prints the time of day differs by then.
const native = new Map(names.map((name) => [name, runNatively(name)]));
for (const name of names) native.get(name).varies = runNatively(name).md5 !== native.get(name).md5;

// ---- In a guest.

const SCRIPT = `cd /tests/bin
for name in *; do
  cd /tmp
  timeout ${timeout} /tests/bin/$name >/tmp/out 2>&1
  code=$?
  sum=$(md5sum </tmp/out | cut -c1-32)
  echo "RESULT $name $code $sum"
  if [ "$sum" != "$(cat /tests/sums/$name)" ]; then
    echo "OUTPUT $name"
    gzip -c /tmp/out | base64
    echo "END $name"
  fi
done
echo ALL-DONE
poweroff -f
`;
const text = (content) => new TextEncoder().encode(content);
const guest = await getDebianGuest(kernel, [
  ...["tests", "tests/bin", "tests/sums"].map((path) => ({ path, mode: S_IFDIR | 0o755 })),
  { path: "tests/run", mode: S_IFREG | 0o755, data: text(SCRIPT) },
  ...names.map((name) => ({
    path: `tests/bin/${name}`,
    mode: S_IFREG | 0o755,
    data: readFileSync(join(values.dir, name)),
  })),
  ...names.map((name) => {
    const { md5, varies } = native.get(name);
    return { path: `tests/sums/${name}`, mode: S_IFREG | 0o644, data: text(varies ? "" : md5) };
  }),
]);
process.on("exit", () => rmSync(guest.initrd, { force: true }));

const options = [
  ...["boot", "--kernel", guest.kernel, "--initrd", guest.initrd, "--accel", "interpret", "--no-reboot"],
  ...["--append", "console=ttyS0 quiet cryptomgr.notests vsyscall=emulate", "--cpu", values.cpu, "--memory", "1G"],
];
const running = new Running(options, [process.execPath, MAIN], timeout * 10_000);
process.on("exit", () => running.kill("SIGKILL"));
console.log(`${names.length} programs in ${values.dir}; ${guest.version}, --cpu ${values.cpu}\n`);
console.log("| program | here | in the guest | |");
console.log("| --- | --- | --- | --- |");
let failures = 0;
try {
  await running.sees(/ringvisor:\/root# /);
  running.type("sh /tests/run\n");
  let from = running.output.length;
  for (const name of names) {
    const match = await running.sees(new RegExp(`RESULT ${name} (\\d+) (\\w+)\r?\n`), from);
    const [, code, md5] = match;
    from += match.index + match[0].length;
    const expected = native.get(name);
    const sameOutput = md5 === expected.md5;
    if (!sameOutput) {
      const [whole, encoded] = await running.sees(new RegExp(`OUTPUT ${name}\r?\n([^]*?)END ${name}\r?\n`), from);
      from += whole.length;
      if (!expected.varies) {
        writeFileSync(join(values.dir, `${name}.guest`), gunzipSync(Buffer.from(encoded, "base64")));
        writeFileSync(join(values.dir, `${name}.native`), expected.output);
      }
    }
    const same = Number(code) === expected.code && (sameOutput || expected.varies);
    if (!same) failures++;
    const show = (exit, sum) => `${exit} ${expected.varies ? "(varies)" : sum.slice(0, 8)}`;
    console.log(
      `| ${[name, show(expected.code, expected.md5), show(code, md5), same ? "same" : "**differs**"].join(" | ")} |`,
    );
  }
  await running.sees(/ALL-DONE/);
  await running.exited;
} catch (error) {
  console.error(error.message);
  failures++;
}
console.log(`\n${names.length - failures} of ${names.length} are the same`);
process.exit(failures === 0 ? 0 : 1);
